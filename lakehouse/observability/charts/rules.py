"""When points are out of control: the four rules of Western Electric. Pure.

Western Electric Company, Statistical Quality Control Handbook, 1956; as in the NIST/SEMATECH
e-Handbook of Statistical Methods, 6.3.2. Each is of one form: so many of so many points in a row beyond so
many sigmas, on the same side of the center. The newest of them is always among those beyond, so that a point
that is well again is no signal.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from lakehouse.config.models.charts import ChartRule
from lakehouse.observability.charts.limits import Limits


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Args:
        name: What the config calls it.
        some: So many points ...
        of: ... of so many in a row ...
        beyond: ... lie further from the center than so many sigmas, all on one side.
        text: A sentence for people.
    """

    name: ChartRule
    some: int
    of: int
    beyond: float
    text: str


RULES: Final[tuple[Rule, ...]] = (
    Rule("beyond_3_sigma", 1, 1, 3.0, "a point lies beyond three sigma"),
    Rule("two_of_three_beyond_2_sigma", 2, 3, 2.0, "two of three points lie beyond two sigma, on one side"),
    Rule("four_of_five_beyond_1_sigma", 4, 5, 1.0, "four of five points lie beyond one sigma, on one side"),
    Rule("eight_on_one_side", 8, 8, 0.0, "eight points in a row lie on one side of the center"),
)
"""In the order in which Western Electric has them."""

LONGEST: Final[int] = max(each.of for each in RULES)
"""So many points the longest of them looks at."""

NAMES: Final[tuple[ChartRule, ...]] = tuple(each.name for each in RULES)
TEXTS: Final = {each.name: each.text for each in RULES}


@dataclass(frozen=True, slots=True)
class Signal:
    """A rule that points break.

    Args:
        rule: Its name.
        above: On which side of the center they lie.
        points: The places of the points that lie beyond; the last is where it shows.
    """

    rule: ChartRule
    above: bool
    points: tuple[int, ...]


def signals_at(
    values: Sequence[float],
    at: int,
    *,
    limits: Limits,
    rules: Collection[str] = NAMES,
    sides: tuple[bool, ...] = (True, False),
) -> tuple[Signal, ...]:
    """The rules that are broken as soon as a point is there.

    Args:
        values: In the order of time, all finite.
        at: The place of the point; those before it count, those behind it don't.
        limits: What is usual.
        rules: The names of those to look at.
        sides: Which sides are looked at: True above the center, False below.
    """
    first = max(at - LONGEST + 1, 0)
    far = [limits.distance(each) for each in values[first : at + 1]]
    found: list[Signal] = []
    for above in sides:
        away = far if above else [-each for each in far]
        if away[-1] <= 0:
            continue
        for rule in RULES:
            if rule.name not in rules or len(away) < rule.of or away[-1] <= rule.beyond:
                continue
            start = len(away) - rule.of
            beyond = [place for place in range(start, len(away)) if away[place] > rule.beyond]
            if len(beyond) >= rule.some:
                found.append(Signal(rule.name, above, tuple(first + place for place in beyond)))
    return tuple(found)
