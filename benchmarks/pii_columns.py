"""Columns with and without personal data, labelled: those to develop on, and others that are held out.

The two have different names, locales and seeds. A column's label is the set of kinds in it; an empty one is a
trap, or just harmless.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from benchmarks.clock import stopped
from benchmarks.pii_data import FAITHS, NATIONS, Maker

Make = Callable[[Maker], object]


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Args:
        table: Of which table.
        name: What it is called.
        label: The kinds of personal data in it.
        values: As a table has them.
    """

    table: str
    name: str
    label: frozenset[str]
    values: pl.Series


def _date(maker: Maker, *, old: int, young: int) -> str:
    born = maker.english.date_of_birth(minimum_age=young, maximum_age=old)
    return str(born.isoformat())


def _recent(maker: Maker) -> str:
    return str(maker.english.date_between("-3y", "today").isoformat())


def _not_luhn(maker: Maker) -> str:
    from lakehouse.pii.scan.checks import luhn

    while True:
        digits = f"4{maker.digits(15)}"
        if not luhn(digits):
            return digits


def _imei(maker: Maker) -> str:
    from lakehouse.pii.scan.checks import luhn

    body = f"35{maker.digits(12)}"
    return next(f"{body}{check}" for check in range(10) if luhn(f"{body}{check}"))


def _iban_like(maker: Maker) -> str:
    return f"{maker.letters(2)}{maker.digits(2)}{maker.letters(4)}{maker.digits(14)}"


def _version(maker: Maker) -> str:
    return ".".join(str(maker.rng.randint(0, 19)) for _ in range(4))


def _order(maker: Maker) -> str:
    return f"{maker.rng.randint(200, 999)}-{maker.rng.randint(200, 999)}-{maker.digits(4)}"


def _ticket(maker: Maker) -> str:
    first, last = maker.fake.first_name(), maker.fake.last_name()
    forms = (
        f"Customer {first} {last} called about the late parcel and wants a call back at {maker.phone()}.",
        f"Spoke to {first} {last}, will send the documents to {maker.fake.email()} tomorrow morning.",
        "The parcel was left at the door, nobody was at home this afternoon.",
        f"Please update the address of {first} {last} before the next delivery goes out.",
    )
    return maker.rng.choice(forms)


def _review(maker: Maker) -> str:
    forms = (
        f"The {maker.product()} is solid and arrived in two days, would buy again.",
        f"Not what I expected, the {maker.product()} feels cheap and the colour is off.",
        "Great value for the price, my kids love it and use it every day.",
    )
    return maker.rng.choice(forms)


def _blurb(maker: Maker) -> str:
    return (
        f"{maker.product()} in brushed steel with a warranty of two years, dishwasher safe and easy to clean."
    )


def _pick(*values: str) -> Make:
    return lambda maker: maker.rng.choice(values)


def _of(kind: str) -> Make:
    return lambda maker: maker.value(kind)


_CITY_SURNAMES = (
    "London",
    "Lincoln",
    "Paris",
    "Chester",
    "Kent",
    "Wells",
    "Lancaster",
    "Bolton",
    "Derby",
    "Durham",
)

