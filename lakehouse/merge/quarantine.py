"""The table beside a table in which the records wait that could not be merged: ``<table>__quarantine``.

It is a Delta table like any other, so that whatever searches the lake for a person finds what lies there. It
is written before the merge's own commit: whoever dies in between leaves a record that waits and whose batch
will come again, never one that is lost. What keeps the second delivery from being kept twice is the id, which
is made from where a record came from or, where nobody says, from its content.

Of a table that masks its rows before they are stored, the records are sealed: clear values lie nowhere.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import uuid4

import polars as pl

from lakehouse.cdc.changes import DELETE, OP, ORDINAL, UPSERT, ChangeBatch, Rejected
from lakehouse.config.models.tables import TableConfig
from lakehouse.delta.scan import scan_table
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.errors import TableNotFoundError
from lakehouse.merge.expectations import DROPPED
from lakehouse.merge.run import merge
from lakehouse.merge.target import Clock, MergeTarget, utc_now
from lakehouse.storage import Storage

COLUMNS: Final[Mapping[str, str]] = {
    "id": "string",
    "reason": "string",
    "detail": "string",
    "raw": "binary",
    "source": "string",
    "offset": "long",
    "source_table": "string",
    "position": "long",
    "line": "long",
    "table_version": "long",
    "quarantined_at": "timestamp",
    "tries": "integer",
    "tried_at": "timestamp",
}
"""The columns of a quarantine and their types; docs/how-to/rejected-records.md says what they mean."""

_TYPES: Final[Mapping[str, pl.DataType]] = {
    "string": pl.String(),
    "binary": pl.Binary(),
    "long": pl.Int64(),
    "integer": pl.Int32(),
    "timestamp": pl.Datetime("us", "UTC"),
}
SCHEMA: Final[Mapping[str, pl.DataType]] = {name: _TYPES[kind] for name, kind in COLUMNS.items()}
"""The same as Polars has them."""

CONFIG: Final = TableConfig.model_validate(
    {
        "description": "Records that could not be merged, as they came",
        "key": ["id"],
        "schema": dict(COLUMNS),
        # An id is a hash: by it neighbours would have nothing in common.
        "compact": {"cluster_by": ["quarantined_at"]},
    }
)
"""The section that a quarantine would have in the config, if it had one."""


class Seal(Protocol):
    """Encrypts records that wait, so that nobody reads them without the key."""

    def close(self, raw: bytes) -> bytes:
        """Seals a record."""

    def open(self, sealed: bytes) -> bytes:
        """The record again; one that was never sealed as it is.

        Raises:
            KeysError: The key is not there.
        """

    def digest(self, content: bytes) -> bytes:
        """A keyed hash, by which nobody without the key can tell what was hashed."""


class NoSeal:
    """Leaves records as they came."""

    def close(self, raw: bytes) -> bytes:
        """See `Seal.close`."""
        return raw

    def open(self, sealed: bytes) -> bytes:
        """See `Seal.open`."""
        return sealed

    def digest(self, content: bytes) -> bytes:
        """See `Seal.digest`: a hash without a key."""
        return hashlib.sha256(content).digest()


@dataclass(frozen=True, slots=True)
class QuarantineStore:
    """The quarantine of one table.

    Args:
        name: The quarantine's own name.
        storage: Its folder.
        clock: Gives the time.
        seal: Seals what is kept.
    """

    name: str
    storage: Storage
    clock: Clock = field(default=utc_now)
    seal: Seal = field(default_factory=NoSeal)

    def snapshot(self) -> Snapshot | None:
        """Its newest version; None where nothing was ever rejected."""
        try:
            return load_snapshot(self.storage)
        except TableNotFoundError:
            return None

    def rows(self) -> pl.LazyFrame:
        """The records that wait."""
        snapshot = self.snapshot()
        if snapshot is None:
            return pl.LazyFrame(schema=dict(SCHEMA))
        return scan_table(self.storage, snapshot, columns=list(COLUMNS))

    def count(self) -> int:
        """How many records wait, from the log alone where it says so."""
        snapshot = self.snapshot()
        if snapshot is None:
            return 0
        known = [add.live_records for add in snapshot.files.values()]
        counted = [number for number in known if number is not None]
        if len(counted) == len(known):
            return sum(counted)
        return int(scan_table(self.storage, snapshot, columns=["id"]).select(pl.len()).collect().item())

    def change(
        self,
        *,
        put: pl.DataFrame | None = None,
        take: Sequence[str] = (),
        last_look: Callable[[], None] = lambda: None,
    ) -> None:
        """Puts records in and takes others out, in one commit.

        Args:
            put: Rows in the columns of `SCHEMA`; one whose id is there replaces what is there.
            take: Ids.
            last_look: Called right before the commit, and raises where it may not happen any more.
        """
        put = pl.DataFrame(schema=dict(SCHEMA)) if put is None else put
        if put.is_empty() and not take:
            return
        kept = put.with_columns(pl.lit(UPSERT, dtype=pl.Int8).alias(OP))
        gone = pl.DataFrame({"id": list(take)}, schema={"id": pl.String()}).with_columns(
            pl.lit(DELETE, dtype=pl.Int8).alias(OP)
        )
        frame = pl.concat([kept, gone], how="diagonal").with_columns(
            pl.int_range(pl.len(), dtype=pl.Int64).alias(ORDINAL)
        )
        batch = ChangeBatch(frame=frame, key=("id",), total=frame.height)
        target = MergeTarget(
            name=self.name, storage=self.storage, config=CONFIG, clock=self.clock, last_look=last_look
        )
        merge(target, batch, snapshot=self.snapshot())


@dataclass(slots=True, kw_only=True)
class Keeping:
    """Keeps what one merge rejects; the `lakehouse.merge.target.Rejects` of `MergeTarget`.

    Args:
        store: Where.
        source: Where the batch comes from, if that was said.
        offset: Which batch of the source it is.
        source_table: Which table of a stream was asked for.
    """

    store: QuarantineStore
    source: str | None = None
    offset: int | None = None
    source_table: str | None = None
    _nonce: str = field(default_factory=lambda: uuid4().hex)
    _added: set[str] = field(default_factory=set)

    def keep(
        self,
        rejected: Sequence[Rejected],
        *,
        version: int | None,
        last_look: Callable[[], None] = lambda: None,
    ) -> None:
        """Keeps records, unless they are there.

        Called in each try of a merge: what an earlier try kept, and what fits now that another writer has
        changed the table, is taken out again.

        Args:
            rejected: All that the merge rejects.
            version: The version of the table on which that was decided.
            last_look: See `lakehouse.merge.target.Rejects.keep`.
        """
        wanted = {id_: each for id_, each in self._with_ids(rejected) if each.reason != DROPPED}
        gone = self._added - wanted.keys()
        fresh = [id_ for id_ in wanted if id_ not in self._added]
        if fresh:
            ids = pl.Series("id", fresh)
            there = self.store.rows().filter(pl.col("id").is_in(ids.implode())).select("id").collect()
            known = set(there["id"])
            fresh = [id_ for id_ in fresh if id_ not in known]
        rows = self._rows({id_: wanted[id_] for id_ in fresh}, version)
        self.store.change(put=rows, take=sorted(gone), last_look=last_look)
        self._added = (self._added | set(fresh)) - gone

    def _rows(self, rejected: Mapping[str, Rejected], version: int | None) -> pl.DataFrame:
        found = rejected.values()
        columns: dict[str, Any] = {
            "id": list(rejected),
            "reason": [each.reason for each in found],
            "detail": [each.detail for each in found],
            "raw": [None if each.raw is None else self.store.seal.close(each.raw) for each in found],
            "position": [each.position for each in found],
            "line": [each.line for each in found],
        }
        same: dict[str, Any] = {
            "source": self.source,
            "offset": self.offset,
            "source_table": self.source_table,
            "table_version": version,
            "quarantined_at": self.store.clock(),
            "tries": 0,
            "tried_at": None,
        }
        frame = pl.DataFrame(columns, schema={name: SCHEMA[name] for name in columns})
        return frame.with_columns(
            pl.lit(value, dtype=SCHEMA[name]).alias(name) for name, value in same.items()
        ).select(*SCHEMA)

    def _with_ids(self, rejected: Sequence[Rejected]) -> Iterator[tuple[str, Rejected]]:
        seen: Counter[bytes] = Counter()
        for each in rejected:
            raw = each.raw or b""
            parts: tuple[object, ...]
            if self.source is not None:
                parts = ("offset", self.source, self.offset, each.position)
            elif each.raw is None:
                parts = ("unknown", self._nonce, each.position)
            else:
                # Equal records of one batch are as many; those of a second delivery are the same again.
                parts = ("content", self.source_table, seen[raw])
                seen[raw] += 1
            head = "\0".join(str(part) for part in parts).encode()
            yield self.store.seal.digest(len(head).to_bytes(8) + head + raw).hex()[:32], each
