"""Takes and judges points when runs have ended: of the job, and of the tables that it has changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from lakehouse.jobs.context import Lake
from lakehouse.jobs.status import TERMINAL, RunView
from lakehouse.observability.incidents.sampling import take, watching
from lakehouse.observability.incidents.taking import points_of_run
from lakehouse.state.database import State

_LOOKS_AT_ALL: Final = frozenset({"freshness", "verify"})
"""Jobs that look at tables which nobody else touches perhaps."""


class ChartObserver:
    """A `lakehouse.jobs.observing.RunObserver` for control charts.

    Args:
        lake: The lake.
        state: Its state database.
        clock: Gives the time, timezone-aware.
    """

    def __init__(
        self, lake: Lake, state: State, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._lake = lake
        self._state = state
        self._clock = clock

    def began(self, run: RunView, tables: tuple[str, ...]) -> None:
        """Nothing is measured yet."""

    def ended(self, run: RunView, tables: tuple[str, ...]) -> None:
        """Takes the points of a run and of its tables, and judges them.

        Args:
            run: The run.
            tables: The tables that its job is for.
        """
        if run.status not in TERMINAL:
            return
        now = self._clock()
        of_run = points_of_run(run)
        found = [] if of_run is None else [of_run]
        ours = self._lake.config.tables
        changed = [each for each in run.versions if each in ours]
        if changed:
            found += take(self._lake, changed, self._state, now=now, run=run)
        if run.kind in _LOOKS_AT_ALL:
            rest = [each for each in tables if each in ours and each not in changed]
            found += take(self._lake, rest, self._state, now=now)
        if found:
            # In one go: each transaction waits for the disk.
            watching(self._lake, self._state).note(found, now=now)
