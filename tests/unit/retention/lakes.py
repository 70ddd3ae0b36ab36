"""Lakes with rules for the tests of retention, and slow, simple answers to which rows must go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable, QueryBuilder

from lakehouse.config import load_config
from lakehouse.protection import Protection, TableHold
from lakehouse.records import NoRecords
from lakehouse.retention.verbs import Retention
from lakehouse.state.rows import ActionRecord
from lakehouse.storage import Storage, open_storage
from lakehouse.table import Table

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OLD = {"name": "old", "column": "at", "keep": "30d", "action": "delete"}


@dataclass
class Ledger(NoRecords):
    """Records in a list."""

    records: list[ActionRecord] = field(default_factory=list)

    def add(self, records: Sequence[ActionRecord]) -> None:
        self.records += records


class Lake:
    """A lake in a folder whose clock stands still and whose holds a test sets."""

    def __init__(
        self,
        root: Path,
        tables: Mapping[str, Any],
        *,
        storage: Storage | None = None,
        now: datetime = NOW,
        **more: Any,
    ) -> None:
        self.root = root
        self.config = load_config({"version": 1, "storage": {"root": str(root)}, "tables": tables, **more})
        self.storage = storage or open_storage(root, options={"fsync": "false"})
        self.now = now
        self.holds: dict[str, list[TableHold]] = {}
        self.ledger = Ledger()
        self.retention = Retention(
            config=self.config,
            lake=self.storage,
            table=self.table,
            protection=self.protection,
            records=self.ledger,
            clock=lambda: self.now,
        )

    def table(self, name: str) -> Table:
        config = self.config.tables[name]
        return Table(
            name=name,
            config=config,
            storage=self.storage.child(name),
            lake=self.storage,
            clock=lambda: self.now,
        )

    def protection(self, name: str) -> Protection:
        return Protection(name, tuple(self.holds.get(name, ())))

    def hold(self, table: str, where: str | None = None, *, id: str = "h-1") -> None:  # noqa: A002
        self.holds.setdefault(table, []).append(TableHold(id=id, reason="case 12", where=where))

    def ids(self, name: str = "t") -> list[int]:
        """The keys as all readers see them."""
        ours = sorted(self.table(name).read()["id"].to_list())
        path = str(self.root / name)
        theirs = QueryBuilder().register("t", DeltaTable(path)).execute("select id from t").read_all()
        assert sorted(pl.DataFrame(theirs)["id"].to_list()) == ours
        assert sorted(pl.scan_delta(path).select("id").collect()["id"].to_list()) == ours
        return ours


def one_table(
    root: Path, *rules: Mapping[str, Any], more: Mapping[str, Any] | None = None, **section: Any
) -> Lake:
    """A lake with the table ``t`` and its rules."""
    wanted = {"key": ["id"], "merge": "on_read", "retention": list(rules) or [OLD], **section}
    return Lake(root, {"t": wanted}, **(more or {}))


def fill(lake: Lake, *parts: Sequence[Any], column: str = "at", **more: Callable[[int], Any]) -> None:
    """Merges parts, each into a file of its own: one row for each date, with ids counted on."""
    at = 0
    for part in parts:
        ids = range(at, at + len(part))
        frame = pl.DataFrame(
            {"id": list(ids), column: list(part), **{n: [f(i) for i in ids] for n, f in more.items()}}
        )
        lake.table("t").merge(frame)
        at += len(part)