DEVELOPMENT: tuple[tuple[str, str, str, str, Make], ...] = (
    ("customers", "full_name", "PERSON", "en_US", lambda m: m.fake.name()),
    ("customers", "first_name", "PERSON", "en_US", lambda m: m.fake.first_name()),
    ("customers", "last_name", "PERSON", "en_US", lambda m: m.fake.last_name()),
    ("customers", "email", "EMAIL_ADDRESS", "en_US", lambda m: m.fake.email()),
    ("customers", "phone", "PHONE_NUMBER", "en_US", lambda m: m.phone()),
    ("customers", "street_address", "LOCATION", "en_US", lambda m: m.fake.street_address()),
    ("customers", "city", "LOCATION", "en_US", lambda m: m.fake.city()),
    ("customers", "zip_code", "LOCATION", "en_US", lambda m: m.fake.postcode()),
    ("customers", "date_of_birth", "DATE_TIME", "en_US", lambda m: _date(m, old=90, young=18)),
    ("customers", "ssn", "US_SSN", "en_US", lambda m: m.english.ssn()),
    ("customers", "card_number", "CREDIT_CARD", "en_US", lambda m: m.english.credit_card_number()),
    ("customers", "signup_date", "", "en_US", _recent),
    ("customers", "customer_id", "", "en_US", lambda m: str(uuid.UUID(int=m.rng.getrandbits(128)))),
    ("customers", "loyalty_points", "", "en_US", lambda m: m.rng.randint(0, 90_000)),
    ("customers", "nationality", "NRP", "en_US", _pick(*NATIONS)),
    ("customers", "passport_number", "US_PASSPORT", "en_US", _of("US_PASSPORT")),
    ("customers", "driver_license", "US_DRIVER_LICENSE", "en_US", _of("US_DRIVER_LICENSE")),
    ("customers", "bank_account_number", "US_BANK_NUMBER", "en_US", _of("US_BANK_NUMBER")),
    ("customers", "last_login_ip", "IP_ADDRESS", "en_US", lambda m: m.english.ipv4_public()),
    (
        "customers",
        "linkedin_url",
        "URL",
        "en_US",
        lambda m: f"https://linkedin.com/in/{m.english.user_name()}",
    ),
    ("customers", "segment", "", "en_US", _pick("gold", "silver", "bronze")),
    ("customers", "newsletter", "", "en_US", _pick("yes", "no")),
    ("kunden", "Vorname", "PERSON", "de_DE", lambda m: m.fake.first_name()),
    ("kunden", "Nachname", "PERSON", "de_DE", lambda m: m.fake.last_name()),
    ("kunden", "Strasse", "LOCATION", "de_DE", lambda m: m.fake.street_address()),
    ("kunden", "Ort", "LOCATION", "de_DE", lambda m: m.fake.city()),
    (
        "kunden",
        "Telefonnummer",
        "PHONE_NUMBER",
        "de_DE",
        lambda m: f"+49 30 {m.rng.randint(20, 99)}{m.digits(5)}",
    ),
    (
        "kunden",
        "Geburtsdatum",
        "DATE_TIME",
        "de_DE",
        lambda m: m.english.date_of_birth().strftime("%d.%m.%Y"),
    ),
    ("kunden", "Kundennummer", "", "de_DE", lambda m: f"K{m.digits(7)}"),
    ("kunden", "iban", "IBAN_CODE", "de_DE", lambda m: m.fake.iban()),
    ("clients", "nom", "PERSON", "fr_FR", lambda m: m.fake.last_name()),
    ("clients", "courriel", "EMAIL_ADDRESS", "fr_FR", lambda m: m.fake.email()),
    ("orders", "order_number", "", "en_US", _order),
    ("orders", "sku", "", "en_US", _iban_like),
    ("orders", "product_name", "", "en_US", lambda m: m.product()),
    ("orders", "product_description", "", "en_US", _blurb),
    ("orders", "payment_ref", "", "en_US", _not_luhn),
    ("orders", "created_ts", "", "en_US", lambda m: 1_700_000_000 + m.rng.randint(0, 40_000_000)),
    ("orders", "tracking_number", "", "en_US", lambda m: m.digits(12)),
    ("orders", "invoice_no", "", "en_US", lambda m: f"INV-{m.rng.randint(2019, 2026)}-{m.digits(5)}"),
    ("orders", "shipped_on", "", "en_US", _recent),
    ("orders", "ship_to_name", "PERSON", "es_ES", lambda m: m.fake.name()),
    ("orders", "amount", "", "en_US", lambda m: round(m.rng.uniform(3, 900), 2)),
    ("devices", "firmware", "", "en_US", _version),
    ("devices", "imei", "", "en_US", _imei),
    ("devices", "mac", "MAC_ADDRESS", "en_US", lambda m: m.english.mac_address()),
    ("devices", "payload_sha", "", "en_US", lambda m: f"{m.rng.getrandbits(256):064x}"),
    ("devices", "model", "", "en_US", _pick("Jackson 3", "Madison Pro", "Austin Air", "Victoria")),
    ("tickets", "notes", "PERSON EMAIL_ADDRESS PHONE_NUMBER", "en_US", _ticket),
    ("tickets", "opened_at", "", "en_US", _recent),
    ("members", "surname", "PERSON", "en_US", _pick(*_CITY_SURNAMES)),
    ("stage", "c1", "EMAIL_ADDRESS", "es_ES", lambda m: m.fake.email()),
    ("stage", "c2", "IBAN_CODE", "fr_FR", lambda m: m.fake.iban()),
    ("stage", "c3", "PHONE_NUMBER", "en_US", lambda m: f"+44 20 7{m.digits(3)} {m.digits(4)}"),
    ("stage", "c4", "PERSON", "en_US", lambda m: f"{m.fake.first_name()} {m.fake.last_name()}"),
    ("stage", "c5", "CREDIT_CARD", "en_US", lambda m: m.english.credit_card_number("visa16")),
    ("stage", "c6", "IP_ADDRESS", "en_US", lambda m: m.english.ipv4_public()),
    ("stage", "c7", "", "en_US", lambda m: f"#{m.rng.getrandbits(24):06x}"),
    ("stage", "c8", "CRYPTO", "en_US", lambda m: m.wallet()),
    ("stage", "c9", "", "en_US", lambda m: f"{m.rng.getrandbits(128):032x}"),
    ("patients", "nhs_no", "UK_NHS", "en_US", lambda m: m.nhs()),
)

