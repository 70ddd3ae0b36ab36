"""Control charts: what is usual for a series of points, and when one is out of it. Pure.

Individuals charts with the rules of Western Electric. `measures` says how each measure is looked at, `limits`
what is usual, `rules` when points are not, `judging` puts them together, `drawing` shows it in text.
"""

from __future__ import annotations

from lakehouse.observability.charts.chart import Chart, ChartPoint
from lakehouse.observability.charts.limits import Limits, limits_of
from lakehouse.observability.charts.rules import RULES, Signal, signals_at

__all__ = ["RULES", "Chart", "ChartPoint", "Limits", "Signal", "limits_of", "signals_at"]
