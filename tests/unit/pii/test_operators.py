"""What each operator makes of values."""

from __future__ import annotations

import re
import sys
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lakehouse.errors import KeysError, MissingPackageError, UsageError
from lakehouse.pii.operators.digests import one_digest
from tests.unit.pii.operators import ENTITY, masked, operator
from tests.unit.pii.rings import Ring


def test_redact_and_nullify_leave_nothing() -> None:
    assert masked("redact", "a@b", "", None) == ["", "", None]
    assert masked("redact", b"x", None) == [b"", None]
    assert masked("redact", 7, None) == [None, None]
    assert masked("redact", [1], None, kind=pl.List(pl.Int64)) == [None, None]
    assert masked("nullify", "a", "", None) == [None, None, None]


def test_keep_keeps() -> None:
    assert masked("keep", "a", None) == ["a", None]


def test_replace_gives_a_constant_of_the_type_or_the_entity() -> None:
    assert masked("replace", "a", "", None) == ["<EMAIL_ADDRESS>", "<EMAIL_ADDRESS>", None]
    assert masked("replace", "a", None, new_value="x") == ["x", None]
    assert masked("replace", 5, None, new_value=-1) == [-1, None]
    assert masked("replace", date(2020, 1, 2), None, new_value="2000-01-01") == [date(2000, 1, 1), None]
    assert masked("replace", Decimal("1.50"), new_value=2) == [Decimal("2.00")]
    assert masked("replace", 1.5, new_value=0) == [0.0]
    assert masked("replace", True, new_value=False) == [False]


@pytest.mark.parametrize(
    ("kind", "value"),
    [(pl.Int8(), 1000), (pl.Int64(), 1.5), (pl.Int64(), "x"), (pl.Date(), "soon"), (pl.Int64(), True)],
)
def test_replace_refuses_what_does_not_fit(kind: pl.DataType, value: Any) -> None:
    assert not operator("replace", new_value=value).takes(kind)
    assert not operator("replace").takes(kind)


def test_mask_covers_as_many_characters_as_there_were() -> None:
    assert masked("mask", "+49 30 1234", "", None) == ["***********", "", None]
    assert masked("mask", "+49 30 1234", keep_last=4) == ["*******1234"]
    assert masked("mask", "abcdef", keep_first=1, keep_last=2, char="•") == ["a•••ef"]
    # Too short to keep anything of it.
    assert masked("mask", "1234", "123", "12345", keep_last=4) == ["****", "***", "*2345"]
    assert masked("mask", "👩‍👩‍👧x", "שלום", keep_last=1) == ["*****x", "***ם"]
    # One text beyond ASCII changes nothing about the others, nor does where they lie.
    texts = [None, "", "12345678", "1", *["abc"] * 20_000, "größe", "12345678"]
    expected = [None, "", "1*****78", "*", *["***"] * 20_000, "g**ße", "1*****78"]
    assert masked("mask", *texts, keep_first=1, keep_last=2) == expected
    sliced = operator("mask", keep_first=1, keep_last=2).mask(pl.Series(texts).slice(2, 7), entity=ENTITY)
    assert sliced.to_list() == expected[2:9]


def test_hash_is_a_digest_of_entity_and_value() -> None:
    (found,) = masked("hash", "a@b.example")
    key = Ring().current("mask").derive("hash", length=64)
    assert found == one_digest(b"a@b.example", key=key, kind="EMAIL_ADDRESS").hex()
    assert masked("hash", "", None, "a@b.example") == ["", None, found]
    assert masked("hash", b"a@b.example", b"", None) == [bytes.fromhex(found), b"", None]
    number, nothing = masked("hash", 7, None)
    assert number == int(masked("hash", "7")[0][:16], 16) & (2**63 - 1)
    assert nothing is None
    assert not operator("hash").takes(pl.Int32())


def test_equal_values_far_apart_have_equal_masks() -> None:
    values = [f"v{number % 997}" for number in range(210_000)]
    for name in ("hash", "tokenize"):
        assert pl.DataFrame({"value": values, "mask": masked(name, *values)}).unique().height == 997, name


def test_another_key_another_mask() -> None:
    for name in ("hash", "tokenize", "fpe", "fake"):
        first, second = masked(name, "123456789x"), masked(name, "123456789x", key="research")
        assert first != second, name


def test_tokens_are_readable_and_join_by_entity() -> None:
    one, other, same = masked("tokenize", "a@b.example", "A@b.example", "a@b.example")
    assert one == same != other
    assert re.fullmatch(r"tok_1_[A-Za-z0-9_-]+", one)
    assert masked("tokenize", "a@b.example", entity="PERSON") != [one]
    assert masked("tokenize", "", None) == ["", None]


