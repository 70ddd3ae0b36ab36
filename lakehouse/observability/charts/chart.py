"""A chart as data: points, what is usual, and which points are out of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lakehouse.observability.charts.judging import Known, follow, judge
from lakehouse.observability.charts.limits import Limits
from lakehouse.observability.charts.measures import Measure, Role, Sample, samples_of
from lakehouse.observability.charts.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPoint:
    """A point of a chart.

    Args:
        at: When.
        value: As it is judged: for what grows, by how much it grew.
        judged: The same on the scale of the chart, which can be logarithmic.
        version: The version of the table; None for jobs.
        run: The run that it comes from; empty where none is known.
        rules: The rules that it breaks.
        left_out: Whether it belongs to a known incident, or to a level that is not the usual one any more.
    """

    at: datetime
    value: float
    judged: float
    version: int | None = None
    run: str = ""
    rules: tuple[str, ...] = ()
    left_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart of a series.

    Args:
        scope: ``job`` or ``table``.
        subject: Its name.
        measure: What is measured, as ``rows`` or ``null_share:email``.
        unit: What the values are.
        title: What they are, for people.
        points: In the order of time.
        center: What is usual; None where too little is known.
        lower: Three sigma below; values are on the same scale as those of the points.
        upper: Three sigma above.
        baseline: From how many points that was learned.
        logarithmic: Whether the scale of the chart is.
        limits: The same on the scale of the chart.
    """

    scope: str
    subject: str
    measure: str
    unit: str
    title: str
    points: tuple[ChartPoint, ...]
    center: float | None = None
    lower: float | None = None
    upper: float | None = None
    baseline: int = 0
    logarithmic: bool = False
    limits: Limits | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {
            self.scope: self.subject,
            "measure": self.measure,
            "unit": self.unit,
            "title": self.title,
            "center": self.center,
            "lower": self.lower,
            "upper": self.upper,
            "baseline_points": self.baseline,
            "logarithmic": self.logarithmic,
            "points": [
                {
                    "time": each.at,
                    "value": each.value,
                    "version": each.version,
                    "run": each.run or None,
                    "rules": list(each.rules),
                    "left_out": each.left_out,
                }
                for each in self.points
            ],
        }


def chart_of(
    points: Sequence[tuple[datetime, float | None, Role, int | None, str]],
    *,
    scope: str,
    subject: str,
    name: str,
    measure: Measure,
    settings: Settings,
    known: Known,
    fixed: tuple[Limits, datetime] | None = None,
    most: int | None = None,
) -> Chart:
    """Makes a chart.

    Args:
        points: Time, value, role, version and run, in the order of time.
        scope: ``job`` or ``table``.
        subject: Its name.
        name: What is measured.
        measure: How it is looked at.
        settings: What the config says.
        known: What incidents of before say.
        fixed: During an incident, or for one: what was usual when it was opened, and its first point.
        most: Only so many of the newest points are part of it.
    """
    samples = samples_of([each[:3] for each in points], measure)
    shown = range(max(len(samples) - most, 0) if most is not None else 0, len(samples))
    limits: Limits | None = None if fixed is None else fixed[0]
    found: list[ChartPoint] = []
    for at in shown:
        rules, newest = _rules(samples, at, measure=measure, settings=settings, known=known, fixed=fixed)
        limits = newest if fixed is None else limits
        sample = samples[at]
        _, value, _, version, run = points[sample.place]
        found.append(
            ChartPoint(
                at=sample.at,
                value=sample.value if measure.shape == "step" else value or 0.0,
                judged=sample.value,
                version=version,
                run=run,
                rules=rules,
                left_out=known.leaves_out(sample.at),
            )
        )
    chart = Chart(
        scope=scope,
        subject=subject,
        measure=name,
        unit=measure.unit,
        title=measure.title,
        points=tuple(found),
        logarithmic=measure.shape == "log",
    )
    return chart if limits is None else _with_limits(chart, limits, measure)


def _rules(
    samples: Sequence[Sample],
    at: int,
    *,
    measure: Measure,
    settings: Settings,
    known: Known,
    fixed: tuple[Limits, datetime] | None,
) -> tuple[tuple[str, ...], Limits | None]:
    if fixed is not None and samples[at].at >= fixed[1]:
        verdict = follow(samples, at, limits=fixed[0], measure=measure, settings=settings, start=fixed[1])
    else:
        verdict = judge(samples, at, measure=measure, settings=settings, known=known)
    return tuple(dict.fromkeys(each.rule for each in verdict.signals)), verdict.limits


def _with_limits(chart: Chart, limits: Limits, measure: Measure) -> Chart:
    return Chart(
        scope=chart.scope,
        subject=chart.subject,
        measure=chart.measure,
        unit=chart.unit,
        title=chart.title,
        points=chart.points,
        center=measure.shown(limits.center),
        lower=measure.shown(limits.lower),
        upper=measure.shown(limits.upper),
        baseline=limits.points,
        logarithmic=chart.logarithmic,
        limits=limits,
    )
