"""Every recorded file in normal form, against rows that were worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

from lakehouse.cdc.changes import DELETE, OP, TRUNCATE, ChangeBatch, absence, is_control
from lakehouse.cdc.formats import normalize, settings_of
from lakehouse.cdc.sources import read_files
from lakehouse.config.models.tables import TableConfig
from tests.fixtures.debezium_expected import DATA, EXPECTED, Expected


def batch_of(expected: Expected, *, backwards: bool = False) -> ChangeBatch:
    config = TableConfig.model_validate(expected.table)
    settings = settings_of(config, source_table=expected.source_table)
    records: object = read_files([expected.path])
    if backwards:
        records = expected.path.read_bytes().splitlines()[::-1]
    return normalize(records, format="debezium", settings=settings)


def replay(batch: ChangeBatch) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What the changes leave in an empty table, one after the other by their sequence."""
    table: dict[tuple[Any, ...], dict[str, Any]] = {}
    columns = [name for name in batch.columns if name != "_sequence"]
    frame = batch.frame.sort(*batch.sequence, maintain_order=True) if batch.sequence else batch.frame
    for row in frame.iter_rows(named=True):
        key = tuple(row[name] for name in batch.key)
        if row[OP] == TRUNCATE:
            table.clear()
        elif row[OP] == DELETE:
            table.pop(key, None)
        else:
            stored = table.setdefault(key, dict.fromkeys(columns))
            stored.update({name: row[name] for name in columns if not row.get(absence(name))})
    return table


def same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("backwards", [False, True], ids=["as recorded", "backwards"])
@pytest.mark.parametrize("expected", EXPECTED, ids=lambda expected: expected.id)
def test_the_changes_mean_what_happened_in_any_order(expected: Expected, backwards: bool) -> None:
    table = replay(batch_of(expected, backwards=backwards))

    key = expected.table["key"]
    assert set(table) == {tuple(row[name] for name in key) for row in expected.rows}
    for row in expected.rows:
        found = table[tuple(row[name] for name in key)]
        wrong = {
            name: (found.get(name), value) for name, value in row.items() if not same(found.get(name), value)
        }
        assert not wrong


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda expected: expected.id)
def test_every_record_is_accounted_for(expected: Expected) -> None:
    batch = batch_of(expected)

    assert batch.total == expected.total
    assert batch.ignored == expected.ignored
    assert batch.derived == expected.derived
    assert {item.position: item.reason for item in batch.rejected} == dict(expected.rejected)
    lines = expected.path.read_bytes().splitlines()
    assert all(item.line == item.position + 1 for item in batch.rejected)
    assert all(item.raw == lines[item.position] for item in batch.rejected)


def test_no_recorded_file_is_left_out() -> None:
    assert {item.file for item in EXPECTED} == {path.stem for path in DATA.glob("*.jsonl")}


def test_the_columns_of_a_schema_have_its_types() -> None:
    (expected,) = (
        item for item in EXPECTED if item.file == "pg_schemas_enabled" and item.source_table == "s.alltypes"
    )
    frame = batch_of(expected).frame
    types = {name: dtype for name, dtype in frame.schema.items() if not is_control(name)}

    assert types == {
        "id": pl.Int32(),
        "b": pl.Boolean(),
        "i2": pl.Int16(),
        "i8": pl.Int64(),
        "r": pl.Float32(),
        "d": pl.Float64(),
        "n": pl.Decimal(12, 4),
        "nfree": pl.String(),
        "m": pl.Decimal(38, 2),
        "t": pl.String(),
        "v": pl.String(),
        "c": pl.String(),
        "by": pl.Binary(),
        "ts": pl.Datetime("us"),
        "ts3": pl.Datetime("us"),
        "tstz": pl.Datetime("us", "UTC"),
        "dt": pl.Date(),
        "tm": pl.String(),
        "tmtz": pl.String(),
        "iv": pl.Int64(),
        "j": pl.String(),
        "jb": pl.String(),
        "u": pl.String(),
        "ia": pl.List(pl.Int32()),
        "ta": pl.List(pl.String()),
        "na": pl.List(pl.Decimal(10, 2)),
        "e": pl.String(),
        "ip": pl.String(),
        "rng": pl.String(),
        "bt": pl.Binary(),
        "pt": pl.Struct({"x": pl.Float64(), "y": pl.Float64(), "wkb": pl.Binary(), "srid": pl.Int32()}),
        "_sequence": pl.String(),
    }
