"""Tables for tests: made from a section of the config, and read by everybody who can read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable, QueryBuilder

from lakehouse.config.models import TableConfig
from lakehouse.storage import Storage, open_storage
from lakehouse.table import Table

NAME = "t"
Row = dict[str, Any]


def now() -> datetime:
    return datetime.now(UTC)


def open_table(
    root: Path, *, storage: Storage | None = None, clock: Callable[[], datetime] = now, **section: Any
) -> Table:
    """The table ``t`` of a lake.

    Args:
        root: The lake's root.
        storage: The lake's storage, where it is not simply ``root``.
        clock: Gives the time.
        section: The table's section of the config; the key is ``id`` unless it says otherwise.
    """
    lake = storage or open_storage(root, options={"fsync": "false"})
    config = TableConfig.model_validate({"key": ["id"], **section})
    return Table(name=NAME, config=config, storage=lake.child(NAME), lake=lake, clock=clock)


def delta(root: Path) -> DeltaTable:
    return DeltaTable(str(root / NAME))


def ours(table: Table, *, version: int | None = None) -> pl.DataFrame:
    return table.read(columns=list(table.snapshot(version=version).schema.names), version=version)


def by_delta_rs(root: Path) -> pl.DataFrame:
    found = QueryBuilder().register("t", delta(root)).execute("select * from t").read_all()
    return pl.DataFrame(found)


def by_polars(root: Path) -> pl.DataFrame:
    return pl.scan_delta(str(root / NAME)).collect()


def records(frame: pl.DataFrame, *, without: tuple[str, ...] = ("_cells", "_generation")) -> list[Row]:
    """The rows as dicts, by ``id``, where they have one, and then by all they hold."""
    rows = frame.drop(without, strict=False).to_dicts()
    return sorted(rows, key=lambda row: (repr(row.get("id")), repr(sorted(row.items()))))


def everywhere(table: Table, root: Path) -> list[Row]:
    """The rows, which must be the same whoever reads them."""
    mine = records(ours(table))
    assert records(by_delta_rs(root)) == mine
    assert records(by_polars(root)) == mine
    return mine


def files_below(root: Path) -> Mapping[str, tuple[int, int]]:
    """Every file below a folder with its size and time of change."""
    return {
        str(path.relative_to(root)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
