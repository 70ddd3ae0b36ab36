"""What the config says for the charts of one job or table. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lakehouse.config.models.charts import ChartsConfig
from lakehouse.observability.charts.measures import MEASURES, Scope
from lakehouse.observability.charts.rules import LONGEST

_LONGEST_WINDOW = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is judged, and how.

    Args:
        measures: The names of those that are.
        rules: The names of the rules.
        baseline: From how many points before, or from how long, it is learned what is usual.
        min_points: Below so many points of a baseline nothing is judged.
        recover_after: After so many points in a row in control an incident recovers.
    """

    measures: tuple[str, ...]
    rules: tuple[str, ...]
    baseline: int | timedelta
    min_points: int
    recover_after: int

    @property
    def window(self) -> int:
        """How many of the newest points are needed, where none of them is left out."""
        if isinstance(self.baseline, timedelta):
            return _LONGEST_WINDOW
        return max(self.baseline, self.recover_after) + LONGEST


def settings_of(config: ChartsConfig, *, scope: Scope, subject: str) -> Settings:
    """What holds for one job or table: its own section, and what the lake says besides.

    Args:
        config: The section of the config.
        scope: ``job`` or ``table``.
        subject: Its name.
    """
    own = (config.jobs if scope == "job" else config.tables).get(subject)
    measures = config.measures if own is None or own.measures is None else own.measures
    return Settings(
        measures=tuple(each for each in measures if each in MEASURES[scope]),
        rules=config.rules if own is None or own.rules is None else own.rules,
        baseline=(own.baseline if own is not None else None) or config.baseline,
        min_points=(own.min_points if own is not None else None) or config.min_points,
        recover_after=(own.recover_after if own is not None else None) or config.recover_after,
    )
