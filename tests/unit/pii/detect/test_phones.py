"""The same phone numbers as the phonenumbers library finds, region by region."""

from __future__ import annotations

import random

import phonenumbers
import pytest
from faker import Faker

from lakehouse.pii.detect.phones import Phones

REGIONS = ("US", "GB", "DE", "FR", "IL", "IN", "CA", "BR")
ALL_REGIONS = (*REGIONS, "AR", "AU", "IT", "MX", "RU", "ZA", "001", "ZZ")


def texts(count: int) -> list[str]:
    rng = random.Random(11)
    fakers = [
        Faker(name)
        for name in ("en_US", "en_GB", "de_DE", "fr_FR", "he_IL", "en_IN", "pt_BR", "it_IT", "ja_JP")
    ]
    for number, faker in enumerate(fakers):
        faker.seed_instance(number)

    def piece() -> str:
        faker = rng.choice(fakers)
        makers = (
            faker.phone_number, faker.phone_number, faker.credit_card_number, faker.date, faker.ipv4,
            lambda: f"{faker.phone_number()} / {faker.phone_number()}",
            lambda: f"1 {faker.phone_number()} ext. 12",
            lambda: rng.choice(("+", "0", "00", "011", "", "55", "49")) + str(rng.randrange(10**11)),
            lambda: str(rng.randrange(10 ** rng.randrange(4, 14))),
            lambda: "".join(rng.choice("0123456789 -./()+x#٣") for _ in range(rng.randrange(4, 25))),
        )  # fmt: skip
        before, after = (
            rng.choice(("call ", "", "ref:", "a", "( ")),
            rng.choice(("", " please", "€", ".", " x")),
        )
        return f"{before}{rng.choice(makers)()}{after}"

    return [" ".join(piece() for _ in range(rng.randrange(1, 4))) for _ in range(count)]


@pytest.mark.parametrize(
    ("regions", "leniency"), [(REGIONS, 1), (ALL_REGIONS, 1), (REGIONS, 0), (REGIONS, 3)]
)
def test_numbers_are_those_of_the_library(regions: tuple[str, ...], leniency: int) -> None:
    phones = Phones(regions, leniency=leniency)
    found = 0
    for text in texts(500):
        expected = {
            (match.start, match.end)
            for region in regions
            for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=leniency)
        }
        assert set(phones.find(text)) == expected, text
        found += len(expected)
    assert found > 200
