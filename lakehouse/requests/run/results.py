"""What carrying out requests did, or would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lakehouse.requests.erase import Erased
from lakehouse.requests.search.report import SearchReport
from lakehouse.requests.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """What a request does in one table.

    Args:
        table: The table.
        rows: Rows of the newest version by what is done to them: ``delete``, ``anonymize``, ``keep``.
        files: Data files, of whatever version, that have the person in them.
        bytes: Their size.
    """

    table: str
    rows: Mapping[str, int] = field(default_factory=dict)
    files: int = 0
    bytes: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {"table": self.table, "rows": dict(self.rows), "files": self.files, "bytes": self.bytes}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPlan:
    """What carrying out a request would do.

    Args:
        request: The request.
        stage: What comes next: ``erase``, ``purge``, ``verify``, ``access``, or ``wait``.
        tables: What it touches.
        held_by: The holds that keep it from being carried out.
        brakes: What makes it look like a mistake, in words.
        reason: Why it waits.
    """

    request: str
    stage: str
    tables: tuple[TablePlan, ...] = ()
    held_by: tuple[str, ...] = ()
    brakes: tuple[str, ...] = ()
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {
            "request": self.request,
            "stage": self.stage,
            "tables": [each.to_dict() for each in self.tables],
            "held_by": list(self.held_by),
            "brakes": list(self.brakes),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a request.

    Args:
        request: The request.
        status: What it is now.
        reason: Why it is not done yet, or failed; no personal data.
        rows: Rows by what was done to them.
        certificate: The number of its certificate.
    """

    request: str
    status: Status
    reason: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    certificate: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {
            "request": self.request,
            "status": self.status,
            "reason": self.reason,
            "rows": dict(self.rows),
            "certificate": self.certificate,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a run did.

    Args:
        plans: What it set out to do.
        dry_run: Whether it only looked.
        outcomes: What became of the requests; empty for a dry run.
        erased: What was done to the tables.
        search: What the search of all that remained told; None where nothing was searched.
        notes: What else there is to know.
    """

    plans: tuple[RequestPlan, ...] = ()
    dry_run: bool = False
    outcomes: tuple[Outcome, ...] = ()
    erased: tuple[Erased, ...] = ()
    search: SearchReport | None = None
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether a person was found who should be gone."""
        return any(each.status == "failed" for each in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        total = None if self.search is None else self.search.total
        return {
            "dry_run": self.dry_run,
            "plans": [each.to_dict() for each in self.plans],
            "outcomes": [each.to_dict() for each in self.outcomes],
            "tables": [
                {
                    "table": each.table,
                    "version": each.version,
                    "committed": each.committed,
                    "deleted": each.deleted,
                    "anonymized": each.anonymized,
                    "files": each.files,
                    "bytes": each.bytes,
                }
                for each in self.erased
            ],
            "searched": None
            if total is None
            else {"objects": total.objects, "bytes": total.bytes, "rows": total.rows, "cells": total.cells},
            "notes": list(self.notes),
        }
