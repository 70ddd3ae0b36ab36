"""Tables that map their columns: new ones get ids and names of their own, whatever else a merge changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from lakehouse.delta.datatypes import COLUMN_ID, PHYSICAL_NAME, all_fields
from lakehouse.table import Table
from tests.properties.tables import NAME, by_delta_rs, open_table, ours, records

SCHEMA = {"id": "long", "v": "integer", "a": "struct<x:integer>", "l": "array<struct<p:integer>>"}


def mapped(root: Path, kind: str, **section: Any) -> Table:
    """An empty table with column mapping, as Spark makes it."""
    table = open_table(root, schema=SCHEMA, **section)
    table.create()
    log = root / NAME / "_delta_log" / f"{0:020}.json"
    actions = [orjson.loads(line) for line in log.read_bytes().splitlines()]
    for action in actions:
        if "metaData" in action:
            schema = json.loads(action["metaData"]["schemaString"])
            last = named(schema["fields"], 0)
            action["metaData"]["schemaString"] = json.dumps(schema)
            action["metaData"]["configuration"] |= {
                "delta.columnMapping.mode": kind,
                "delta.columnMapping.maxColumnId": str(last),
            }
        if "protocol" in action:
            features = ["columnMapping", "deletionVectors"]
            action["protocol"] = {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": features,
                "writerFeatures": features,
            }
    log.write_bytes(b"\n".join(map(orjson.dumps, actions)))
    return open_table(root, schema=SCHEMA, **section)


def named(fields: list[dict[str, Any]], last: int) -> int:
    for field in fields:
        last += 1
        field["metadata"] = {COLUMN_ID: last, PHYSICAL_NAME: f"col-{last}"}
        kind = field["type"]
        inner = kind.get("elementType", kind) if isinstance(kind, dict) else None
        if isinstance(inner, dict):
            last = named(inner["fields"], last)
    return last


def rows_of(table: Table, root: Path) -> list[dict[str, Any]]:
    mine = records(ours(table))
    assert records(by_delta_rs(root)) == mine
    return mine


@pytest.mark.parametrize("kind", ["name", "id"])
def test_new_columns_and_fields_get_names_of_their_own(tmp_path: Path, kind: str, mode: str) -> None:
    table = mapped(tmp_path, kind, merge=mode)
    table.merge([{"id": key, "v": 1, "a": {"x": 1}, "l": [{"p": 1}]} for key in range(3)])
    first = rows_of(table, tmp_path)
    assert first[0] == {"id": 0, "v": 1, "a": {"x": 1}, "l": [{"p": 1}]}
    result = table.merge([{"id": 1, "v": 2, "new": "n", "a": {"x": 2, "y": "z"}}])
    assert set(result.new_columns) == {"new", "a.y"}
    fields = list(all_fields(table.snapshot().schema))
    ids = [field.column_id for field in fields]
    assert len(set(ids)) == len(ids) == 8
    assert None not in ids
    assert all(PHYSICAL_NAME in field.metadata for field in fields)
    assert table.snapshot().configuration["delta.columnMapping.maxColumnId"] == str(max(map(int, ids)))  # type: ignore[arg-type]
    rows = rows_of(table, tmp_path)
    assert rows[1] == {"id": 1, "v": 2, "a": {"x": 2, "y": "z"}, "l": [{"p": 1}], "new": "n"}
    assert rows[0]["a"] == {"x": 1, "y": None}


@pytest.mark.parametrize("kind", ["name", "id"])
def test_wider_types_and_larger_lists(tmp_path: Path, kind: str, mode: str) -> None:
    table = mapped(tmp_path, kind, merge=mode)
    table.merge([{"id": key, "v": 1, "a": {"x": 1}, "l": [{"p": 1}]} for key in range(3)])
    before = {field.name: field.physical_name for field in table.snapshot().schema.fields}
    result = table.merge([{"id": 1, "v": 2**40, "a": {"x": 2**40}, "l": [{"p": 2**40, "q": 1}]}])
    assert set(result.widened) == {"v", "a", "l"}
    assert {field.name: field.physical_name for field in table.snapshot().schema.fields} == before
    rows = rows_of(table, tmp_path)
    assert rows[1] == {"id": 1, "v": 2**40, "a": {"x": 2**40}, "l": [{"p": 2**40, "q": 1}]}
    assert rows[0] == {"id": 0, "v": 1, "a": {"x": 1}, "l": [{"p": 1, "q": None}]}
    table.compact()
    assert rows_of(table, tmp_path) == rows


@pytest.mark.parametrize("kind", ["name", "id"])
def test_wider_types_by_metadata(tmp_path: Path, kind: str) -> None:
    table = mapped(tmp_path, kind, changes={"widen": "metadata"})
    table.merge([{"id": key, "v": 1, "a": {"x": 1}, "l": [{"p": 1}]} for key in range(3)])
    table.merge([{"id": 1, "v": 2**40, "a": {"x": 2**40, "y": 1}, "l": [{"p": 2**40, "q": 1}]}])
    rows = records(ours(table))
    assert rows[1] == {"id": 1, "v": 2**40, "a": {"x": 2**40, "y": 1}, "l": [{"p": 2**40, "q": 1}]}
    assert rows[0] == {"id": 0, "v": 1, "a": {"x": 1, "y": None}, "l": [{"p": 1, "q": None}]}