HELD_OUT: tuple[tuple[str, str, str, str, Make], ...] = (
    ("staff", "employeeName", "PERSON", "en_GB", lambda m: m.fake.name()),
    ("staff", "givenName", "PERSON", "it_IT", lambda m: m.fake.first_name()),
    ("staff", "family_name", "PERSON", "sv_SE", lambda m: m.fake.last_name()),
    ("staff", "workMail", "EMAIL_ADDRESS", "nl_NL", lambda m: m.fake.email()),
    ("staff", "cell", "PHONE_NUMBER", "en_GB", lambda m: f"07{m.rng.randint(400, 999)} {m.digits(6)}"),
    ("staff", "home_address", "LOCATION", "nl_NL", lambda m: m.fake.street_address()),
    ("staff", "town", "LOCATION", "en_GB", lambda m: m.fake.city()),
    ("staff", "postcode", "LOCATION", "en_GB", lambda m: m.fake.postcode()),
    ("staff", "dob", "DATE_TIME", "en_GB", lambda m: _date(m, old=66, young=17)),
    ("staff", "social_security_no", "US_SSN", "en_GB", lambda m: m.english.ssn()),
    ("staff", "hired_on", "", "en_GB", lambda m: m.english.date_between("-20y", "today").isoformat()),
    ("staff", "badge", "", "en_GB", lambda m: f"B-{m.digits(6)}"),
    ("staff", "salary", "", "en_GB", lambda m: m.rng.randint(22_000, 140_000)),
    ("staff", "religion", "NRP", "en_GB", _pick(*FAITHS)),
    ("staff", "passportNo", "US_PASSPORT", "en_GB", _of("US_PASSPORT")),
    ("staff", "drivers_licence_no", "US_DRIVER_LICENSE", "en_GB", _of("US_DRIVER_LICENSE")),
    ("staff", "acct_no", "US_BANK_NUMBER", "en_GB", _of("US_BANK_NUMBER")),
    ("staff", "grade", "", "en_GB", _pick("A1", "A2", "B1", "B2")),
    ("staff", "department", "", "en_GB", _pick("Sales", "Marketing", "Lincoln Office", "Research")),
    ("pazienti", "cognome", "PERSON", "it_IT", lambda m: m.fake.last_name()),
    ("pazienti", "codice_fiscale", "IT_FISCAL_CODE", "it_IT", lambda m: m.fake.ssn()),
    ("pazienti", "indirizzo", "LOCATION", "it_IT", lambda m: m.fake.street_address()),
    (
        "pazienti",
        "data_nascita",
        "DATE_TIME",
        "it_IT",
        lambda m: m.english.date_of_birth().strftime("%d/%m/%Y"),
    ),
    ("pazienti", "telefono", "PHONE_NUMBER", "it_IT", lambda m: f"+39 3{m.digits(2)} {m.digits(7)}"),
    ("pazienti", "ricovero", "", "it_IT", _recent),
    ("klienci", "imie", "PERSON", "pl_PL", lambda m: m.fake.first_name()),
    ("klienci", "pesel", "PL_PESEL", "pl_PL", lambda m: m.fake.pesel()),
    ("klienci", "miasto", "LOCATION", "pl_PL", lambda m: m.fake.city()),
    ("klienci", "numer_klienta", "", "pl_PL", lambda m: m.digits(8)),
    ("clientes", "sobrenome", "PERSON", "pt_BR", lambda m: m.fake.last_name()),
    ("clientes", "celular", "PHONE_NUMBER", "pt_BR", lambda m: f"+55 11 9{m.digits(4)}-{m.digits(4)}"),
    ("purchases", "purchase_ref", "", "en_GB", lambda m: f"{m.digits(3)}-{m.digits(2)}-{m.digits(4)}"),
    ("purchases", "article_code", "", "en_GB", _iban_like),
    ("purchases", "item_title", "", "en_GB", lambda m: m.product()),
    ("purchases", "review_text", "", "en_GB", _review),
    ("purchases", "txn_id", "", "en_GB", _not_luhn),
    (
        "purchases",
        "updated_epoch_ms",
        "",
        "en_GB",
        lambda m: 1_700_000_000_000 + m.rng.randint(0, 4 * 10**10),
    ),
    ("purchases", "parcel", "", "en_GB", lambda m: m.digits(10)),
    ("purchases", "due_date", "", "en_GB", _recent),
    ("purchases", "recipient", "PERSON", "nl_NL", lambda m: m.fake.name()),
    ("purchases", "delivery_street", "LOCATION", "sv_SE", lambda m: m.fake.street_address()),
    ("purchases", "qty", "", "en_GB", lambda m: m.rng.randint(1, 40)),
    ("purchases", "payer_iban", "IBAN_CODE", "nl_NL", lambda m: m.fake.iban()),
    ("purchases", "cc_num", "CREDIT_CARD", "en_GB", lambda m: m.english.credit_card_number("mastercard")),
    ("gateways", "sw_version", "", "en_GB", _version),
    ("gateways", "serial_no", "", "en_GB", _imei),
    ("gateways", "hw_addr", "MAC_ADDRESS", "en_GB", lambda m: m.english.mac_address().upper()),
    ("gateways", "client_ip", "IP_ADDRESS", "en_GB", lambda m: m.english.ipv6()),
    ("gateways", "etag", "", "en_GB", lambda m: f"{m.rng.getrandbits(160):040x}"),
    ("gateways", "product_line", "", "en_GB", _pick("Harper", "Siena", "Oslo", "Luna")),
    ("calls", "summary", "PERSON EMAIL_ADDRESS PHONE_NUMBER", "en_GB", _ticket),
    ("calls", "started", "", "en_GB", _recent),
    ("voters", "lastname", "PERSON", "en_GB", _pick(*_CITY_SURNAMES)),
    ("raw", "field_01", "EMAIL_ADDRESS", "pl_PL", lambda m: m.fake.email()),
    ("raw", "field_02", "IBAN_CODE", "it_IT", lambda m: m.fake.iban()),
    (
        "raw",
        "field_03",
        "PHONE_NUMBER",
        "en_GB",
        lambda m: f"+33 6 {m.digits(2)} {m.digits(2)} {m.digits(2)} {m.digits(2)}",
    ),
    ("raw", "field_04", "PERSON", "en_GB", lambda m: f"{m.fake.first_name()} {m.fake.last_name()}"),
    ("raw", "field_05", "CREDIT_CARD", "en_GB", lambda m: m.english.credit_card_number("amex")),
    ("raw", "field_06", "", "en_GB", lambda m: str(uuid.UUID(int=m.rng.getrandbits(128))).upper()),
    ("raw", "field_07", "CRYPTO", "en_GB", lambda m: m.wallet()),
    ("raw", "field_08", "", "en_GB", lambda m: f"{m.letters(3)}-{m.digits(5)}"),
    ("wards", "nhsNumber", "UK_NHS", "en_GB", lambda m: m.nhs().replace(" ", "")),
)


def columns(specs: tuple[tuple[str, str, str, str, Make], ...], *, rows: int, seed: int) -> list[Column]:
    """Makes labelled columns.

    Args:
        specs: `DEVELOPMENT` or `HELD_OUT`.
        rows: Values in each.
        seed: The same one makes the same values.
    """
    found = []
    for at, (table, name, label, locale, make) in enumerate(specs):
        maker = Maker(seed=seed * 1000 + at, locale=locale)
        with stopped():
            values = pl.Series(name, [make(maker) for _ in range(rows)])
        found.append(Column(table, name, frozenset(label.split()), values))
    return found
