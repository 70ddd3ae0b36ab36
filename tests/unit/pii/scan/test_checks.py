from __future__ import annotations

from collections.abc import Callable

import pytest

from lakehouse.pii.scan import checks

GOOD = [
    (checks.luhn, "4111 1111 1111 1111"),
    (checks.luhn, "371449635398431"),
    (checks.iban, "DE89 3704 0044 0532 0130 00"),
    (checks.iban, "gb82west12345698765432"),
    (checks.us_ssn, "123-45-6789"),
    (checks.ip_address, "192.168.0.1"),
    (checks.ip_address, "2001:db8::1/64"),
    (checks.bitcoin, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    (checks.bitcoin, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
    (checks.dea, "AB1234563"),
    (checks.nhs, "943 476 5919"),
    (checks.verhoeff, "2341 2341 2346"),
    (checks.nif, "12345678Z"),
    (checks.nif, "X1234567L"),
    (checks.fiscal_code, "RSSMRA85T10A562S"),
    (checks.pesel, "44051401359"),
    (checks.hetu, "131052-308T"),
    (checks.nric, "S1234567D"),
    (checks.tax_file_number, "123 456 782"),
    (checks.german_tax_id, "86095742719"),
    (checks.personnummer, "811218-9876"),
]
BAD = [
    (checks.luhn, "4111 1111 1111 1112"),
    (checks.luhn, "0000 0000 0000 0000"),
    (checks.iban, "DE88 3704 0044 0532 0130 00"),
    (checks.iban, "DE89 3704 0044 0532 0130"),
    (checks.iban, "QQ12ABCD34567890123456"),
    (checks.us_ssn, "666-45-6789"),
    (checks.us_ssn, "900-45-6789"),
    (checks.us_ssn, "123-00-6789"),
    (checks.us_ssn, "123-45-0000"),
    (checks.ip_address, "192.168.0.256"),
    (checks.ip_address, "10:30"),
    (checks.bitcoin, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"),
    (checks.bitcoin, "1A1zP1eP5QGefi2DMPTfTL5SLmv7Div0Na"),
    (checks.bitcoin, "z" * 60),
    (checks.bitcoin, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdz"),
    (checks.bitcoin, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdb"),
    (checks.dea, "AB1234564"),
    (checks.nhs, "943 476 5918"),
    (checks.nhs, "0000000000"),
    (checks.verhoeff, "2341 2341 2347"),
    (checks.nif, "12345678A"),
    (checks.fiscal_code, "RSSMRA85T10A562T"),
    (checks.pesel, "44051401358"),
    (checks.pesel, "44133801358"),
    (checks.hetu, "131052-308U"),
    (checks.hetu, "311152-3080"),
    (checks.nric, "S1234567E"),
    (checks.tax_file_number, "123 456 783"),
    (checks.german_tax_id, "86095742718"),
    (checks.personnummer, "811218-9875"),
    (checks.personnummer, "811318-9876"),
]


@pytest.mark.parametrize(("check", "value"), GOOD)
def test_a_right_number_passes(check: Callable[[str], bool], value: str) -> None:
    assert check(value)


@pytest.mark.parametrize(("check", "value"), BAD)
def test_a_wrong_number_does_not(check: Callable[[str], bool], value: str) -> None:
    assert not check(value)
