"""What the state database keeps for control charts, as it is handed in and out: without SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

Role: TypeAlias = Literal["point", "open", "level"]


class SeriesKey(NamedTuple):
    """What is measured.

    Args:
        scope: ``job`` or ``table``.
        subject: Its name.
        measure: What of it, as ``rows``.
        column: Of which column; empty where it is about none.
    """

    scope: str
    subject: str
    measure: str
    column: str = ""

    @property
    def name(self) -> str:
        """What is measured, as commands take it: ``rows``, ``null_share:email``."""
        return f"{self.measure}:{self.column}" if self.column else self.measure


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPoint:
    """A point to keep.

    Args:
        measure: What was measured.
        column: Of which column; empty where it is about none.
        at: For which moment (timezone-aware).
        value: A finite number.
        role: ``point``; ``open``: it can still grow, and the next point stands in its place; ``level``: how
            it is now, and nothing to judge.
    """

    measure: str
    column: str = ""
    at: datetime
    value: float
    role: Role = "point"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Points of one job or table to keep.

    Args:
        scope: ``job`` or ``table``.
        subject: Its name.
        points: The points, one a series.
        version: The version of the table that they are of.
        made: When that was made (timezone-aware); None means at the moments of the points.
        run: The run that they come from; empty where they come from none.
    """

    scope: str
    subject: str
    points: tuple[NewPoint, ...]
    version: int | None = None
    made: datetime | None = None
    run: str = ""


class Point(NamedTuple):
    """A point that is kept.

    Args:
        number: Which of its series.
        at: For which moment (timezone-aware).
        value: The number.
        version: The version of the table; None for jobs.
        run: The run that it comes from; empty where it comes from none.
        role: See `NewPoint`.
    """

    number: int
    at: datetime
    value: float
    version: int | None
    run: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series and its newest point.

    Args:
        seq: Its number in the database.
        key: What is measured.
        newest: The newest point.
    """

    seq: int
    key: SeriesKey
    newest: Point

    def age(self, now: datetime) -> timedelta:
        """For ``freshness``: how old the data is at a moment.

        Args:
            now: The moment.
        """
        since = max(now - self.newest.at, timedelta())
        grown = timedelta(seconds=self.newest.value) if self.newest.role == "open" else timedelta()
        return since + grown


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """A series that went out of control.

    Args:
        seq: Its number in the database.
        id: Its name in commands.
        series: The number of its series.
        key: What was measured.
        first: The first point that is part of it (timezone-aware).
        opened: When it was noticed (timezone-aware).
        rule: The rule that told.
        detail: Limits, points and what changed, as JSON has it.
    """

    seq: int
    id: str
    series: int
    key: SeriesKey
    first: datetime
    opened: datetime
    rule: str
    detail: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEvent:
    """One thing that happened to an incident.

    Args:
        seq: Its number among those of all incidents; rises with time.
        incident: The incident.
        number: Which of its events, from 1.
        event: ``opened``, ``signal``, ``acknowledged``, ``recovered`` or ``resolved``.
        at: When (timezone-aware).
        author: Who did it; empty where it came by itself.
        reason: Why.
        detail: More, as JSON can hold it.
    """

    seq: int
    incident: str
    number: int
    event: str
    at: datetime
    author: str = ""
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
