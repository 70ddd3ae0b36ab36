"""What a stream of change events means, said so plainly that it can be seen to be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

UPSERT, DELETE, TRUNCATE = 0, 1, 2


@dataclass(frozen=True)
class Event:
    """One change: ``cells`` holds only what it states; ``rank`` orders contradicting upserts."""

    op: int
    key: int | None
    sequence: tuple[int, ...] = ()
    cells: Mapping[str, object] = field(default_factory=dict)
    rank: int = 0

    @property
    def position(self) -> tuple[tuple[int, ...], bool, int]:
        return self.sequence, self.op != UPSERT, self.rank


def apply(events: Iterable[Event]) -> dict[int, dict[str, object]]:
    """Applies events one by one in the order given; a row is what has been stated since it came to be."""
    rows: dict[int, dict[str, object]] = {}
    for event in events:
        if event.op == TRUNCATE:
            rows.clear()
        elif event.op == DELETE:
            rows.pop(event.key or 0, None)
        else:
            row = rows.setdefault(event.key or 0, {})
            row.update(event.cells)
            row["sequence"] = event.sequence
    return rows


def table(events: Iterable[Event]) -> dict[int, dict[str, object]]:
    """The table that the events of a source with a sequence make, whenever and however often they arrive."""
    return apply(sorted(events, key=lambda event: event.position))
