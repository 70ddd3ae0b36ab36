"""Writes metrics in the text format of Prometheus. The only place that knows the library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, Final

from lakehouse.config import Config
from lakehouse.errors import UsageError
from lakehouse.observability.metrics.adding import add
from lakehouse.observability.metrics.facts import facts_of
from lakehouse.observability.metrics.families import Family, Histogram, families
from lakehouse.observability.moments import Moments
from lakehouse.state.database import State

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""What `exposition` writes."""


def exposition(config: Config, state: State, *, now: datetime, moments: Moments | None = None) -> bytes:
    """What there is to tell of a lake, for Prometheus. All processes on a state database tell the same.

    Args:
        config: The lake's config.
        state: Its state database.
        now: The time (timezone-aware).
        moments: Finds the moments of schedules; None means one that is new.

    Raises:
        StorageError: The state database can't be read.
        UsageError: prometheus-client is not installed.
    """
    library = _library()
    fold(state)
    facts = facts_of(config, state, now=now, moments=moments or Moments())
    registry = library.CollectorRegistry(auto_describe=False)
    registry.register(_Collector(facts.lake, tuple(families(facts))))
    written: bytes = library.generate_latest(registry)
    return written


def fold(state: State) -> int:
    """Adds runs up that are over, so that the next who tells of them has less to read.

    `exposition` does it too: to call it each few minutes only helps where nobody asks for long.

    Args:
        state: The state database.

    Returns:
        How many runs were added.
    """
    return state.totals.fold(add)


class _Collector:
    def __init__(self, lake: str, found: Sequence[Family]) -> None:
        self._lake = lake
        self._found = found

    def collect(self) -> Iterator[Any]:
        core = _library().core
        kinds = {
            "counter": core.CounterMetricFamily,
            "gauge": core.GaugeMetricFamily,
            "histogram": core.HistogramMetricFamily,
        }
        for each in self._found:
            metric = kinds[each.kind](each.name, each.help, labels=("lake", *each.labels))
            for labels, value in each.values.items():
                all_labels = (self._lake, *labels)
                if isinstance(value, Histogram):
                    bounds = [*(repr(bound) for bound in each.bounds), "+Inf"]
                    buckets = list(zip(bounds, accumulate(value.counts), strict=True))
                    metric.add_metric(all_labels, buckets=buckets, sum_value=value.total)
                else:
                    metric.add_metric(all_labels, value)
            yield metric


def _library() -> Any:
    try:
        import prometheus_client  # noqa: PLC0415 - an extra
        import prometheus_client.core  # noqa: PLC0415
    except ImportError:
        raise UsageError(
            "metrics need prometheus-client, which is not installed",
            advice="pip install 'lakehouse[daemon]'",
        ) from None
    return prometheus_client
