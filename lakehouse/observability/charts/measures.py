"""How each measure is looked at. Pure.

Run times, amounts and ages can't be negative and scatter by factors: their logarithms are judged. What only
grows, as a table does, has no usual level: its change from point to point is judged. Reasons and figures:
``docs/decisions/0022-charts-judge-what-is-stationary.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

Scope: TypeAlias = Literal["job", "table"]
Shape: TypeAlias = Literal["plain", "log", "step"]
Role: TypeAlias = Literal["point", "open", "level"]
"""``point``: judged, and learned from; ``open``: it can still grow, so only too much is judged; ``level``:
how it is now, for whoever asks, and nothing to judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How a measure is looked at.

    Args:
        name: What the config calls it.
        unit: What its values are.
        shape: ``plain``: as it is; ``log``: its logarithm; ``step``: its change from point to point.
        offset: ``log``: added before, so that zero has one and differences of tiny values don't count.
        floor: The least that sigma can be, on the scale that is judged.
        sides: Which sides are judged: True above, False below.
        title: What it is, for people.
    """

    name: str
    unit: Literal["seconds", "rows", "bytes", "files", "share"]
    shape: Shape
    floor: float
    title: str
    offset: float = 0.0
    sides: tuple[bool, ...] = (True, False)

    def judged(self, value: float) -> float:
        """A value on the scale that is judged; for ``step`` that of a change.

        Args:
            value: Not negative where it is a logarithm.
        """
        return math.log(max(value, 0.0) + self.offset) if self.shape == "log" else value

    def shown(self, judged: float) -> float:
        """The value that a place on the scale stands for; limits end where values do.

        Args:
            judged: On the scale that is judged.
        """
        if self.unit == "share":
            return min(max(judged, 0.0), 1.0)
        if self.shape != "log":
            return judged
        # Three sigma of a baseline that scatters wildly can be more than a float holds.
        return max(math.exp(min(judged, 700.0)) - self.offset, 0.0)


_TABLE: Final[tuple[Measure, ...]] = (
    Measure(name="rows", unit="rows", shape="step", floor=1.0, title="rows that it grew by"),
    Measure(name="bytes", unit="bytes", shape="step", floor=1_000.0, title="bytes that it grew by"),
    Measure(name="files", unit="files", shape="step", floor=1.0, title="files that it grew by"),
    Measure(
        name="null_share",
        unit="share",
        shape="plain",
        floor=0.001,
        title="share of nulls in the rows that came",
    ),
    Measure(
        name="change_rate", unit="rows", shape="log", offset=1.0, floor=0.05, title="rows changed a version"
    ),
    Measure(
        name="freshness",
        unit="seconds",
        shape="log",
        offset=60.0,
        floor=0.05,
        sides=(True,),
        title="age that the data reached",
    ),
)
_JOB: Final[tuple[Measure, ...]] = (
    Measure(name="seconds", unit="seconds", shape="log", offset=1.0, floor=0.05, title="run time"),
    Measure(name="rows", unit="rows", shape="log", offset=1.0, floor=0.05, title="rows of a run"),
    Measure(name="bytes", unit="bytes", shape="log", offset=1_000.0, floor=0.05, title="bytes of a run"),
)
MEASURES: Final[Mapping[Scope, Mapping[str, Measure]]] = {
    "job": {each.name: each for each in _JOB},
    "table": {each.name: each for each in _TABLE},
}
"""The measures of jobs and of tables, by name."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A value on the scale that is judged.

    Args:
        place: Which of the points it comes from.
        at: When.
        value: The value.
        role: See `Role`.
    """

    place: int
    at: datetime
    value: float
    role: Role


def samples_of(points: Sequence[tuple[datetime, float | None, Role]], measure: Measure) -> list[Sample]:
    """Brings points onto the scale that is judged; those without a usable number are left out.

    Args:
        points: Time, value and role, in the order of time.
        measure: How they are looked at.
    """
    found: list[Sample] = []
    before: float | None = None
    for place, (at, value, role) in enumerate(points):
        if value is None or not math.isfinite(value):
            continue
        if measure.shape != "step":
            found.append(Sample(place, at, measure.judged(value), role))
        elif before is not None:
            found.append(Sample(place, at, value - before, role))
        before = value
    return [each for each in found if each.role != "level"]
