"""What happened to incidents, as alerts are told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lakehouse.observability.incidents.feed import incident_changes
from lakehouse.state.database import State

_OVER: Final[Mapping[str, str]] = {"opened": "opened", "recovered": "resolved", "resolved": "resolved"}
_PART: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One thing that happened to an incident.

    Args:
        seq: Its number; later ones have higher ones.
        incident: The incident.
        event: ``opened`` or ``resolved``: by somebody, or by itself.
        at: When (timezone-aware).
        text: What it is about.
    """

    seq: int
    incident: str
    event: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Happenings:
    """Reads what happened to incidents.

    Args:
        state: The state database.
    """

    state: State

    def since(self, seq: int) -> list[Happened]:
        """What happened since, in the order of its numbers.

        Args:
            seq: The number of the last thing that is done with; it is not among them.
        """
        changes = incident_changes(self.state, since=seq, limit=_PART)
        return [
            Happened(
                seq=each.seq,
                incident=each.incident,
                event=_OVER[each.what],
                at=each.at,
                text=f"{each.scope} {each.subject}, {each.measure}: {each.rule}",
            )
            for each in changes
            if each.what in _OVER
        ]
