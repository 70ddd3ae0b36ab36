"""Maxwell's events: what they do, in which order, and which are none."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from lakehouse.cdc.changes import DELETE, OP, SEQUENCE, TIME, UPSERT, ChangeBatch
from lakehouse.cdc.formats import Settings, normalize
from lakehouse.errors import DataError


def event(kind: str, data: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"database": "shop", "table": "orders", "type": kind, "ts": 1477053217, "data": data or {}, **more}


def read(*events: object, key: tuple[str, ...] = ("id",), **settings: Any) -> ChangeBatch:
    return normalize(list(events), format="maxwell", settings=Settings(key=key, **settings))


def changes(batch: ChangeBatch) -> list[tuple[int, dict[str, Any]]]:
    shown = [name for name in batch.columns if name != SEQUENCE]
    return [(row[OP], {name: row[name] for name in shown}) for row in batch.frame.to_dicts()]


def test_inserts_updates_and_deletes() -> None:
    batch = read(
        json.dumps(event("insert", {"id": 1, "m": 4.2})),
        event("update", {"id": 1, "m": 5.5}, old={"m": 4.2}),
        event("delete", {"id": 1, "m": 5.5}),
        event("bootstrap-insert", {"id": 2, "m": 1.0}),
    )
    assert changes(batch) == [
        (UPSERT, {"id": 1, "m": 4.2}),
        (UPSERT, {"id": 1, "m": 5.5}),
        (DELETE, {"id": 1, "m": None}),
        (UPSERT, {"id": 2, "m": 1.0}),
    ]


def test_a_changed_key_is_a_delete_and_an_upsert() -> None:
    batch = read(event("update", {"a": 2, "b": 7, "v": "x"}, old={"a": 1}), key=("a", "b"))
    assert changes(batch) == [(DELETE, {"a": 1, "b": 7, "v": None}), (UPSERT, {"a": 2, "b": 7, "v": "x"})]
    assert (batch.total, batch.derived) == (1, 1)


def test_what_is_no_change_of_a_row_is_ignored() -> None:
    batch = read(
        event("bootstrap-start"),
        event("bootstrap-complete"),
        event("table-alter", None, sql="ALTER TABLE orders ADD c INT"),
        event("insert", {"id": 1}),
        None,
    )
    assert (batch.ignored, batch.frame.height) == (4, 1)


def test_what_can_not_be_read_is_rejected_and_the_others_are_not() -> None:
    batch = read(b'{"type": "ins', {"a": 1}, event("insert", {"id": None}), event("insert", {"id": 1}))
    assert [(item.position, item.reason) for item in batch.rejected] == [
        (0, "bad_json"),
        (1, "not_an_event"),
        (2, "null_key"),
    ]
    assert batch.frame["id"].to_list() == [1]


def test_positions_order_the_events_whatever_their_arrival() -> None:
    told = [
        event("bootstrap-insert", {"id": 1}),
        event("insert", {"id": 1}, position="master.000006:800911", xid=1, xoffset=0),
        event("update", {"id": 1}, position="master.000006:800911", xid=1, xoffset=1),
        event("update", {"id": 1}, position="master.000006:800911", xid=1, commit=True),
        event("update", {"id": 1}, position="master.000010:4", xid=2, commit=True),
        event("delete", {"id": 1}, position="master.000010:1004", xid=3, commit=True),
    ]
    batch = read(*told)
    assert batch.sequence == (SEQUENCE,)
    places = batch.frame[SEQUENCE].to_list()
    assert places == sorted(places)
    assert len(set(places)) == len(places)


def test_without_positions_arrival_is_the_order() -> None:
    assert read(event("insert", {"id": 1})).sequence == ()


def test_a_column_of_the_row_can_be_the_order() -> None:
    batch = read(event("delete", {"id": 1, "v": 3}, position="m.000001:4", commit=True), sequence=("v",))
    assert batch.sequence == ("v",)
    assert batch.frame["v"].to_list() == [3]


def test_one_table_is_taken_from_a_stream_of_several() -> None:
    other = {**event("insert", {"id": 9}), "table": "items"}
    with pytest.raises(DataError, match=r"2 tables: shop\.items, shop\.orders"):
        read(event("insert", {"id": 1}), other)
    for name in ("orders", "shop.orders"):
        batch = read(event("insert", {"id": 1}), other, source_table=name)
        assert (batch.frame["id"].to_list(), batch.ignored) == ([1], 1)


def test_history_gets_the_time_of_the_event() -> None:
    batch = read(event("insert", {"id": 1}, position="m.000001:4", commit=True), wants_times=True)
    assert batch.frame[TIME][0].isoformat() == "2016-10-21T12:33:37+00:00"


def test_sequences_sort_as_their_numbers_do() -> None:
    numbers = [("m.9:5", 0), ("m.10:4", 0), ("m.10:40", 3), ("m.10:40", 20), ("m.10:40", None)]
    told = [
        event("insert", {"id": 1}, position=place, **({} if offset is None else {"xoffset": offset}))
        for place, offset in numbers
    ]
    places = read(*told).frame[SEQUENCE].to_list()
    assert all(a < b for a, b in itertools.pairwise(places))
