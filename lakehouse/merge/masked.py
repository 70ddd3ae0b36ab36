"""Tables that hold masks, as far as merges that do not mask must know of them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from lakehouse.delta.column_mapping import MASKS
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import RefusedError
from lakehouse.merge.target import MergeTarget


def masked_in(configuration: Mapping[str, str]) -> tuple[str, ...]:
    """The paths into columns that a table says are masked in it.

    Args:
        configuration: The table's properties.
    """
    try:
        found = json.loads(configuration.get(MASKS, "{}"))
    except ValueError:
        return ()
    return tuple(map(str, found)) if isinstance(found, dict) else ()


def refuse_beside_masks(target: MergeTarget, snapshot: Snapshot | None) -> None:
    """Refuses a merge that would store clear values beside masks: all of them would count as masked.

    Args:
        target: The table.
        snapshot: Its newest version; None where there is none.

    Raises:
        RefusedError: The table holds masks, and the config does not say `mask_at: merge` any more.
    """
    if target.config.mask_at == "merge" or snapshot is None or not snapshot.files:
        return
    paths = masked_in(snapshot.configuration)
    if paths:
        raise RefusedError(
            f"table {target.name} stores {', '.join(paths)} masked, and its config does not say "
            "`mask_at: merge` any more: clear values would come beside masks, and count as masked",
            advice="write `mask_at: merge` again, or merge into a new table",
        )
