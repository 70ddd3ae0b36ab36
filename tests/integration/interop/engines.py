"""The same rows asked of every engine, brought into one form in which they can be compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from lakehouse import Lakehouse
from lakehouse.delta.schema import to_arrow
from lakehouse.table import Table
from tests.fixtures.sail import Sail

NAME = "t"


def open_table(root: Path, **section: Any) -> Table:
    """Opens the table ``t`` of a lake in a folder, with a section of the config as given."""
    section.setdefault("key", ["id"])
    tables = {NAME: section}
    return Lakehouse.open(
        {"version": 1, "name": "x", "storage": {"root": str(root)}, "tables": tables}
    ).table(NAME)


def by_ours(table: Table, version: int | None = None) -> pa.Table:
    # Our maps are lists of entries in Polars; the others hand out maps.
    kinds = to_arrow(table.snapshot(version=version).schema)
    found = table.read(version=version).to_arrow()
    columns = [
        pa.array(
            [None if v is None else [(e["key"], e["value"]) for e in v] for v in found[name].to_pylist()],
            kind,
        )
        if pa.types.is_map(kind := kinds.field(name).type)
        else found[name]
        for name in found.column_names
    ]
    return pa.table(columns, names=found.column_names)


def by_polars(path: Path, version: int | None = None) -> pa.Table:
    return pl.scan_delta(str(path), version=version).collect().to_arrow()


def by_delta_rs(path: Path, version: int | None = None) -> pa.Table:
    table = DeltaTable(path, version=version)
    found = QueryBuilder().register("t", table).execute("select * from t").read_all()
    return pa.table(found)


def everywhere(
    table: Table,
    expected: Iterable[Mapping[str, Any]],
    *,
    sail: Sail | None = None,
    version: int | None = None,
    key: Sequence[str] = ("id",),
) -> None:
    """Asserts that every engine reads exactly these rows, and the same columns in the same types."""
    path = Path(table.storage.url)
    ours = by_ours(table, version)
    wanted = canonical(expected, key=key)
    same(rows_of(ours, key=key), wanted, f"our own read of version {version}", key=key)
    types = {field.name: kind_of(field.type) for field in ours.schema}
    answers = {"polars": by_polars(path, version), "delta-rs": by_delta_rs(path, version)}
    if sail is not None and not _before_checkpoint(path, version):
        answers["sail"] = sail.read(path, version=version)
    for engine, found in answers.items():
        # Polars and Sail hand partition columns out where they stand in the schema; delta-rs puts them last.
        answer = found.select(ours.column_names)
        assert {field.name: kind_of(field.type) for field in answer.schema} == types, engine
        same(rows_of(answer, key=key), wanted, f"{engine}, version {version}", key=key)


def same(
    found: list[dict[str, Any]], wanted: list[dict[str, Any]], where: str, *, key: Sequence[str] = ("id",)
) -> None:
    """Asserts that rows are the same; says which and which cells are not."""
    if found == wanted:
        return
    have, want = ({tuple(row[name] for name in key): row for row in rows} for rows in (found, wanted))
    assert have.keys() == want.keys(), where
    assert len(found) == len(wanted), where
    cells = {
        (at, name): (row.get(name, "absent"), want[at].get(name, "absent"))
        for at, row in have.items()
        for name in row.keys() | want[at].keys()
    }
    assert {place: pair for place, pair in cells.items() if pair[0] != pair[1]} == {}, where


def _before_checkpoint(path: Path, version: int | None) -> bool:
    """Sail 0.7 fails on most versions that are older than a checkpoint, of its own tables too."""
    found = [int(item.name[:20]) for item in (path / "_delta_log").glob("*.checkpoint*")]
    return version is not None and version < max(found, default=0)


def rows_of(table: pa.Table, *, key: Sequence[str] = ("id",)) -> list[dict[str, Any]]:
    """The rows of an Arrow table, ordered by key, in a form in which equal rows are equal."""
    return canonical(table.to_pylist(), key=key)


def canonical(rows: Iterable[Mapping[str, Any]], *, key: Sequence[str] = ("id",)) -> list[dict[str, Any]]:
    plain = [{name: _plain(value) for name, value in sorted(row.items())} for row in rows]
    return sorted(plain, key=lambda row: [(row[name] is not None, row[name]) for name in key])


def _plain(value: Any) -> Any:
    """NaN equals itself, maps don't mind their order, every struct is a dict."""
    match value:
        case float() if math.isnan(value):
            return "NaN"
        case Decimal():
            return str(value)
        case Mapping():
            return {name: _plain(part) for name, part in value.items()}
        case list() if value and isinstance(value[0], tuple):
            return {name: _plain(part) for name, part in value}
        case list():
            return [_plain(part) for part in value]
        case _:
            return value


def kind_of(kind: pa.DataType) -> str:
    """A type without the ways in which engines lay it out in memory."""
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return "binary"
    if pa.types.is_map(kind):
        return f"map<{kind_of(kind.key_type)},{kind_of(kind.item_type)}>"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list<{kind_of(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return f"struct<{','.join(f'{part.name}:{kind_of(part.type)}' for part in kind)}>"
    return str(kind)
