"""What values of each kind of personal data look like, and how much that alone says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from lakehouse.pii.scan import checks

Strength = Literal["clear", "checked", "likely", "weak"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One look.

    Args:
        entity: The kind of personal data.
        regex: What whole values match, without blanks around; in the dialect of Rust's ``regex``.
        strength: ``clear``: hardly anything else looks like that. ``checked``: others do, but rarely have
            the right checksum. ``likely``: a whole column of it is that, if its name does not say otherwise.
            ``weak``: only together with the name.
        check: Whether a value that matches can be one.
    """

    entity: str
    regex: str
    strength: Strength
    check: Callable[[str], bool] | None = None


# Bounded repeats of classes of Unicode take 40 ms to compile, and there are more expressions than are kept
# compiled; so lengths are checked after.
EMAIL: Final = r"[\p{L}0-9.!#$%&'*+/=?^_`{|}~-]+@(?:[\p{L}0-9-]+\.)+\p{L}{2,}"
"""An e-mail address (RFC 5321, without quoted parts), to be looked at by `is_mail`."""
IBAN: Final = r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?"
CARD: Final = r"[2-6]\d{3}(?:[ -]?\d{2,6}){2,4}"
_IP: Final = r"(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?|[0-9a-f:]*:[0-9a-f:.]+(?:/\d{1,3})?"
_FILE_ENDINGS: Final = frozenset(
    {"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "json", "html", "pdf"}
)


def is_mail(value: str) -> bool:
    """Of possible lengths, and not the name of a file, as ``icon@2x.png``."""
    before, _, domain = value.strip("<>").rpartition("@")
    labels = domain.split(".")
    if labels[-1].lower() in _FILE_ENDINGS or ".." in value or len(labels[-1]) > 24:
        return False
    local = before.rpartition("<")[2].removeprefix("mailto:")
    return len(local) <= 64 and all(len(each) <= 63 and each.strip("-") == each for each in labels)


def is_card(value: str) -> bool:
    """A number of 12 to 19 digits (ISO/IEC 7812-1) with the right check digit."""
    return 12 <= len(checks.digits_of(value)) <= 19 and checks.luhn(value)


def are_addresses(value: str) -> bool:
    """One or several addresses of IPv4 or IPv6."""
    return all(checks.ip_address(each.strip()) for each in value.split(","))


PATTERNS: Final = (
    Pattern(entity="EMAIL_ADDRESS", regex=rf"(?:mailto:|[^<>@]+<|<)?{EMAIL}>?",
            strength="clear", check=is_mail),
    Pattern(entity="IBAN_CODE", regex=rf"(?i){IBAN}", strength="clear", check=checks.iban),
    Pattern(entity="CREDIT_CARD", regex=CARD, strength="checked", check=is_card),
    Pattern(entity="MAC_ADDRESS", regex=r"(?i)(?:[0-9A-F]{2}[:-]){5}[0-9A-F]{2}|"
    r"(?:[0-9A-F]{4}\.){2}[0-9A-F]{4}",
            strength="clear"),
    # Behind proxies there is one address for each of them.
    Pattern(entity="IP_ADDRESS", regex=rf"(?i)(?:{_IP})(?:, ?(?:{_IP}))*",
            strength="likely", check=are_addresses),
    Pattern(entity="CRYPTO", regex=r"[13][1-9A-HJ-NP-Za-km-z]{25,34}|(?:bc1|"
    r"BC1)[02-9ac-hj-np-zAC-HJ-NP-Z]{11,71}",
            strength="clear", check=checks.bitcoin),
    # Of Ethereum and what followed it. Its checksum is in capitals, which many leave out.
    Pattern(entity="CRYPTO", regex=r"0x[0-9a-fA-F]{40}",
            strength="likely"),
    Pattern(entity="VIN", regex=r"(?i)[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}",
            strength="checked", check=checks.vin),
    # In Europe its ninth sign is no check digit.
    Pattern(entity="VIN", regex=r"(?i)[A-HJ-NPR-Z0-9]{13}[0-9]{4}",
            strength="weak", check=checks.mixed),
    Pattern(entity="LICENSE_PLATE", regex=r"(?i)\p{L}{1,3}[ .-]?[A-Z0-9]{1,4}[ .-]?[A-Z0-9]{1,5}|"
    r"[0-9]{1,4}[ .-]?[A-Z]{1,3}[ .-]?[0-9]{0,4}",
            strength="weak", check=checks.mixed),
    Pattern(entity="US_SSN", regex=r"\d{3}-\d{2}-\d{4}",
            strength="likely", check=checks.us_ssn),
    Pattern(entity="US_SSN", regex=r"\d{3}[ .-]?\d{2}[ .-]?\d{4}",
            strength="weak", check=checks.us_ssn),
    Pattern(entity="US_ITIN", regex=r"9\d{2}[ -]?(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])[ -]?\d{4}",
            strength="weak"),
    Pattern(entity="MEDICAL_LICENSE", regex=r"[A-HJ-NP-UX][A-Z9]\d{7}",
            strength="checked", check=checks.dea),
    Pattern(entity="UK_NHS", regex=r"\d{3}[ -]?\d{3}[ -]?\d{4}",
            strength="checked", check=checks.nhs),
    Pattern(entity="UK_NINO", regex=r"(?i)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]",
            strength="likely"),
    Pattern(entity="IN_AADHAAR", regex=r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}",
            strength="checked", check=checks.verhoeff),
    Pattern(entity="IN_PAN", regex=r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]",
            strength="likely"),
    Pattern(entity="ES_NIF", regex=r"(?i)\d{7,8}-?[A-Z]",
            strength="checked", check=checks.nif),
    Pattern(entity="ES_NIE", regex=r"(?i)[XYZ]-?\d{7}-?[A-Z]",
            strength="checked", check=checks.nif),
    Pattern(entity="IT_FISCAL_CODE", regex=r"(?i)[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]",
            strength="checked",
            check=checks.fiscal_code),
    Pattern(entity="PL_PESEL", regex=r"\d{11}",
            strength="checked", check=checks.pesel),
    Pattern(entity="DE_TAX_ID", regex=r"[1-9]\d{10}|[1-9]\d \d{3} \d{3} \d{3}",
            strength="checked",
            check=checks.german_tax_id),
    Pattern(entity="SE_PERSONNUMMER", regex=r"(?:\d{2})?\d{6}[-+]\d{4}",
            strength="checked",
            check=checks.personnummer),
    Pattern(entity="FI_PERSONAL_IDENTITY_CODE", regex=r"(?i)\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]",
            strength="checked",
            check=checks.hetu),
    Pattern(entity="SG_NRIC_FIN", regex=r"(?i)[STFGM]\d{7}[A-Z]",
            strength="checked", check=checks.nric),
    Pattern(entity="AU_TFN", regex=r"\d{3} ?\d{3} ?\d{3}",
            strength="checked", check=checks.tax_file_number),
    Pattern(entity="US_PASSPORT", regex=r"[A-Z]{0,2}\d{6,9}|[A-Z0-9]{9}",
            strength="weak"),
    Pattern(entity="US_DRIVER_LICENSE", regex=r"[A-Z]{0,2}\d{5,14}|[A-Z]\d{3}-\d{3}-\d{2}-\d{3}-\d|"
    r"[A-Z]\d{3}-\d{4}-\d{4}",
            strength="weak"),
    Pattern(entity="US_BANK_NUMBER", regex=r"\d{8,17}",
            strength="weak"),
    Pattern(entity="URL", regex=r"(?i)(?:https?://|www\.)\S+|[a-z0-9.-]+\.[a-z]{2,6}/\S+",
            strength="weak"),
)  # fmt: skip
"""What is looked for in every column. Of one kind, the surer look comes first."""

