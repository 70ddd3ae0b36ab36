"""What was done by which rule when: the shape of a record, and of the place that keeps them."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lakehouse.retention.results import TableResult
from lakehouse.state.rows import ActionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRecord:
    """What one rule did to one table in one run.

    Args:
        run: The run's id, which is also the ``txnId`` of its commit.
        table: The table.
        version: The version that it made.
        rule: The rule.
        action: delete, archive or anonymize.
        column: The rule's column.
        cutoff: Rows before it went (UTC).
        rows: How many rows.
        files: In how many files they were.
        bytes: About how many bytes they were.
        held_rows: Rows that holds kept.
        at: When (UTC).
        archive: The archive that has the rows; None without one.
    """

    run: str
    table: str
    version: int
    rule: str
    action: str
    column: str
    cutoff: datetime
    rows: int
    files: int
    bytes: int
    held_rows: int
    at: datetime
    archive: str | None = None


class Records(Protocol):
    """Where records are kept."""

    def add(self, record: RetentionRecord) -> None:
        """Keeps one; must bear to be called again with the same one."""

    def list(self, *, table: str | None = None, limit: int | None = None) -> builtins.list[ActionRecord]:
        """What was done by all verbs that take something away, newest first.

        Args:
            table: Only to one table.
            limit: At most so many.
        """


class NoRecords:
    """Keeps nothing: the table's own log says what was done."""

    def add(self, record: RetentionRecord) -> None:
        """Forgets it."""

    def list(self, *, table: str | None = None, limit: int | None = None) -> builtins.list[ActionRecord]:  # noqa: ARG002
        """Knows of nothing."""
        return []


def record(result: TableResult, records: Records, *, at: datetime) -> None:
    """Keeps what was done to a table, rule by rule.

    Args:
        result: What was done.
        records: Where it is kept.
        at: When.
    """
    if result.version is None or result.run is None:
        return
    archives = iter(result.archives)
    by_order = {each.ready.rule.name: each for each in result.plan.work.rules} if result.plan.work else {}
    plans = {each.rule: each for each in result.plan.rules}
    # Archives are written in the order in which rules take rows.
    for name in by_order or plans:
        each = plans[name]
        if each.rows:
            records.add(
                RetentionRecord(
                    run=result.run,
                    table=result.table,
                    version=result.version,
                    rule=each.rule,
                    action=each.action,
                    column=each.column,
                    cutoff=datetime.fromisoformat(each.cutoff),
                    rows=each.rows,
                    files=each.files,
                    bytes=each.bytes,
                    held_rows=each.held_rows,
                    at=at,
                    archive=next(archives, None) if each.action == "archive" else None,
                )
            )
