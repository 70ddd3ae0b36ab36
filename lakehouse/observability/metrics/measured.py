"""What was measured of tables last, from the points of their control charts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lakehouse.state.chart_rows import Series
from lakehouse.state.database import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of a table last.

    Args:
        table: The table.
        version: Its newest version.
        rows: Its rows.
        bytes: The size of its data files together.
        files: Its data files.
        changed: When its newest version was made (timezone-aware).
    """

    table: str
    version: int | None = None
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    changed: datetime | None = None


def measured(state: State, *, now: datetime) -> list[Measured]:
    """What was measured of each table last, by their names.

    Args:
        state: The state database.
        now: The time (timezone-aware).

    Raises:
        StorageError: The state database can't be read.
    """
    found: dict[str, dict[str, Series]] = {}
    for each in state.points.newest(scope="table"):
        if not each.key.column:
            found.setdefault(each.key.subject, {})[each.key.measure] = each
    return [_of(table, series, now) for table, series in sorted(found.items())]


def _of(table: str, series: Mapping[str, Series], now: datetime) -> Measured:
    def whole(measure: str) -> int | None:
        return round(series[measure].newest.value) if measure in series else None

    freshness = series.get("freshness")
    versions = [each.newest.version for each in series.values() if each.newest.version is not None]
    return Measured(
        table=table,
        version=max(versions, default=None),
        rows=whole("rows"),
        bytes=whole("bytes"),
        files=whole("files"),
        changed=None if freshness is None else now - freshness.age(now),
    )
