"""Runs that are begun and ended many at once, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from lakehouse.state import open_state
from lakehouse.state.database import State
from lakehouse.state.job_rows import End, Policy, Taken, Wanted

NOW = datetime.now(UTC)
LONG = timedelta(minutes=1)
SHORT = timedelta(milliseconds=50)
QUEUE = {name: Policy(skip=False, losses=1) for name in "abcdef"}


def wanted(jobs: str, *, minute: int = 0) -> list[Wanted]:
    return [Wanted(each, NOW + timedelta(minutes=minute), "vacuum") for each in jobs]


def work(
    state: State,
    want: list[Wanted] | None = None,
    *,
    most: int = 10,
    owner: str = "o",
    lease: timedelta = LONG,
    policies: Mapping[str, Policy] = QUEUE,
    **more: Any,
) -> Taken:
    return state.queue.work(
        want or [], policies=policies, most=most, owner=owner, lease=lease, author="ü", now=NOW, **more
    )


def events(state: State, run: str) -> list[str]:
    found = state.jobs.get(run)
    assert found is not None
    return [each.event for each in found[1]]


def test_of_many_who_ask_each_run_is_begun_by_one(url: str, state: State) -> None:
    state.make()

    def go(number: int) -> list[str]:
        other = open_state(url)
        found = [work(other, wanted("abcdef"), most=2, owner=f"o{number}") for _ in range(2)]
        other.close()
        return [each.run.id for taken in found for each in taken.claimed]

    with ThreadPoolExecutor(4) as pool:
        found = [run for runs in pool.map(go, range(4)) for run in runs]
    assert len(found) == len(set(found)) == 6
    assert all(events(state, each) == ["queued", "started"] for each in found)


def test_what_is_over_and_what_comes_next_are_one_step(state: State) -> None:
    first = work(state, [*wanted("ab"), *wanted("a", minute=1)])
    assert [each.run.job for each in first.claimed] == ["a", "b"]
    assert first.waiting == 0, "the second one of `a` waits for the first"
    a, b = first.claimed
    ends = [
        End(a.run.id, a.token, "succeeded", {"counts": {"rows": 1}, "event": "x"}, "said"),
        End(b.run.id, b.token + 1, "failed", {}),
    ]
    second = work(state, ends=ends)
    assert [(each.run.job, each.run.fire_time) for each in second.claimed] == [
        ("a", NOW + timedelta(minutes=1))
    ]
    assert events(state, a.run.id) == ["queued", "started", "succeeded"]
    assert state.jobs.log(a.run.id) == "said"
    assert events(state, b.run.id)[-1] == "started", "that token was not its own"


def test_a_run_that_comes_while_one_goes_on_is_left_out_where_the_job_says_so(state: State) -> None:
    skip = {"a": Policy(skip=True, losses=1)}
    assert len(work(state, wanted("a"), policies=skip).claimed) == 1
    found = work(state, wanted("a", minute=1), policies=skip)
    assert ([event for _, event in found.ended], found.claimed) == (["skipped"], ())


def test_what_was_lost_is_begun_again_so_often_and_no_more(state: State) -> None:
    run = work(state, wanted("a"), lease=SHORT).claimed[0].run.id
    time.sleep(0.1)
    again = work(state).claimed[0]
    assert (again.run.id, again.again) == (run, True)
    assert state.leases.give_back(run, again.token, reason="SIGSEGV", lost=True)
    assert not state.leases.give_back(run, again.token - 1, reason="late")
    assert [each[1] for each in work(state).ended] == ["failed"]
    assert events(state, run) == [
        "queued", "started", "abandoned", "started", "abandoned", "queued", "failed",
    ]  # fmt: skip


def test_what_was_handed_over_is_begun_by_the_next_however_often(state: State) -> None:
    work(state, wanted("a"), most=0)
    for number in range(4):
        found = work(state, owner=f"o{number}").claimed[0]
        assert state.leases.give_back(found.run.id, found.token, reason="its daemon ended")
    assert found.token == 4
    assert work(state).claimed[0].again


def test_others_carry_out_what_they_wrote_down_themselves(state: State) -> None:
    at = datetime.now(UTC)
    mine, _ = state.jobs.enqueue(job="a", fire_time=at, kind="x", cause="manual", author="a", now=at)
    assert work(state) == Taken()
    old = at - timedelta(hours=1)
    state.jobs.enqueue(job="b", fire_time=at, kind="x", cause="manual", author="a", now=old)
    state.jobs.enqueue(job="gone", fire_time=at, kind="x", cause="schedule", author="a", now=old)
    state.jobs.enqueue(job="new", fire_time=at, kind="x", cause="schedule", author="a", now=at)
    found = work(state)
    assert [each.run.job for each in found.claimed] == ["b"]
    assert [(run.job, event) for run, event in found.ended] == [("gone", "cancelled")]
    assert state.leases.start(mine.id, owner="me", lease=LONG).outcome == "started"


def test_a_run_can_be_stopped_and_done_again(state: State) -> None:
    going = work(state, wanted("a")).claimed[0]
    run = going.run.id
    assert state.leases.beat(run, going.token, lease=LONG) == "ours"
    assert [state.leases.cancel(run, author="me") for _ in range(2)] == ["asked", "asked"]
    assert state.leases.beat(run, going.token, lease=LONG) == "cancelled"
    assert [each.cancelled for each in state.leases.open()] == [True]
    assert not state.leases.again(run, author="me", now=NOW)
    state.leases.end(run, "cancelled", {}, token=going.token)
    assert state.leases.cancel(run, author="me") is None
    assert state.leases.again(run, author="me", now=NOW)
    assert state.jobs.history(statuses=["cancelled"]) == []
    assert len(state.jobs.history(statuses=["queued"])) == 1
    again = work(state).claimed[0]
    assert (again.run.id, again.token > going.token) == (run, True)
    assert not state.leases.end(run, "failed", {}, token=going.token), "the one before has nothing to say"
    assert events(state, run) == ["queued", "started", "stopping", "cancelled", "queued", "started"]


def test_tables_are_somebodys_who_is_no_run(state: State) -> None:
    state.make()
    assert state.locks.take(["stock", "sales"], holder="cli-1", lease=LONG)
    assert not state.locks.take(["people", "sales"], holder="cli-2", lease=LONG)
    assert [state.locks.holder(each) for each in ("people", "sales")] == [None, "cli-1"]
    run = work(state, wanted("a")).claimed[0]
    assert state.locks.lock(["sales"], run_id=run.run.id, token=run.token, lease=LONG) is False
    state.locks.keep(holder="cli-1", lease=SHORT)
    time.sleep(0.1)
    assert state.locks.lock(["sales"], run_id=run.run.id, token=run.token, lease=LONG)


def test_daemons_are_known_as_long_as_they_say_so(state: State, ask: Callable[..., Any]) -> None:
    state.make()
    for name in ("d1", "d2", "d1"):
        state.daemons.beat(name, host="h", pid=1, started=NOW, version="1", config="c")
    assert [(each.id, each.alive) for each in state.daemons.list()] == [("d1", True), ("d2", True)]
    ask("UPDATE lakehouse_daemons SET seen = '2026-01-01 00:00:00' WHERE id = 'd2'")
    assert [each.alive for each in state.daemons.list()] == [True, False]
    state.daemons.gone("d1")
    state.daemons.beat("d3", host="h", pid=1, started=NOW, version="1", config="c")
    assert [each.id for each in state.daemons.list()] == ["d3"], "those that are lost for a day are forgotten"
