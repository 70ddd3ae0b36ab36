"""Runs of jobs, leases, locks and arrived files in the state database, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic.command import downgrade

from lakehouse.errors import StorageError
from lakehouse.jobs.status import status_of
from lakehouse.state import open_state
from lakehouse.state.database import State
from lakehouse.state.job_rows import JobRun
from lakehouse.state.migrate import settings

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
LONG = timedelta(minutes=1)
SHORT = timedelta(milliseconds=50)


def queue(state: State, *, job: str = "vacuum", at: datetime = NOW, cause: str = "schedule") -> JobRun:
    run, _ = state.jobs.enqueue(job=job, fire_time=at, kind="vacuum", cause=cause, author="ü", now=NOW)
    return run


def statuses(state: State, run: JobRun) -> list[str]:
    found = state.jobs.get(run.id)
    assert found is not None
    return [each.event for each in found[1]]


def test_of_a_job_and_a_moment_there_is_one_run(url: str, state: State) -> None:
    state.make()

    def go(_: int) -> tuple[str, bool]:
        other = open_state(url)
        run, new = other.jobs.enqueue(
            job="vacuum", fire_time=NOW, kind="vacuum", cause="schedule", author="a", now=NOW
        )
        other.close()
        return run.id, new

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(go, range(8)))
    assert len({run for run, _ in found}) == 1
    assert sum(new for _, new in found) == 1
    assert queue(state, at=NOW + timedelta(microseconds=1)).id != found[0][0]


def test_of_many_who_begin_a_run_one_does(url: str, state: State) -> None:
    run = queue(state)

    def go(number: int) -> str:
        other = open_state(url)
        claim = other.leases.start(run.id, owner=f"o{number}", lease=LONG)
        other.close()
        return claim.outcome

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(go, range(8))) == ["started"] + ["taken"] * 7
    assert statuses(state, run) == ["queued", "started"]


def test_two_runs_of_one_job_do_not_go_on_together(url: str, state: State) -> None:
    runs = [queue(state, at=NOW + timedelta(hours=n)) for n in range(6)]
    other = queue(state, job="compact")

    def go(run: JobRun) -> str:
        mine = open_state(url)
        claim = mine.leases.start(run.id, owner="o", lease=LONG)
        mine.close()
        return claim.outcome

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(go, runs)) == ["overlap"] * 5 + ["started"]
    assert state.leases.start(other.id, owner="o", lease=LONG).outcome == "started"


def test_who_is_lost_is_abandoned_and_has_nothing_to_say_any_more(state: State) -> None:
    run = queue(state)
    first = state.leases.start(run.id, owner="lost", lease=SHORT)
    assert state.locks.lock(["t"], run_id=run.id, token=first.token, lease=SHORT)
    time.sleep(0.1)
    assert [each.alive for each in state.leases.open()] == [False]
    assert [each.id for each, _ in state.jobs.history(statuses=["abandoned"])] == [run.id]
    assert state.jobs.history(statuses=["running"]) == []
    assert statuses(state, run) == ["queued", "started", "abandoned"], "seen before anybody begins it again"
    second = state.leases.start(run.id, owner="next", lease=LONG)
    assert (second.outcome, second.again) == ("started", True)
    assert second.token > first.token
    assert not state.leases.beat(run.id, first.token, lease=LONG)
    assert not state.leases.note(run.id, first.token, "retrying", {})
    assert not state.leases.end(run.id, "succeeded", {}, token=first.token)
    assert state.locks.lock(["t"], run_id=run.id, token=first.token, lease=LONG) is None
    assert state.leases.beat(run.id, second.token, lease=LONG)
    assert state.leases.end(run.id, "succeeded", {"counts": {"ü": 2**40}}, token=second.token, log="said")
    assert statuses(state, run) == ["queued", "started", "abandoned", "started", "succeeded"]
    assert state.jobs.log(run.id) == "said"
    assert state.leases.open() == []
    assert state.leases.start(run.id, owner="late", lease=LONG).outcome == "over"
    assert not state.leases.end(run.id, "failed", {}), "what is over is over"


def test_a_table_is_one_runs_at_a_time(state: State) -> None:
    first, second = queue(state, job="a"), queue(state, job="b")
    one = state.leases.start(first.id, owner="1", lease=LONG).token
    two = state.leases.start(second.id, owner="2", lease=LONG).token
    assert state.locks.lock(["t", "u"], run_id=first.id, token=one, lease=LONG)
    assert state.locks.lock(["t"], run_id=first.id, token=one, lease=LONG), "its own it can take again"
    assert state.locks.lock(["s", "t"], run_id=second.id, token=two, lease=LONG) is False
    assert state.locks.holder("s") is None, "all or none"
    state.locks.unlock(["t"], run_id=second.id)
    assert state.locks.holder("t") == first.id
    state.leases.end(first.id, "succeeded", {}, token=one)
    assert state.locks.lock(["s", "t"], run_id=second.id, token=two, lease=SHORT)
    time.sleep(0.1)
    assert state.locks.holder("t") is None
    state.locks.lock(["t"], run_id=second.id, token=two, lease=SHORT)
    state.leases.beat(second.id, two, lease=LONG)
    assert state.locks.holder("t") == second.id, "its tables live as long as the run"


def test_history_is_filtered_and_newest_first(state: State) -> None:
    runs = [queue(state, at=NOW + timedelta(hours=n)) for n in range(4)]
    for run, end in zip(runs, ["succeeded", "failed", "skipped"], strict=False):
        token = state.leases.start(run.id, owner="o", lease=LONG).token
        state.leases.end(run.id, end, {}, token=token)
    manual = queue(state, job="compact", cause="manual")
    state.leases.start(manual.id, owner="o", lease=LONG)

    def ids(**filters: Any) -> list[str]:
        return [run.id for run, _ in state.jobs.history(**filters)]

    assert ids() == [manual.id, *(each.id for each in reversed(runs))]
    assert ids(job="vacuum", limit=2) == [runs[3].id, runs[2].id]
    assert ids(statuses=["failed", "queued"]) == [runs[3].id, runs[1].id]
    assert ids(statuses=["running"]) == ids(cause="manual") == [manual.id]
    assert ids(since=runs[1].fire_time, until=runs[3].fire_time) == [runs[2].id, runs[1].id]
    assert ids(statuses=["abandoned"]) == []
    assert [status_of(events) for _, events in state.jobs.history(job="vacuum")] == [
        "queued", "skipped", "failed", "succeeded",
    ]  # fmt: skip


def test_pauses_end_when_they_are_resumed(state: State) -> None:
    for paused in (True, False, True):
        state.jobs.pause("vacuum", paused=paused, author="a", reason="r", now=NOW)
    state.jobs.pause("compact", paused=True, author="a", reason="", now=NOW)
    state.jobs.pause("compact", paused=False, author="a", reason="", now=NOW)
    assert {name: each.reason for name, each in state.jobs.paused().items()} == {"vacuum": "r"}


def test_a_file_is_numbered_once_and_done_once(state: State) -> None:
    state.job_files.found("in", [("a", "1"), ("b", "1"), ("a", "1")], now=NOW)
    state.job_files.found("in", [("b", "1"), ("a", "2")], now=NOW)
    state.job_files.found("other", [("a", "1")], now=NOW)
    waiting = state.job_files.waiting("in")
    assert [(each.path, each.mark, each.number) for each in waiting] == [
        ("a", "1", 1), ("b", "1", 2), ("a", "2", 3),
    ]  # fmt: skip
    for _ in range(2):
        state.job_files.done(waiting[0], outcome="merged", run_id="run-1", now=NOW)
    assert state.job_files.waiting("in") == waiting[1:]
    assert state.job_files.ended("in", [("a", "1"), ("a", "2")]) == [(waiting[0], "merged")]


@pytest.mark.parametrize("table", ["job_runs", "job_events", "job_pauses", "job_files", "job_file_ends"])
@pytest.mark.parametrize("change", ["DELETE FROM lakehouse_{}", "UPDATE lakehouse_{0} SET {1} = {1}"])
def test_what_happened_to_runs_can_not_be_changed(
    state: State, ask: Callable[..., Any], table: str, change: str
) -> None:
    queue(state)
    state.jobs.pause("vacuum", paused=True, author="a", reason="", now=NOW)
    state.job_files.found("in", [("a", "1")], now=NOW)
    state.job_files.done(state.job_files.waiting("in")[0], outcome="merged", run_id="r", now=NOW)
    column = {"job_runs": "job", "job_files": "job", "job_file_ends": "outcome"}.get(table, "event")
    with pytest.raises(StorageError):
        ask(change.format(table, column))


def test_an_older_database_gets_the_tables(url: str, state: State) -> None:
    state.make()
    with state._database.writing() as connection:
        config = settings()
        config.attributes["connection"] = connection
        downgrade(config, "0003")
    again = open_state(url)
    assert statuses(again, queue(again)) == ["queued"]


MANY = 100_000
_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {0}) ",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, {0})) ",
}
_MOMENT = {
    "sqlite": "datetime('2020-01-01', '+' || i || ' minutes') || '.000000'",
    "postgresql": "timestamptz '2020-01-01 00:00Z' + i * interval '1 minute'",
}


@pytest.mark.slow
def test_the_history_of_many_runs_is_quick(state: State, ask: Callable[..., Any]) -> None:
    state.make()
    kind = state._database.place.kind
    numbers, moment = _NUMBERS[kind].format(MANY), _MOMENT[kind]
    ask(
        "INSERT INTO lakehouse_job_runs (id, job, fire_time, kind, cause, queued, author) "
        f"{numbers} SELECT 'r' || i, 'job' || (i % 50), {moment}, 'vacuum', 'schedule', {moment}, 'a' FROM n"
    )
    last = "CASE i WHEN 7 THEN 'failed' ELSE 'succeeded' END"
    for number, event in enumerate(["'queued'", "'started'", last]):
        ask(
            "INSERT INTO lakehouse_job_events (run_id, number, event, at, detail) "
            f"{numbers} SELECT 'r' || i, {number + 1}, {event}, {moment}, '{{}}' FROM n"
        )
    if kind == "postgresql":
        ask("ANALYZE")
    for filters, found in (
        ({"limit": 50}, 50),
        ({"job": "job3", "limit": 50}, 50),
        ({"statuses": ["failed"], "limit": 50}, 1),
        ({"statuses": ["running"], "limit": 50}, 0),
        ({"job": "job7", "statuses": ["failed"], "limit": 50}, 1),
        ({"since": datetime(2020, 1, 2, tzinfo=UTC), "until": datetime(2020, 1, 2, 1, tzinfo=UTC)}, 60),
    ):
        begun = time.monotonic()
        assert len(state.jobs.history(**filters)) == found
        assert time.monotonic() - begun < 1, filters
    begun = time.monotonic()
    assert state.jobs.last("job3", cause="schedule") is not None
    assert len(state.leases.open()) == 0
    run = queue(state)
    token = state.leases.start(run.id, owner="o", lease=LONG).token
    state.leases.end(run.id, "succeeded", {}, token=token)
    assert time.monotonic() - begun < 1
