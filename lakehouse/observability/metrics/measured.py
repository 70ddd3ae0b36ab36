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


@dataclass(frozen=True, slots=True)
class Points:
    """Reads what was measured.

    Args:
        state: The state database.
        now: The time.
    """

    state: State
    now: datetime

    def newest(self) -> list[Measured]:
        """The newest of each table."""
        found: dict[str, dict[str, Series]] = {}
        for each in self.state.points.newest(scope="table"):
            if not each.key.column:
                found.setdefault(each.key.subject, {})[each.key.measure] = each
        return [self._measured(table, series) for table, series in sorted(found.items())]

    def open_incidents(self) -> int:
        """How many incidents are not over."""
        return len(self.state.incidents.list(only_open=True))

    def _measured(self, table: str, series: Mapping[str, Series]) -> Measured:
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
            changed=None if freshness is None else self.now - freshness.age(self.now),
        )
