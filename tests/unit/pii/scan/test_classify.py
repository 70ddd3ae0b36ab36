from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lakehouse.config.models import PiiConfig
from lakehouse.pii.scan.checks import luhn, vin
from tests.unit.pii.scan.made import TODAY, ToldFinder, entities, judge

FIRST = ("Anna", "Peter", "Maria", "Thomas", "Julia", "Stefan", "Laura", "Daniel", "Sarah", "Michael")
SURNAMES = ("Иванов", "Смирнов", "Кузнецов", "Попов", "Соколов", "Лебедев")
LAST = ("Schmidt", "Meyer", "Garcia", "Johnson", "Rossi", "Dubois", "Kowalski", "Larsen", "Fischer", "Brown")


def _rows(make: Callable[[random.Random], Any], number: int = 300) -> list[Any]:
    rng = random.Random(7)
    return [make(rng) for _ in range(number)]


def _digits(rng: random.Random, number: int) -> str:
    return "".join(rng.choices("0123456789", k=number))


def _card(rng: random.Random, *, right: bool) -> str:
    body = f"4{_digits(rng, 14)}"
    return next(f"{body}{check}" for check in range(10) if luhn(f"{body}{check}") is right)


def _vin(rng: random.Random) -> str:
    head = "1HGCM826"
    tail = f"3A{_digits(rng, 6)}"
    return next(car for check in "0123456789X" if vin(car := f"{head}{check}{tail}"))


TRAPS: dict[str, tuple[str, str, Callable[[random.Random], Any]]] = {
    "order numbers like phones": (
        "orders", "order_no", lambda r: f"{r.randint(200, 999)}-555-{_digits(r, 4)}",
    ),
    "order numbers without a name": (
        "raw", "c1", lambda r: f"{r.randint(100, 199)}-{_digits(r, 3)}-{_digits(r, 4)}",
    ),
    "hashes": ("raw", "c2", lambda r: f"{r.getrandbits(256):064x}"),
    "uuids": ("raw", "user_id", lambda r: str(uuid.UUID(int=r.getrandbits(128)))),
    "uuids called like people": ("raw", "customer_name", lambda r: str(uuid.UUID(int=r.getrandbits(128)))),
    "product names": ("shop", "product_name", lambda r: f"{r.choice(FIRST)} {r.choice(('Lamp', 'Sofa'))}"),
    "names of products": ("products", "name", lambda r: f"{r.choice(FIRST)} {r.choice(LAST)}"),
    "SKUs like IBANs": ("orders", "sku", lambda r: f"DE{_digits(r, 20)}"),
    "versions like IPs": ("raw", "c3", lambda r: ".".join(str(r.randint(0, 20)) for _ in range(4))),
    "versions by name": ("apps", "version", lambda r: ".".join(str(r.randint(0, 200)) for _ in range(4))),
    "seconds since 1970": ("raw", "c4", lambda r: 1_700_000_000 + r.randint(0, 10**7)),
    "seconds in a text": ("raw", "created_ts", lambda r: str(1_700_000_000 + r.randint(0, 10**7))),
    "cards without check digits": ("raw", "c5", lambda r: _card(r, right=False)),
    "IMEIs": ("phones", "imei", lambda r: _card(r, right=True)[:16]),
    "dates of events": (
        "customers", "signup_date", lambda r: date(2024, 1, 1) + timedelta(days=r.randint(0, 600)),
    ),
    "old dates of events": (
        "raw", "founded_on", lambda r: date(1950, 1, 1) + timedelta(days=r.randint(0, 20_000)),
    ),
    "dates of birth that are to come": (
        "raw", "birth_date", lambda r: date(2027, 1, 1) + timedelta(days=r.randint(0, 900)),
    ),
    "dates of birth that are of today": (
        "raw", "birthday", lambda r: TODAY - timedelta(days=r.randint(0, 30)),
    ),
    "amounts": ("orders", "total", lambda r: Decimal(r.randint(100, 99_999)) / 100),
    "flags": ("customers", "phone_verified", lambda r: r.random() < 0.5),
    "counts by name": ("customers", "email_count", lambda r: r.randint(0, 40)),
    "addresses of shops": ("stores", "city", lambda r: r.choice(("Berlin", "Paris", "Madrid", "Hamburg"))),
    "counts of postcodes": ("regions", "postcode_count", lambda r: r.randint(1000, 9999)),
    "ids of cities": ("customers", "city_id", lambda r: r.randint(10_000, 99_999)),
    "teams that own": ("tasks", "owner", lambda r: r.choice(("Data Platform", "Finance", "Growth"))),
    "image files": ("assets", "c6", lambda r: f"icon{r.randint(1, 900)}@2x.png"),
    "status words": ("orders", "status", lambda r: r.choice(("open", "paid", "sent"))),
    "countries": ("customers", "country", lambda r: r.choice(("Germany", "France", "Spain"))),
    "hashes of commits": ("raw", "c8", lambda r: f"{r.getrandbits(160):040x}"),
    "codes of 17 signs": (
        "raw", "c9", lambda r: "".join(r.choices("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", k=17)),
    ),
    "codes like plates": ("stock", "shelf", lambda r: f"B-AB {r.randint(10, 9999)}"),
    "plates of metal": ("stock", "plate", lambda r: r.choice(("steel", "copper", "brass"))),
    "names and no numbers": ("raw", "c10", lambda r: f"{r.choice(LAST)} +{r.randint(1, 9)}"),
    "orders with words": ("orders", "order_no", lambda r: f"Order no. +49 30 {r.randint(1000000, 9999999)}"),
    "degrees of machines": ("sensors", "latitude", lambda r: r.uniform(-80, 80)),
}  # fmt: skip

