"""Lakes whose tables are masked, for tests, and what a copy must be: the mask of its source, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lakehouse.cdc.changes import ChangeBatch
from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.config import load_config
from lakehouse.delta.schema import StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.lake import Lakehouse
from lakehouse.pii.mask.mark import PROPERTY
from lakehouse.pii.mask.source import ConfigMasks
from lakehouse.pii.spans import Span
from lakehouse.pii.verbs import Pii
from lakehouse.protection import Protection, TableHold
from lakehouse.records import NoRecords
from lakehouse.storage import Storage, open_storage
from lakehouse.table import Table
from tests.properties.tables import records
from tests.unit.pii.rings import Ring

OPERATORS: Mapping[str, Any] = {
    "EMAIL_ADDRESS": {"operator": "tokenize"},
    "PHONE_NUMBER": {"operator": "mask", "keep_last": 2},
    "PERSON": {"operator": "redact"},
}
PII: Mapping[str, Any] = {"email": "EMAIL_ADDRESS", "phone": "PHONE_NUMBER", "name": "PERSON"}


class Words:
    """Finds the capitalised words of texts: persons, for a test."""

    def find(self, texts: Sequence[str], *, entities: Sequence[str]) -> list[tuple[Span, ...]]:
        found = []
        for text in texts:
            spans, at = [], 0
            for word in text.split(" "):
                if word[:1].isupper():
                    spans.append(Span(at, at + len(word), "PERSON", 1.0))
                at += len(word) + 1
            found.append(tuple(spans))
        return found


class AlreadyMasked:
    """The `lakehouse.merge.target.Masking` of merges that bring masks."""

    def columns(self, schema: StructType) -> tuple[str, ...]:
        return ()

    def check(self, snapshot: Snapshot) -> None:
        pass

    def trying(self) -> AlreadyMasked:
        return self

    def __call__(self, batch: ChangeBatch, /, *, schema: StructType) -> ChangeBatch:
        return batch

    def properties(self, schema: StructType, before: Mapping[str, str]) -> Mapping[str, str]:
        return {name: text for name, text in before.items() if name == PROPERTY}


class MaskLake:
    """A lake with the table ``t``, keys that a test gives, and holds that it sets.

    Merges take clear rows, whatever the config says of `pii`: where rows come from is not what is tested.
    """

    def __init__(
        self,
        root: Path,
        *,
        ring: Ring | None = None,
        storage: Storage | None = None,
        operators: Mapping[str, Any] | None = None,
        more: Mapping[str, Any] | None = None,
        kept: bool = True,
        **section: Any,
    ) -> None:
        self.root = root
        wanted = {"key": ["id"], "pii": PII, **section}
        document = {
            "version": 1,
            "storage": {"root": str(root)},
            "tables": {"t": wanted},
            "pii": {"operators": dict(operators or OPERATORS)},
            **(more or {}),
        }
        self.lake = Lakehouse(load_config(document))
        if storage is None:
            storage = open_storage(root, options={"fsync": "false"})
        self.lake._storage = storage
        if not kept:
            # Without a state database: to open one takes a second.
            self.lake._records = NoRecords()  # type: ignore[assignment]
            self.lake._protection = self._protection  # type: ignore[method-assign]
        self.ring = ring or Ring()
        self.holds: list[TableHold] = []
        self.pii = Pii(
            config=self.lake.config,
            lake=storage,
            table=self._table,
            copy=self.lake._copy,
            control=self.lake._control,
            records=self.lake._records,
            ring=lambda: self.ring,
            finder=Words,
        )
        self.masks = ConfigMasks(self.lake.config, lambda: self.ring, Words)

    @property
    def t(self) -> Table:
        """The source, as merges of clear rows see it."""
        config = self.lake.config.tables["t"].model_copy(update={"mask_at": None})
        storage = self.lake.storage
        return Table(name="t", config=config, storage=storage.child("t"), lake=storage)

    @property
    def stored(self) -> Table:
        """The source, as merges of rows see it that are masked already."""
        config, storage = self.lake.config.tables["t"], self.lake.storage
        return Table(name="t", config=config, storage=storage.child("t"), lake=storage, masks=AlreadyMasked())

    def _table(self, name: str) -> Table:
        found = self.lake.table(name)
        config = found.config.model_copy(update={"pii": self.lake.config.tables["t"].pii})
        return Table(
            name=name,
            config=config,
            storage=found.storage,
            lake=self.lake.storage,
            records=self.lake._records,
            protection=lambda: Protection(name, tuple(self.holds)),
        )

    def _protection(self, table: str, *, quarantine: bool) -> Protection:
        del quarantine
        return Protection(table, tuple(self.holds))

    def hold(self, where: str | None = None, *, id: str = "h-1") -> None:  # noqa: A002
        self.holds.append(TableHold(id=id, reason="case 12", where=where))

    def expected(self, *, version: int | None = None) -> list[dict[str, Any]]:
        """The source's rows, masked."""
        rows = self.t.read(version=version)
        snapshot = self.t.snapshot(version=version)
        return records(self.masks.masks("t", snapshot.schema).apply(rows))

    def copied(self, name: str = "t_masked") -> list[dict[str, Any]]:
        """The rows of a copy, as all readers see them."""
        copy = self.lake.table(name)
        mine = records(copy.read())
        assert not CONTROL_COLUMNS & set(copy.snapshot().schema.names)
        found = pl.scan_delta(str(self.root / name)).collect()
        assert records(found) == mine
        return mine


def people(*ids: int, **more: Any) -> list[dict[str, Any]]:
    """Rows of people, each with values that no other has."""
    return [
        {
            "id": n,
            "name": f"Person{n}",
            "email": f"u{n}@clear.example",
            "phone": f"030 12345{n:02}",
            "n": n * 10,
            **more,
        }
        for n in ids
    ]


def holding(root: Path, mark: str) -> list[str]:
    """The files below a folder in which a text is: in their names, bytes, or decoded Parquet pages."""
    return [
        str(path.relative_to(root))
        for path in sorted(root.rglob("*"))
        if path.is_file() and mark.encode() in str(path.relative_to(root)).encode() + _content(path)
    ]


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".parquet":
        content += str(pl.read_parquet(path, glob=False, hive_partitioning=False).to_dicts()).encode()
    return content
