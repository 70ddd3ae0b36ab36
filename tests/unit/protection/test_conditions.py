from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.errors import UsageError
from lakehouse.protection.conditions import columns_of_condition, equality, fitting, matching
from lakehouse.protection.holds import Protection, TableHold

SCHEMA = pl.Schema(
    {
        "id": pl.Int64(),
        "name": pl.String(),
        'odd "name"; --': pl.String(),
        "day": pl.Date(),
        "at": pl.Datetime("us", "UTC"),
        "amount": pl.Decimal(12, 2),
        "open": pl.Boolean(),
    }
)


def check(where: str) -> tuple[str, ...]:
    return columns_of_condition(where, SCHEMA, table="orders")


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        ("id = 7", ("id",)),
        ("id IN (1, 2, 3) AND name IS NOT NULL", ("id", "name")),
        ("name LIKE 'Zo%' OR UPPER(name) = 'ADA'", ("name",)),
        ("at > '2026-01-31' AND day < DATE '2026-02-01'", ("at", "day")),
        ("amount = 1.50", ("amount",)),
        ("open", ("open",)),
        ("NOT open", ("open",)),
        ('"odd ""name""; --" = \'x\'', ('odd "name"; --',)),
        ("name = 'now() OVER (AVG'", ("name",)),
        ("name = 'it''s -- ünï 🙂'", ("name",)),
        ("id = 7 -- a comment", ("id",)),
        (" OR ".join(f"id = {number}" for number in range(300)), ("id",)),
        (f"id IN ({', '.join(map(str, range(1500)))})", ("id",)),
        ("CASE WHEN id = 1 THEN TRUE ELSE FALSE END", ("id",)),
        ("COALESCE(name, '') <> ''", ("name",)),
    ],
)
def test_conditions_on_single_rows_are_taken(where: str, columns: tuple[str, ...]) -> None:
    assert check(where) == columns


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("id = ", "can't be read"),
        ("id = 1; DROP TABLE orders", "can't be read"),
        ("id = 1) OR (id = 2", "can't be read"),
        ("id = 1 UNION SELECT 2", "can't be read"),
        ("id = 1 /* open", "can't be read"),
        ("id IN (SELECT id FROM self)", "can't be read"),
        ("*", "can't be read"),
        ("TRUE", "names no column"),
        ("1 = 1", "names no column"),
        ("nme = 'canary'", "names a column"),
        ('name = "canary"', "names a column"),
        ("id", "no condition"),
        ("id = 'canary'", "no condition"),
        ("amount > AVG(amount)", "depends on other rows"),
        ("id > SUM(id) OVER (PARTITION BY name)", "depends on other rows"),
        ("ROW_NUMBER() OVER () > id", "depends on other rows"),
        ("COUNT(*) > 1 AND id = 1", "depends on other rows"),
        ("id = FIRST(id)", "depends on other rows"),
        ("EXISTS (SELECT 1) AND id = 1", "can't be read|depends on other rows"),
        ("at > now()", "on the time"),
        ("day < CURRENT_DATE", "on the time"),
        ("(" * 60 + "id = 1" + ")" * 60, "can't be read"),
        ("(" * 30 + "id = 1" + ")" * 30, "nested too deeply"),
        ("id = 1 OR " * 2000 + "id = 1", "characters"),
    ],
)
def test_others_are_refused_without_repeating_them(where: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        check(where)
    assert "canary" not in str(caught.value)
    assert caught.value.advice


ROWS = pl.DataFrame(
    {"id": [1, 2, None], "name": ["a", None, "o'c"]}, schema={"id": pl.Int64, "name": pl.String}
)


def protect(*conditions: str | None) -> Protection:
    holds = [TableHold(id=f"hold-{n}", reason="r", where=where) for n, where in enumerate(conditions)]
    return Protection("t", tuple(holds))


def test_every_row_is_held_or_free_and_none_is_both() -> None:
    protection = protect("id = 1 -- first", "name <> 'a'", "id = 1 -- first")
    assert protection.condition is not None
    assert protection.free_condition is not None
    held = matching(ROWS.lazy(), protection.condition).collect()
    free = matching(ROWS.lazy(), protection.free_condition).collect()
    assert held["name"].to_list() == ["a", "o'c"]
    assert free["id"].to_list() == [2]


def test_a_thousand_holds_make_one_condition_that_can_be_read() -> None:
    protection = protect(*(f"({'(' * 15}id = {number}{')' * 15})" for number in range(1, 1001)))
    assert protection.condition is not None
    assert protection.free_condition is not None
    assert matching(ROWS.lazy(), protection.condition).collect()["id"].to_list() == [1, 2]
    assert matching(ROWS.lazy(), protection.free_condition).collect().height == 1


def test_a_condition_that_does_not_fit_any_more_holds_the_whole_table() -> None:
    protection = protect("id = 1", "gone = 'canary'", None)
    fits = fitting(protection, ROWS.schema)
    assert [hold.where for hold in fits.holds] == ["id = 1", None, None]
    assert "does not fit" in str(fits.holds[1])
    assert "canary" not in f"{fits!r}{fits.holds[1]}"


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_a_text_finds_exactly_the_rows_that_have_it(value: str) -> None:
    name = 'odd "name"; --'
    where = equality(name, [value], pl.String())
    assert where is not None
    rows = pl.DataFrame({name: [value, value + "x", "'" + value, None, "' OR '1'='1"]})
    found = matching(rows.lazy(), where).collect()[name].to_list()
    assert found == [each for each in rows[name] if each == value]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("7 OR 1=1", pl.Int64()),
        ("1e3", pl.Int64()),
        ("seven", pl.Int32()),
        ("\u0667", pl.Int64()),
        ("1.5.2", pl.Decimal(10, 2)),
        ("nan", pl.Float64()),
        ("yes", pl.Boolean()),
        ("x", pl.Binary()),
        ("x", pl.List(pl.String())),
    ],
)
def test_a_value_of_another_type_makes_no_condition(value: str, kind: pl.DataType) -> None:
    assert equality("c", [value], kind) is None
    assert equality("c", ["1", value], kind) is None


def test_several_values_are_any_of_them() -> None:
    where = equality("id", [" 1", "2"], pl.Int64())
    assert where is not None
    assert matching(ROWS.lazy(), where).collect()["id"].to_list() == [1, 2]


def test_the_column_of_lakehouse_itself_is_not_offered() -> None:
    with pytest.raises(UsageError) as caught:
        columns_of_condition("x = 1", pl.Schema({"id": pl.Int64(), "_cells": pl.String()}), table="t")
    assert str(caught.value.advice).endswith("the columns are: id")
