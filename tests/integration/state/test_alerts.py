"""Problems, targets, and what happened since, in the state database, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic.command import downgrade

from lakehouse.errors import StorageError
from lakehouse.state import open_state
from lakehouse.state.alert_rows import Problem, RunEnd, Told
from lakehouse.state.database import State
from lakehouse.state.migrate import settings
from lakehouse.state.totals import Totals

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
SINCE = NOW - timedelta(days=7)
LONG = timedelta(minutes=1)


def new(key: str = "failed:ü", **more: Any) -> Problem:
    return Problem(
        **{
            "key": key,
            "kind": "failed",
            "subject": "ü",
            "opened": NOW,
            "last": NOW,
            "detail": {"a": "ü"},
            **more,
        }
    )


def test_of_many_who_see_a_problem_one_keeps_it(url: str, state: State) -> None:
    state.make()

    def judge(known: Sequence[Problem]) -> list[Problem]:
        return [] if any(each.upto >= 7 for each in known) else [new(upto=7)]

    def go(_: int) -> int:
        other = open_state(url)
        changed = other.alerts.settle(judge, since=SINCE, marks={"runs": 7})
        other.close()
        return changed

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(go, range(6))) == [0] * 5 + [1]
    (kept,) = state.alerts.problems(since=SINCE)
    assert kept == new(upto=7, seq=kept.seq)
    assert state.alerts.marks() == {"runs": 7}
    state.alerts.settle(lambda _: [], since=SINCE, marks={"runs": 5})
    assert state.alerts.marks() == {"runs": 7}, "never back"
    closed = replace(kept, closed=NOW, times=3, detail={})
    state.alerts.settle(lambda _: [closed], since=SINCE, marks={})
    assert state.alerts.problems(since=SINCE) == [closed]
    assert state.alerts.problems(since=NOW + LONG) == []


def test_one_at_a_time_sends_to_a_target_and_who_is_lost_is_followed(url: str, state: State) -> None:
    state.make()
    for _ in range(2):
        state.alerts.meet("t", name="ops", now=NOW)

    def go(number: int) -> bool:
        other = open_state(url)
        claim = other.alerts.claim("t", owner=str(number), lease=LONG, since=SINCE)
        other.close()
        return claim is not None

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(go, range(6))) == [False] * 5 + [True]
    first = state.alerts.standing("t", since=SINCE)
    assert first is not None
    state.alerts.give_back(replace(first, token=1))
    lost = state.alerts.claim("t", owner="lost", lease=timedelta(milliseconds=10), since=SINCE)
    assert lost is not None
    time.sleep(0.05)
    next_one = state.alerts.claim("t", owner="next", lease=LONG, since=SINCE)
    assert next_one is not None
    state.alerts.failed(lost, reason="late", next_try=NOW)
    found = state.alerts.standing("t", since=SINCE)
    assert found is not None
    assert (found.reason, found.tries) == ("", 0), "who is not the one any more has nothing to say of it"


def test_what_a_target_knows(state: State) -> None:
    state.make()
    state.alerts.settle(lambda _: [new("a"), new("b")], since=SINCE, marks={})
    one, two = (each.seq for each in state.alerts.problems(since=SINCE))
    state.alerts.meet("t", name="ops", now=NOW)
    claim = state.alerts.claim("t", owner="o", lease=LONG, since=SINCE)
    assert claim is not None
    state.alerts.failed(claim, reason="it answered with 500", next_try=NOW + LONG)
    claim = state.alerts.claim("t", owner="o", lease=LONG, since=SINCE)
    assert claim is not None
    assert (claim.tries, claim.next_try, claim.reason) == (1, NOW + LONG, "it answered with 500")
    state.alerts.sent(claim, known={one: False}, title="ü", items=1, now=NOW)
    claim = state.alerts.claim("t", owner="o", lease=LONG, since=SINCE)
    assert claim is not None
    state.alerts.sent(claim, known={one: True, two: False}, title="ü", items=2, now=NOW + LONG)
    found = state.alerts.standing("t", since=SINCE)
    assert found is not None
    assert found.told == {one: Told(NOW + LONG, True), two: Told(NOW + LONG, False)}
    assert (found.tries, found.next_try, found.reason, found.failures) == (0, None, "", 1)
    assert (found.sent, found.messages) == ((NOW + LONG, NOW), 2)
    assert state.alerts.standing("u", since=SINCE) is None


def ended(state: State, event: str, *, job: str, at: datetime) -> None:
    run, _ = state.jobs.enqueue(job=job, fire_time=at, kind="vacuum", cause="schedule", author="ü", now=NOW)
    claim = state.leases.start(run.id, owner="o", lease=LONG)
    assert state.leases.end(run.id, event, {"reason": "ü"}, token=claim.token)


def test_ends_of_runs_are_followed(state: State) -> None:
    for number, event in enumerate(("succeeded", "failed", "skipped")):
        ended(state, event, job=f"job{number % 2}", at=NOW + number * LONG)
    found, upto = state.following.run_ends(after=0, limit=10)
    assert [(each.job, each.event) for each in found] == [
        ("job0", "succeeded"), ("job1", "failed"), ("job0", "skipped"),
    ]  # fmt: skip
    assert upto == 0, "they are too new for nothing to be missing between them"
    assert found[1].detail == {"reason": "ü"}
    assert found[1].fire_time == NOW + LONG
    began = found[1].began
    assert began is not None
    assert began == found[1].started
    assert began <= found[1].at
    later, _ = state.following.run_ends(after=found[0].seq, kinds=("failed",), limit=10)
    assert later == [found[1]]
    assert state.following.newest_event() == found[-1].seq
    newest = state.following.newest_runs(("job0", "job1", "none"))
    assert {job: at for job, (_, at) in newest.items()} == {"job0": NOW + 2 * LONG, "job1": NOW + LONG}


def test_runs_are_added_up_once(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    def add(totals: Totals, ends: Sequence[RunEnd]) -> None:
        for each in ends:
            total = totals.setdefault((each.job, each.event), {"runs": 0})
            total["runs"] += 1

    for number in range(3):
        ended(state, "failed" if number else "succeeded", job="ü", at=NOW + number * LONG)
    found = {("ü", "succeeded"): {"runs": 1}, ("ü", "failed"): {"runs": 2}}
    assert state.totals.fold(add) == 0, "they are too new"
    assert state.totals.read(add) == found
    monkeypatch.setattr("lakehouse.state.following.SETTLED", -LONG)
    assert state.totals.fold(add) == 3
    assert state.totals.fold(add) == 0
    ended(state, "failed", job="ü", at=NOW + 3 * LONG)
    found["ü", "failed"]["runs"] = 3
    assert state.totals.read(add) == found
    assert state.totals.fold(add) == 1
    assert state.totals.read(add) == found
    for _ in range(2):
        state.totals.count("lost")
    assert (state.totals.counted("lost"), state.totals.counted("other")) == (2, 0)
    assert state.totals.size() > 10_000


def test_messages_that_were_sent_stay(state: State, ask: Callable[..., Any]) -> None:
    state.alerts.meet("t", name="ops", now=NOW)
    claim = state.alerts.claim("t", owner="o", lease=LONG, since=SINCE)
    assert claim is not None
    state.alerts.sent(claim, known={}, title="ü", items=1, now=NOW)
    for change in ("UPDATE lakehouse_alert_messages SET title = ''", "DELETE FROM lakehouse_alert_messages"):
        with pytest.raises(StorageError):
            ask(change)


def test_an_older_database_gets_the_tables(url: str, state: State) -> None:
    state.make()
    with state._database.writing() as connection:
        config = settings()
        config.attributes["connection"] = connection
        downgrade(config, "0004")
    again = open_state(url)
    assert again.alerts.problems(since=SINCE) == []
    again.close()
