"""What metrics want to know of tables and incidents; control charts give it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class TablePoint(Protocol):
    """What was measured of a table last."""

    @property
    def table(self) -> str:
        """The table."""

    @property
    def version(self) -> int | None:
        """Its newest version."""

    @property
    def rows(self) -> int | None:
        """Its rows."""

    @property
    def bytes(self) -> int | None:
        """The size of its data files together."""

    @property
    def files(self) -> int | None:
        """Its data files."""

    @property
    def changed(self) -> datetime | None:
        """When its newest version was made (timezone-aware)."""


class Charted(Protocol):
    """Reads what was measured."""

    def newest(self) -> Sequence[TablePoint]:
        """The newest of each table."""

    def open_incidents(self) -> int:
        """How many incidents are not resolved."""
