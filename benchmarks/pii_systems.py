"""Columns as other systems name and fill them, labelled: a third set, made before anything was tuned on it.

Names are those of ERP and CRM systems, payment providers, telephone companies, web logs and spreadsheets;
values are of eight locales. As many columns hold nothing personal, and look or are called like it.
"""

from __future__ import annotations

import base64
import uuid
from typing import Final

from benchmarks.pii_columns import Make
from benchmarks.pii_data import Maker


def _pick(*values: object) -> Make:
    return lambda m: m.rng.choice(values)


def _ean(m: Maker) -> str:
    body = f"4{m.digits(11)}"
    total = sum(int(sign) * (3 if at % 2 else 1) for at, sign in enumerate(body))
    return f"{body}{-total % 10}"


def _agent(m: Maker) -> str:
    return str(m.english.user_agent())


def _uuid(m: Maker) -> str:
    return str(uuid.UUID(int=m.rng.getrandbits(128)))


def _lines(*forms: str) -> Make:
    """Texts with people in them."""

    def made(m: Maker) -> str:
        form = m.rng.choice(forms)
        return form.format(
            name=m.fake.name(), email=m.fake.email(), phone=f"+1 212 555 {m.rng.randint(1000, 9999)}",
            n=m.digits(6), product=m.product(),
        )  # fmt: skip

    return made


def _handset(prefix: str, groups: str) -> Make:
    return lambda m: prefix + "".join(m.rng.choice("23456789") if s == "#" else s for s in groups)


def _fake(kind: str) -> Make:
    """What Faker calls it, in the column's locale."""
    return lambda m: getattr(m.fake, kind)()


def _born(m: Maker) -> str:
    return str(m.english.date_of_birth(minimum_age=17, maximum_age=88).isoformat())


def _day(m: Maker) -> str:
    return str(m.english.date_between("-4y", "today").isoformat())


def _ip(m: Maker) -> str:
    return str(m.english.ipv4_public())


_NAME, _FIRST, _LAST = (_fake(each) for each in ("name", "first_name", "last_name"))
_STREET, _CITY, _ZIP = (_fake(each) for each in ("street_address", "city", "postcode"))
_MAIL, _IBAN = _fake("email"), _fake("iban")

