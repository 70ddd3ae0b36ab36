"""What a table with full history must hold, worked out the slow way: key by key, event by event."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tests.properties.model import UPSERT, Event

Version = dict[str, object]


def versions(
    events: Sequence[Event], *, columns: Sequence[str], untracked: Collection[str] = ()
) -> list[Version]:
    """The versions of all keys.

    Args:
        events: All that was ever delivered, in any order, repeats included.
        columns: The value columns.
        untracked: Those whose change opens no version.
    """
    found: list[Version] = []
    for key in sorted({event.key for event in events if event.key is not None}):
        found += _of_key(key, events, columns, untracked)
    return found


def _of_key(
    key: int, events: Sequence[Event], columns: Sequence[str], untracked: Collection[str]
) -> list[Version]:
    mine = [event for event in events if event.key in {key, None}]
    found: list[Version] = []
    state: dict[str, object] | None = None
    for sequence in sorted({event.sequence for event in mine}):
        event = _winner([event for event in mine if event.sequence == sequence], columns)
        if event is None:
            if state is not None:
                found[-1]["to"] = sequence[0]
            state = None
            continue
        before = state or {}
        after = {name: event.cells[name] if name in event.cells else before.get(name) for name in columns}
        changed = [name for name in columns if after[name] != before.get(name)]
        if state is None or set(changed) - set(untracked):
            if state is not None:
                found[-1]["to"] = sequence[0]
            found.append({"id": key, "sequence": sequence, "from": sequence[0], "to": None, **after})
        else:
            found[-1].update({name: after[name] for name in untracked})
        state = after
    return found


def _winner(same: Sequence[Event], columns: Sequence[str]) -> Event | None:
    """The event that stands of those with one sequence; None for a delete or truncate."""
    if any(event.op != UPSERT for event in same):
        return None
    return max(same, key=lambda event: (event.rank, *(name in event.cells for name in columns)))
