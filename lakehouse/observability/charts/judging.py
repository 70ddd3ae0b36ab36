"""Is a point out of control, and is what was out of control well again? Pure.

What is usual is learned from the points before the one that is judged, without those of known incidents, and,
as soon as there are enough, without the newest seven: a shift that has just begun must not move what it is
judged by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lakehouse.observability.charts.limits import Limits, limits_of
from lakehouse.observability.charts.measures import Measure, Sample
from lakehouse.observability.charts.rules import LONGEST, Signal, signals_at
from lakehouse.observability.charts.settings import Settings


@dataclass(frozen=True, slots=True)
class Span:
    """A time whose points are known to be out of the usual.

    Args:
        start: Its first point.
        end: Its last one; None while it goes on.
    """

    start: datetime
    end: datetime | None

    def holds(self, moment: datetime) -> bool:
        """Whether a point lies in it."""
        return self.start <= moment and (self.end is None or moment <= self.end)


@dataclass(frozen=True, slots=True)
class Known:
    """What incidents of before say about a series.

    Args:
        spans: Their times: left out of what is usual.
        since: From when on another level is the usual one; None where none was declared so.
    """

    spans: tuple[Span, ...] = ()
    since: datetime | None = None

    def leaves_out(self, moment: datetime) -> bool:
        """Whether a point is not to be learned from."""
        early = self.since is not None and moment < self.since
        return early or any(span.holds(moment) for span in self.spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be said of a point.

    Args:
        limits: By what it was judged; None where too little was known.
        signals: The rules that it breaks; their points are places in the points that were given.
        calm: How many points in a row, up to this one, break none; only counted during an incident.
        last_out: During an incident, the last point before those that break none.
    """

    limits: Limits | None
    signals: tuple[Signal, ...] = ()
    calm: int = 0
    last_out: datetime | None = field(default=None)


def usual(before: Sequence[Sample], *, settings: Settings, measure: Measure, now: datetime) -> Limits | None:
    """Learns what is usual from the points before one.

    Args:
        before: Those that can be learned from, in the order of time.
        settings: How many are needed.
        measure: How they are looked at.
        now: When the point is that is to be judged.

    Returns:
        None where there are too few.
    """
    for skipped in (LONGEST - 1, 0):
        some = before[: len(before) - skipped]
        if isinstance(settings.baseline, timedelta):
            oldest = now - settings.baseline
            some = [each for each in some if each.at >= oldest]
        else:
            some = some[-settings.baseline :]
        if len(some) >= settings.min_points:
            return limits_of([each.value for each in some], floor=measure.floor)
    return None


def judge(
    samples: Sequence[Sample], at: int, *, measure: Measure, settings: Settings, known: Known
) -> Verdict:
    """Judges a point of a series that has no open incident.

    Args:
        samples: The points up to it and perhaps more, in the order of time.
        at: Its place among the samples.
        measure: How they are looked at.
        settings: What the config says.
        known: What incidents of before say.
    """
    sample = samples[at]
    clean = [each for each in samples[:at] if each.role == "point" and not known.leaves_out(each.at)]
    limits = usual(clean, settings=settings, measure=measure, now=sample.at)
    if limits is None or known.leaves_out(sample.at):
        return Verdict(limits=limits)
    return Verdict(limits=limits, signals=_signals([*clean, sample], limits, measure, settings))


def follow(
    samples: Sequence[Sample],
    at: int,
    *,
    limits: Limits,
    measure: Measure,
    settings: Settings,
    start: datetime,
) -> Verdict:
    """Judges a point of a series whose incident is open, by what was usual when it was opened.

    Args:
        samples: The points up to it and perhaps more, in the order of time.
        at: Its place among the samples.
        limits: What was usual.
        measure: How they are looked at.
        settings: What the config says.
        start: The first point of the incident.
    """
    during = [each for each in samples[: at + 1] if each.at >= start]
    calm, last_out = 0, None
    newest: tuple[Signal, ...] = ()
    for place in range(len(during) - 1, -1, -1):
        found = _signals(during[: place + 1], limits, measure, settings)
        if place == len(during) - 1:
            newest = found
        if found:
            last_out = during[place].at
            break
        # One that can still grow is not known to be well.
        calm += during[place].role == "point"
        if calm >= settings.recover_after:
            last_out = during[place - 1].at if place > 0 else start
            break
    return Verdict(limits=limits, signals=newest, calm=calm, last_out=last_out)


def _signals(
    samples: Sequence[Sample], limits: Limits, measure: Measure, settings: Settings
) -> tuple[Signal, ...]:
    """The rules that the last of some points breaks, with its points as places in the series."""
    newest = samples[-1]
    sides: tuple[bool, ...]
    recent = samples[-LONGEST:]
    if newest.role == "open":
        rules, sides = tuple(set(settings.rules) & {"beyond_3_sigma"}), (True,)
    else:
        rules, sides = settings.rules, measure.sides
        recent = [each for each in recent if each.role == "point"]
    values = [each.value for each in recent]
    found = signals_at(values, len(values) - 1, limits=limits, rules=rules, sides=sides)
    return tuple(
        Signal(each.rule, each.above, tuple(recent[place].place for place in each.points)) for each in found
    )
