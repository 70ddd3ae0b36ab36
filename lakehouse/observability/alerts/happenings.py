"""What alerts want to know of incidents; control charts give it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class Happening(Protocol):
    """One thing that happened to an incident."""

    @property
    def seq(self) -> int:
        """Its number; later ones have higher ones."""

    @property
    def incident(self) -> str:
        """The incident."""

    @property
    def event(self) -> str:
        """``opened`` or ``resolved``; anything else is left alone."""

    @property
    def at(self) -> datetime:
        """When (timezone-aware)."""

    @property
    def text(self) -> str:
        """What it is about, in a sentence; without values of rows."""


class Incidents(Protocol):
    """Reads what happened to incidents."""

    def since(self, seq: int) -> Sequence[Happening]:
        """What happened since, in the order of its numbers.

        Args:
            seq: The number of the last thing that is done with; it is not among them.
        """
