"""What a lake tells Prometheus, read by Prometheus' own parser."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lakehouse import Lakehouse
from lakehouse.observability.incidents.taking import Taken
from lakehouse.observability.metrics import exposition, fold
from lakehouse.observability.metrics.adding import add
from lakehouse.state import open_state
from lakehouse.state.alert_rows import RunEnd
from lakehouse.state.chart_rows import Batch, NewPoint
from lakehouse.state.following import SETTLED
from tests.fixtures.charted import NOON, put, watch

WORK = "tests.integration.jobs.work"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: bytes) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text.decode()):
        assert family.documentation
        for each in family.samples:
            labels = {name: value for name, value in each.labels.items() if name != "lake"}
            assert each.labels["lake"] == "shop"
            key = (each.name, tuple(sorted(labels.items())))
            assert key not in found
            found[key] = each.value
    return found


def of(found: Samples, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


@pytest.fixture
def shop(tmp_path: Path) -> Lakehouse:
    return Lakehouse.open(
        {
            "version": 1,
            "name": "shop",
            "storage": {"root": str(tmp_path / "lake")},
            "tables": {
                "stock": {"key": ["item"], "expect": [{"name": "fresh", "freshness": "1h"}]},
            },
            "jobs": {
                "refused": {"do": f"{WORK}.refused", "retries": 0},
                "note": {"do": f"{WORK}.note", "schedule": "every 1h"},
                "rests": {"do": f"{WORK}.note", "schedule": "every 1h", "pause": True},
            },
        }
    )


def test_what_a_lake_tells(shop: Lakehouse) -> None:
    for _ in range(3):
        shop.jobs.run("refused")
    shop.jobs.run_due("note")
    shop.holds.add(table="stock", reason="case 1")
    found = samples(shop.metrics())
    assert of(found, "lakehouse_job_runs_total", job="refused", status="failed") == 3
    assert of(found, "lakehouse_job_runs_total", job="refused", status="succeeded") == 0
    assert of(found, "lakehouse_job_run_duration_seconds_count", job="refused") == 3
    assert of(found, "lakehouse_job_run_duration_seconds_bucket", job="refused", le="+Inf") == 3
    assert of(found, "lakehouse_job_run_lag_seconds_count", job="note") == 1
    assert ("lakehouse_job_run_lag_seconds_count", (("job", "refused"),)) not in found, "nobody scheduled it"
    assert of(found, "lakehouse_job_done_total", job="note", what="notes") == 1
    assert of(found, "lakehouse_job_last_success_timestamp_seconds", job="note") > 1.7e9
    assert of(found, "lakehouse_job_next_run_timestamp_seconds", job="note") > 1.7e9
    assert of(found, "lakehouse_job_paused", job="rests") == 1
    assert of(found, "lakehouse_job_late", job="note") == 0
    assert of(found, "lakehouse_job_running_runs", job="note") == 0
    assert of(found, "lakehouse_holds_active") == 1
    assert of(found, "lakehouse_requests_overdue", kind="erasure") == 0
    assert of(found, "lakehouse_table_freshness_limit_seconds", table="stock") == 3600
    assert of(found, "lakehouse_state_size_bytes") > 10_000


def test_tables_and_incidents_come_from_charts(shop: Lakehouse) -> None:
    state = shop._control.made(now=NOON)
    sizes = {"rows": 10, "bytes": 2048, "files": 2, "freshness": 0}
    points = tuple(NewPoint(measure=name, at=NOON, value=value) for name, value in sizes.items())
    taken = Taken(batch=Batch(scope="table", subject="stock", points=points, version=7, run="run-1"))
    watch(shop.config, state).note([taken], now=NOON)
    put(shop.config, state, [0.05, 0.06] * 15 + [0.9], table="new")
    found = samples(exposition(shop.config, state, now=NOON + timedelta(minutes=1)))
    assert of(found, "lakehouse_table_rows", table="stock") == 10
    assert of(found, "lakehouse_table_size_bytes", table="stock") == 2048
    assert of(found, "lakehouse_table_age_seconds", table="stock") == 60
    assert of(found, "lakehouse_incidents_open") == 1
    assert ("lakehouse_table_rows", (("table", "new"),)) not in found


def test_what_was_added_up_is_not_read_again_and_counted_once(shop: Lakehouse, monkeypatch: Any) -> None:
    for _ in range(2):
        shop.jobs.run("note")
    state = open_state(shop.config.state.get_secret_value())
    assert fold(state) == 0, "they are too new"
    before = samples(shop.metrics())
    monkeypatch.setattr("lakehouse.state.following.SETTLED", -SETTLED)
    assert fold(state) == 2
    assert fold(state) == 0
    shop.jobs.run("note")
    found = samples(shop.metrics())
    for name in ("lakehouse_job_runs_total", "lakehouse_job_done_total"):
        label = {"status": "succeeded"} if "runs" in name else {"what": "notes"}
        assert of(before, name, job="note", **label) == 2
        assert of(found, name, job="note", **label) == 3
    assert of(found, "lakehouse_job_run_duration_seconds_count", job="note") == 3
    state.close()


def end(**more: Any) -> RunEnd:
    return RunEnd(
        **{"seq": 1, "job": "j", "run": "r", "event": "succeeded", "at": NOON + timedelta(seconds=3),
           "fire_time": NOON, "cause": "schedule", "began": NOON + timedelta(seconds=1),
           "started": NOON + timedelta(seconds=2), **more}
    )  # fmt: skip


def test_runs_are_added_up() -> None:
    totals: dict[tuple[str, str], dict[str, Any]] = {}
    many = {f"n{number}": 1 for number in range(100)}
    add(
        totals,
        [end(), end(detail={"counts": {"rows": 5, "none": 0, "odd": "x"}}), end(detail={"counts": many})],
    )
    add(totals, [end(began=None, started=None, event="skipped"), end(at=NOON, cause="manual")])
    done = totals["j", "succeeded"]
    assert done["runs"] == 4
    assert done["took_sum"] == 3, "clocks that go back count as nothing"
    assert (sum(done["took"]), sum(done["lag"]), done["lag_sum"]) == (4, 3, 3)
    assert done["counts"]["rows"] == 5
    assert len(done["counts"]) == 40
    assert totals["j", "skipped"] == {"runs": 1, "last": (NOON + timedelta(seconds=3)).timestamp()}
