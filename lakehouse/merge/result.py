"""What a merge reports: counts that add up to the input, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lakehouse.cdc.changes import Rejected
from lakehouse.merge.expectations import DROPPED, ExpectationResult

QUARANTINE: Final = "__quarantine"
"""What the names of quarantines end in; the config allows no table a name like that."""

COUNTS: Final = (
    "inserted",
    "updated",
    "deleted",
    "unchanged",
    "stale",
    "duplicate",
    "conflicting",
    "rejected",
    "suppressed",
)
"""The names of the counts, in the order in which they are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeResult:
    """The outcome of one merge. Every input record is in exactly one of the counts.

    Args:
        table: The table's name.
        version: The table's version after the merge; None only for a dry run on a table that isn't there.
        committed: Whether this merge made a version. A merge that changes nothing makes none.
        inserted: Records that made a row that was not there.
        updated: Records that changed a row that was there.
        deleted: Records that removed a row (or, for a truncate, all older rows).
        unchanged: Records that change nothing: deletes of absent keys, heartbeats, markers, messages.
        stale: Records older than what the table or the batch already knows of their key.
        duplicate: Records that repeat a change of the same key and sequence.
        conflicting: Records with the key and sequence of another one and other content; the fixed rule
            (delete first, then the content's hash) decided which of them stands.
        rejected: Records that could not be merged; ``problems`` says why. They are in the table's quarantine
            (`quarantined`), but for those that an expectation drops (`dropped`).
        suppressed: Records dropped because they would bring an erased person back.
        rows_removed: Rows that left the table, more than ``deleted`` where a truncate took many.
        files_added: Data files that the commit added (a file that only got a new vector not included).
        files_removed: Data files that left the table.
        vectors_written: Data files whose deletion vector grew.
        bytes_written: Bytes of data files, vectors and change data.
        attempts: How often the commit was tried; more than 1 means that other writers were faster.
        rebased: After how many of these tries the plan stood although other writers had been faster, since
            they had changed nothing that it depends on.
        seconds: Time of each phase, in seconds.
        problems: The rejected records: position, line, reason; never values.
        discarded: Columns of the batch that were left out by the schema policy.
        new_columns: Columns that the merge added to the table.
        widened: Columns that the merge gave a wider type.
        files_compacted: Small files that were put together after the merge, in a version of their own
            (``compacted_version``); 0 where there was nothing to do or another writer was faster.
        compacted_version: That version, or None.
        expectations: How each expectation with a ``check`` fared, in the order of the config.
    """

    table: str
    version: int | None
    committed: bool = False
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    stale: int = 0
    duplicate: int = 0
    conflicting: int = 0
    rejected: int = 0
    suppressed: int = 0
    rows_removed: int = 0
    files_added: int = 0
    files_removed: int = 0
    vectors_written: int = 0
    bytes_written: int = 0
    attempts: int = 0
    rebased: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[Rejected, ...] = ()
    discarded: tuple[str, ...] = ()
    new_columns: tuple[str, ...] = ()
    widened: tuple[str, ...] = ()
    files_compacted: int = 0
    compacted_version: int | None = None
    expectations: tuple[ExpectationResult, ...] = ()

    @property
    def dropped(self) -> int:
        """Of the rejected records, those that an expectation with ``on_fail: drop`` left out."""
        return sum(problem.reason == DROPPED for problem in self.problems)

    @property
    def quarantined(self) -> int:
        """Of the rejected records, those that wait in the quarantine; with a dry run, that would."""
        return self.rejected - self.dropped

    @property
    def quarantine(self) -> str:
        """The name of the Delta table beside the table in which rejected records are kept."""
        return f"{self.table}{QUARANTINE}"

    @property
    def total(self) -> int:
        """Input records: the sum of all counts."""
        return sum(self.counts.values())

    @property
    def counts(self) -> dict[str, int]:
        """The counts by name, in the order of ``COUNTS``."""
        return {name: getattr(self, name) for name in COUNTS}
