"""How many rows a request took away, by its events: those of runs that were killed too. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lakehouse.state.rows import RequestEvent

Counts = Mapping[str, Mapping[str, int]]
"""Table to what is done to what number of rows: ``delete``, ``anonymize``, ``keep``."""


def rows_done(events: Sequence[RequestEvent]) -> dict[str, dict[str, int]]:
    """Adds up what the runs of a request did.

    A run that was killed has said what it set out to do, and the next one found what was left of that.

    Args:
        events: Its events, in order.

    Returns:
        Table to counts; of rows that stay, ``anonymize`` and ``keep``, the most that a run found.
    """
    totals: dict[str, dict[str, int]] = {}
    pending: Counts = {}
    for event in events:
        if event.event == "started":
            rows: Any = event.detail.get("rows", {})
            for table, counts in pending.items():
                for what, count in counts.items():
                    _add(totals, table, what, max(0, count - rows.get(table, {}).get(what, 0)))
            pending = rows
        elif event.event == "erased":
            for table, counts in pending.items():
                for what, count in counts.items():
                    _add(totals, table, what, count)
            pending = {}
    return totals


def _add(totals: dict[str, dict[str, int]], table: str, what: str, count: int) -> None:
    mine = totals.setdefault(table, {})
    # Rows that went are found once; those that stay are found again by each run.
    mine[what] = mine.get(what, 0) + count if what == "delete" else max(mine.get(what, 0), count)
