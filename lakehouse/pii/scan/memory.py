"""What earlier scans found, in the lake's state database; and what differs now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from lakehouse.control import Control
from lakehouse.pii.scan.findings import ColumnFinding, Drift, TableScan
from lakehouse.records import operator
from lakehouse.state.rows import ScanRecord

_MUCH: Final = 0.25
"""A share that differs by so much is other data, and no other sample."""


class ScanMemory:
    """Keeps what scans found.

    Its methods raise `StorageError` where the state database can't be used, and `RefusedError` where it is
    not the one of this lake.

    Args:
        control: The way to it.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def last(self, table: str) -> ScanRecord | None:
        """The newest scan of a table; None where there was none.

        Args:
            table: Its name.
        """
        state = self._control.existing()
        found = [] if state is None else state.scans.list(table=table, limit=1)
        return found[0] if found else None

    def keep(self, scans: Iterable[TableScan], *, now: datetime, seed: int, sample: int) -> None:
        """Keeps what was found; the state database is made if the lake has none.

        Args:
            scans: What; tables that have not been made are left out.
            now: The time (timezone-aware).
            seed: Of the sample.
            sample: Values that were wanted of each column.
        """
        made = [
            ScanRecord(
                table=each.table,
                version=each.version,
                at=now,
                author=operator(),
                document=_document(each, seed=seed, sample=sample),
            )
            for each in scans
            if each.version is not None
        ]
        if made:
            self._control.made(now=now).scans.add(made)


def _document(scan: TableScan, *, seed: int, sample: int) -> dict[str, Any]:
    return {
        "columns": [column.to_dict(examples=False) for column in scan.columns],
        "paths": scan.paths,
        "sampled": scan.sampled,
        "unread": [{"path": each.path, "reason": each.reason} for each in scan.unread],
        "seed": seed,
        "sample": sample,
    }


def drift_since(
    before: ScanRecord | None, columns: Iterable[ColumnFinding], *, undeclared: Collection[str]
) -> Drift:
    """Compares what was found with the scan before: pure.

    Args:
        before: The scan before; None where there was none.
        columns: What was found now.
        undeclared: Which of it the config does not name.

    Returns:
        What is new, gone, changed, more or less; what the config names is not new.
    """
    now = {each.path: {kind.entity: kind.share for kind in each.entities} for each in columns}
    if before is None:
        return Drift(new=tuple(path for path in now if path in undeclared))
    then = _shares_of(before.document)
    same = [path for path, kinds in now.items() if path in then and then[path].keys() == kinds.keys()]
    return Drift(
        since=before.at,
        new=tuple(path for path in now if path not in then and path in undeclared),
        gone=tuple(path for path in then if path not in now),
        changed=tuple(path for path in now if path in then and path not in same),
        shares=tuple(
            path
            for path in same
            if any(abs(share - then[path][kind]) >= _MUCH for kind, share in now[path].items())
        ),
    )


def _shares_of(document: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    return {
        column["path"]: {kind["entity"]: kind["share"] for kind in column["entities"]}
        for column in document.get("columns", ())
    }


def kinds_of(document: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Paths and kinds of a kept scan.

    Args:
        document: As it was kept.
    """
    return {
        str(column["path"]): frozenset(str(each["entity"]) for each in column["entities"])
        for column in document.get("columns", ())
    }
