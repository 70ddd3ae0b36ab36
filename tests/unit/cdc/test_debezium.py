"""Debezium's events in every wrapping, and what each of them does."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from lakehouse.cdc.changes import DELETE, OP, ORDINAL, TRUNCATE, UPSERT, ChangeBatch, absence
from lakehouse.cdc.formats import Settings, normalize
from lakehouse.delta.type_names import parse_type
from lakehouse.errors import DataError

UNAVAILABLE = "__debezium_unavailable_value"
Event = dict[str, Any]


def read(
    events: list[Any], *, key: tuple[str, ...] = ("id",), types: dict[str, str] | None = None, **rest: Any
) -> ChangeBatch:
    declared = {name: parse_type(text) for name, text in (types or {}).items()}
    return normalize(events, format="debezium", settings=Settings(key=key, types=declared, **rest))


def event(
    op: str,
    after: Event | None = None,
    *,
    before: Event | None = None,
    lsn: int = 100,
    order: int | None = 1,
    **source: Any,
) -> Event:
    place = {
        "connector": "postgresql",
        "db": "shop",
        "schema": "public",
        "table": "orders",
        "sequence": f'["{lsn}","{lsn}"]',
        **source,
    }
    transaction = None if order is None else {"id": f"1:{lsn}", "total_order": order}
    return {"before": before, "after": after, "op": op, "source": place, "transaction": transaction}


def message(key: Any, value: Any, **rest: Any) -> Event:
    return {"destination": "src.public.orders", "key": key, "value": value, "headers": [], **rest}


def with_schema(payload: Any, fields: list[Event]) -> Event:
    row = {"type": "struct", "fields": fields, "optional": True}
    schema = {"type": "struct", "fields": [{**row, "field": "before"}, {**row, "field": "after"}]}
    return {"schema": schema, "payload": payload}


def rows(batch: ChangeBatch) -> list[Event]:
    return batch.frame.select(name for name in batch.columns if name != "_sequence").to_dicts()


def reasons(batch: ChangeBatch) -> list[tuple[int, str]]:
    return [(item.position, item.reason) for item in batch.rejected]


INT = {"type": "int64", "optional": False, "field": "id"}
TEXT = {"type": "string", "optional": True, "field": "name"}

WRAPPINGS: dict[str, Callable[[Event], Any]] = {
    "envelope": lambda value: value,
    "envelope as bytes": lambda value: json.dumps(value).encode(),
    "envelope as text": json.dumps,
    "schema and payload": lambda value: with_schema(value, [INT, TEXT]),
    "schema and payload as bytes": lambda value: json.dumps(with_schema(value, [INT, TEXT])).encode(),
    "message": lambda value: message({"id": 1}, value),
    "message as bytes": lambda value: json.dumps(message({"id": 1}, value)).encode(),
    "message with documents": lambda value: message(b'{"id":1}', json.dumps(value)),
    "message with schemas": lambda value: message(
        {"schema": {"type": "struct", "fields": [INT]}, "payload": {"id": 1}}, with_schema(value, [INT, TEXT])
    ),
    "message without key": lambda value: {"topic": "src.public.orders", "value": value},
    "message with a key that is no object": lambda value: message("1", value),
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
def test_every_wrapping_holds_the_same_change(wrap: Callable[[Event], Any]) -> None:
    events = [wrap(event("c", {"id": 1, "name": "a"})), wrap(event("d", before={"id": 1}, lsn=101))]

    batch = read(events)

    assert rows(batch) == [{"id": 1, "name": "a"}, {"id": 1, "name": None}]
    assert batch.frame[OP].to_list() == [UPSERT, DELETE]
    assert batch.sequence == ("_sequence",)
    assert batch.frame["_sequence"].to_list() == [
        "0000000000000064.0000000000000064.0000000001",
        "0000000000000065.0000000000000065.0000000001",
    ]


@pytest.mark.parametrize("op", ["c", "r", "u"])
def test_rows_are_upserted(op: str) -> None:
    batch = read([event(op, {"id": 1, "name": "a"})])

    assert batch.frame[OP].to_list() == [UPSERT]


def test_a_delete_uses_the_key_alone() -> None:
    invented = {"id": 1, "qty": 0, "note": ""}

    batch = read([event("c", {"id": 1, "qty": 5, "note": "x"}), event("d", before=invented, lsn=200)])

    assert rows(batch)[1] == {"id": 1, "qty": None, "note": None}


def test_the_key_of_a_delete_comes_from_the_message() -> None:
    batch = read([message({"id": 7}, event("d", before={"id": 0, "name": ""}))])

    assert rows(batch) == [{"id": 7}]


def test_a_delete_without_before_needs_the_messages_key() -> None:
    batch = read([message({"id": 7}, event("d")), event("d")])

    assert rows(batch) == [{"id": 7}]
    assert reasons(batch) == [(1, "null_key")]


def test_a_truncate_has_no_key() -> None:
    batch = read([message(None, event("t")), message({"id": 1}, event("c", {"id": 1}, lsn=200))])

    assert batch.frame.select("id", OP).rows() == [(None, TRUNCATE), (1, UPSERT)]


def test_a_key_change_in_one_event_is_a_delete_and_an_upsert() -> None:
    batch = read(
        [
            event("c", {"id": 1, "x": "a"}),
            event("u", {"id": 2, "x": "b"}, before={"id": 1, "x": "a"}, lsn=200),
        ]
    )

    assert batch.frame.select("id", "x", OP, ORDINAL).rows() == [
        (1, "a", UPSERT, 0),
        (1, None, DELETE, 1),
        (2, "b", UPSERT, 1),
    ]
    assert batch.frame["_sequence"].to_list()[1] == batch.frame["_sequence"].to_list()[2]
    assert (batch.total, batch.derived) == (2, 1)


def test_a_key_change_is_rejected_whole() -> None:
    changed = event("u", {"id": 2, "n": "x"}, before={"id": 1, "n": "1"})

    batch = read([changed], types={"n": "integer"})

    assert batch.frame.height == 0
    assert (batch.total, batch.derived, reasons(batch)) == (1, 0, [(0, "bad_value")])


def test_an_update_of_the_same_key_is_one_change() -> None:
    batch = read([event("u", {"id": 1, "x": "b"}, before={"id": 1, "x": "a"})])

    assert batch.frame[OP].to_list() == [UPSERT]


def test_an_invented_key_before_is_no_key_change() -> None:
    changed = event("u", {"id": 5, "mail": "new"}, before={"id": 0, "mail": "old"})

    assert read([message({"id": 5}, changed)]).derived == 0
    assert read([event("u", {"id": 5}, before={"id": None})]).derived == 0


def test_what_is_no_change_is_ignored_and_counted() -> None:
    batch = read(
        [
            None,
            b"",
            message({"id": 1}, None),
            message({"id": 1}, b""),
            {"ts_ms": 1795341564200},
            message({"serverName": "src"}, {"ts_ms": 1795341564200}),
            {"status": "BEGIN", "id": "7:1", "event_count": None, "ts_ms": 1},
            message({"id": "7:1"}, {"status": "END", "id": "7:1", "event_count": 2, "ts_ms": 1}),
            {"op": "m", "ts_ms": 1, "source": {}, "message": {"prefix": "p", "content": "aGk="}},
            {"source": {"db": "shop"}, "databaseName": "shop", "ddl": "ALTER TABLE t", "tableChanges": []},
            event("c", {"id": 1}),
        ]
    )

    assert (batch.total, batch.ignored, batch.frame.height, batch.rejected) == (11, 10, 1, ())


def test_records_that_are_no_events_are_rejected_and_the_rest_lives() -> None:
    batch = read(
        [
            event("c", {"id": 1}),
            b'{"op":',
            [1, 2],
            {},
            event("x", {"id": 1}),
            {**event("c", {"id": 2}), "op": 5},
            event("u"),
            event("c", {"name": "no key"}),
            message({"id": 1}, b"{broken"),
            5,
        ]
    )

    assert rows(batch) == [{"id": 1, "name": None}]
    assert reasons(batch) == [
        (1, "bad_json"),
        (2, "not_an_event"),
        (3, "not_an_event"),
        (4, "unknown_op"),
        (5, "unknown_op"),
        (6, "no_row"),
        (7, "null_key"),
        (8, "bad_json"),
        (9, "not_an_event"),
    ]
    assert batch.rejected[0].raw == b'{"op":'


def test_events_without_the_key_column_are_refused() -> None:
    with pytest.raises(DataError, match="no key column order_id"):
        read([event("c", {"id": 1})], key=("order_id",))


def test_columns_that_an_events_row_lacks_are_absent() -> None:
    batch = read([event("c", {"id": 1, "old": 1}), event("u", {"id": 1, "new": 2}, lsn=200)])

    assert batch.frame.select("old", absence("old"), "new", absence("new")).rows() == [
        (1, False, None, True),
        (None, True, 2, False),
    ]


def test_a_key_that_the_row_lacks_comes_from_the_message() -> None:
    batch = read(
        [message({"id": 3}, event("u", {"name": "x"})), message({"id": 4}, event("u", {"id": UNAVAILABLE}))]
    )

    assert batch.frame["id"].to_list() == [3, 4]


TABLES = [
    event("c", {"id": 1}),
    event("c", {"id": 2}, table="items"),
    event("t", table="items"),
    event("c", {"id": 3}, schema="archive"),
    message({"id": 4}, None, destination="src.public.items"),
]


@pytest.mark.parametrize(
    ("wanted", "ids", "ignored"),
    [
        ("public.orders", [1], 4),
        ("shop.public.orders", [1], 4),
        ("orders", [1, 3], 3),
        ("items", [2, None], 3),
        ("archive.orders", [3], 4),
        ("nothing", [], 5),
    ],
)
def test_one_table_is_taken_out_of_a_stream(wanted: str, ids: list[int | None], ignored: int) -> None:
    batch = read(TABLES, source_table=wanted)

    assert batch.frame["id"].to_list() == ids
    assert batch.ignored == ignored


def test_a_table_is_also_known_by_its_topic() -> None:
    value = {"id": 1, "__op": "c"}

    batch = read(
        [message({"id": 1}, value), message({"id": 2}, value, destination="src.public.items")],
        source_table="public.orders",
    )

    assert (batch.frame.height, batch.ignored) == (1, 1)


def test_several_tables_and_none_wanted_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"3 tables: archive.orders, public.items, public.orders"):
        read(TABLES)


FLATTENED = {"id": 1, "name": "a", "__op": "u", "__deleted": "false", "__lsn": 100, "__source_ts_ms": 5}


def test_the_flattened_form() -> None:
    batch = read(
        [
            FLATTENED,
            {**FLATTENED, "id": 2, "name": "", "__deleted": "true", "__op": "d", "__lsn": 101},
            {**FLATTENED, "id": 3, "__deleted": True, "__lsn": 102},
            {"__op": "t", "__lsn": 103},
            message({"id": 4}, json.dumps({**FLATTENED, "id": 4, "__op": "c", "__lsn": 104})),
        ]
    )

    assert batch.frame.select("id", "name", OP).rows() == [
        (1, "a", UPSERT),
        (2, None, DELETE),
        (3, None, DELETE),
        (None, None, TRUNCATE),
        (4, "a", UPSERT),
    ]
    assert batch.columns == ("id", "name", "_sequence")
    assert batch.frame["_sequence"].is_sorted()


def test_the_flattened_form_with_a_schema() -> None:
    fields = [INT, {"type": "int32", "optional": True, "name": "io.debezium.time.Date", "field": "day"}]

    batch = read(
        [{"schema": {"type": "struct", "fields": fields}, "payload": {"id": 1, "day": 19782, "__op": "c"}}]
    )

    assert batch.frame["day"].dtype == pl.Date
    assert batch.sequence == ()


def test_a_flattened_row_without_added_fields_is_an_upsert_in_order_of_arrival() -> None:
    batch = read([message({"id": 1}, {"id": 1, "name": "a"}), message({"id": 1}, {"id": 1, "name": "b"})])

    assert rows(batch) == [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]
    assert batch.sequence == ()


def test_added_fields_can_be_the_sequence() -> None:
    batch = read(
        [FLATTENED, {**FLATTENED, "__deleted": "true", "__source_ts_ms": 6}], sequence=("__source_ts_ms",)
    )

    assert batch.sequence == ("__source_ts_ms",)
    assert batch.frame["__source_ts_ms"].to_list() == [5, 6]


def test_columns_named_like_a_messages_parts_are_columns() -> None:
    row = {"key": 1, "value": "x", "__op": "c"}

    batch = read([row], key=("key",))

    assert rows(batch) == [{"key": 1, "value": "x"}]


def test_a_flattened_row_can_have_columns_named_like_an_envelope() -> None:
    batch = read([{"id": 1, "op": "x", "source": "web", "__op": "c"}])

    assert rows(batch) == [{"id": 1, "op": "x", "source": "web"}]


def test_a_configured_sequence_is_taken_from_the_row() -> None:
    batch = read(
        [
            event("c", {"id": 1, "version": 3}),
            event("d", before={"id": 1, "version": 4}),
            event("d", before={"id": 1, "version": None}),
        ],
        sequence=("version",),
    )

    assert batch.sequence == ("version",)
    assert "_sequence" not in batch.frame.columns
    assert batch.frame["version"].to_list() == [3, 4]
    assert reasons(batch) == [(2, "null_sequence")]


def test_an_event_without_a_place_among_others_with_one_is_rejected() -> None:
    batch = read([event("c", {"id": 1}), {"op": "c", "before": None, "after": {"id": 2}}])

    assert reasons(batch) == [(1, "null_sequence")]


def test_events_without_any_place_are_in_order_of_arrival() -> None:
    batch = read([{"op": "c", "before": None, "after": {"id": 2}}])

    assert (batch.sequence, batch.frame.height) == ((), 1)


PLACEHOLDERS: dict[str, Any] = {
    "text": UNAVAILABLE,
    "bytes": "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==",
    "hex": UNAVAILABLE.encode().hex(),
    "array of text": [UNAVAILABLE],
    "array of numbers": list(UNAVAILABLE.encode()),
    "array of floats": [float(code) for code in UNAVAILABLE.encode()],
    "map": {UNAVAILABLE: UNAVAILABLE},
    "map as text": json.dumps({UNAVAILABLE: UNAVAILABLE}, separators=(",", ":")),
    "decimal": {"scale": 0, "value": "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="},
}


@pytest.mark.parametrize("value", PLACEHOLDERS.values(), ids=PLACEHOLDERS.keys())
def test_an_unavailable_value_is_absent_in_every_shape(value: Any) -> None:
    batch = read([event("u", {"id": 1, "big": value})])

    assert batch.frame.select("big", absence("big")).rows() == [(None, True)]


def test_an_unavailable_value_of_a_declared_type_is_absent() -> None:
    events = [
        event("c", {"id": 1, "by": "3q2+7w==", "n": "AJY="}),
        event("u", {"id": 1, "by": PLACEHOLDERS["bytes"], "n": PLACEHOLDERS["bytes"]}, lsn=200),
    ]

    batch = read(events, types={"by": "binary", "n": "decimal(10,2)"})

    assert batch.rejected == ()
    assert batch.frame[absence("by")].to_list() == batch.frame[absence("n")].to_list() == [False, True]


def test_the_placeholder_is_configured() -> None:
    batch = read([event("u", {"id": 1, "a": "gone", "b": UNAVAILABLE})], unavailable_value="gone")

    assert batch.absent == ("a",)


@pytest.mark.parametrize(
    ("made", "absent"),
    [
        (event("u", {"id": 1, "x": UNAVAILABLE}), True),
        (event("r", {"id": 1, "x": UNAVAILABLE}), False),
        (event("c", {"id": 1, "x": UNAVAILABLE}, order=1), False),
        (event("c", {"id": 1, "x": UNAVAILABLE}, order=2), True),
        (event("c", {"id": 1, "x": UNAVAILABLE}, order=None), True),
        (
            message({"id": 1}, event("c", {"id": 1, "x": UNAVAILABLE}, order=2), headers=[{"key": "other"}]),
            False,
        ),
        (
            message(
                {"id": 1},
                event("c", {"id": 1, "x": UNAVAILABLE}, order=1),
                headers=[{"key": "__debezium.oldkey", "value": "{}"}],
            ),
            True,
        ),
        (
            message(
                {"id": 1}, event("c", {"id": 1, "x": UNAVAILABLE}), headers=[("__debezium.oldkey", b"{}")]
            ),
            True,
        ),
        (message({"id": 1}, event("c", {"id": 1, "x": UNAVAILABLE}), headers={"__debezium.oldkey": 1}), True),
    ],
)
def test_the_placeholder_is_a_real_value_where_no_value_can_be_unavailable(made: Event, absent: bool) -> None:
    batch = read([made])

    assert batch.absent == (("x",) if absent else ())


def test_ignored_nulls_are_absent() -> None:
    batch = read([event("u", {"id": 1, "x": None})], ignore_null_updates=True)

    assert batch.absent == ("x",)


def test_numbers_keep_all_their_digits() -> None:
    raw = json.dumps(event("c", {"id": 9007199254740993, "n": 123456789012345678901234567890}))

    batch = read([raw])

    assert batch.frame["id"].to_list() == [9007199254740993]
    assert str(batch.frame["n"][0]) == "123456789012345678901234567890"


def test_schemas_that_change_in_the_middle_are_unified() -> None:
    def changed(kind: str, value: Any, lsn: int) -> Event:
        field = {"type": kind, "optional": True, "field": "n"}
        return with_schema(event("c", {"id": lsn, "n": value}, lsn=lsn), [INT, field])

    widened = read([changed("int32", 1, 1), changed("int64", 2**40, 2), changed("int32", 3, 3)])
    mixed = read([changed("int32", 1, 1), changed("string", "x", 2)])

    assert (widened.frame["n"].dtype, widened.frame["n"].to_list()) == (pl.Int64(), [1, 2**40, 3])
    assert (mixed.frame["n"].dtype, mixed.frame["n"].to_list()) == (pl.String(), ["1", "x"])


def test_a_column_that_only_some_schemas_have_keeps_its_type() -> None:
    extra = {"type": "int32", "optional": True, "name": "io.debezium.time.Date", "field": "day"}

    batch = read(
        [
            with_schema(event("c", {"id": 1}), [INT]),
            with_schema(event("c", {"id": 2, "day": 0}, lsn=200), [INT, extra]),
        ]
    )

    assert batch.frame["day"].dtype == pl.Date
    assert batch.frame[absence("day")].to_list() == [True, False]


def test_a_column_called_schema_is_not_mistaken_for_one() -> None:
    rows_in = [event("c", {"id": place, "schema": {"payload": place}}) for place in range(200)]

    batch = read([json.dumps(item).encode() for item in rows_in])

    assert batch.frame["schema"].to_list() == [{"payload": place} for place in range(200)]


def test_many_records_are_read_part_by_part_in_their_order() -> None:
    lines = [json.dumps(event("c", {"id": place}, lsn=place + 1)).encode() for place in range(5000)]
    lines[3000] = b"broken"

    batch = read(lines)

    assert batch.frame[ORDINAL].to_list() == [place for place in range(5000) if place != 3000]
    assert reasons(batch) == [(3000, "bad_json")]


def test_the_schemas_of_a_batch_are_not_kept_in_memory() -> None:
    fields = [INT, *({"type": "string", "optional": True, "field": f"c{place}"} for place in range(50))]
    lines = [json.dumps(with_schema(event("c", {"id": place}), fields)).encode() for place in range(3000)]
    gc.collect()
    before = sum(type(item) is dict for item in gc.get_objects())

    batch = read(lines)

    assert batch.total == 3000
    assert sum(type(item) is dict for item in gc.get_objects()) - before < 3000


def test_events_in_columns_are_read_row_by_row() -> None:
    frame = pl.DataFrame({"id": [1, 2], "name": ["a", "b"], "__op": ["c", "d"], "__lsn": [1, 2]})

    batch = read(frame)  # type: ignore[arg-type]

    assert batch.frame.select("id", "name", OP).rows() == [(1, "a", UPSERT), (2, None, DELETE)]


def test_an_empty_batch_is_a_batch() -> None:
    batch = read([])

    assert batch.total == 0
    assert batch.frame.columns == [OP, ORDINAL, "id"]
