"""Adds up runs: how many, how long, how late, what they did. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lakehouse.state.alert_rows import RunEnd

DURATIONS: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
"""Upper bounds of a run's duration, in seconds."""
LAGS: Final = (0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 3600.0)
"""Upper bounds of how late runs begin, in seconds."""
_MOST: Final = 40
"""So many names of counts of a job are told apart."""


def add(totals: dict[tuple[str, str], dict[str, Any]], ends: Sequence[RunEnd]) -> None:
    """Adds runs that are over.

    Args:
        totals: By job and status; changed in place.
        ends: The runs.
    """
    for each in ends:
        _add(totals.setdefault((each.job, each.event), {}), each)


def _add(total: dict[str, Any], end: RunEnd) -> None:
    total["runs"] = total.get("runs", 0) + 1
    total["last"] = max(total.get("last", 0.0), end.at.timestamp())
    if end.started is not None:
        _observe(total, "took", (end.at - end.started).total_seconds(), DURATIONS)
    if end.began is not None and end.cause == "schedule":
        _observe(total, "lag", (end.began - end.fire_time).total_seconds(), LAGS)
    counts = end.detail.get("counts")
    if isinstance(counts, Mapping):
        _count(total, counts)


def _observe(total: dict[str, Any], name: str, value: float, bounds: Sequence[float]) -> None:
    seen = max(value, 0.0)
    # Lists are made anew: the one that is there can be somebody else's.
    buckets = list(total.get(name, [0] * (len(bounds) + 1)))
    buckets[bisect_left(bounds, seen)] += 1
    total[name] = buckets
    total[f"{name}_sum"] = total.get(f"{name}_sum", 0.0) + seen


def _count(total: dict[str, Any], counts: Mapping[str, Any]) -> None:
    done = dict(total.get("counts", {}))
    for name, number in counts.items():
        if isinstance(number, int) and number > 0 and (name in done or len(done) < _MOST):
            done[name] = done.get(name, 0) + number
    total["counts"] = done