PERSONAL: dict[str, tuple[str, str, Callable[[random.Random], Any], str]] = {
    "mail": (
        "raw", "c1", lambda r: f"{r.choice(FIRST).lower()}{r.randint(1, 99)}@example.org", "EMAIL_ADDRESS",
    ),
    "few mails among user names": (
        "raw", "login",
        lambda r: f"u{r.randint(1, 999)}@example.org" if r.random() < 0.1 else f"u{r.randint(1, 999)}",
        "EMAIL_ADDRESS",
    ),
    "mail behind a name": (
        "raw", "c7", lambda r: f"{r.choice(FIRST)} <m{r.randint(1, 99)}@example.org>", "EMAIL_ADDRESS",
    ),
    "whole addresses": (
        "users", "address",
        lambda r: f"Aleksanterinkatu {r.randint(1, 90)} B {r.randint(1, 9)}\n{_digits(r, 5)} Helsinki",
        "LOCATION",
    ),
    "names without capitals": (
        "users", "customer_name",
        lambda r: f"{r.choice('王李張陳')}{r.choice('偉芳敏靜')}{r.choice('明華')}",
        "PERSON",
    ),
    "full names": ("raw", "c2", lambda r: f"{r.choice(FIRST)} {r.choice(LAST)}", "PERSON"),
    "names in small letters": (
        "people", "full_name", lambda r: f"{r.choice(FIRST)} {r.choice(LAST)}".lower(), "PERSON",
    ),
    "names of customers": ("customers", "name", lambda r: f"{r.choice(LAST)}, {r.choice(FIRST)}", "PERSON"),
    "cities as surnames": (
        "members", "surname",
        lambda r: r.choice(("London", "Lincoln", "Paris", "Kent", "Wells", "Derby")), "PERSON",
    ),
    "wallets of Ethereum": ("raw", "c8", lambda r: f"0x{r.getrandbits(160):040x}", "CRYPTO"),
    "numbers of cars": ("raw", "c9", _vin, "VIN"),
    "numbers of European cars": (
        "raw", "Fahrgestellnummer", lambda r: f"WVWZZZ1JZXW{_digits(r, 6)}", "VIN",
    ),
    "plates": ("drivers", "Kennzeichen", lambda r: f"B-AB {r.randint(10, 9999)}", "LICENSE_PLATE"),
    "British plates": (
        "drivers", "license_plate", lambda r: f"{r.choice('ABKL')}D{r.randint(10, 74)} ABC", "LICENSE_PLATE",
    ),
    "names with numbers": (
        "raw", "contact",
        lambda r: f"{r.choice(FIRST)} {r.choice(LAST)}, +49 30 {r.randint(2_000_000, 9_999_999)}",
        "PHONE_NUMBER",
    ),
    "Japanese addresses": (
        "raw", "住所",
        lambda r: f"東京都{r.choice(['千代田', '渋谷', '新宿'])}区丸の内{r.randint(1, 9)}-{r.randint(1, 30)}",
        "LOCATION",
    ),
    "Japanese names": (
        "顧客", "氏名", lambda r: f"{r.choice(('佐藤', '鈴木'))} {r.choice('翔葵蓮陽')}{r.choice('太子')}",
        "PERSON",
    ),
    "Russian names": (
        "клиенты", "Фамилия", lambda r: r.choice(SURNAMES),
        "PERSON",
    ),
    "cards": ("raw", "c3", lambda r: _card(r, right=True), "CREDIT_CARD"),
    "phones by name": ("raw", "mobile", lambda r: f"0{r.randint(150, 179)} {_digits(r, 7)}", "PHONE_NUMBER"),
    "phones as numbers": (
        "raw", "msisdn", lambda r: 49_170_000_0000 + r.randint(0, 9_999_999), "PHONE_NUMBER",
    ),
    "phones of the world": ("raw", "c4", lambda r: f"+4930{_digits(r, 7)}", "PHONE_NUMBER"),
    "addresses": ("raw", "c5", lambda r: f"{r.randint(1, 200)} {r.choice(LAST)} Street", "LOCATION"),
    "cities of customers": (
        "customers", "city", lambda r: r.choice(("Berlin", "Paris", "Madrid")), "LOCATION",
    ),
    "postcodes": ("customers", "zip", lambda r: _digits(r, 5), "LOCATION"),
    "dates of birth": (
        "raw", "dob", lambda r: date(1940, 1, 1) + timedelta(days=r.randint(0, 25_000)), "DATE_TIME",
    ),
    "dates of birth in a text": (
        "raw", "Geburtsdatum",
        lambda r: f"{r.randint(10, 28)}.0{r.randint(1, 9)}.{r.randint(1940, 2004)}", "DATE_TIME",
    ),
    "years of birth": ("raw", "birth_year", lambda r: r.randint(1940, 2008), "DATE_TIME"),
    "IPs": (
        "raw", "c6",
        lambda r: f"{r.randint(60, 220)}.{r.randint(0, 255)}.{r.randint(30, 255)}.{r.randint(0, 255)}",
        "IP_ADDRESS",
    ),
    "places of people": ("users", "lat", lambda r: r.uniform(-80, 80), "LOCATION"),
    "faiths": ("staff", "religion", lambda r: r.choice(("Catholic", "Muslim", "Hindu")), "NRP"),
    "social security": ("raw", "ssn", lambda r: r.randint(100_000_000, 665_999_999), "US_SSN"),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_no_personal_data_whatever_a_model_says(trap: str) -> None:
    table, name, make = TRAPS[trap]
    rows = _rows(make)
    assert entities(name, rows, table=table) == ()
    for seen in ("PERSON", "LOCATION"):
        assert entities(name, rows, table=table, finder=ToldFinder(every=seen)) == ()


@pytest.mark.parametrize("kind", PERSONAL)
def test_personal_data_is_found_without_a_model(kind: str) -> None:
    table, name, make, entity = PERSONAL[kind]
    assert entities(name, _rows(make), table=table) == (entity,)


def test_a_finding_says_why_and_shows_no_value() -> None:
    mails = [f"anna{at}@example.org" for at in range(50)]
    found = judge("email", [*mails, None, ""])
    assert found is not None
    (entity,) = found.entities
    assert entity.evidence == ("pattern", "name")
    assert entity.share == 1.0
    assert (found.rows, found.filled, found.distinct) == (52, 50, 50)
    assert sorted(found.examples) == ["a***99@e***.org", "a***9@e***.org"]
    assert "anna" not in repr(found)
    assert entity.reason == "100% of the values look like e-mail addresses; the name says so"


def test_a_name_and_a_model_that_agree_are_enough_together() -> None:
    made_up = [f"{chr(65 + at % 26)}qxv{chr(97 + at // 26)}" for at in range(200)]
    assert entities("contact", made_up) == ()
    assert entities("contact", made_up, finder=ToldFinder(every="PERSON")) == ("PERSON",)
    assert entities("c1", made_up, finder=ToldFinder(every="PERSON")) == ()


def test_a_model_is_given_a_few_values_only() -> None:
    finder = ToldFinder(every="PERSON")
    judge(
        "contact",
        [f"Qxv{'abcdefghij'[at % 10]}{'klmnopqrst'[at // 10 % 10]}" for at in range(5000)],
        finder=finder,
    )
    assert 0 < len(finder.asked) <= 32


def test_recognizers_of_the_config_find_their_own() -> None:
    config = PiiConfig.model_validate(
        {
            "recognizers": [
                {"name": "EMPLOYEE_ID", "regex": r"e-\d{6}", "score": 0.4, "context": ["employee", "staff"]},
                {"name": "PROJECT", "deny_list": ["Orion", "Vega"], "score": 0.7},
                {"name": "BADGE", "regex": r"(?<=B)\p{N}+|B\d+", "score": 0.7},
            ]
        }
    )
    numbers = [f"E-{at:06}" for at in range(40)]
    assert entities("staff_no", numbers, config=config) == ("EMPLOYEE_ID",)
    assert entities("c1", numbers, config=config) == ("EMPLOYEE_ID",)
    assert entities("c1", numbers) == ()
    assert entities("c2", ["orion", "VEGA"] * 20, config=config) == ("PROJECT",)
    assert entities("c3", [f"B{at}" for at in range(30)], config=config) == ("BADGE",)


def test_a_higher_min_score_leaves_out_what_is_less_sure() -> None:
    rows = _rows(lambda rng: f"{rng.choice(FIRST)} {rng.choice(LAST)}")
    assert entities("c1", rows, config=PiiConfig(min_score=0.9)) == ()


def test_what_was_cut_is_said() -> None:
    texts = [f"write to anna{at}@example.org about this and that {'x' * 5000}" for at in range(20)]
    found = judge("body", texts)
    assert found is not None
    assert found.text
    assert found.note == "20 longer than 4,000 characters, cut for the scan"
    assert found.examples == ()


@pytest.mark.parametrize("nothing", [[None, None], [], ["", " "], [None]])
def test_no_values_are_no_personal_data(nothing: list[Any]) -> None:
    assert entities("email", nothing) == ()
