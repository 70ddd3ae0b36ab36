"""What an incident is now, from what happened to it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from lakehouse.errors import CorruptTableError
from lakehouse.observability.charts.judging import Known, Span
from lakehouse.observability.charts.limits import Limits
from lakehouse.state.chart_rows import IncidentEvent, IncidentRow

Status: TypeAlias = Literal["open", "acknowledged", "recovered", "resolved"]
STATUSES: Final[tuple[Status, ...]] = ("open", "acknowledged", "recovered", "resolved")
OPEN: Final[frozenset[Status]] = frozenset({"open", "acknowledged"})
"""Of a series, one incident is in one of these at most."""

_KNOWN: Final = frozenset({"opened", "signal", "acknowledged", "recovered", "resolved"})


def status_of(events: Sequence[IncidentEvent]) -> Status:
    """What an incident is now.

    Args:
        events: All that happened to it, in order.

    Raises:
        CorruptTableError: Nothing happened to it, or something that this release does not know.
    """
    said = {each.event for each in events}
    if not said or not said <= _KNOWN:
        raise CorruptTableError("what happened to an incident is not known to this release")
    for status in ("resolved", "recovered", "acknowledged"):
        if status in said:
            return status
    return "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """An incident, as it is now.

    Args:
        id: Its name in commands.
        scope: ``job`` or ``table``.
        subject: Its name.
        measure: What went out of control, as ``rows`` or ``null_share:email``.
        status: ``open``, ``acknowledged``, ``recovered`` (by itself) or ``resolved`` (by somebody).
        rules: The rules that told, the first one first.
        first: The first point that is part of it.
        opened: When it was noticed.
        acknowledged: When somebody took note; None where nobody has.
        acknowledged_by: Who.
        recovered: When points were in control again; None where they are not.
        resolved: When somebody resolved it; None where nobody has.
        resolved_by: Who.
        reason: Why, as whoever resolved it, or else took note, has said.
        expected: Whether what was out of the usual is the usual now.
        limits: What was usual when it was opened: ``center``, ``lower`` and ``upper``, and from how many
            points.
        points: The points around its beginning: time, value, version, run, and whether it is out of control.
        around: What changed: versions, runs, and what hangs on it.
        events: All that happened to it.
    """

    id: str
    scope: str
    subject: str
    measure: str
    status: Status
    rules: tuple[str, ...]
    first: datetime
    opened: datetime
    acknowledged: datetime | None = None
    acknowledged_by: str = ""
    recovered: datetime | None = None
    resolved: datetime | None = None
    resolved_by: str = ""
    reason: str = ""
    expected: bool = False
    limits: dict[str, Any] = field(default_factory=dict)
    points: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    around: dict[str, Any] = field(default_factory=dict, repr=False)
    events: tuple[IncidentEvent, ...] = field(default=(), repr=False)

    @property
    def seconds_to_detect(self) -> float:
        """From its first point to when it was noticed."""
        return max(self.opened - self.first, timedelta()).total_seconds()

    @property
    def seconds_to_resolve(self) -> float | None:
        """From when it was noticed to when it was over; None while it is not."""
        ends = [each for each in (self.recovered, self.resolved) if each is not None]
        return (min(ends) - self.opened).total_seconds() if ends else None

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {
            "id": self.id,
            self.scope: self.subject,
            "measure": self.measure,
            "status": self.status,
            "rules": list(self.rules),
            "first": self.first,
            "opened": self.opened,
            "acknowledged": self.acknowledged,
            "acknowledged_by": self.acknowledged_by or None,
            "recovered": self.recovered,
            "resolved": self.resolved,
            "resolved_by": self.resolved_by or None,
            "reason": self.reason,
            "expected": self.expected,
            "seconds_to_detect": self.seconds_to_detect,
            "seconds_to_resolve": self.seconds_to_resolve,
            "limits": self.limits,
            "points": list(self.points),
            "around": self.around,
            "events": [
                {"event": each.event, "time": each.at, "author": each.author or None, "reason": each.reason}
                for each in self.events
            ],
        }


def view_of(row: IncidentRow, events: Sequence[IncidentEvent]) -> IncidentView:
    """Puts an incident and what happened to it together.

    Args:
        row: The incident.
        events: All that happened to it, in order.
    """
    first = {each.event: each for each in reversed(events)}
    noted, recovered, resolved = (first.get(each) for each in ("acknowledged", "recovered", "resolved"))
    rules = [row.rule, *(str(each.detail.get("rule", "")) for each in events if each.event == "signal")]
    said = [each.reason for each in (resolved, noted) if each is not None and each.reason]
    return IncidentView(
        id=row.id,
        scope=row.key.scope,
        subject=row.key.subject,
        measure=row.key.name,
        status=status_of(events),
        rules=tuple(dict.fromkeys(rules)),
        first=row.first,
        opened=row.opened,
        acknowledged=None if noted is None else noted.at,
        acknowledged_by="" if noted is None else noted.author,
        recovered=None if recovered is None else recovered.at,
        resolved=None if resolved is None else resolved.at,
        resolved_by="" if resolved is None else resolved.author,
        reason=said[0] if said else "",
        expected=_expected(events),
        limits=dict(row.detail.get("limits", {})),
        points=tuple(row.detail.get("points", ())),
        around=dict(row.detail.get("around", {})),
        events=tuple(events),
    )


def limits_then(row: IncidentRow) -> Limits:
    """What was usual when an incident was opened, on the scale that is judged.

    Args:
        row: The incident.
    """
    found = row.detail["judged_by"]
    return Limits(center=float(found["center"]), sigma=float(found["sigma"]), points=int(found["points"]))


def known_of(told: Sequence[tuple[IncidentRow, Sequence[IncidentEvent]]]) -> Known:
    """What the incidents of a series say about its points.

    Args:
        told: The incidents, with what happened to them, oldest first.
    """
    spans: list[Span] = []
    since: datetime | None = None
    for row, events in told:
        said = {each.event: each for each in reversed(events)}
        recovered, resolved = said.get("recovered"), said.get("resolved")
        if _expected(events):
            # What came back by itself before anybody said so was no new level.
            since = row.first if recovered is None else since
        elif recovered is not None:
            until = recovered.detail.get("until")
            spans.append(Span(row.first, recovered.at if until is None else datetime.fromisoformat(until)))
        else:
            spans.append(Span(row.first, None if resolved is None else resolved.at))
    return Known(tuple(spans), since)


def _expected(events: Sequence[IncidentEvent]) -> bool:
    return any(each.event == "resolved" and bool(each.detail.get("expected")) for each in events)
