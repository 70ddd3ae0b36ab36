"""Charts as text."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from lakehouse.cli.chart import ASCII, HEIGHT, draw, value
from lakehouse.observability.charts.chart import Chart, chart_of
from lakehouse.observability.charts.judging import Known, Span
from lakehouse.observability.charts.measures import MEASURES
from lakehouse.observability.charts.settings import Settings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FOUR = Settings(measures=("seconds",), rules=("beyond_3_sigma",), baseline=30, min_points=12, recover_after=3)


def chart(values: Sequence[float], *, known: Known = Known()) -> Chart:  # noqa: B008
    return chart_of(
        [(NOW + timedelta(hours=at), each, "point", None, "") for at, each in enumerate(values)],
        scope="job",
        subject="load",
        name="seconds",
        measure=MEASURES["job"]["seconds"],
        settings=FOUR,
        known=known,
    )


def test_the_lines_of_a_chart_are_those_that_they_should_be() -> None:
    found = draw(chart([20.0, 24.0] * 10 + [90.0]), marks=ASCII)
    assert found[0] == "1 min 30 s | " + " " * 60 + "X"
    (usual,) = [line for line in found[:HEIGHT] if "-" in line]
    assert usual == "    21.8 s | " + "-" * 61
    assert len(found) == HEIGHT + 2
    assert found[-2] == " " * 13 + "2026-03-01 00:00:00Z" + " " * 21 + "2026-03-01 20:00:00Z"
    assert found[-1].strip() == "o in control   X out of control   - usual   . three sigma"
    assert "".join(found).isascii()


@pytest.mark.parametrize("width", [24, 40, 80])
@pytest.mark.parametrize("count", [1, 2, 13, 200])
def test_any_chart_fits_and_shows_each_of_its_newest_points(width: int, count: int) -> None:
    chance = random.Random(count)
    found = draw(chart([chance.lognormvariate(3, 2) for _ in range(count)]), width=width, marks=ASCII)
    plot = found[:HEIGHT]
    assert max(map(len, plot)) <= width
    left = plot[0].index("|") + 2
    shown = sum(len(re.findall("[oXx]", line[left:])) for line in plot)
    assert shown == min(count, max(width - left, 10))


def test_points_that_are_left_out_and_colours_show() -> None:
    values = [20.0, 24.0] * 10 + [90.0] * 2 + [20.0, 90.0]
    known = Known(spans=(Span(NOW + timedelta(hours=20), NOW + timedelta(hours=21)),))
    plain = draw(chart(values, known=known))
    assert sum(line.count("○") for line in plain[:HEIGHT]) == 2
    assert sum(line.count("◆") for line in plain[:HEIGHT]) == 1
    coloured = draw(chart(values, known=known), colour=True)
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in coloured] == plain
    assert "\x1b[31m\x1b[1m◆" in "".join(coloured)
    assert draw(chart([])) == ["no points yet"]
    flat = draw(chart([0.0] * 40), marks=ASCII)
    assert sum(line.count("o") for line in flat[:HEIGHT]) == 40


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (0.0548, "share", "5.48 %"), (0.0, "share", "0 %"), (90.0, "seconds", "1 min 30 s"),
        (7200.0, "seconds", "2.0 h"), (200_000.0, "seconds", "2.3 d"), (-2500.0, "bytes", "-2.5 kB"),
        (1234567.0, "rows", "1,234,567"), (1.5, "rows", "1.5"), (-3.0, "files", "-3"),
    ],
)  # fmt: skip
def test_values_have_their_units(number: float, unit: str, text: str) -> None:
    assert value(number, unit) == text