def test_old_tokens_are_turned_back_after_a_rotation() -> None:
    ring = Ring()
    old = masked("tokenize", "a@b.example", ring=ring)
    new = masked("tokenize", "a@b.example", ring=ring.rotated())
    assert new[0].startswith("tok_2_")
    back = operator("tokenize", ring=ring.rotated()).reveal(
        pl.Series([*old, *new, "no token"]), entity=ENTITY
    )
    assert back.to_list() == ["a@b.example", "a@b.example", "no token"]


def test_pinned_operators_stay_with_the_first_key() -> None:
    ring = Ring()
    for name in ("hash", "tokenize", "fpe", "fake"):
        before = masked(name, "a1b2c3d4e5", ring=ring, pinned=True)
        assert masked(name, "a1b2c3d4e5", ring=ring.rotated(), pinned=True) == before, name
    assert masked("hash", "a", ring=ring) != masked("hash", "a", ring=ring.rotated())
    assert masked("hash", "a", ring=ring) == masked("hash", "a", ring=ring.rotated(), version=1)


def test_a_key_that_is_gone_is_said_to_be() -> None:
    (old,) = masked("tokenize", "a@b.example")
    lost = operator("tokenize", ring=Ring(newest=3, oldest=2))
    with pytest.raises(KeysError, match="version 1 of the key `mask`"):
        lost.reveal(pl.Series([old]), entity=ENTITY)
    with pytest.raises(KeysError):
        operator("hash", key="nobody")


def test_a_token_of_something_else_is_no_token_of_this() -> None:
    (token,) = masked("tokenize", "a@b.example")
    with pytest.raises(KeysError, match="was not made with this key for PERSON") as caught:
        operator("tokenize").reveal(pl.Series([token]), entity="PERSON")
    assert token not in str(caught.value)


def test_encrypted_values_don_t_show_which_are_equal() -> None:
    sealed = masked("encrypt", "a@b", "a@b", "", None)
    assert sealed[0] != sealed[1]
    assert sealed[2:] == ["", None]
    back = operator("encrypt", ring=Ring().rotated()).reveal(pl.Series(sealed), entity=ENTITY)
    assert back.to_list() == ["a@b", "a@b", "", None]


def test_a_row_that_comes_again_is_encrypted_the_same() -> None:
    encrypt = operator("encrypt")
    values, rows = pl.Series(["a@b", "a@b", "c@d"]), pl.Series(["1", "2", "1"])
    first = encrypt.mask(values, entity=ENTITY, row=rows).to_list()
    assert encrypt.mask(values, entity=ENTITY, row=rows).to_list() == first
    assert len(set(first)) == 3
    assert len({each[6:22] for each in first}) == 3, "a nonce is used for one value of one row only"
    assert encrypt.reveal(pl.Series(first), entity=ENTITY).to_list() == ["a@b", "a@b", "c@d"]


def test_fpe_keeps_the_format() -> None:
    phone, card, code = "+49 30 1234-567", "4111 1111 1111 1111", "AB-1234567"
    for text, mask in zip((phone, card, code), masked("fpe", phone, card, code), strict=True):
        assert mask != text
        assert re.sub(r"[0-9A-Z]", "x", mask) == re.sub(r"[0-9A-Z]", "x", text)
    assert re.search("[A-Z]", masked("fpe", code)[0])
    (digits,) = masked("fpe", code, alphabet="digits")
    assert re.fullmatch(r"AB-\d{7}", digits)
    assert masked("fpe", "", None) == ["", None]


def test_fpe_of_numbers_keeps_sign_and_digits() -> None:
    numbers = [0, 1, 999_999, 1_000_000, 12_345_678, 2**63 - 1, -1, -5_000_000, -(2**63)]
    masks = masked("fpe", *numbers, kind=pl.Int64)
    for number, mask in zip(numbers, masks, strict=True):
        assert (number < 0) == (mask < 0)
        if abs(number) > 1_000_001:
            assert len(str(number)) == len(str(mask))
        else:
            assert abs(mask) <= 1_000_000 or len(str(abs(mask))) == 7
    back = operator("fpe").reveal(pl.Series(masks, dtype=pl.Int64), entity=ENTITY)
    assert back.to_list() == numbers
    small = pl.Series([2**31 - 1, -(2**31), 7], dtype=pl.Int32)
    fpe = operator("fpe")
    assert fpe.reveal(fpe.mask(small, entity=ENTITY), entity=ENTITY).equals(small)
    assert not fpe.takes(pl.Int16())


def test_what_has_no_encryption_of_its_format_becomes_a_token() -> None:
    short = ["12345", "Müller 123456", "a", "x" * 1001, "---"]
    masks = masked("fpe", *short)
    assert all(mask.startswith("tok_1_") for mask in masks)
    assert operator("fpe").reveal(pl.Series(masks), entity=ENTITY).to_list() == short
    assert masked("fpe", "abc", alphabet="digits")[0].startswith("tok_1_")


