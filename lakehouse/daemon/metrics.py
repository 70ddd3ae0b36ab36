"""What Prometheus is told: of the daemon itself, and of the lake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from lakehouse.config import Config
from lakehouse.daemon.health import Health
from lakehouse.observability import metrics as lake
from lakehouse.observability.moments import Moments
from lakehouse.state.database import State

KIND: Final = "text/plain; version=0.0.4; charset=utf-8"


def exposition(health: Health, *, state: State, config: Config, now: datetime, moments: Moments) -> bytes:
    """All that there is, in Prometheus' text format.

    Args:
        health: How the daemon is.
        state: The state database.
        config: The config.
        now: The time.
        moments: Finds the moments of schedules.
    """
    return of_daemon(health) + lake.exposition(config, state, now=now, moments=moments)


def of_daemon(health: Health) -> bytes:
    """What there is to say of the daemon itself.

    Args:
        health: How it is.
    """
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - late, as all of it

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(health))
    return generate_latest(registry)


class _Families:
    """The daemon's own figures, as a collector."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

        health = self._health
        for name, text, value in (
            ("running_runs", "Runs that go on in this daemon.", health.running),
            ("waiting_runs", "Runs that it could begin if it had hands free.", health.waiting),
            ("workers", "Its child processes.", health.workers),
            ("database_up", "Whether it reaches the state database.", int(health.database)),
            ("draining", "Whether it is about to end.", int(health.draining)),
            ("start_time_seconds", "Since when it runs.", health.started.timestamp()),
            (
                "last_sweep_timestamp_seconds",
                "When it last looked at everything.",
                0.0 if health.swept is None else health.swept.timestamp(),
            ),
        ):
            yield GaugeMetricFamily(f"lakehouse_daemon_{name}", text, value=value)
        yield CounterMetricFamily(
            "lakehouse_daemon_workers_lost", "Workers that died during a run.", value=health.lost
        )
        yield CounterMetricFamily(
            "lakehouse_daemon_database_outages", "Times that the database was gone.", value=health.outages
        )
        for name, text, label, values in (
            ("runs_ended", "Runs that ended here, by how.", "outcome", dict(health.ended)),
            ("reloads", "Times that the config was read again.", "result", dict(health.reloads)),
        ):
            family = CounterMetricFamily(f"lakehouse_daemon_{name}", text, labels=[label])
            for each, number in values.items():
                family.add_metric([each], number)
            yield family