CLEAR: Final = ("EMAIL_ADDRESS", "IBAN_CODE")
"""What hardly anything else looks like: a few of them are enough."""
NO_CHECKSUMS: Final = (is_mail, are_addresses, checks.us_ssn, checks.mixed)
"""Checks that only leave out what can't be."""
POSTCODE: Final = (
    r"(?i)\d{4,6}|\d{5}-?\d{3,4}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|\d{4} ?[A-Z]{2}|\d{2}-\d{3}|\d{3} \d{2}|"
    r"[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]{1,2}-\d{4,5}"
)
PHONE: Final = r"(?:\+|00)?[\d(][\d ()./-]{5,22}\d(?: ?(?:x|ext\.?|#) ?\d{1,6})?"
"""What can be a phone number, if a library for them, or the name, says so."""
_HAN_PLACE: Final = r"\p{Han}{1,8}[都道府県縣省市][\p{Han}\p{Hiragana}\p{Katakana}ー]{1,12}[市区區町村郡路街]"
STREET: Final = (
    r"(?i)\b(?:street|st|avenue|ave|road|rd|boulevard|blvd|drive|dr|lane|ln|court|ct|place|pl|square|sq|"
    r"way|terrace|"
    r"parkway|pkwy|highway|hwy|circle|close|crescent|mews|apt|suite|unit|p\.? ?o\.? box|rue|avenue|chemin|"
    r"allée|place|"
    r"quai|impasse|calle|avenida|paseo|plaza|via|viale|piazza|corso|vicolo|rua|travessa|largo|straat|laan|"
    r"plein|ulica|"
    r"ul|aleja|al|os|gatan|vägen|plac)\b\.?|\w(?:straße|strasse|str|weg|platz|allee|gasse|ring|damm|ufer|"
    r"straat|laan|"
    r"weg|kade|plein|gracht|gatan|vägen|gränd|gata|väg|gate|vej|veien|katu|tie)\b\.?|"
    rf"{_HAN_PLACE}"
)
"""A word that streets are called by; in Japanese and Chinese the sign behind a city or a part of it."""
ADDRESS_SHAPE: Final = (
    r"(?s)\d{1,5}(?:[/-]\d{1,5})?[A-Za-z]?[ ,]+\p{L}[\p{L}\p{M} .,'\u2019/-]+.*|"
    r"\p{L}[\p{L}\p{M} .'\u2019/-]{2,},? \d{1,5}.*|"
    rf"(?:〒? ?\d{{3}}-?\d{{4}} ?)?{_HAN_PLACE}.*\d.*"
)
"""A number and words, or words and a number: how addresses are written nearly everywhere."""
UUID: Final = r"(?i)\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?"
HEX: Final = r"(?i)(?:0x)?(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})"
_PARTICLE: Final = (
    r"(?:d'|o'|de|del|della|da|das|dos|do|di|du|la|le|van|von|vom|der|den|die|zu|und|bin|al|el|y|e|"
    r"'t|ten|ter|of|af|nad|pod|on|upon|sur|sous|bei|am|im|an|aan|op|in|na|sul)"
)
NAME_SHAPE: Final = (
    rf"(?:pani? )?(?:(?i:{_PARTICLE})[ -]?){{0,3}}\p{{Lu}}[\p{{L}}.'\u2019-]*"
    rf"(?:,? ?[ -](?:{_PARTICLE} ){{0,3}}"
    r"[\p{Lu}'\u2019][\p{L}.'\u2019-]*)*"
)
"""How names of people and places are written: words that begin with a capital, without digits."""
UNCASED_SHAPE: Final = r"[\p{Lo}\p{M}]+(?:[ \u30fb][\p{Lo}\p{M}]+)*"
"""The same in scripts without capitals; how long words are is looked at beside it."""
