"""Messages in words. Pure. Nothing is said of people: of requests only their ids and how late they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from lakehouse.config.durations import format_duration
from lakehouse.observability.alerts.deciding import Item, Message
from lakehouse.state.alert_rows import Problem

_MOST: Final = 20
_SHORT: Final = {"failed": "failed", "late": "late", "overdue": "overdue", "out_of_control": "out of control"}
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Text:
    """A message as it is sent.

    Args:
        title: In a line.
        body: All of it.
        tone: How bad it is.
    """

    title: str
    body: str
    tone: Literal["failure", "warning", "success", "info"]


def text_of(message: Message, *, lake: str, now: datetime, next_runs: Mapping[str, datetime | None]) -> Text:
    """Puts a message in words.

    Args:
        message: What is told.
        lake: The lake's name.
        now: The time.
        next_runs: When jobs run next, by job.
    """
    lines = [f"- {line_of(each, now=now, next_runs=next_runs)}" for each in message.items[:_MOST]]
    left = message.items[_MOST:]
    if left:
        lines.append(f"- and {len(left):,} more ({_counted(left)}): see `lakehouse status`")
    if message.quiet_until is not None:
        until = _moment(message.quiet_until)
        lines += ["", f"This is much at once: what comes up now is told after {until}, all in one message."]
    return Text(title=f"[{lake}] {_headline(message)}", body="\n".join(lines), tone=_tone(message))


def line_of(item: Item, *, now: datetime, next_runs: Mapping[str, datetime | None]) -> str:
    """One thing in a line.

    Args:
        item: The thing.
        now: The time.
        next_runs: When jobs run next, by job.
    """
    problem = item.problem
    if item.word == "over":
        return _over(problem)
    told = _TOLD[problem.kind](problem, now)
    if item.word == "passed":
        return f"{told}; since then: {_over(problem)}"
    if item.word == "still":
        told = f"still, since {_moment(problem.opened)}: {told}"
        if problem.times > 1:
            told += f"; {problem.times:,} times"
    if problem.kind == "failed" and next_runs.get(problem.subject) is not None:
        told += f"; next run {_moment(next_runs[problem.subject])}"
    return told


def _failed(problem: Problem, now: datetime) -> str:
    del now
    detail = problem.detail
    about = f"run {detail.get('run', '?')}"
    return f"job {problem.subject} failed: {detail.get('reason') or 'for no stated reason'} ({about})"


def _late(problem: Problem, now: datetime) -> str:
    missed = _parsed(problem.detail.get("moment"))
    since = "" if missed is None else f": it was due {_moment(missed)}, {_long(now - missed)} ago"
    return f"job {problem.subject} was not begun{since}"


def _overdue(problem: Problem, now: datetime) -> str:
    due = _parsed(problem.detail.get("due"))
    days = 0 if due is None else (now - due) // _DAY
    how = "since today" if days < 1 else f"by {days:,} day{'' if days == 1 else 's'}"
    return f"request {problem.subject} is overdue {how}"


def _out_of_control(problem: Problem, now: datetime) -> str:
    del now
    return f"incident {problem.subject}: {problem.detail.get('text') or 'out of control'}"


_TOLD: Final = {
    "failed": _failed,
    "late": _late,
    "overdue": _overdue,
    "out_of_control": _out_of_control,
}


def _over(problem: Problem) -> str:
    subject = problem.subject
    if problem.kind == "failed":
        if problem.detail.get("gone"):
            return f"job {subject}, which had failed, is not in the config any more"
        times = "" if problem.times == 1 else f" {problem.times:,} times"
        return f"job {subject} succeeded, after it had failed{times}"
    if problem.kind == "late":
        return f"job {subject} is not late any more"
    if problem.kind == "overdue":
        return f"request {subject}, which was overdue, is done"
    return f"incident {subject} is resolved"


def _headline(message: Message) -> str:
    if len(message.items) == 1:
        item = message.items[0]
        noun = {"overdue": "request", "out_of_control": "incident"}.get(item.problem.kind, "job")
        word = _SHORT[item.problem.kind] if item.word in {"new", "still"} else "recovered"
        still = "still " if item.word == "still" else ""
        return f"{noun} {item.problem.subject} {still}{word}"
    return _counted(message.items)


def _counted(items: tuple[Item, ...]) -> str:
    counts: Counter[str] = Counter()
    for each in items:
        counts["recovered" if each.word in {"over", "passed"} else _SHORT[each.problem.kind]] += 1
    order = (*_SHORT.values(), "recovered")
    return ", ".join(f"{counts[word]:,} {word}" for word in order if counts[word])


def _tone(message: Message) -> Literal["failure", "warning", "success", "info"]:
    wrong = [each for each in message.items if each.word in {"new", "still"}]
    if not wrong:
        return "success"
    return "failure" if any(each.problem.kind == "failed" for each in wrong) else "warning"


def _moment(moment: datetime | None) -> str:
    return "?" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def _parsed(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _long(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for step in (86400, 3600, 60):
        if seconds >= step:
            return format_duration(timedelta(seconds=seconds // step * step))
    return f"{seconds}s"
