"""The quarantine of a table, as its users see it: what waits there, merging it again, throwing it away."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import polars as pl

from lakehouse.cdc.changes import Rejected
from lakehouse.cdc.csv_source import BAD_CSV
from lakehouse.cdc.records import Records
from lakehouse.errors import DataError, UsageError
from lakehouse.merge.expectations import DROPPED
from lakehouse.merge.quarantine import COLUMNS, SCHEMA, QuarantineStore
from lakehouse.merge.result import COUNTS, MergeResult

_ARRIVED: Final = ("quarantined_at", "source", "offset", "position")


class MergeAgain(Protocol):
    """Merges records in the normal way, but keeps none that it rejects."""

    def __call__(self, records: Records, /, *, source_table: str | None, dry_run: bool) -> MergeResult:
        """Gives the result; ``problems`` name the records by position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryResult:
    """What became of records of the quarantine that were merged again.

    Args:
        table: The table's name.
        version: The table's version after it.
        tried: Records that were chosen.
        merged: Those that went into the table, or were known to it already. They have left the quarantine.
        dropped: Those that an expectation with ``on_fail: drop`` left out. They have left the quarantine.
        suppressed: Those that would bring an erased person back. They have left the quarantine.
        waiting: Those that still do not fit, and stay.
        counts: What became of each record, as in `MergeResult`.
        problems: Why the waiting ones do not fit; the position is that among the records that were tried,
            oldest first.
        refused: Why all records of a merge were refused together; empty where that did not happen.
        dry_run: Whether it was only counted.
    """

    table: str
    version: int | None
    tried: int
    merged: int
    dropped: int
    waiting: int
    counts: Mapping[str, int]
    problems: tuple[Rejected, ...] = ()
    refused: str = ""
    dry_run: bool = False
    suppressed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DropResult:
    """Records that were thrown out of a quarantine.

    Args:
        table: The table's name.
        dropped: How many.
        dry_run: Whether it was only counted.
    """

    table: str
    dropped: int
    dry_run: bool = False


