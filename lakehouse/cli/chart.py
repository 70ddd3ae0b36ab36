"""A control chart in a terminal: points, what is usual, and marks on what is not. Plain text, 80 columns."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from lakehouse.cli.cells import moment, size, span
from lakehouse.cli.output import in_colour, on_terminal, terminal_width

if TYPE_CHECKING:
    from lakehouse.observability.charts.chart import Chart, ChartPoint

WIDTH: Final = 80
HEIGHT: Final = 13
_MOST_SIGMAS: Final = 6.0
_GAP: Final = 3


class Marks(NamedTuple):
    """The characters of a chart.

    Args:
        point: In control.
        out: Out of control.
        left_out: Of a known incident.
        center: The line of the mean.
        limit: The lines of three sigma.
        edge: The line beside the values.
    """

    point: str
    out: str
    left_out: str
    center: str
    limit: str
    edge: str


UNICODE: Final = Marks("•", "◆", "○", "─", "┄", "│")
ASCII: Final = Marks("o", "X", "x", "-", ".", "|")


def value(number: float, unit: str) -> str:
    """A value with its unit, short."""
    if unit == "share":
        return f"{number * 100:.3g} %"
    if unit == "seconds":
        return _lasting(number)
    if unit == "bytes":
        return f"-{size(-number)}" if number < 0 else size(number)
    return f"{number:,.0f}" if abs(number) >= 100 or number == int(number) else f"{number:,.1f}"


def _lasting(seconds: float) -> str:
    for length, name in ((86_400, "d"), (3_600, "h")):
        if seconds >= length:
            return f"{seconds / length:.1f} {name}"
    return span(seconds)


def drawn(chart: Chart) -> list[str]:
    """Draws a chart for standard output: its width, its characters and colours.

    Args:
        chart: The chart.
    """
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    width = min(terminal_width(), WIDTH) if on_terminal(sys.stdout) else WIDTH
    return draw(
        chart,
        width=width,
        marks=UNICODE if encoding.startswith("utf") else ASCII,
        colour=in_colour(sys.stdout),
    )


def draw(chart: Chart, *, width: int = WIDTH, marks: Marks = UNICODE, colour: bool = False) -> list[str]:
    """Draws a chart, line by line.

    Args:
        chart: The chart.
        width: The longest line.
        marks: The characters.
        colour: Whether to style with ANSI codes.
    """
    if not chart.points:
        return ["no points yet"]
    plot = _Plot.of(chart, width=width)
    rows = [_row(plot, number, marks, colour) for number in range(HEIGHT)]
    first, last = (moment(each.at.replace(microsecond=0)) for each in (plot.points[0], plot.points[-1]))
    blanks = max(plot.left + 3 + plot.across - len(first) - len(last) - plot.left - 3, 1)
    legend = _legend(chart, plot, marks)
    return [*rows, f"{' ' * (plot.left + 3)}{first}{' ' * blanks}{last}", legend[: max(width, 40)]]


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where things are: rows from the top, columns from the left."""

    points: Sequence[ChartPoint]
    places: dict[tuple[int, int], ChartPoint]
    lines: dict[int, str]
    labels: dict[int, str]
    left: int
    across: int

    @classmethod
    def of(cls, chart: Chart, *, width: int) -> _Plot:
        limits = chart.limits
        lows, highs = [each.judged for each in chart.points], [each.judged for each in chart.points]
        if limits is not None:
            # One point that is far away must not press all others into one line.
            reach = _MOST_SIGMAS * limits.sigma if limits.sigma > 0 else math.inf
            lows = [max(each, limits.center - reach) for each in [*lows, limits.lower]]
            highs = [min(each, limits.center + reach) for each in [*highs, limits.upper]]
        low, high = min(lows), max(highs)
        step = (high - low) / (HEIGHT - 1) or 1.0

        def row(judged: float) -> int:
            place = round((high - min(max(judged, low), high)) / step)
            return min(max(place, 0), HEIGHT - 1)

        labels = _labels(chart, row)
        left = max(len(each) for each in labels.values())
        room = max(width - left - 3, 10)
        points = chart.points[-room:]
        gap = max(min(room // len(points), _GAP), 1)
        places = {(row(each.judged), column * gap): each for column, each in enumerate(points)}
        lines: dict[int, str] = {}
        if limits is not None:
            lines = {row(limits.upper): "limit", row(limits.lower): "limit", row(limits.center): "center"}
        across = max((len(points) - 1) * gap + 1, min(room, 2 * 21))
        return cls(points, places, lines, labels, left, across)


def _labels(chart: Chart, row: Callable[[float], int]) -> dict[int, str]:
    values = [each.judged for each in chart.points]
    low, high = (
        min(chart.points, key=lambda each: each.judged),
        max(chart.points, key=lambda each: each.judged),
    )
    found = {row(max(values)): value(high.value, chart.unit), row(min(values)): value(low.value, chart.unit)}
    limits = chart.limits
    if (
        limits is not None
        and chart.upper is not None
        and chart.lower is not None
        and chart.center is not None
    ):
        found[row(limits.lower)] = value(chart.lower, chart.unit)
        found[row(limits.upper)] = value(chart.upper, chart.unit)
        found[row(limits.center)] = value(chart.center, chart.unit)
    return found


def _row(plot: _Plot, number: int, marks: Marks, colour: bool) -> str:
    line = plot.lines.get(number)
    blank = " " if line is None else marks.center if line == "center" else marks.limit
    cells: list[str] = []
    for column in range(plot.across):
        point = plot.places.get((number, column))
        if point is None:
            cells.append(click.style(blank, dim=True) if colour and line is not None else blank)
        elif point.rules:
            cells.append(click.style(marks.out, fg="red", bold=True) if colour else marks.out)
        else:
            cells.append(marks.left_out if point.left_out else marks.point)
    return f"{plot.labels.get(number, '').rjust(plot.left)} {marks.edge} {''.join(cells)}".rstrip()


def _legend(chart: Chart, plot: _Plot, marks: Marks) -> str:
    told = [f"{marks.point} in control"]
    if any(each.rules for each in plot.points):
        told.append(f"{marks.out} out of control")
    if any(each.left_out and not each.rules for each in plot.points):
        told.append(f"{marks.left_out} left out")
    if chart.limits is not None:
        told += [f"{marks.center} usual", f"{marks.limit} three sigma"]
    return " " * (plot.left + 3) + "   ".join(told)
