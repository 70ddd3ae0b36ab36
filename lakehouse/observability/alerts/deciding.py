"""Whether somebody is told something now, and what. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from lakehouse.observability.alerts.targets import Target
from lakehouse.state.alert_rows import Problem, Standing

HOUR: Final = timedelta(hours=1)

Word = Literal["new", "still", "over", "passed"]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a message tells.

    Args:
        problem: What it is about.
        word: ``new``; ``still``: it was told long ago; ``over``: it was told, and is well again;
            ``passed``: it came and went before it could be told.
    """

    problem: Problem
    word: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What somebody is told.

    Args:
        items: In the order in which it came.
        quiet_until: Until when nothing more is told, since it was too much; None where it was not.
    """

    items: tuple[Item, ...]
    quiet_until: datetime | None = None

    @property
    def known(self) -> dict[int, bool]:
        """What one knows who was told: numbers of problems, each with whether it is over."""
        return {each.problem.seq: each.problem.closed is not None for each in self.items}


def decide(
    problems: Sequence[Problem],
    *,
    target: Target,
    standing: Standing,
    now: datetime,
    flush: bool = False,
) -> Message | None:
    """Decides what a target is told now.

    Args:
        problems: What is wrong, and what was until not long ago, in the order in which it came.
        target: Who.
        standing: What it was told, and when.
        now: The time.
        flush: Does not wait for more to come, since whoever asks is about to end.

    Returns:
        All that it does not know, in one message; None where there is nothing, or it is too soon.
    """
    if standing.next_try is not None and now < standing.next_try:
        return None
    items = tuple(_items(problems, target=target, standing=standing, now=now))
    if not items:
        return None
    hour = [each for each in standing.sent if each > now - HOUR]
    if len(hour) >= target.per_hour:
        return None
    if hour and not flush and now < max(hour) + target.group:
        return None
    last = len(hour) + 1 == target.per_hour and target.per_hour > 1
    return Message(items=items, quiet_until=min(hour) + HOUR if last else None)


def _items(
    problems: Sequence[Problem], *, target: Target, standing: Standing, now: datetime
) -> Iterator[Item]:
    for each in problems:
        told = standing.told.get(each.seq)
        wanted = each.kind in target.on
        if each.closed is None:
            if wanted and told is None:
                yield Item(each, "new")
            elif wanted and told is not None and target.remind and now >= told.at + target.remind:
                yield Item(each, "still")
        elif told is not None:
            if not told.done and "recovered" in target.on:
                yield Item(each, "over")
        elif each.closed >= standing.since:
            if wanted:
                yield Item(each, "passed")
            elif "recovered" in target.on:
                yield Item(each, "over")
