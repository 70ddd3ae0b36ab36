"""Control charts over jobs and tables: ``charts``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from lakehouse.config.durations import DURATION_PATTERN, format_duration, parse_duration
from lakehouse.config.models.base import KIND, Count, Model, RuleError, distinct, one_or_many, parsed
from lakehouse.config.variables import Expanded

ChartRule: TypeAlias = Literal[
    "beyond_3_sigma", "two_of_three_beyond_2_sigma", "four_of_five_beyond_1_sigma", "eight_on_one_side"
]
ChartMeasure: TypeAlias = Literal[
    "seconds", "rows", "bytes", "files", "null_share", "change_rate", "freshness"
]

CHART_RULES: Final[tuple[ChartRule, ...]] = (
    "beyond_3_sigma",
    "two_of_three_beyond_2_sigma",
    "four_of_five_beyond_1_sigma",
    "eight_on_one_side",
)
CHART_MEASURES: Final[tuple[ChartMeasure, ...]] = (
    "seconds",
    "rows",
    "bytes",
    "null_share",
    "change_rate",
    "freshness",
)
"""Those that are judged unless the config says otherwise; ``files`` are only kept."""

_FEWEST: Final = 2
LONGEST_RULE: Final = 8
"""So many points in a row the longest of the rules looks at."""


def _baseline(value: object) -> int | timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, Expanded) and value.strip().isascii() and value.strip().isdigit():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if value < _FEWEST:
            raise ValueError(f"needs {_FEWEST} points at least")
        return value
    found = parsed(parse_duration, example="a number of points (30) or a duration (14d)")(value)
    if found <= timedelta():
        raise ValueError("needs a duration that is longer than nothing")
    return found


def _written(value: int | timedelta) -> int | str:
    return format_duration(value) if isinstance(value, timedelta) else value


Baseline = Annotated[
    int | timedelta,
    PlainValidator(_baseline),
    PlainSerializer(_written, return_type=int | str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": _FEWEST},
                {"type": "string", "pattern": DURATION_PATTERN},
            ],
            KIND: "number of points or duration",
        }
    ),
]
Rules = Annotated[tuple[ChartRule, ...], BeforeValidator(one_or_many), AfterValidator(distinct)]
Measures = Annotated[tuple[ChartMeasure, ...], BeforeValidator(one_or_many), AfterValidator(distinct)]
Fewest = Annotated[Count, Field(ge=_FEWEST)]


class ChartOverride(Model):
    """What is judged otherwise for one table or job."""

    rules: Rules | None = Field(default=None, description="Instead of those of the lake.")
    measures: Measures | None = Field(
        default=None, description="Instead of those of the lake; `[]` judges nothing."
    )
    baseline: Baseline | None = Field(default=None, description="Instead of that of the lake.")
    min_points: Fewest | None = Field(default=None, description="Instead of that of the lake.")
    recover_after: Annotated[Count, Field(ge=1)] | None = Field(
        default=None, description="Instead of that of the lake."
    )


class ChartsConfig(Model):
    """Control charts over what jobs do and what tables become. A point out of control opens an incident."""

    measures: Measures = Field(
        default=CHART_MEASURES,
        description=(
            "What is judged. seconds: run time of a job; rows, bytes: what a run did, or by how much a table "
            "grew; files: by how many; null_share: of each column, in the rows that came; change_rate: rows "
            "changed a version; freshness: how old the data became. `[]` judges nothing."
        ),
    )
    rules: Rules = Field(
        default=CHART_RULES,
        description=(
            "The rules of Western Electric that tell a signal: one point beyond three sigma, two of three "
            "beyond two, four of five beyond one, eight in a row on one side."
        ),
    )
    baseline: Baseline = Field(
        default=30,
        description="From how many points before, or from how long, it is learned what is usual.",
    )
    min_points: Fewest = Field(
        default=12, description="Below so many points of a baseline nothing is judged."
    )
    recover_after: Annotated[Count, Field(ge=1)] = Field(
        default=5, description="After so many points in a row in control an incident recovers by itself."
    )
    keep: Annotated[Count, Field(ge=50)] = Field(
        default=2000, description="How many points of a series are kept; older ones go."
    )
    tables: dict[str, ChartOverride] = Field(
        default_factory=dict, description="What is judged otherwise for single tables, by name."
    )
    jobs: dict[str, ChartOverride] = Field(
        default_factory=dict, description="What is judged otherwise for single jobs, by name."
    )

    @model_validator(mode="after")
    def _windows_fit(self) -> ChartsConfig:
        if isinstance(self.baseline, int) and self.baseline < self.min_points:
            raise RuleError(never_enough(self.baseline, self.min_points), at="baseline")
        if isinstance(self.baseline, int) and self.baseline + LONGEST_RULE > self.keep:
            raise RuleError(f"is too few for a baseline of {self.baseline} points", at="keep")
        return self


def never_enough(baseline: int, fewest: int) -> str:
    """What is wrong with a baseline that can't have as many points as are needed.

    Args:
        baseline: Its points.
        fewest: How many are needed.
    """
    return f"a baseline of {baseline} points never has the {fewest} of `min_points`"