def test_fpe_outlasts_a_rotation() -> None:
    before = masked("fpe", "123456789", ring=Ring())
    assert masked("fpe", "123456789", ring=Ring().rotated()) == before
    assert masked("fpe", "123456789", ring=Ring().rotated(), version=2) != before


def _shift(values: list[Any], people: list[Any], kind: Any = None, **settings: Any) -> list[Any]:
    shift = operator("date_shift", **settings)
    given = pl.Series(values, dtype=kind)
    person = pl.Series(people)
    done = shift.mask(given, entity="DATE_TIME", person=person)
    assert done.dtype == given.dtype
    return done.to_list()


def test_the_dates_of_a_person_move_alike() -> None:
    day, later = date(2026, 2, 27), date(2026, 3, 2)
    first, second, other = _shift([day, later, day], ["p", "p", "q"])
    assert second - first == later - day
    assert first not in (day, other)
    assert abs((first - day).days) <= 180
    # The same person by a number or text, in dates, times and texts.
    assert _shift([day, day], [7, 8])[0] == _shift([day], ["7"])[0]
    moved = _shift([day], ["p"])[0]
    assert _shift([datetime(2026, 2, 27, 13, 5)], ["p"]) == [datetime.combine(moved, time(13, 5))]
    assert _shift(["2026-02-27T13:05:01Z", "2026-02-27", "", None], ["p"] * 4) == [
        f"{moved}T13:05:01Z",
        str(moved),
        "",
        None,
    ]
    assert _shift(["next Monday", "2026-02-30"], ["p"] * 2) == ["<DATE_TIME>", "<DATE_TIME>"]


def test_dates_always_move_and_stay_in_the_calendar() -> None:
    day = date(2026, 1, 1)
    moved = _shift([day] * 200, list(range(200)), days=2)
    assert {(each - day).days for each in moved} == {-2, -1, 1, 2}
    edges = _shift([date(9999, 12, 31)] * 50 + [date(1, 1, 1)] * 50, list(range(100)))
    assert all(date(1, 1, 1) < each < date(9999, 12, 31) for each in edges)


def test_dates_are_moved_back() -> None:
    shift = operator("date_shift", ring=Ring().rotated())
    people = pl.Series(["a", None, "b"])
    for values in (
        pl.Series([date(2026, 1, 1), None, date(1999, 1, 1)]),
        pl.Series([datetime(2026, 1, 1, 1), datetime(2026, 1, 1, 23, 59, 59, 999_999), None]),
        pl.Series(["2026-01-01", "1999-01-01 00:00:00", ""]),
    ):
        moved = shift.mask(values, entity="DATE_TIME", person=people)
        assert not moved.equals(values)
        assert shift.reveal(moved, entity="DATE_TIME", person=people).equals(values)


def test_generalize_numbers() -> None:
    assert masked("generalize", 37, -1, 0, None, step=10) == [30, -10, 0, None]
    assert masked("generalize", -128, 127, kind=pl.Int8, step=10) == [-128, 120]
    assert masked("generalize", 37.5, step=2.5) == [37.5]
    assert masked("generalize", Decimal("12345678901234567890.57"), step=0.1) == [
        Decimal("12345678901234567890.50")
    ]
    assert masked("generalize", 5, 18, 70, -3, None, bins=[0, 18, 65]) == [0, 18, 65, 0, None]
    small = pl.Decimal(4, 2)
    cents = [Decimal("-12.34"), None, Decimal("0.00"), Decimal("12.34"), Decimal("-10.00"), Decimal("99.99")]
    assert masked("generalize", *cents, step=2.5, kind=small) == [
        Decimal(each) if each else None for each in ("-12.50", "", "0.00", "10.00", "-10.00", "97.50")
    ]
    # The lowest range begins below what the type holds.
    assert masked("generalize", Decimal("-99.99"), step=10, kind=small) == [Decimal("-99.99")]
    assert masked("generalize", Decimal("1.99"), step=0.125, kind=small) == [Decimal("1.88")]
    assert masked("generalize", Decimal("17.99"), bins=[0, 18]) == [Decimal("0.00")]
    (number,) = masked("generalize", float("nan"), bins=[0, 18])
    assert number != number


