from __future__ import annotations

import pytest

from lakehouse.pii.paths import parse_path
from lakehouse.pii.scan.names import NameReader, words_of

READER = NameReader()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("customerEmail_2", ("customer", "email", "2")),
        ("HTTPServerName", ("http", "server", "name")),
        ("Straße Nr.", ("strasse", "nr")),
        ("prénom", ("prenom",)),
        ("IMIĘ", ("imie",)),
        ("e-mail", ("e", "mail")),
    ],
)
def test_a_name_has_words(name: str, words: tuple[str, ...]) -> None:
    assert words_of(name) == words


@pytest.mark.parametrize(
    ("path", "entity"),
    [
        ("email", "EMAIL_ADDRESS"),
        ("customerEMail", "EMAIL_ADDRESS"),
        ("work_mail", "EMAIL_ADDRESS"),
        ("mobile_no", "PHONE_NUMBER"),
        ("顧客_電話番号", "PHONE_NUMBER"),
        ("メールアドレス", "EMAIL_ADDRESS"),
        ("Дата_рождения", "DATE_TIME"),
        ("Τηλέφωνο", "PHONE_NUMBER"),
        ("전화번호", "PHONE_NUMBER"),
        ("البريد الإلكتروني", "EMAIL_ADDRESS"),
        ("phones[]", "PHONE_NUMBER"),
        ("contact.phone.number", "PHONE_NUMBER"),
        ("ccNumber", "CREDIT_CARD"),
        ("Geburtsdatum", "DATE_TIME"),
        ("date_naissance", "DATE_TIME"),
        ("dob", "DATE_TIME"),
        ("shipTo", "PERSON"),
        ("nachname", "PERSON"),
        ("apellidos", "PERSON"),
        ("strasse", "LOCATION"),
        ("zipCode", "LOCATION"),
        ("payload$.user.ip", "IP_ADDRESS"),
    ],
)
def test_a_name_speaks_of_personal_data(path: str, entity: str) -> None:
    assert READER.read(parse_path(path)).says(entity)


@pytest.mark.parametrize(
    "name", ["description", "shipment", "recipe", "telemetry", "emissions", "zipped", "dobby", "имятель"]
)
def test_a_part_of_a_word_says_nothing(name: str) -> None:
    assert READER.read(parse_path(name)).entities == ()


def test_what_is_about_things_is_told_from_what_is_about_people() -> None:
    assert READER.read(parse_path("product_name")).thing
    assert not READER.read(parse_path("supplier_contact_name")).thing
    assert READER.read(parse_path("order_no")).numbered
    assert READER.read(parse_path("updated_at")).moment
    bare = READER.read(parse_path("name"), table="customers")
    assert (bare.bare, bare.people, bare.among_things) == (True, True, False)
    assert READER.read(parse_path("name"), table="products").among_things
