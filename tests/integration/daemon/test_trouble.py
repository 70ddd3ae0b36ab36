"""What a daemon does when work does not end, processes die, the database is gone, or the clock is set."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse.daemon.worker import memory
from lakehouse.jobs import RunView
from lakehouse.state import open_state
from tests.integration.daemon.child import until
from tests.integration.daemon.conftest import Site

PAST = "2026-01-01T00:00"
"""What was due then and never ran is due at once, and once only."""


def run_of(site: Site, job: str) -> RunView:
    found = site.lake.jobs.history(job)
    assert len(found) == 1
    return found[0]


def events(view: RunView) -> list[str]:
    return [each.event for each in view.events]


def test_work_that_never_ends_is_ended_with_its_process(site: Site) -> None:
    site.config(
        stubborn={"do": "stubborn", "schedule": PAST, "timeout": "1s"},
        never={"do": "never", "after": ["first"], "timeout": "1s"},
        first={"do": "note", "schedule": PAST},
        then={"do": "alone", "schedule": PAST},
    )
    daemon = site.start()
    for job in ("stubborn", "never"):
        assert daemon.wait_for("run_failed", job=job)["error"] == "TimeoutError"
    daemon.wait_for("run_succeeded", job="then")
    until(lambda: run_of(site, "never").status == "failed")
    for job in ("stubborn", "never"):
        found = run_of(site, job)
        assert (found.status, found.error) == ("failed", "TimeoutError")
        assert "did not end when it was asked to" in found.reason
    state = open_state(site.lake.config.state.get_secret_value())
    assert state.locks.holder("stock") is None
    assert daemon.end() == 0


def test_a_run_that_kills_its_process_is_tried_so_often_and_no_more(site: Site) -> None:
    site.config(crash={"do": "crash", "schedule": PAST, "retries": 0}, note={"do": "note", "schedule": PAST})
    daemon = site.start()
    daemon.wait_for("run_failed", job="crash")
    found = run_of(site, "crash")
    assert (found.status, found.attempts) == ("failed", 3)
    assert found.reason == "its process died each time"
    assert events(found).count("abandoned") == 3
    assert "SIGSEGV" in daemon.events("run_lost")[0]["reason"]
    assert run_of(site, "note").status == "succeeded"
    assert daemon.end() == 0


@pytest.mark.slow
def test_a_hundred_megabytes_of_words_block_nothing_and_stay_nowhere(site: Site) -> None:
    site.config(talk={"do": "talk", "schedule": PAST})
    daemon = site.start()
    daemon.wait_for("run_succeeded", job="talk")
    assert len(site.lake.jobs.log(run_of(site, "talk").id).splitlines()) == 200
    assert len(daemon.events("log")) < 5_000
    pages = int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1])
    assert memory() > 0
    assert pages * 4096 < 200 << 20
    assert daemon.end() == 0


def test_what_a_daemon_can_not_finish_is_begun_by_another_at_once(site: Site) -> None:
    site.config(slow={"do": "slowly", "schedule": PAST}, daemon={"drain": "0s"})
    first = site.start()
    until(lambda: site.notes)
    second = site.start()
    second.wait_for("daemon_started")
    assert first.end() == 0
    assert first.events("run_handed_over")
    until(lambda: len(site.notes) == 2)
    (site.folder / "go").touch()
    second.wait_for("run_succeeded", job="slow")
    assert events(run_of(site, "slow")) == ["queued", "started", "queued", "started", "succeeded"]
    assert second.end() == 0


def test_what_was_lost_with_its_daemon_is_begun_by_another_within_the_lease(site: Site) -> None:
    site.config(slow={"do": "slowly", "schedule": PAST})
    first = site.start(lease=3)
    until(lambda: site.notes)
    first.end(signal.SIGKILL)
    (site.folder / "go").touch()
    second = site.start(lease=3)
    second.wait_for("daemon_started")
    until(lambda: run_of(site, "slow").status == "succeeded")
    # Its worker notices that its daemon is gone, and hands the run over, unless it is faster.
    assert events(run_of(site, "slow"))[-1] == "succeeded"
    assert second.end() == 0


def test_a_database_that_is_gone_for_a_while_is_waited_for(site: Site) -> None:
    place, away = site.folder / "db", site.folder / "away"
    site.config(
        state=f"sqlite:///{place}/state.db",
        slow={"do": "slowly", "schedule": PAST},
        note={"do": "note", "schedule": "every 1s", "overlap": "queue"},
    )
    daemon = site.start()
    daemon.wait_for("run_succeeded", job="note")
    until(lambda: any(each.startswith("slow") for each in site.notes))
    place.rename(away)
    daemon.wait_for("database_gone")
    (site.folder / "go").touch()
    before = len(daemon.events("run_succeeded", job="note"))
    away.rename(place)
    daemon.wait_for("database_back")
    daemon.wait_for("run_succeeded", job="slow")
    daemon.wait_for("run_succeeded", job="note", times=before + 1)
    assert len(daemon.events("database_gone")) == 1
    assert daemon.end() == 0


def test_a_clock_that_is_set_is_noticed(site: Site) -> None:
    at = datetime.now(UTC) + timedelta(hours=2)
    site.config(
        later={"do": "note", "schedule": at.isoformat()},
        note={"do": "note", "schedule": "every 1s", "overlap": "queue"},
    )
    daemon = site.start(more=("10000",))
    assert daemon.wait_for("clock_jumped")["by_seconds"] == pytest.approx(10_000, abs=1)
    daemon.wait_for("run_succeeded", job="later")
    assert daemon.end() == 0
