"""What retention has done, kept in the lake's state database."""

from __future__ import annotations

import builtins

from lakehouse.control import Control
from lakehouse.protection.given import author_of
from lakehouse.retention.records import RetentionRecord
from lakehouse.state.rows import ActionRecord

KIND = "retention"


class RecordsInState:
    """`lakehouse.retention.records.Records` on the state database, which is made if the lake has none.

    Args:
        control: The way to it.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def add(self, record: RetentionRecord) -> None:
        """Keeps one.

        Args:
            record: What was done.

        Raises:
            StorageError: The database can't be written.
            RefusedError: It is not the one of this lake.
        """
        detail = {"run": record.run, "column": record.column, "cutoff": record.cutoff.isoformat()}
        if record.archive is not None:
            detail["archive"] = record.archive
        state = self._control.made(now=record.at)
        state.records.add(
            [
                ActionRecord(
                    kind=KIND,
                    action=record.action,
                    table=record.table,
                    at=record.at,
                    author=author_of(None),
                    rule=record.rule,
                    version_before=record.version - 1,
                    version_after=record.version,
                    rows=record.rows,
                    files=record.files,
                    bytes=record.bytes,
                    held_back=record.held_rows,
                    detail=detail,
                )
            ]
        )

    def list(self, *, table: str | None = None, limit: int | None = None) -> builtins.list[ActionRecord]:
        """What was done by all verbs that take something away, newest first.

        Args:
            table: Only to one table.
            limit: At most so many.

        Raises:
            StorageError: The database can't be read.
        """
        state = self._control.existing()
        return [] if state is None else state.records.list(table=table, limit=limit)
