"""Keeps points, judges them, opens incidents and lets them recover.

Any number of processes do so on one state database. Each judges the points that it has kept itself, by what
it finds there then; of a series one incident is open at most, whoever was first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from lakehouse.config import Config
from lakehouse.observability.charts.judging import Verdict, follow, judge
from lakehouse.observability.charts.measures import MEASURES, Measure, Sample, Scope, samples_of
from lakehouse.observability.charts.rules import RULES
from lakehouse.observability.charts.settings import Settings, settings_of
from lakehouse.observability.incidents.status import OPEN, known_of, limits_then, status_of
from lakehouse.observability.incidents.taking import Taken
from lakehouse.state.chart_rows import Point, Series
from lakehouse.state.database import State
from lakehouse.state.incidents import Told

_KEPT_POINTS: Final = 40
_ORDER: Final = {rule.name: place for place, rule in enumerate(RULES)}

Around = Callable[[Taken, Sequence[Point]], dict[str, Any]]
"""Tells what changed around some points."""


@dataclass(slots=True)
class Changes:
    """What became of incidents.

    Args:
        opened: The ids of those that were opened.
        recovered: The ids of those that are well again.
    """

    opened: list[str] = field(default_factory=list)
    recovered: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Watches the series of a lake.

    Args:
        config: The lake's config.
        state: Its state database.
        around: Tells what changed around a signal; asked only for those that open an incident.
    """

    config: Config
    state: State
    around: Around

    def note(self, taken: Sequence[Taken], *, now: datetime) -> Changes:
        """Keeps points and judges them.

        Args:
            taken: The points of runs and tables.
            now: The time.

        Returns:
            The incidents that were opened, or recovered.

        Raises:
            StorageError: The state database can't be used.
        """
        done = Changes()
        fresh = self.state.points.record([each.batch for each in taken], keep=self.config.charts.keep)
        judged = [each for each in fresh if self._is_judged(each)]
        if not judged:
            return done
        by_subject = {(each.batch.scope, each.batch.subject): each for each in taken}
        for count, some in self._by_window(judged).items():
            points, troubled = self.state.points.window(some, count=count)
            told = self.state.incidents.of_series(sorted(troubled)) if troubled else {}
            for head in some:
                series = _Watched(self, head, points[head.seq], told.get(head.seq, []))
                if series.is_cut_short(count):
                    more = self.state.points.last([head], count=self.config.charts.keep)
                    series = _Watched(self, head, more[head.seq], told.get(head.seq, []))
                series.settle(by_subject[head.key.scope, head.key.subject], now=now, done=done)
        return done

    def _is_judged(self, head: Series) -> bool:
        # How a table is now, for whoever asks, is nothing to judge; nor is what has hardly begun.
        settings = self.settings(head)
        enough = head.newest.number > settings.min_points
        return enough and head.newest.role != "level" and head.key.measure in settings.measures

    def _by_window(self, heads: Sequence[Series]) -> dict[int, list[Series]]:
        found: dict[int, list[Series]] = {}
        for each in heads:
            found.setdefault(self.settings(each).window, []).append(each)
        return found

    def settings(self, head: Series) -> Settings:
        """What the config says for a series."""
        scope: Scope = "job" if head.key.scope == "job" else "table"
        return settings_of(self.config.charts, scope=scope, subject=head.key.subject)


class _Watched:
    """A series whose newest point is to be judged."""

    def __init__(self, watch: Watch, head: Series, points: Sequence[Point], told: Sequence[Told]) -> None:
        self.watch = watch
        self.head = head
        self.points = points
        self.told = told
        self.settings = watch.settings(head)
        scope: Scope = "job" if head.key.scope == "job" else "table"
        self.measure: Measure = MEASURES[scope][head.key.measure]
        self.open = next((each for each in reversed(told) if status_of(each[1]) in OPEN), None)
        self.samples: list[Sample] = samples_of(
            [(each.at, each.value, each.role) for each in points], self.measure
        )
        numbers = [points[each.place].number for each in self.samples]
        self.at = numbers.index(head.newest.number) if head.newest.number in numbers else None
        self.verdict = None if self.at is None else self._judged(self.at)

    def _judged(self, at: int) -> Verdict:
        if self.open is not None:
            row = self.open[0]
            return follow(
                self.samples,
                at,
                limits=limits_then(row),
                measure=self.measure,
                settings=self.settings,
                start=row.first,
            )
        return judge(
            self.samples, at, measure=self.measure, settings=self.settings, known=known_of(self.told)
        )

    def is_cut_short(self, count: int) -> bool:
        """Whether known incidents have left too little of the points that were read, and there are more."""
        nothing = self.verdict is None or self.verdict.limits is None
        return nothing and bool(self.told) and self.head.newest.number > count

    def settle(self, taken: Taken, *, now: datetime, done: Changes) -> None:
        """Opens an incident, adds to the one that is open, or lets it recover."""
        verdict, incidents = self.verdict, self.watch.state.incidents
        if verdict is None or self.at is None:
            return
        if self.open is None:
            if verdict.signals and (found := self._opened(verdict, taken, now)) is not None:
                done.opened.append(found)
            return
        row, events = self.open
        over = {"recovered", "resolved"}
        if verdict.signals:
            seen = {row.rule, *(each.detail.get("rule") for each in events)}
            for rule in dict.fromkeys(each.rule for each in verdict.signals if each.rule not in seen):
                incidents.add(row.id, "signal", unless=over, now=now, detail={"rule": rule})
        elif verdict.calm >= self.settings.recover_after:
            until = verdict.last_out or row.first
            detail = {"until": until.isoformat(), "points": verdict.calm}
            if incidents.add(row.id, "recovered", unless=over, now=now, detail=detail, ends=True):
                done.recovered.append(row.id)

    def _opened(self, verdict: Verdict, taken: Taken, now: datetime) -> str | None:
        signals = sorted(verdict.signals, key=lambda each: _ORDER[each.rule])
        out = {place for each in signals for place in each.points}
        first = min(out)
        around = self.watch.around(taken, self.points[max(first - 1, 0) :])
        limits = verdict.limits
        assert limits is not None  # noqa: S101 - there is no signal without
        judged = {each.place: each.value for each in self.samples}
        kept = range(max(len(self.points) - _KEPT_POINTS, 0), len(self.points))
        detail = {
            "judged_by": {
                "center": _rounded(limits.center),
                "sigma": _rounded(limits.sigma),
                "points": limits.points,
            },
            "limits": {
                "center": self._shown(limits.center),
                "lower": self._shown(limits.lower),
                "upper": self._shown(limits.upper),
                "baseline_points": limits.points,
            },
            "value": self._shown(judged[max(out)]),
            "points": [
                {
                    "time": self.points[place].at.isoformat(),
                    "value": self._shown(judged[place]),
                    "version": self.points[place].version,
                    "run": self.points[place].run or None,
                    "out": place in out,
                }
                for place in kept
                if place in judged
            ],
            "around": around,
        }
        incidents = self.watch.state.incidents
        found = incidents.open(
            series_seq=self.head.seq,
            first=self.points[first].at,
            rule=signals[0].rule,
            detail=detail,
            now=now,
        )
        if found is not None:
            for each in dict.fromkeys(each.rule for each in signals[1:]):
                incidents.add(found, "signal", unless={"resolved"}, now=now, detail={"rule": each})
        return found

    def _shown(self, judged: float) -> float:
        return _rounded(self.measure.shown(judged))


def _rounded(value: float) -> float:
    """A number as an incident keeps it: long rows of digits could be taken for those of somebody's number."""
    return float(f"{value:.9g}")
