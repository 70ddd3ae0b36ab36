"""Personal data that is only a part of values, in texts and in what is none."""

from __future__ import annotations

import base64

import polars as pl
import pytest

from lakehouse.config.models import PiiConfig, Recognizer
from lakehouse.errors import UsageError
from lakehouse.pii.scan.own import OwnPattern
from tests.unit.pii.scan.made import entities, judge

MAILS = [f"ann.{at}@mail{at % 7}.example" for at in range(40)]


@pytest.mark.parametrize(
    "line",
    [
        "https://shop.example/login?user={page}&t=1",
        "<order><mail>{mail}</mail><n>1</n></order>",
        "user=1 mail={mail} took=12",
        '{{"user": {{"mail": "{mail}"}}',
    ],
)
def test_parts_of_values_that_are_no_texts_are_found_and_not_shown(line: str) -> None:
    finding = judge("raw", [line.format(mail=each, page=each.replace("@", "%40")) for each in MAILS])
    assert finding is not None
    assert (finding.names, finding.text, finding.examples) == (("EMAIL_ADDRESS",), True, ())


def test_base64_is_read_and_keys_are_not() -> None:
    written = [base64.b64encode(f"to: {each}".encode()).decode() for each in MAILS]
    assert entities("body", written) == ("EMAIL_ADDRESS",)
    assert entities("body", [base64.b64encode(bytes(range(at, at + 40))).decode() for at in range(40)]) == ()


def test_an_address_of_a_service_is_nobodys() -> None:
    assert entities("remote", [f"git@code.example:team/repo-{at}.git" for at in range(40)]) == ()


def test_one_text_in_a_thousand_counts_and_its_share_is_said() -> None:
    texts = [f"the parcel {at} was left at the door today" for at in range(2000)]
    texts[7] += " write to ann@mail.example"
    assert entities("notes", texts) == (), "one alone is not enough"
    texts[1500] += " write to bob@mail.example"
    finding = judge("notes", texts)
    assert finding is not None
    assert (finding.names, finding.entities[0].share) == (("EMAIL_ADDRESS",), 0.001)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("please call me back on +49 30 901820{at:02} before noon", True),
        ("please call me back on (212) 736-50{at:02} before noon", True),
        ("the order 212-736-50{at:02} has left the house today", False),
        ("it was made on 2024-10-{day:02} 13:55 and closed after that", False),
        ("request took 200 2326{at:02} bytes and went on without it", False),
    ],
)
def test_phones_in_texts_are_found_by_the_rules_of_their_countries(text: str, *, found: bool) -> None:
    texts = [text.format(at=at, day=at % 28 + 1) for at in range(40)]
    assert entities("notes", texts) == (("PHONE_NUMBER",) if found else ())


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("x_forwarded_for", [f"81.2.{at}.7, 10.0.0.{at}" for at in range(40)], ("IP_ADDRESS",)),
        ("pickup_lat", [40.71234 + at / 1000 for at in range(40)], ("LOCATION",)),
        ("home_longitude", [-73.91234 + at / 1000 for at in range(40)], ("LOCATION",)),
        ("n", [f"{4_000_000 + at * 7}.{at:02}11" for at in range(40)], ()),
        (
            "defects",
            [f"scratch on the left panel of unit 79{at:02} after drop test 7, see it" for at in range(40)],
            (),
        ),
        ("max_lat", [float(at) for at in range(40)], ()),
        ("नाम", ["अरविन्द सिंह", "मधुकर कलिता", "नाथ झा", "सुरेश राव", "अमित दास", "रवि सेन"], ("PERSON",)),
        ("पता", [f"{at}/12 शनि सुब्रमण्यम" for at in range(40)], ("LOCATION",)),
    ],
)
def test_lists_coordinates_and_other_scripts(
    name: str, values: list[object], expected: tuple[str, ...]
) -> None:
    assert entities(name, values) == expected


def test_check_digits_of_a_recognizer_of_ones_own_count_for_whole_values_too() -> None:
    config = PiiConfig.model_validate(
        {"recognizers": [{"name": "MEMBER_ID", "regex": r"\d{11}", "score": 0.7, "checksum": "luhn"}]}
    )
    right, wrong = ["79927398713"] * 3, [f"7992739871{at}" for at in (0, 1, 2, 4, 5, 6)]
    assert entities("c1", right, config=config) == ("MEMBER_ID",)
    assert entities("c1", wrong, config=config) == ()


def test_a_recognizer_that_takes_forever_is_named() -> None:
    slow = OwnPattern(Recognizer(name="SLOW", regex="(a|a)+b"), seconds=0.05)
    with pytest.raises(UsageError, match="the recognizer SLOW takes longer than"):
        slow.whole(pl.Series(["a" * 60]))