class Quarantine:
    """The records of one table that wait because they could not be merged. Made by `Table.quarantine`.

    They are the rows of a Delta table of their own, ``<table>__quarantine``, beside the table. Their column
    ``raw`` holds the records as they came, personal data and all; sealed, where the table masks its rows
    before they are stored.

    Args:
        table: The table's name.
        store: Where they are.
        merge_again: Merges records.
        before_write: Called before anything is written.
        before_drop: Called before records are thrown away: refuses where the table is held.
    """

    def __init__(
        self,
        *,
        table: str,
        store: QuarantineStore,
        merge_again: MergeAgain,
        before_write: Callable[[], None] = lambda: None,
        before_drop: Callable[[], None] = lambda: None,
    ) -> None:
        self._table = table
        self._store = store
        self._merge_again = merge_again
        self._before_write = before_write
        self._before_drop = before_drop

    def __repr__(self) -> str:
        return f"Quarantine({self._table!r}, {self._store.storage.url!r})"

    @property
    def name(self) -> str:
        """The name of the Delta table in which they are."""
        return self._store.name

    def count(self) -> int:
        """How many records wait."""
        return self._store.count()

    def list(
        self,
        *,
        ids: Collection[str] | None = None,
        reason: str | None = None,
        limit: int | None = None,
        raw: bool = True,
    ) -> pl.DataFrame:
        """The records that wait, newest first; those of one merge in their order.

        Args:
            ids: Only these.
            reason: Only those that were rejected for this, as ``bad_json``.
            limit: At most so many; None means all.
            raw: Whether the records themselves are wanted; without them no key is needed.

        Returns:
            ``id``, ``reason``, ``detail``, ``raw`` (bytes), ``source``, ``offset``, ``source_table``,
            ``position``, ``line``, ``table_version``, ``quarantined_at``, ``tries`` and ``tried_at``.

        Raises:
            KeysError: The records are sealed, and the key is not there.
        """
        found = self._chosen(ids, reason).sort("quarantined_at", descending=True, maintain_order=True)
        found = found if limit is None else found.head(limit)
        if not raw:
            return found.drop("raw")
        opened = [None if each is None else self._store.seal.open(each) for each in found["raw"]]
        return found.with_columns(pl.Series("raw", opened, dtype=pl.Binary))

    def retry(
        self,
        *,
        ids: Collection[str] | None = None,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> RetryResult:
        """Merges records again, in the normal way, and takes those that went in out of the quarantine.

        What still does not fit stays, with the reason of today and one more in ``tries``. Records go in as
        changes of their own, after all that the table has: with a sequence they find their place, without
        one they count as the newest.

        Killed after the merge and before the records are taken out, it leaves them waiting; the next retry
        finds them in the table already.

        Args:
            ids: Only these; None means all.
            reason: Only those that were rejected for this.
            dry_run: Counts what would happen and writes nothing.

        Raises:
            ConflictError: Other writers were faster, again and again.
        """
        if not dry_run:
            self._before_write()
        chosen = self._chosen(ids, reason)
        done = _Done()
        for _, part in chosen.group_by("source_table", maintain_order=True):
            self._retry_part(part, done, dry_run=dry_run)
        if not dry_run:
            self._store.change(put=self._tried(chosen, done), take=done.gone)
        return RetryResult(
            table=self._table,
            version=done.version,
            tried=chosen.height,
            merged=len(done.gone) - done.dropped - done.suppressed,
            dropped=done.dropped,
            suppressed=done.suppressed,
            waiting=len(done.stay),
            counts=done.counts,
            problems=tuple(done.problems),
            refused=done.refused,
            dry_run=dry_run,
        )

    def drop(
        self,
        *,
        ids: Collection[str] | None = None,
        reason: str | None = None,
        everything: bool = False,
        dry_run: bool = False,
    ) -> DropResult:
        """Throws records away.

        Older versions of the quarantine still have them, until a vacuum.

        Args:
            ids: These.
            reason: Those that were rejected for this.
            everything: All of them.
            dry_run: Only counts.

        Raises:
            UsageError: Nothing says which.
            ProtectedError: The table, or some of its rows, are held; a record could be about those.
        """
        if ids is None and reason is None and not everything:
            raise UsageError(
                "drop needs to know which records", advice="give ids or a reason, or say everything=True"
            )
        gone = self._chosen(ids, reason)["id"].to_list()
        if gone:
            self._before_drop()
        if not dry_run:
            self._before_write()
            self._store.change(take=gone)
        return DropResult(table=self._table, dropped=len(gone), dry_run=dry_run)

    def _chosen(self, ids: Collection[str] | None, reason: str | None) -> pl.DataFrame:
        """Oldest first."""
        rows = self._store.rows()
        if ids is not None:
            rows = rows.filter(pl.col("id").is_in(pl.Series(list(ids), dtype=pl.String).implode()))
        if reason is not None:
            rows = rows.filter(pl.col("reason") == reason)
        return rows.select(*COLUMNS).sort(_ARRIVED).collect()

    def _tried(self, chosen: pl.DataFrame, done: _Done) -> pl.DataFrame:
        """The records that stay, with the reason of today; those of a part that was refused keep theirs."""
        today = pl.DataFrame(
            {
                "id": list(done.stay),
                "_reason": [each.get("reason") for each in done.stay.values()],
                "_detail": [each.get("detail") for each in done.stay.values()],
            },
            schema={"id": pl.String, "_reason": pl.String, "_detail": pl.String},
        )
        return (
            chosen.join(today, on="id", maintain_order="left")
            .with_columns(
                pl.coalesce("_reason", "reason").alias("reason"),
                pl.coalesce("_detail", "detail").alias("detail"),
                pl.col("tries") + 1,
                pl.lit(self._store.clock(), dtype=SCHEMA["tried_at"]).alias("tried_at"),
            )
            .select(*SCHEMA)
        )

    def _retry_part(self, part: pl.DataFrame, done: _Done, *, dry_run: bool) -> None:
        first = done.seen
        done.seen += part.height
        rows = part.rows(named=True)
        records = Records([self._item(place, row) for place, row in enumerate(rows)])
        try:
            result = self._merge_again(records, source_table=part["source_table"][0], dry_run=dry_run)
        except DataError as error:
            done.refused = done.refused or error.message
            done.counts["rejected"] += len(rows)
            for row in rows:
                done.stay[row["id"]] = {}
            return
        done.version = result.version
        done.dropped += result.dropped
        done.suppressed += result.suppressed
        for name, number in result.counts.items():
            done.counts[name] += number
        stay = {each.position: each for each in result.problems if each.reason != DROPPED}
        for place, row in enumerate(rows):
            if place in stay:
                done.stay[row["id"]] = {"reason": stay[place].reason, "detail": stay[place].detail}
                done.problems.append(_moved(stay[place], first + place))
            else:
                done.gone.append(row["id"])

    def _item(self, place: int, row: Mapping[str, Any]) -> object:
        """A record as a merge takes it; one that can't be read by itself says why it was rejected."""
        raw = None if row["raw"] is None else self._store.seal.open(row["raw"])
        if raw is None or row["reason"] == BAD_CSV:
            return Rejected(place, None, row["reason"], row["detail"], raw)
        return raw


class _Done:
    """What a retry has done so far."""

    def __init__(self) -> None:
        self.seen = 0
        self.version: int | None = None
        self.dropped = 0
        self.suppressed = 0
        self.refused = ""
        self.gone: list[str] = []
        self.stay: dict[str, dict[str, Any]] = {}
        self.counts = dict.fromkeys(COUNTS, 0)
        self.problems: list[Rejected] = []


def _moved(problem: Rejected, position: int) -> Rejected:
    return Rejected(position, None, problem.reason, problem.detail)


def raw_lines(frame: pl.DataFrame) -> Sequence[bytes]:
    """The records of `Quarantine.list` as they came, one a line.

    Args:
        frame: The rows.
    """
    return [raw.rstrip(b"\r\n") for raw in frame["raw"].drop_nulls()]
