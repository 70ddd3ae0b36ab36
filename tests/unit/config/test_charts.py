"""The section ``charts``."""

from __future__ import annotations

from datetime import timedelta

import pytest

from .conftest import Load, Problems

_REST = "version: 1\ntables: {orders: {}}\njobs: {load: {do: verify}}\n"


@pytest.mark.parametrize(
    ("charts", "path", "message"),
    [
        ("tables: {ordres: {}}", "charts.tables.ordres", "did you mean `orders`?"),
        ("jobs: {laod: {}}", "charts.jobs.laod", "did you mean `load`?"),
        ("baseline: 1", "charts.baseline", "needs 2 points at least"),
        ("baseline: 0s", "charts.baseline", "longer than nothing"),
        ("baseline: often", "charts.baseline", "is no duration"),
        ("baseline: true", "charts.baseline", "a number of points (30) or a duration (14d)"),
        ("baseline: 10", "charts.baseline", "never has the 12 of `min_points`"),
        ("{baseline: 100, keep: 60}", "charts.keep", "too few for a baseline of 100 points"),
        ("tables: {orders: {min_points: 40}}", "charts.tables.orders.min_points", "never has the 40"),
        ("jobs: {load: {baseline: 5}}", "charts.jobs.load.baseline", "never has the 12 of `min_points`"),
        ("jobs: {load: {baseline: 1995}}", "charts.jobs.load.baseline", "more than `keep` allows"),
        ("measures: [rows, rows]", "charts.measures", "`rows` is named twice"),
        ("measures: [speed]", "charts.measures[0]", "speed"),
        ("rules: [beyond_4_sigma]", "charts.rules[0]", "beyond_3_sigma"),
    ],
)
def test_mistakes_are_told_with_their_place(problems: Problems, charts: str, path: str, message: str) -> None:
    section = charts if charts.startswith("{") else f"{{{charts}}}"
    found = [each for each in problems(f"{_REST}charts: {section}\n") if each.path == path]
    assert [message in each.message for each in found] == [True], found


def test_a_baseline_is_points_or_a_time(load: Load) -> None:
    assert load(f"{_REST}charts: {{baseline: 14d}}").charts.baseline == timedelta(days=14)
    text = f'{_REST}charts: {{baseline: "${{POINTS}}"}}'
    assert load(text, environ={"POINTS": "20"}).charts.baseline == 20
    assert load(_REST).charts.baseline == 30
