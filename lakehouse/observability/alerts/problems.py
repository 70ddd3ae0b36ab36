"""What is wrong now, from what happened. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from lakehouse.config.firing import jitter
from lakehouse.config.models.jobs import JobConfig
from lakehouse.observability.incidents.happenings import Happened
from lakehouse.state.alert_rows import OpenRequest, Problem, RunEnd

KEPT: Final = timedelta(days=7)
"""So long something that is over is still told to those who could not be reached."""
_LONGEST: Final = 300

Kind = Literal["failed", "late", "overdue", "out_of_control"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that is seen of a lake at a moment.

    Args:
        now: The moment (timezone-aware).
        jobs: The names of its jobs.
        ends: Runs that succeeded or failed since, in their order.
        late: The jobs that should have been begun, each with the moment that was missed.
        overdue: What was asked and should be done.
        incidents: What happened to incidents since, in its order.
    """

    now: datetime
    jobs: frozenset[str] = frozenset()
    ends: Sequence[RunEnd] = ()
    late: Mapping[str, datetime] = field(default_factory=dict)
    overdue: Sequence[OpenRequest] = ()
    incidents: Sequence[Happened] = ()


def judge(known: Sequence[Problem], *, seen: Seen) -> list[Problem]:
    """Says what came up and what is over.

    What happened can be shown again: a problem remembers the last event that it knows of.

    Args:
        known: The problems that are kept.
        seen: What is seen now.

    Returns:
        Those that are new (without a number) or have changed.
    """
    book = _Book(known)
    for end in seen.ends:
        _of_run(book, end)
    for happened in seen.incidents:
        _of_incident(book, happened)
    _of_now(book, "late", {job: {"moment": at.isoformat()} for job, at in seen.late.items()}, seen.now)
    due = {each.id: {"due": each.due.isoformat(), "kind": each.kind} for each in seen.overdue}
    _of_now(book, "overdue", due, seen.now)
    for each in book.open("failed"):
        if each.subject not in seen.jobs:
            book.close(each, at=seen.now, detail={"gone": True})
    return list(book.changed())


class _Book:
    """Problems, each as it is now, and which of them are not as they are kept."""

    def __init__(self, known: Sequence[Problem]) -> None:
        self._kept = {each.seq: each for each in known}
        # Of one key the last one counts: those before are over.
        self._now = {each.key: each for each in known}
        self._over: list[Problem] = []

    def find(self, key: str) -> Problem | None:
        return self._now.get(key)

    def open(self, kind: Kind) -> list[Problem]:
        return [each for each in self._now.values() if each.kind == kind and each.closed is None]

    def put(self, problem: Problem) -> None:
        before = self._now.get(problem.key)
        if before is not None and before.closed is not None and problem.closed is None:
            self._over.append(before)
        self._now[problem.key] = problem

    def close(self, problem: Problem, *, at: datetime, upto: int = 0, detail: Mapping[str, Any]) -> None:
        self.put(
            replace(
                problem,
                closed=at,
                upto=max(problem.upto, upto),
                detail={**problem.detail, **detail},
            )
        )

    def changed(self) -> Iterator[Problem]:
        for each in (*self._over, *self._now.values()):
            if self._kept.get(each.seq) != each:
                yield each


def _of_run(book: _Book, end: RunEnd) -> None:
    key = f"failed:{end.job}"
    known = book.find(key)
    if known is not None and end.seq <= known.upto:
        return
    if end.event == "succeeded":
        if known is not None and known.closed is None:
            book.close(known, at=end.at, upto=end.seq, detail={"after": end.run})
        return
    detail = {
        "run": end.run,
        "moment": end.fire_time.isoformat(),
        "reason": _short(str(end.detail.get("reason", ""))),
    }
    if known is None or known.closed is not None:
        book.put(
            Problem(
                key=key,
                kind="failed",
                subject=end.job,
                opened=end.at,
                last=end.at,
                upto=end.seq,
                detail=detail,
            )
        )
    else:
        book.put(replace(known, last=end.at, times=known.times + 1, upto=end.seq, detail=detail))


def _of_incident(book: _Book, each: Happened) -> None:
    key = f"out_of_control:{each.incident}"
    known = book.find(key)
    if known is not None and each.seq <= known.upto:
        return
    if each.event == "opened" and known is None:
        book.put(
            Problem(
                key=key,
                kind="out_of_control",
                subject=each.incident,
                opened=each.at,
                last=each.at,
                upto=each.seq,
                detail={"text": _short(each.text)},
            )
        )
    elif each.event == "resolved" and known is not None and known.closed is None:
        book.close(known, at=each.at, upto=each.seq, detail={})


def _of_now(book: _Book, kind: Kind, subjects: Mapping[str, Mapping[str, Any]], now: datetime) -> None:
    """Problems that are seen by looking, not by what happened."""
    for known in book.open(kind):
        if known.subject not in subjects:
            book.close(known, at=now, detail={})
    for subject, detail in subjects.items():
        known_ = book.find(f"{kind}:{subject}")
        if known_ is None or known_.closed is not None:
            key = f"{kind}:{subject}"
            book.put(Problem(key=key, kind=kind, subject=subject, opened=now, last=now, detail=dict(detail)))


def late(
    name: str,
    job: JobConfig,
    *,
    newest: datetime | None,
    begun: datetime | None,
    waiting: datetime | None,
    now: datetime,
) -> datetime | None:
    """Whether a job should have been begun and was not.

    Args:
        name: The job.
        job: Its section of the config.
        newest: The newest moment of its schedule that is past by now and `late_after`.
        begun: The latest moment for which it has a run; None where it never had one.
        waiting: The moment of that run, where it was written down and nobody began it.
        now: The time.

    Returns:
        The moment that was missed; None where it is not late.
    """
    missed = waiting
    if newest is not None and (begun is None or newest > begun):
        missed = newest if missed is None else min(missed, newest)
    if missed is None:
        return None
    return missed if missed + jitter(job, name=name, fire_time=missed) + job.late_after < now else None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
