"""The rules that a table carries itself: generated columns, conditions, not-null, append-only."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType, StructType

from lakehouse.errors import RefusedError, UnsupportedFeatureError
from lakehouse.table import Table
from tests.properties.tables import NAME, delta, everywhere, open_table, ours

COMPUTED = "delta.generationExpression"
AT = datetime(2024, 5, 6, 23, 30, tzinfo=UTC)


def column(name: str, kind: str, *, nullable: bool = True, **metadata: Any) -> Field:
    return Field(name, PrimitiveType(kind), nullable=nullable, metadata=metadata)


def by_delta_rs(root: Path, *fields: Field, **options: Any) -> None:
    DeltaTable.create(str(root / NAME), Schema(list(fields)), **options)


def with_days(root: Path, *, partition_by: list[str] | None = None, **section: Any) -> Table:
    """``day`` and ``double`` are generated from ``at`` and ``n``."""
    by_delta_rs(
        root,
        column("id", "long"),
        column("at", "timestamp"),
        column("n", "integer"),
        Field("day", PrimitiveType("date"), metadata={COMPUTED: "CAST(AT AS DATE)"}),
        Field("double", PrimitiveType("long"), metadata={COMPUTED: "n * 2"}),
        partition_by=partition_by,
    )
    return open_table(root, **section)


def test_generated_columns_are_computed(tmp_path: Path, mode: str) -> None:
    table = with_days(tmp_path, merge=mode, partition_by=["day"])
    result = table.merge([{"id": 1, "at": AT, "n": 3}, {"id": 2, "at": None, "n": None}])
    assert (result.inserted, result.rejected) == (2, 0)
    rows = {row["id"]: (row["day"], row["double"]) for row in everywhere(table, tmp_path)}
    assert rows == {1: (date(2024, 5, 6), 6), 2: (None, None)}
    assert "_cells" not in table.snapshot().schema


def test_partial_changes_compute_from_what_is_stored(tmp_path: Path) -> None:
    table = with_days(tmp_path, changes={"sequence": "_sequence"})
    table.merge([{"id": 1, "at": AT, "n": 3, "_sequence": 1}])
    table.merge([{"id": 1, "n": 5, "_sequence": 2}])
    table.merge([{"id": 1, "at": datetime(2024, 5, 8, tzinfo=UTC), "_sequence": 3}])
    (row,) = everywhere(table, tmp_path)
    assert (row["day"], row["n"], row["double"]) == (date(2024, 5, 8), 5, 10)
    table.merge([{"id": 1, "n": 4, "_sequence": 0}])
    (row,) = everywhere(table, tmp_path)
    assert (row["n"], row["double"]) == (5, 10)


def test_a_stated_value_must_be_the_generated_one(tmp_path: Path) -> None:
    table = with_days(tmp_path)
    result = table.merge(
        [
            {"id": 1, "at": AT, "n": 3, "double": 6},
            {"id": 2, "at": AT, "n": 3, "double": 7},
            {"id": 3, "at": AT, "n": 3, "double": None},
            {"id": 4, "at": AT, "n": None, "double": None},
        ]
    )
    assert (result.inserted, result.rejected) == (2, 2)
    assert {problem.reason for problem in result.problems} == {"generated"}
    assert {row["id"] for row in everywhere(table, tmp_path)} == {1, 4}
    # What it is generated from is not stated, so what it says is left out.
    assert table.merge([{"id": 1, "double": 99}]).rejected == 0
    assert {row["double"] for row in everywhere(table, tmp_path)} == {6, None}


@pytest.mark.parametrize(
    "expression",
    ["id / 2", "id % 2", "concat(v, 'x')", 'v || "x"', "date_format(v, 'yyyy')", "other + 1", "g", "("],
)
def test_what_may_mean_something_else_here_is_refused_by_name(tmp_path: Path, expression: str) -> None:
    by_delta_rs(
        tmp_path,
        column("id", "long"),
        column("v", "string"),
        Field("g", PrimitiveType("string"), metadata={COMPUTED: expression}),
    )
    table = open_table(tmp_path)
    with pytest.raises(UnsupportedFeatureError, match="column g is generated"):
        table.merge([{"id": 1, "v": "a"}])
    assert table.snapshot().version == 0


def test_generated_columns_follow_a_wider_type(tmp_path: Path) -> None:
    table = with_days(tmp_path)
    table.merge([{"id": 1, "at": AT, "n": 3}])
    result = table.merge([{"id": 2, "at": AT, "n": 2**40}])
    assert result.widened == ("n",)
    assert {row["id"]: row["double"] for row in everywhere(table, tmp_path)} == {1: 6, 2: 2**41}


def test_conditions_made_by_delta_rs_hold(tmp_path: Path, mode: str) -> None:
    by_delta_rs(tmp_path, column("id", "long"), column("v", "integer"), column("w", "string"))
    delta(tmp_path).alter.add_constraint({"positive": "v > 0"})
    delta(tmp_path).alter.add_constraint({"known": "w IN ('a', 'b') OR v >= 100"})
    table = open_table(tmp_path, merge=mode)
    result = table.merge(
        [
            {"id": 1, "v": 1, "w": "a"},
            {"id": 2, "v": 0, "w": "a"},
            {"id": 3, "v": None, "w": "a"},
            {"id": 4, "v": 1, "w": "c"},
            {"id": 5, "v": 100, "w": "c"},
        ]
    )
    assert (result.inserted, result.rejected) == (2, 3)
    assert [problem.detail for problem in result.problems] == [
        "the table's constraint positive does not hold",
        "the table's constraint positive does not hold",
        "the table's constraint known does not hold",
    ]
    # Of a partial row the outcome counts.
    partial = table.merge([{"id": 5, "v": 7}, {"id": 1, "v": 9}])
    assert (partial.updated, partial.rejected) == (1, 1)
    assert {row["id"]: row["v"] for row in everywhere(table, tmp_path)} == {1: 9, 5: 100}


def test_names_in_conditions_have_any_case(tmp_path: Path) -> None:
    by_delta_rs(tmp_path, column("id", "long"), column("Amount", "integer"))
    delta(tmp_path).alter.set_table_properties(
        {"delta.constraints.low": "AMOUNT < 10"}, raise_if_not_exists=False
    )
    table = open_table(tmp_path)
    result = table.merge([{"id": 1, "Amount": 5}, {"id": 2, "Amount": 50}])
    assert (result.inserted, result.rejected) == (1, 1)


def test_fields_of_structs_that_must_not_be_null(tmp_path: Path) -> None:
    inner = StructType([column("zip", "string", nullable=False), column("city", "string")])
    by_delta_rs(tmp_path, column("id", "long"), Field("address", inner))
    table = open_table(tmp_path)
    result = table.merge(
        [
            {"id": 1, "address": {"zip": "1", "city": None}},
            {"id": 2, "address": {"zip": None, "city": "x"}},
            {"id": 3, "address": None},
        ]
    )
    assert (result.inserted, result.rejected) == (2, 1)
    assert [problem.detail for problem in result.problems] == ["field address.zip must not be null"]
    assert {row["id"] for row in everywhere(table, tmp_path)} == {1, 3}


def test_not_null_holds_for_partial_rows(tmp_path: Path) -> None:
    by_delta_rs(tmp_path, column("id", "long"), column("v", "string", nullable=False), column("w", "string"))
    table = open_table(tmp_path)
    table.merge([{"id": 1, "v": "a", "w": "a"}])
    result = table.merge([{"id": 1, "w": "b"}, {"id": 2, "w": "b"}, {"id": 3, "v": None, "w": "c"}])
    assert (result.updated, result.rejected) == (1, 2)
    assert [(row["id"], row["w"]) for row in everywhere(table, tmp_path)] == [(1, "b")]


def test_an_append_only_table_takes_new_rows_alone(tmp_path: Path) -> None:
    by_delta_rs(
        tmp_path, column("id", "long"), column("v", "string"), configuration={"delta.appendOnly": "true"}
    )
    table = open_table(tmp_path)
    table.merge([{"id": 1, "v": "a"}])
    table.merge([{"id": 2, "v": "a"}])
    for change in ({"id": 1, "v": "b"}, {"id": 1, "_op": "delete"}):
        with pytest.raises(RefusedError, match="append-only"):
            table.merge([change])
    # Nothing changes, so nothing is refused; and putting files together takes no row away.
    assert table.merge([{"id": 9, "_op": "delete"}]).unchanged == 1
    assert table.compact().version is not None
    assert len(everywhere(table, tmp_path)) == 2


def test_identity_columns_are_refused_by_name(tmp_path: Path) -> None:
    by_delta_rs(tmp_path, column("id", "long"), column("v", "string"))
    log = tmp_path / NAME / "_delta_log" / f"{0:020}.json"
    actions = [orjson.loads(line) for line in log.read_bytes().splitlines()]
    for action in actions:
        if "metaData" in action:
            schema = orjson.loads(action["metaData"]["schemaString"])
            schema["fields"][0]["metadata"] = {"delta.identity.start": 1, "delta.identity.step": 1}
            action["metaData"]["schemaString"] = orjson.dumps(schema).decode()
        if "protocol" in action:
            action["protocol"] = {"minReaderVersion": 1, "minWriterVersion": 6}
    log.write_bytes(b"\n".join(map(orjson.dumps, actions)))
    table = open_table(tmp_path)
    with pytest.raises(UnsupportedFeatureError, match="identityColumns"):
        table.merge([{"id": 1, "v": "a"}])
    with pytest.raises(UnsupportedFeatureError, match="identityColumns"):
        table.compact()
    assert ours(table).equals(pl.DataFrame(schema={"id": pl.Int64, "v": pl.String}))