SYSTEMS: Final[tuple[tuple[str, str, str, str, Make], ...]] = (
    # An ERP system's tables of customers, vendors and goods.
    ("KNA1", "KUNNR", "", "de_DE", lambda m: m.digits(10)),
    ("KNA1", "NAME1", "PERSON", "de_DE", _NAME),
    ("KNA1", "STRAS", "LOCATION", "de_DE", _STREET),
    ("KNA1", "ORT01", "LOCATION", "de_DE", _CITY),
    ("KNA1", "PSTLZ", "LOCATION", "de_DE", _ZIP),
    ("KNA1", "TELF1", "PHONE_NUMBER", "de_DE", _handset("0", "30/######")),
    ("KNA1", "STCEG", "", "de_DE", lambda m: f"DE{m.digits(9)}"),
    ("ADRC", "NAME_LAST", "PERSON", "fr_FR", _LAST),
    ("ADR6", "SMTP_ADDR", "EMAIL_ADDRESS", "pl_PL", _MAIL),
    ("ADRC", "TEL_NUMBER", "PHONE_NUMBER", "fr_FR", _handset("0", "1 ## ## ## ##")),
    ("MARA", "MATNR", "", "de_DE", lambda m: m.digits(18)),
    ("MAKT", "MAKTX", "", "de_DE", lambda m: m.product()),
    ("MARA", "EAN11", "", "de_DE", _ean),
    ("VBAK", "VBELN", "", "de_DE", lambda m: f"00{m.digits(8)}"),
    ("VBAK", "ERDAT", "", "de_DE", lambda m: m.english.date_between("-4y").strftime("%Y%m%d")),
    ("MARC", "HERKL", "", "de_DE", _pick("DE", "CN", "VN", "IT")),
    # A CRM system's objects.
    ("Contact", "LastName__c", "PERSON", "en_US", _LAST),
    ("Contact", "Salutation_Name__c", "PERSON", "pt_BR", _NAME),
    ("Contact", "MailingStreet", "LOCATION", "en_US", _STREET),
    ("Contact", "MailingCity", "LOCATION", "pt_BR", _CITY),
    ("Contact", "MailingPostalCode", "LOCATION", "fr_FR", _ZIP),
    ("Contact", "MobilePhone", "PHONE_NUMBER", "pt_BR", _handset("+55 11 9", "####-####")),
    ("Contact", "Birthdate", "DATE_TIME", "en_US", _born),
    ("Contact", "npe01__HomeEmail__c", "EMAIL_ADDRESS", "hi_IN", _MAIL),
    ("Contact", "Id", "", "en_US", lambda m: f"003{m.letters(3)}{m.digits(12)}"),
    ("Contact", "LeadSource", "", "en_US", _pick("Web", "Phone Inquiry", "Partner Referral", "Paris Fair")),
    ("Contact", "SystemModstamp", "", "en_US", _day),
    (
        "Opportunity",
        "Name",
        "",
        "en_US",
        _pick("Madison Renewal", "Austin Upsell", "Victoria Pilot", "Kent Q3"),
    ),
    ("Opportunity", "StageName", "", "en_US", _pick("Prospecting", "Closed Won", "Negotiation")),
    # A payment provider's.
    ("charges", "billing_details.address.line1", "LOCATION", "en_US", _STREET),
    ("charges", "billing_details.name", "PERSON", "fr_FR", _NAME),
    ("charges", "receipt_email", "EMAIL_ADDRESS", "fr_FR", _MAIL),
    ("charges", "payment_method_details.card.last4", "", "en_US", lambda m: m.digits(4)),
    ("charges", "payment_method_details.card.fingerprint", "", "en_US", lambda m: m.letters(16)),
    ("charges", "statement_descriptor", "", "en_US", _pick("ACME BOSTON", "ACME DALLAS", "ACME ONLINE")),
    ("charges", "amount_captured", "", "en_US", lambda m: m.rng.randint(100, 99_999)),
    ("payouts", "destination_iban", "IBAN_CODE", "pl_PL", _IBAN),
    ("payouts", "bic", "", "de_DE", lambda m: f"{m.letters(4)}DE{m.letters(2)}XXX"),
    ("payouts", "pan_token", "", "en_US", lambda m: f"tok_{m.letters(10)}{m.digits(6)}"),
    ("payouts", "cardno", "CREDIT_CARD", "en_US", lambda m: m.english.credit_card_number("visa16")),
    # Abbreviations, as in spreadsheets and old systems.
    ("cust_mst", "fname", "PERSON", "hi_IN", _FIRST),
    ("cust_mst", "lname", "PERSON", "ja_JP", _LAST),
    ("cust_mst", "cust_nm", "PERSON", "en_US", _NAME),
    ("cust_mst", "addr1", "LOCATION", "hi_IN", _STREET),
    ("cust_mst", "zip", "LOCATION", "en_US", _ZIP),
    ("cust_mst", "plz", "LOCATION", "de_DE", _ZIP),
    ("cust_mst", "tel_no", "PHONE_NUMBER", "ja_JP", _handset("03-", "####-####")),
    ("cust_mst", "ph", "PHONE_NUMBER", "en_US", _handset("(212) ", "###-####")),
    ("cust_mst", "msisdn", "PHONE_NUMBER", "pl_PL", _handset("48", "6########")),
    ("cust_mst", "mob_no", "PHONE_NUMBER", "hi_IN", _handset("9", "#########")),
    ("cust_mst", "dob", "DATE_TIME", "ar_SA", _born),
    ("cust_mst", "ssn", "US_SSN", "en_US", lambda m: m.english.ssn()),
    ("cust_mst", "eml", "EMAIL_ADDRESS", "pt_BR", _MAIL),
    ("cust_mst", "rec_stat", "", "en_US", _pick("A", "I", "X")),
    ("cust_mst", "crt_dt", "", "en_US", _day),
    ("cust_mst", "vat_id", "", "fr_FR", lambda m: f"FR{m.digits(11)}"),
    # camelCase, other scripts and languages.
    ("employees", "givenName", "PERSON", "ar_SA", _FIRST),
    ("employees", "managerFullName", "PERSON", "pl_PL", _NAME),
    ("employees", "homePostalAddress", "LOCATION", "ja_JP", lambda m: m.fake.address()),
    ("employees", "emergencyPhone", "PHONE_NUMBER", "ar_SA", _handset("+966 5", "# ### ####")),
    ("employees", "birthDay", "DATE_TIME", "ja_JP", lambda m: m.english.date_of_birth().strftime("%Y/%m/%d")),
    ("employees", "costCenter", "", "en_US", lambda m: f"CC{m.digits(4)}"),
    ("employees", "jobTitle", "", "en_US", lambda m: m.english.job()),
    ("employees", "officeName", "", "en_US", _pick("London", "Paris", "Austin HQ", "Florence")),
    ("employees", "startDate", "", "en_US", lambda m: m.english.date_between("-30y", "-10y").isoformat()),
    ("会員", "氏名", "PERSON", "ja_JP", _NAME),
    ("会員", "住所", "LOCATION", "ja_JP", lambda m: m.fake.address()),
    ("عملاء", "الاسم", "PERSON", "ar_SA", _NAME),
    ("ग्राहक", "नाम", "PERSON", "hi_IN", _NAME),
    ("clientes", "cpf", "", "pt_BR", lambda m: m.fake.cpf()),
    ("clientes", "logradouro", "LOCATION", "pt_BR", _STREET),
    ("clientes", "bairro", "LOCATION", "pt_BR", lambda m: m.fake.bairro()),
    ("klienci", "nr_telefonu", "PHONE_NUMBER", "pl_PL", _handset("+48 6", "## ### ###")),
    ("klienci", "ulica_i_numer", "LOCATION", "pl_PL", _STREET),
    # Web logs, sessions and devices.
    ("access_log", "remote_host", "IP_ADDRESS", "en_US", _ip),
    (
        "access_log",
        "x_forwarded_for",
        "IP_ADDRESS",
        "en_US",
        lambda m: f"{m.english.ipv4_public()}, 10.0.0.{m.rng.randint(1, 99)}",
    ),
    ("access_log", "user_agent", "", "en_US", _agent),
    (
        "access_log",
        "referer",
        "",
        "en_US",
        lambda m: f"https://shop.example/p/{m.letters(3).lower()}-{m.digits(4)}",
    ),
    ("access_log", "session_id", "", "en_US", lambda m: f"{m.rng.getrandbits(128):032x}"),
    ("access_log", "cookie", "", "en_US", lambda m: f"_ga=GA1.2.{m.digits(9)}.{m.digits(10)}"),
    ("access_log", "bytes", "", "en_US", lambda m: m.rng.randint(200, 9_000_000)),
    (
        "access_log",
        "upstream",
        "",
        "en_US",
        _pick("web-01.eu.internal", "web-02.eu.internal", "api-1.us.internal"),
    ),
    ("handsets", "wifi_mac", "MAC_ADDRESS", "en_US", lambda m: m.english.mac_address()),
    (
        "handsets",
        "os_version",
        "",
        "en_US",
        lambda m: f"{m.rng.randint(9, 17)}.{m.rng.randint(0, 9)}.{m.rng.randint(0, 9)}",
    ),
    (
        "handsets",
        "app_build",
        "",
        "en_US",
        lambda m: f"{m.rng.randint(0, 9)}.{m.rng.randint(0, 99)}.{m.rng.randint(0, 9)}.{m.digits(3)}",
    ),
    ("handsets", "push_token", "", "en_US", lambda m: base64.b64encode(m.rng.randbytes(33)).decode()),
    ("rides", "pickup_lat", "LOCATION", "en_US", lambda m: round(m.rng.uniform(40.4, 40.9), 6)),
    ("rides", "pickup_lng", "LOCATION", "en_US", lambda m: round(m.rng.uniform(-74.3, -73.6), 6)),
    ("parcels", "lat", "", "en_US", lambda m: round(m.rng.uniform(0.2, 31.0), 1)),
    # Things that look, or are called, like people and their numbers.
    ("books", "isbn", "", "en_US", lambda m: m.english.isbn13()),
    ("books", "title", "", "en_US", _pick("Emma", "Jane Eyre", "Anna Karenina", "Oliver Twist", "Rebecca")),
    ("invoices", "invoice_number", "", "en_US", lambda m: f"{m.digits(3)}-{m.digits(3)}-{m.digits(4)}"),
    ("invoices", "total_net", "", "en_US", lambda m: f"{m.rng.uniform(3, 4000):.2f}"),
    ("invoices", "booked_at", "", "en_US", lambda m: m.english.date_time_this_decade().isoformat()),
    ("goods", "name", "", "en_US", lambda m: m.product()),
    ("goods", "category_name", "", "en_US", _pick("Kitchen", "Garden", "Christian Books", "Jordan Shoes")),
    ("goods", "origin_country", "", "en_US", lambda m: m.english.country()),
    ("goods", "manufacturer", "", "en_US", lambda m: m.english.company()),
    ("goods", "image_url", "", "en_US", lambda m: f"https://cdn.example.com/img/{m.digits(8)}.jpg"),
    ("goods", "colour_name", "", "en_US", lambda m: m.english.color_name()),
    ("jobs", "run_id", "", "en_US", _uuid),
    ("jobs", "log_path", "", "en_US", lambda m: f"/var/log/etl/{m.digits(8)}/part-{m.digits(5)}.gz"),
    ("jobs", "hostname", "", "en_US", lambda m: m.english.hostname()),
    ("jobs", "image_digest", "", "en_US", lambda m: f"sha256:{m.rng.getrandbits(256):064x}"),
    ("jobs", "cron", "", "en_US", _pick("0 3 * * *", "*/5 * * * *", "0 4 * * 0")),
    (
        "jobs",
        "message",
        "",
        "en_US",
        lambda m: (
            f"task {m.digits(5)} finished in {m.rng.randint(1, 90)} s with {m.digits(3)} rows written to disk"
        ),
    ),
    ("meters", "reading", "", "en_US", lambda m: m.rng.randint(10**8, 10**9)),
    ("meters", "meter_no", "", "en_US", lambda m: f"1{m.letters(3)}{m.digits(10)}"),
    ("stations", "station", "", "en_US", _pick("Lincoln Park", "Washington Square", "Union", "Jefferson")),
    ("teams", "team_name", "", "en_US", _pick("Lakers", "Jackson Five", "Ravens", "Houston Rockets")),
    # Free texts.
    (
        "cases",
        "description",
        "PERSON EMAIL_ADDRESS PHONE_NUMBER",
        "en_US",
        _lines(
            "{name} wrote from {email} that the {product} never arrived at all.",
            "Please call {name} back on {phone} about case {n} before Friday.",
            "The customer {name} is happy with the new {product} and closed it.",
        ),
    ),
    (
        "cases",
        "resolution",
        "",
        "en_US",
        _lines(
            "Replaced the {product} under warranty, tracking number {n} was sent.",
            "No fault was found, closed after {n} seconds without an answer.",
        ),
    ),
    ("commits", "author", "EMAIL_ADDRESS", "fr_FR", lambda m: f"{m.fake.name()} <{m.fake.email()}>"),
    (
        "commits",
        "subject",
        "",
        "en_US",
        _pick(
            "fix: handle nulls in the parser of dates",
            "Bump rails from 7.0.1 to 7.0.4 in the lock file",
            "docs: mention the limits of the merge verb",
        ),
    ),
)
"""Table, column, kinds, locale and how a value is made; see `benchmarks.pii_columns.columns`."""
