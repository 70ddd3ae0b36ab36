"""Recognising erased people in rows and in records that could not be used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pytest

from lakehouse.cdc.changes import Rejected
from lakehouse.config import load_config
from lakehouse.delta.schema import LONG, STRING, StructField, StructType
from lakehouse.pii.keys.ring import Key
from lakehouse.requests.identity import hasher
from lakehouse.requests.suppression.conditions import Condition, conditions_of
from lakehouse.requests.suppression.emptying import empty
from lakehouse.requests.suppression.recognising import Recogniser
from lakehouse.requests.suppression.records import recognise

KEYS = tuple(Key("suppress", version, bytes([version]) * 32) for version in (1, 2))
ANN = "ann@shop.example"


class List:
    """A list that is kept here: identifier, value, request and version of the key."""

    def __init__(self, *entries: tuple[str, str, str, int]) -> None:
        self.known: dict[str, frozenset[str]] = {}
        self.keys = KEYS
        self.add(*entries)

    def add(self, *entries: tuple[str, str, str, int]) -> None:
        for identifier, value, request, version in entries:
            digest = hasher(KEYS[version - 1], subject="customer", identifier=identifier)(value)
            self.known[digest] = self.known.get(digest, frozenset()) | {request}

    def mark(self) -> int:
        return len(self.known)

    def versions(self) -> tuple[Key, ...]:
        return self.keys

    def erased(self, digests: Sequence[str]) -> Mapping[str, frozenset[str]]:
        return {each: self.known[each] for each in digests if each in self.known}


def recogniser(*entries: tuple[str, str, str, int]) -> Recogniser:
    found = Recogniser(List(*entries))  # type: ignore[arg-type]
    assert found.look()
    return found


def condition(**where: str) -> Condition:
    return Condition(subject="customer", where=tuple(where.items()), do="delete")


@pytest.mark.parametrize(
    ("values", "hit"),
    [
        (pl.Series(["7", "07", " 7 ", None]), [True, False, True, False]),
        (pl.Series([7, 8, None]), [True, False, False]),
        (pl.Series([7.0, 7.5]), [True, False]),
        (pl.Series(["7.00", "7.50"]).cast(pl.Decimal(10, 2)), [True, False]),
        (pl.Series([["7"]]), [False]),
        (pl.Series([b"7"]), [False]),
    ],
)
def test_a_value_is_the_same_in_any_type(values: pl.Series, hit: list[bool]) -> None:
    frame = pl.DataFrame({"id": values})
    (found,) = recogniser(("id", "7", "r1", 1)).rows(
        lambda name: frame[name], [condition(id="id")], height=frame.height
    )
    assert found.to_list() == hit


def test_letters_and_blanks_do_not_matter_nor_the_version_of_the_key() -> None:
    frame = pl.DataFrame({"email": [ANN.upper(), f" {ANN}", "bob@shop.example", "eve@shop.example"]})
    known = recogniser(("email", ANN, "r1", 1), ("email", "eve@shop.example", "r2", 2))
    (found,) = known.rows(lambda name: frame[name], [condition(email="email")], height=4)
    assert found.to_list() == [True, True, False, True]


def test_a_value_is_hashed_again_when_the_key_was_rotated_meanwhile() -> None:
    listed = List(("email", "eve@shop.example", "r1", 1))
    listed.keys = KEYS[:1]
    known = Recogniser(listed)  # type: ignore[arg-type]
    assert known.look()
    wanted = {("customer", "email"): [ANN]}
    assert known.known(wanted) == {}
    listed.keys = KEYS
    listed.add(("email", ANN, "r2", 2))
    assert known.changed()
    assert known.known(wanted) == {("customer", "email"): {ANN: frozenset({"r2"})}}


def test_columns_that_are_not_there_find_nobody() -> None:
    known = recogniser(("email", ANN, "r1", 1))
    found = known.rows(lambda _: None, [condition(email="email"), condition(a="id", b="email")], height=2)
    assert [each.to_list() for each in found] == [[False, False], [False, False]]


@pytest.mark.parametrize(
    ("raw", "hit"),
    [
        (json.dumps({"email": ANN}), True),
        (json.dumps({"payload": {"before": None, "after": [{"email": ANN.upper(), "n": 1}]}}), True),
        (json.dumps({"mail": ANN}), False),
        (json.dumps({"id": 7}), True),
        (json.dumps({"id": "7"}), True),
        (json.dumps({"id": 7.0}), True),
        (json.dumps({"id": True, "n": 7}), False),
        (json.dumps({"email": None}), False),
        (f'{{"email": "{ANN}", ', True),
        (f"7;{ANN};x;too;many", True),
        ("7;bob@shop.example;x", False),
    ],
)
def test_records_that_could_not_be_used(raw: str, hit: bool) -> None:
    rejected = [Rejected(0, None, "bad", "", None), Rejected(1, None, "bad", "", raw.encode())]
    known = recogniser(("email", ANN, "r1", 1), ("id", "7", "r1", 2))
    conditions = [condition(email="email"), condition(id="id")]
    assert recognise(rejected, conditions, known) == ({1: frozenset({"delete"})} if hit else {})


@pytest.mark.parametrize(("login", "hit"), [("ann", True), ("bob", False)])
def test_a_record_with_identifiers_of_two_erasures_is_nobodys(login: str, hit: bool) -> None:
    known = recogniser(
        ("tenant", "acme", "r1", 1),
        ("login", "ann", "r1", 1),
        ("tenant", "bolt", "r2", 1),
        ("login", "bob", "r2", 1),
    )
    both = condition(t="tenant", l="login")
    raw = json.dumps({"t": "acme", "l": login}).encode()
    assert bool(recognise([Rejected(0, None, "bad", "", raw)], [both], known)) is hit
    frame = pl.DataFrame({"t": ["acme"], "l": [login]})
    (found,) = known.rows(lambda name: frame[name], [both], height=1)
    assert found.to_list() == [hit]


def subjects(*rows: dict[str, Any]) -> dict[str, Any]:
    identifiers = {"id": "people.id", "email": "people.email", "tenant": "people.tenant"}
    return {"person": {"identifiers": identifiers, "rows": list(rows)}}


def wheres(*rows: dict[str, Any]) -> list[tuple[tuple[tuple[str, str], ...], str]]:
    config = load_config(
        {
            "version": 1,
            "storage": {"root": "lake"},
            "tables": {"people": {"key": ["id"]}, "other": {"key": ["id"]}},
            "subjects": subjects(*rows),
        }
    )
    return [(each.where, each.do) for each in conditions_of(config, "people")]


def test_what_counts_of_a_table() -> None:
    deleting = {"table": "people", "where": {"id": "id"}, "do": "delete"}
    together = {"table": "other", "where": {"a": "tenant", "b": "id"}, "do": "delete"}
    # The company comes from the table too, but is nobody by itself.
    assert wheres(deleting, together) == [((("id", "id"),), "delete"), ((("email", "email"),), "delete")]
    assert wheres({**deleting, "do": "keep", "ground": "tax law"}) == []
    assert wheres({**deleting, "table": "other"}) == []


def test_cells_are_emptied_as_an_erasure_does() -> None:
    schema = StructType(
        (StructField("id", LONG), StructField("a", STRING), StructField("b", STRING, nullable=False))
    )
    frame = pl.DataFrame({"id": [1, 2], "a": ["x", "y"], "b": ["x", "y"]})
    rows = pl.Series([True, False])
    emptied, refused = empty(frame, rows, ["a", "b", "c"], schema=schema, fixed=["id"])
    assert emptied.rows() == [(1, None, ""), (2, "y", "y")]
    assert not refused.any()
    assert empty(frame, rows, ["id"], schema=schema, fixed=["id"])[1].to_list() == [True, False]
