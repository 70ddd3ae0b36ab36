"""Compaction after a merge: small, bounded, and never in the way of the merge.

It is tried once, with what `Policy.after_merge` allows (`AFTER_MERGE_BYTES` of data files at most). Where
another writer is faster, or anything else goes wrong, it is given up without a word: the merge is in the
table already, and the next one tries again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import polars as pl

from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError
from lakehouse.maintenance.compact import compact
from lakehouse.maintenance.compact_plan import CompactPlan, target_size
from lakehouse.maintenance.layout import Policy
from lakehouse.storage import Storage


def compact_after_merge(
    storage: Storage,
    snapshot: Snapshot,
    *,
    table: str,
    after: int,
    cluster_by: Sequence[str],
    clock: Callable[[], datetime],
) -> CompactPlan | None:
    """Puts small files together where there are many.

    Args:
        storage: The table's folder.
        snapshot: The version that the merge made.
        table: The table's name.
        after: How many small files a partition may have.
        cluster_by: The columns by which rows are to lie together.
        clock: Gives the time.

    Returns:
        What was done; None where nothing was.
    """
    try:
        done = compact(
            storage,
            snapshot,
            table=table,
            clock=clock,
            cluster_by=cluster_by,
            policy=Policy.after_merge(target_size(snapshot), after=after),
            tries=1,
        )
    except (LakehouseError, pl.exceptions.PolarsError, OSError):
        return None
    return None if done.version is None else done
