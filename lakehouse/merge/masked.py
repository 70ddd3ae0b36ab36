"""Tables that hold masks, as far as merges that do not mask must know of them."""

from __future__ import annotations

from lakehouse.delta.column_mapping import masks_in
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import RefusedError
from lakehouse.merge.target import MergeTarget


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
    paths = masks_in(snapshot.configuration)
    if paths:
        raise RefusedError(
            f"table {target.name} stores {', '.join(paths)} masked, and its config does not say "
            "`mask_at: merge` any more: clear values would come beside masks, and count as masked",
            advice="write `mask_at: merge` again, or merge into a new table",
        )
