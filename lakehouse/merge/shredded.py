"""Which columns of a table are stored under keys of people: its property ``lakehouse.shredded``.

The table says so itself, whatever a config says later: a column that holds ciphertexts must never get clear
values beside them, and is read as what it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from lakehouse.delta.column_mapping import SHREDDED
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import RefusedError, UsageError
from lakehouse.merge.target import MergeTarget


def shredded_in(configuration: Mapping[str, str]) -> dict[str, str]:
    """What a table says of its shredded columns.

    Args:
        configuration: The table's properties.

    Returns:
        Column to the kind of person under whose keys it is stored.
    """
    try:
        found = json.loads(configuration.get(SHREDDED, "{}"))
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(column): str(subject) for column, subject in found.items()}


def marked(columns: Mapping[str, str]) -> dict[str, str]:
    """The property of a table.

    Args:
        columns: Column to the kind of person.

    Returns:
        The property by its name; nothing where nothing is shredded.
    """
    return {SHREDDED: json.dumps(dict(sorted(columns.items())), separators=(",", ":"))} if columns else {}


def refuse_clear(target: MergeTarget, snapshot: Snapshot | None) -> None:
    """Refuses a merge that would store clear values where there are to be ciphertexts.

    Args:
        target: The table.
        snapshot: Its newest version; None where there is none.

    Raises:
        UsageError: The table was opened without the keys of people.
        RefusedError: It holds ciphertexts in a column that the config says nothing of any more.
    """
    wanted = {name for name, about in target.config.pii.items() if about.shred is not None}
    if wanted and target.masks is None:
        raise UsageError(
            f"tables.{target.name} stores {', '.join(sorted(wanted))} under keys of people, and this table "
            "was opened without them",
            advice="open it by `Lakehouse.open(...).table(...)`, which knows the keys",
        )
    there = shredded_in(snapshot.configuration) if snapshot is not None else {}
    left = sorted(there.keys() - wanted)
    if left:
        raise RefusedError(
            f"table {target.name} stores {', '.join(left)} under keys of people, and its config does not say "
            "so any more: clear values would come beside the others",
            advice=f"write `shred: {there[left[0]]}` again, or merge into a new table",
        )
