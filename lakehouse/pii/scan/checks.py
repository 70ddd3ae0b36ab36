"""Checksums and value ranges of numbers that name a person, an account or a device.

Each takes a value as it was found and says whether it can be one; none is right by its look alone.
"""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import date
from typing import Final

_IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29,
    "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_STEPS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_VERHOEFF_PRODUCT: Final = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_SHUFFLE: Final = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip
_VIN_VALUES: Final = {
    **{digit: int(digit) for digit in "0123456789"},
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)), **dict(zip("JKLMN", range(1, 6), strict=True)),
    "P": 7, "R": 9, **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}  # fmt: skip
_VIN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_NIF_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_SIGNS: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_CF_ODD: Final = (
    1,
    0,
    5,
    7,
    9,
    13,
    15,
    17,
    19,
    21,
    2,
    4,
    18,
    20,
    11,
    3,
    6,
    8,
    12,
    14,
    16,
    10,
    22,
    25,
    24,
    23,
)


def digits_of(value: str) -> str:
    """The ASCII digits of a value."""
    return "".join(sign for sign in value if "0" <= sign <= "9")


def luhn(value: str) -> bool:
    """The check digit of ISO/IEC 7812-1, annex B; not all digits alike."""
    digits = digits_of(value)
    total = 0
    for at, sign in enumerate(reversed(digits)):
        number = int(sign) * (1 + at % 2)
        total += number - 9 if number > 9 else number
    return total % 10 == 0 and len(set(digits)) > 1


def iban(value: str) -> bool:
    """ISO 13616: the country's length, and 1 modulo 97 (ISO 7064)."""
    plain = "".join(sign for sign in value if sign.isalnum()).upper()
    if len(plain) != _IBAN_LENGTHS.get(plain[:2], -1):
        return False
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def us_ssn(value: str) -> bool:
    """No area 000, 666 or from 900 on, no group 00, no serial 0000 (Social Security Administration)."""
    digits = digits_of(value)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def ip_address(value: str) -> bool:
    """An address of IPv4 or IPv6, perhaps with the length of its network."""
    try:
        ipaddress.ip_address(value.partition("/")[0])
    except ValueError:
        return False
    return True


def bitcoin(value: str) -> bool:
    """The checksum of Base58Check, or of Bech32 and Bech32m (BIP 173, BIP 350)."""
    if value.lower().startswith("bc1"):
        return _bech32(value.lower())
    number = 0
    for sign in value:
        at = _BASE58.find(sign)
        if at < 0:
            return False
        number = number * 58 + at
    try:
        body = number.to_bytes(25, "big")
    except OverflowError:
        return False
    return hashlib.sha256(hashlib.sha256(body[:-4]).digest()).digest()[:4] == body[-4:]


def _bech32(value: str) -> bool:
    prefix, _, data = value.rpartition("1")
    if any(sign not in _BECH32 for sign in data):
        return False
    values = [ord(sign) >> 5 for sign in prefix] + [0] + [ord(sign) & 31 for sign in prefix]
    check = 1
    for number in values + [_BECH32.index(sign) for sign in data]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ number
        for bit, step in enumerate(_BECH32_STEPS):
            check ^= step if (top >> bit) & 1 else 0
    return check in {1, 0x2BC830A3}


def vin(value: str) -> bool:
    """The check digit of a vehicle's number, as in North America and China (49 CFR 565.15)."""
    signs = value.upper()
    total = sum(_VIN_WEIGHTS[at] * _VIN_VALUES.get(sign, 0) for at, sign in enumerate(signs))
    return mixed(value) and "0123456789X"[total % 11] == signs[8] and len(set(signs)) > 5


def mixed(value: str) -> bool:
    """Whether it has letters and digits."""
    return any(sign.isdigit() for sign in value) and any(sign.isalpha() for sign in value)


def dea(value: str) -> bool:
    """The check digit of the Drug Enforcement Administration."""
    digits = [int(sign) for sign in value[2:]]
    return (sum(digits[0:6:2]) + 2 * sum(digits[1:6:2])) % 10 == digits[6]


def nhs(value: str) -> bool:
    """Modulus 11 over ten digits (NHS Data Dictionary)."""
    digits = digits_of(value)
    rest = 11 - sum(int(sign) * (10 - at) for at, sign in enumerate(digits[:9])) % 11
    return rest % 11 == int(digits[9]) and rest != 10 and len(set(digits)) > 1


def verhoeff(value: str) -> bool:
    """The check digit of Verhoeff, as in Aadhaar numbers."""
    state = 0
    for at, sign in enumerate(reversed(digits_of(value))):
        state = int(_VERHOEFF_PRODUCT[state][int(_VERHOEFF_SHUFFLE[at % 8][int(sign)])])
    return state == 0


def nif(value: str) -> bool:
    """The letter of Spanish identity numbers, of citizens (DNI) and foreigners (NIE)."""
    plain = value.replace("-", "").upper()
    number = plain[:-1]
    if number[0] in "XYZ":
        number = f"{'XYZ'.index(number[0])}{number[1:]}"
    return _NIF_LETTERS[int(number) % 23] == plain[-1]


def fiscal_code(value: str) -> bool:
    """The last letter of the Italian codice fiscale."""
    total = 0
    for at, sign in enumerate(value.upper()[:15]):
        number = int(sign) if sign.isdecimal() else ord(sign) - ord("A")
        total += number if at % 2 else _CF_ODD[number]
    return chr(ord("A") + total % 26) == value.upper()[15]


def pesel(value: str) -> bool:
    """The check digit and the date of birth in a Polish PESEL."""
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    if sum(int(sign) * weight for sign, weight in zip(value, weights, strict=True)) % 10:
        return False
    century, month = divmod(int(value[2:4]), 20)
    return _is_date((1900, 2000, 2100, 2200, 1800)[century] + int(value[:2]), month, int(value[4:6]))


def hetu(value: str) -> bool:
    """The check sign of a Finnish personal identity code, and its date."""
    number = int(value[:6] + value[7:10])
    if _HETU_SIGNS[number % 31] != value[10].upper():
        return False
    century = 1800 if value[6] == "+" else 2000 if value[6] in "ABCDEF" else 1900
    return _is_date(century + int(value[4:6]), int(value[2:4]), int(value[:2]))


def nric(value: str) -> bool:
    """The letter of Singapore's NRIC and FIN."""
    plain = value.upper()
    total = sum(int(sign) * weight for sign, weight in zip(plain[1:8], (2, 7, 6, 5, 4, 3, 2), strict=True))
    total += {"T": 4, "G": 4, "M": 3}.get(plain[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "M": "XWUTRQPNJLK"}.get(plain[0], "XWUTRQPNMLK")
    return letters[total % 11 if plain[0] != "M" else 10 - total % 11] == plain[8]


def tax_file_number(value: str) -> bool:
    """Modulus 11 of Australian tax file numbers."""
    weights = (1, 4, 3, 7, 5, 8, 6, 9, 10)
    return sum(int(s) * w for s, w in zip(digits_of(value), weights, strict=True)) % 11 == 0


def german_tax_id(value: str) -> bool:
    """ISO 7064 (11, 10) of German tax identification numbers; one digit is there more than once."""
    digits = digits_of(value)
    product = 10
    for sign in digits[:10]:
        total = (int(sign) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[10]) and 8 <= len(set(digits[:10])) <= 9


def personnummer(value: str) -> bool:
    """The check digit and the date in a Swedish personal identity number."""
    digits = digits_of(value)[-10:]
    return luhn(digits) and _is_date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