def test_generalize_times() -> None:
    day, moment = date(2026, 8, 19), datetime(2026, 8, 19, 13, 5)
    assert masked("generalize", day, None, to="month") == [date(2026, 8, 1), None]
    assert masked("generalize", day, to="quarter") == [date(2026, 7, 1)]
    assert masked("generalize", day, to="week") == [date(2026, 8, 17)]
    assert masked("generalize", moment, to="year") == [datetime(2026, 1, 1)]
    assert masked("generalize", moment, to="hour") == [datetime(2026, 8, 19, 13)]
    texts = ["2026-08-19", "2026-08-19T13:05:01.5+02:00", "2026-08-19 13:05", "August", "", None]
    assert masked("generalize", *texts, to="month", entity="DATE_TIME") == [
        "2026-08-01",
        "2026-08-01T00:00:00+02:00",
        "2026-08-01 00:00:00",
        "<DATE_TIME>",
        "",
        None,
    ]


def test_generalize_addresses_and_beginnings() -> None:
    assert masked(
        "generalize", "192.168.7.9", "2001:db8:1:2::7", "x", "", to="network", entity="IP_ADDRESS"
    ) == [
        "192.168.7.0",
        "2001:db8:1::",
        "<IP_ADDRESS>",
        "",
    ]
    assert masked("generalize", "192.168.7.9", to="network", ipv4=16) == ["192.168.0.0"]
    assert masked("generalize", "10115", "1", None, keep_first=2) == ["10", "1", None]


def test_fakes_are_of_the_same_kind_and_the_same_for_the_same() -> None:
    one, two, same = masked("fake", "Ann Lee", "Bo Lee", "Ann Lee", entity="PERSON")
    assert one == same != two
    assert "Ann Lee" not in (one, two)
    (mail,) = masked("fake", "ann@shop.example")
    assert re.fullmatch(r"[\w.]+@example\.(com|org|net)", mail)
    assert masked("fake", "", None) == ["", None]
    assert masked("fake", "Ann", entity="PERSON", locale="de_DE") != [one]
    assert masked("fake", "x", entity="JOB_TITLE", provider="job")[0]


@pytest.mark.parametrize(
    ("settings", "entity", "message"),
    [
        ({}, "EMPLOYEE_ID", "what invents values of EMPLOYEE_ID"),
        ({"provider": "nonsense"}, "PERSON", "no `nonsense`"),
        ({"locale": "xx_XX"}, "PERSON", "no locale xx_XX"),
    ],
)
def test_fakes_that_nobody_can_invent(settings: dict[str, Any], entity: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        masked("fake", "x", entity=entity, **settings)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("mask", {"keep_frist": 1}, "did you mean `keep_first`"),
        ("mask", {"keep_first": -1}, "keep_first"),
        ("mask", {"char": "xx"}, "char"),
        ("hash", {"salt": "pepper"}, "it is keyed"),
        ("hash", {"key": "S3cret!"}, "names a key of the lake"),
        ("redact", {"new_value": "x"}, "it takes none"),
        ("generalize", {}, "needs `step`, `bins`, `to` or `keep_first`"),
        ("generalize", {"step": 1, "to": "month"}, "two ways"),
        ("generalize", {"to": "moon"}, "'month'"),
        ("generalize", {"bins": [3, 1]}, "must rise"),
        ("date_shift", {"days": 0}, "days"),
        ("fpe", {"alphabet": "aa"}, "twice"),
        ("nonsense", {}, "neither here nor in Presidio"),
        ("presidio_mask", {"masking_char": "xx"}, "does not take these settings"),
        ("presidio_mask", {}, "it needs `masking_char`"),
        ("presidio_encrypt", {"key": "abc"}, "`key` is wrong"),
    ],
)
def test_wrong_settings(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        operator(name, **settings)
    assert "S3cret" not in str(caught.value)
    assert "pepper" not in str(caught.value)


def test_what_can_t_be_turned_back_says_so() -> None:
    with pytest.raises(UsageError, match="`hash` can't be turned back"):
        operator("hash").reveal(pl.Series(["x"]), entity=ENTITY)


@pytest.mark.parametrize(
    ("name", "package"), [("fpe", "fastfpe"), ("fake", "faker"), ("presidio_mask", "presidio_anonymizer")]
)
def test_what_is_not_installed_is_said_to_be_before_anything_is_masked(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [each for each in sys.modules if each.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=f"needs the package {package}") as caught:
        operator(name)
    assert "lakehouse[pii]" in caught.value.advice


def test_operators_of_presidio() -> None:
    settings: dict[str, Any] = {"masking_char": "#", "chars_to_mask": 3, "from_end": True}
    assert masked("presidio_mask", "abcdef", "ab", None, **settings) == ["abc###", "##", None]
    assert masked("presidio_replace", "abc") == ["<EMAIL_ADDRESS>"]
    salted = masked("presidio_hash", "abc", "abc", salt="0123456789abcdef")
    assert salted[0] == salted[1]
    assert not operator("presidio_hash").deterministic
    (sealed,) = masked("presidio_encrypt", "abc", key="0123456789abcdef")
    assert sealed != "abc"
