"""What happened to incidents since somebody looked last: what alerts are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, cast

from lakehouse.observability.charts.measures import MEASURES, Scope
from lakehouse.observability.charts.rules import TEXTS
from lakehouse.state.chart_rows import IncidentEvent, IncidentRow
from lakehouse.state.database import State

What: TypeAlias = Literal["opened", "signal", "acknowledged", "recovered", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentChange:
    """One thing that happened to an incident.

    Args:
        seq: Its number; the next look begins behind it.
        what: ``opened``, ``signal`` (one more rule is broken), ``acknowledged``, ``recovered``, ``resolved``.
        at: When.
        incident: The incident's id.
        scope: ``job`` or ``table``.
        subject: Its name.
        measure: What is measured, as ``rows`` or ``null_share:email``.
        title: The same for people.
        unit: What values are: ``seconds``, ``rows``, ``bytes``, ``files`` or ``share``.
        rule: The rule that told, as a sentence.
        value: The newest of the points that were out of control when it was opened.
        lower: What is usual, from here ...
        upper: ... to here.
        author: Who did it; empty where it came by itself.
        reason: Why.
    """

    seq: int
    what: What
    at: datetime
    incident: str
    scope: Scope
    subject: str
    measure: str
    title: str
    unit: str
    rule: str
    value: float
    lower: float
    upper: float
    author: str = ""
    reason: str = ""


def incident_changes(state: State, *, since: int, limit: int | None = None) -> list[IncidentChange]:
    """What happened to incidents after a look, in order. Nothing comes later with a smaller number.

    Args:
        state: The lake's state database.
        since: The number of the last change that was seen; 0 means from the beginning.
        limit: At most so many.

    Raises:
        StorageError: The state database can't be read.
    """
    return [_change(event, row) for event, row in state.incidents.since(since, limit=limit)]


def _change(event: IncidentEvent, row: IncidentRow) -> IncidentChange:
    scope: Scope = "job" if row.key.scope == "job" else "table"
    measure = MEASURES[scope][row.key.measure]
    limits = row.detail["limits"]
    rule = str(event.detail.get("rule", row.rule))
    return IncidentChange(
        seq=event.seq,
        what=cast("What", event.event),
        at=event.at,
        incident=row.id,
        scope=scope,
        subject=row.key.subject,
        measure=row.key.name,
        title=measure.title,
        unit=measure.unit,
        rule=next((text for name, text in TEXTS.items() if name == rule), rule),
        value=float(row.detail["value"]),
        lower=float(limits["lower"]),
        upper=float(limits["upper"]),
        author=event.author,
        reason=event.reason,
    )
