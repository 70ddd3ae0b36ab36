"""Emptying nested values takes a person's elements out, and leaves everybody else's as they were."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.delta.schema import StructField, parse_type
from lakehouse.pii.paths import parse_path
from lakehouse.requests.emptying import Emptying

KIND = "array<struct<who:struct<mail:string>,tags:array<string>,n:long>>"
ITEM = StructField("people", parse_type(KIND), nullable=True)
MAILS = st.sampled_from(["ann", "bob", "eve"])
ELEMENT = st.fixed_dictionaries(
    {
        "who": st.none() | st.fixed_dictionaries({"mail": st.none() | MAILS}),
        "tags": st.none() | st.lists(st.none() | MAILS, max_size=3),
        "n": st.none() | st.integers(0, 9),
    }
)
ROWS = st.lists(
    st.tuples(st.none() | st.lists(st.none() | ELEMENT, max_size=4), st.frozensets(MAILS, max_size=2)),
    min_size=1,
    max_size=5,
)


def emptied(path: str, by: str | None, rows: list[Any], wanted: list[Any]) -> list[Any]:
    values = pl.Series("people", rows, dtype=pl.List(_struct()))
    made = Emptying(parse_path(path), None if by is None else parse_path(by), ITEM)(values, wanted)
    assert made.dtype == values.dtype
    return list(made.to_list())


def _struct() -> pl.Struct:
    return pl.Struct({"who": pl.Struct({"mail": pl.String()}), "tags": pl.List(pl.String()), "n": pl.Int64()})


def mail(element: Any) -> Any:
    return None if element is None or element["who"] is None else element["who"]["mail"]


@given(ROWS)
def test_elements_that_match_go_and_no_others(rows: list[Any]) -> None:
    cells, wanted = [row for row, _ in rows], [those for _, those in rows]
    left = emptied("people[]", "people[].who.mail", cells, wanted)
    for before, after, those in zip(cells, left, wanted, strict=True):
        if before is None:
            assert after is None
        else:
            assert after == [each for each in before if mail(each) is None or mail(each) not in those]
    assert emptied("people[]", "people[].who.mail", left, wanted) == left


@given(ROWS)
def test_one_field_of_them_goes_and_all_else_stays(rows: list[Any]) -> None:
    cells, wanted = [row for row, _ in rows], [those for _, those in rows]
    left = emptied("people[].n", "people[].who.mail", cells, wanted)
    for before, after, those in zip(cells, left, wanted, strict=True):
        for one, other in zip(before or (), after or (), strict=True):
            hit = mail(one) is not None and mail(one) in those
            assert other == ({**one, "n": None} if hit else one)


@given(ROWS)
def test_lists_in_lists(rows: list[Any]) -> None:
    cells, wanted = [row for row, _ in rows], [those for _, those in rows]
    left = emptied("people[].tags[]", "people[].tags[]", cells, wanted)
    for before, after, those in zip(cells, left, wanted, strict=True):
        for one, other in zip(before or (), after or (), strict=True):
            if one is None or one["tags"] is None:
                assert other == one
            else:
                assert other == {
                    **one,
                    "tags": [tag for tag in one["tags"] if tag is None or tag not in those],
                }


@given(ROWS)
def test_without_a_way_in_common_all_goes(rows: list[Any]) -> None:
    cells = [row for row, _ in rows]
    left = emptied("people[].who.mail", None, cells, [frozenset()] * len(cells))
    assert all(mail(each) is None for row in left for each in row or ())
    assert emptied("people[]", None, cells, [frozenset()] * len(cells)) == [
        None if row is None else [] for row in cells
    ]
