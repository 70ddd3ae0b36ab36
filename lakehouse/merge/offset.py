"""How far a source has been read: what makes a merge exactly-once."""

from __future__ import annotations

from dataclasses import dataclass

from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import UsageError
from lakehouse.merge.tombstones import APP_ID as TOMBSTONES


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """How far a source has been read: makes a merge exactly-once.

    Delta protocol, section "Transaction Identifiers".

    Args:
        source: The source's name.
        position: How far, rising.

    Raises:
        UsageError: The log can't hold such a position, or the name is taken.
    """

    source: str
    position: int

    def __post_init__(self) -> None:
        # Of another type they would make a commit that nobody can read.
        for value, kind, what in (
            (self.position, int, "an offset is a whole number"),
            (self.source, str, "a source's name is a text"),
        ):
            if type(value) is not kind:
                raise UsageError(f"{what}, not {type(value).__name__}")
        if not 0 <= self.position < 2**63:
            raise UsageError(
                f"the offset {self.position} can't be: offsets are whole numbers from 0 to 2^63 - 1"
            )
        if not self.source or self.source == TOMBSTONES:
            raise UsageError(f"a source can't be called {self.source!r}", advice="choose another name")

    def seen_by(self, snapshot: Snapshot) -> bool:
        """Whether a version already holds what the source had at this position."""
        known = snapshot.transactions.get(self.source)
        return known is not None and known.version >= self.position
