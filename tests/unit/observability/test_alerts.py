"""What alerts make of what happened, whom they tell, and in which words: without a database or a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakehouse.config import load_config
from lakehouse.config.firing import last_fire
from lakehouse.config.secrets import AlertUrl
from lakehouse.observability.alerts.deciding import Message, decide
from lakehouse.observability.alerts.problems import Seen, judge, late
from lakehouse.observability.alerts.targets import Target, shown, targets_of
from lakehouse.observability.alerts.words import Text, text_of
from lakehouse.state.alert_rows import OpenRequest, Problem, RunEnd, Standing, Told

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ALL = frozenset({"failed", "late", "overdue", "out_of_control", "recovered"})


@dataclass(frozen=True)
class Said:
    seq: int
    incident: str
    event: str
    at: datetime = NOW
    text: str = "rows of merge_orders fell out of control"


def end(seq: int, event: str, *, job: str = "vacuum", at: datetime = NOW) -> RunEnd:
    return RunEnd(
        seq=seq, job=job, run=f"run-{seq}", event=event, at=at, fire_time=at, cause="schedule",
        began=at, started=at, detail={"reason": "the table is held"} if event == "failed" else {},
    )  # fmt: skip


def kept(known: Sequence[Problem], changed: Sequence[Problem]) -> list[Problem]:
    """As the database keeps them."""
    found = {each.seq: each for each in known}
    for each in changed:
        seq = each.seq or max(found, default=0) + 1
        found[seq] = replace(each, seq=seq)
    return [found[seq] for seq in sorted(found)]


def seen(*ends: RunEnd, now: datetime = NOW, **more: Any) -> Seen:
    return Seen(now=now, jobs=frozenset({"vacuum", "load"}), ends=ends, **more)


def test_failures_of_a_job_are_one_problem_until_it_succeeds() -> None:
    known = kept([], judge([], seen=seen(end(5, "failed"), end(7, "failed"))))
    assert [(each.key, each.times, each.detail["run"]) for each in known] == [("failed:vacuum", 2, "run-7")]
    assert judge(known, seen=seen(end(5, "failed"), end(7, "failed"))) == [], "what was read twice"
    known = kept(known, judge(known, seen=seen(end(7, "failed"), end(9, "succeeded"))))
    assert known[0].closed is not None
    assert judge(known, seen=seen(end(7, "failed"), end(9, "succeeded"))) == [], "nor is it opened again"
    known = kept(known, judge(known, seen=seen(end(11, "failed"))))
    assert [each.closed is None for each in known] == [False, True], "another one"


def test_a_job_that_fails_and_succeeds_between_two_looks_leaves_a_problem_that_is_over() -> None:
    known = kept([], judge([], seen=seen(end(5, "failed"), end(6, "succeeded"), end(7, "failed"))))
    assert [(each.closed is None, each.upto) for each in known] == [(False, 6), (True, 7)]
    assert judge([], seen=seen(end(6, "succeeded"))) == []


def test_a_job_that_is_gone_is_no_problem_any_more() -> None:
    known = kept([], judge([], seen=seen(end(5, "failed"))))
    gone = judge(known, seen=Seen(now=NOW, jobs=frozenset()))
    assert [each.closed for each in gone] == [NOW]


def test_what_is_late_overdue_or_out_of_control_comes_and_goes() -> None:
    request = OpenRequest(id="req-1", kind="erasure", submitted=NOW, due=NOW - 3 * timedelta(days=1))
    found = seen(late={"load": NOW - HOUR}, overdue=[request], incidents=[Said(3, "inc-1", "opened")])
    known = kept([], judge([], seen=found))
    assert [each.key for each in known] == ["out_of_control:inc-1", "late:load", "overdue:req-1"]
    assert judge(known, seen=found) == []
    over = judge(known, seen=seen(now=NOW + MINUTE, incidents=[Said(4, "inc-1", "resolved")]))
    assert {each.key for each in over if each.closed} == {each.key for each in known}


@pytest.mark.parametrize(
    ("newest", "begun", "waiting", "found"),
    [
        (NOW - HOUR, NOW - 2 * HOUR, None, NOW - HOUR),
        (NOW - HOUR, None, None, NOW - HOUR),
        (NOW - HOUR, NOW - HOUR, None, None),
        (NOW - HOUR, NOW - HOUR, NOW - HOUR, NOW - HOUR),
        (NOW - HOUR, NOW, NOW, None),
        (None, None, None, None),
    ],
)
def test_who_is_late(
    newest: datetime | None, begun: datetime | None, waiting: datetime | None, found: datetime | None
) -> None:
    config = load_config({"version": 1, "jobs": {"load": {"do": "vacuum", "schedule": "every 1h"}}})
    job = config.jobs["load"]
    assert late("load", job, newest=newest, begun=begun, waiting=waiting, now=NOW) == found


@pytest.mark.parametrize(
    ("schedule", "zone", "found"),
    [
        ("every 15m", "UTC", "2026-03-29T11:30:00"),
        ("*/20 * * * *", "UTC", "2026-03-29T11:40:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:30:00"),
        ("0 3 * * 5", "UTC", "2026-03-27T03:00:00"),
        ("0 0 29 2 *", "UTC", "2024-02-29T00:00:00"),
        ("2026-03-29T11:44", "UTC", "2026-03-29T11:44:00"),
        ("2026-03-29T11:45", "UTC", None),
    ],
)
def test_the_newest_moment_of_a_schedule(schedule: str, zone: str, found: str | None) -> None:
    config = load_config(
        {"version": 1, "jobs": {"load": {"do": "vacuum", "schedule": schedule, "timezone": zone}}}
    )
    when = config.jobs["load"].schedule
    assert when is not None
    newest = last_fire(when, until=datetime(2026, 3, 29, 11, 44, 59, tzinfo=UTC), zone=zone)
    assert (newest and newest.replace(tzinfo=None).isoformat()) == found


def target(**more: Any) -> Target:
    return Target(**{"id": "t", "name": "ops", "url": AlertUrl("json://x"), "on": ALL, **more})


def standing(**more: Any) -> Standing:
    return Standing(**{"id": "t", "name": "ops", "since": NOW - timedelta(days=30), **more})


def problem(seq: int, kind: str = "failed", **more: Any) -> Problem:
    about: dict[str, Any] = {"key": f"{kind}:{seq}", "subject": f"job{seq}", "opened": NOW, "last": NOW}
    return Problem(**{**about, "kind": kind, "seq": seq, **more})


def words(message: Message | None) -> list[tuple[int, str]]:
    return [] if message is None else [(each.problem.seq, each.word) for each in message.items]


def test_all_that_is_not_known_goes_into_one_message_and_no_two_come_soon() -> None:
    problems = [problem(1), problem(2, "late"), problem(3, "overdue")]
    assert words(decide(problems, target=target(), standing=standing(), now=NOW)) == [
        (1, "new"), (2, "new"), (3, "new"),
    ]  # fmt: skip
    knows = standing(told={1: Told(NOW, False)}, sent=(NOW,))
    assert decide(problems, target=target(), standing=knows, now=NOW + MINUTE / 2) is None
    assert words(decide(problems, target=target(), standing=knows, now=NOW + MINUTE)) == [
        (2, "new"), (3, "new"),
    ]  # fmt: skip
    hurry = decide(problems, target=target(), standing=knows, now=NOW + MINUTE / 2, flush=True)
    assert len(words(hurry)) == 2, "who ends does not wait"


def test_who_did_not_ask_for_it_is_not_told() -> None:
    only = target(on=frozenset({"overdue"}))
    assert words(decide([problem(1), problem(2, "overdue")], target=only, standing=standing(), now=NOW)) == [
        (2, "new")
    ]
    well = [problem(1, closed=NOW)]
    told = standing(told={1: Told(NOW - HOUR, False)})
    assert decide(well, target=target(on=frozenset({"failed"})), standing=told, now=NOW) is None


def test_what_is_over_is_told_once_and_what_lasts_is_told_again_after_long() -> None:
    over, lasting = problem(1, closed=NOW), problem(2)
    told = {1: Told(NOW - HOUR, False), 2: Told(NOW - 24 * HOUR, False)}
    message = decide([over, lasting], target=target(), standing=standing(told=told), now=NOW)
    assert words(message) == [(1, "over"), (2, "still")]
    assert message is not None
    assert message.known == {1: True, 2: False}
    knows = standing(told={1: Told(NOW, True), 2: Told(NOW, False)})
    assert decide([over, lasting], target=target(), standing=knows, now=NOW + 23 * HOUR) is None
    assert (
        decide([lasting], target=target(remind=timedelta(0)), standing=standing(told=told), now=NOW) is None
    )
    missed = decide([over], target=target(), standing=standing(), now=NOW)
    assert words(missed) == [(1, "passed")]
    newcomer = standing(since=NOW + MINUTE)
    assert decide([over], target=target(), standing=newcomer, now=NOW + MINUTE) is None, "before its time"


def test_a_broken_lake_makes_no_storm() -> None:
    few = target(per_hour=3)
    sent = tuple(NOW - n * 10 * MINUTE for n in (1, 2))
    last = decide([problem(1)], target=few, standing=standing(sent=sent), now=NOW)
    assert last is not None
    assert last.quiet_until == NOW + 40 * MINUTE
    full = standing(sent=(NOW, *sent))
    assert decide([problem(2)], target=few, standing=full, now=NOW + 39 * MINUTE) is None
    assert words(decide([problem(2)], target=few, standing=full, now=NOW + 41 * MINUTE)) == [(2, "new")]


def test_who_could_not_be_reached_is_left_in_peace_for_a_while() -> None:
    waits = standing(tries=1, next_try=NOW + MINUTE)
    assert decide([problem(1)], target=target(), standing=waits, now=NOW) is None
    assert words(decide([problem(1)], target=target(), standing=waits, now=NOW + MINUTE)) == [(1, "new")]


def said(*problems: Problem, told: dict[int, Told] | None = None, now: datetime = NOW) -> Text:
    message = decide(problems, target=target(), standing=standing(told=told or {}), now=now)
    assert message is not None
    return text_of(message, lake="shop", now=now, next_runs={"vacuum": NOW + HOUR})


def test_messages_in_words() -> None:
    failed = problem(1, subject="vacuum", detail={"run": "run-7", "reason": "the table is held"})
    missed = problem(2, "late", subject="load", detail={"moment": (NOW - HOUR).isoformat()})
    due = problem(3, "overdue", subject="req-1", detail={"due": (NOW - timedelta(days=3.5)).isoformat()})
    odd = problem(4, "out_of_control", subject="inc-1", detail={"text": "rows of load: far from the mean"})
    text = said(failed, missed, due, odd)
    assert text.title == "[shop] 1 failed, 1 late, 1 overdue, 1 out of control"
    assert text.tone == "failure"
    assert text.body.splitlines() == [
        "- job vacuum failed: the table is held (run run-7); next run 2026-03-01 13:30 UTC",
        "- job load was not begun: it was due 2026-03-01 11:30 UTC, 1h ago",
        "- request req-1 is overdue by 3 days",
        "- incident inc-1: rows of load: far from the mean",
    ]
    again = said(replace(failed, times=7), told={1: Told(NOW - 24 * HOUR, False)})
    assert again.title == "[shop] job vacuum still failed"
    assert "still, since 2026-03-01 12:30 UTC: job vacuum failed" in again.body
    assert "7 times" in again.body
    well = said(replace(failed, closed=NOW, times=2), told={1: Told(NOW, False)})
    assert (well.title, well.tone) == ("[shop] job vacuum recovered", "success")
    assert well.body == "- job vacuum succeeded, after it had failed 2 times"
    many = said(*(replace(failed, seq=n) for n in range(1, 31)))
    assert "and 10 more (10 failed)" in many.body


def test_a_target_is_shown_without_what_is_secret() -> None:
    assert shown("json://user:pass@hooks.example:8080/T0/abc?token=x") == "json://hooks.example:8080"
    assert shown("slack://xoxb-1/2/3/#ops") == "slack://********"
    addresses = ["slack://xoxb-1/2/3/#ops", "slack://xoxb-9/2/3/#ops"]
    config = load_config({"version": 1, "alerts": [{"to": each} for each in addresses]})
    one, two = targets_of(config, salt="db")
    assert (one.name, two.name) == ("slack://********", "slack://******** (2)")
    assert one.id != two.id
    assert "xoxb" not in repr((one, two, config.alerts))
