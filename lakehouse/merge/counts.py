"""Counts every input record of a batch exactly once: pure."""

from __future__ import annotations

from typing import Final

import polars as pl

from lakehouse.cdc.changes import OP, ORDINAL, UPSERT, ChangeBatch
from lakehouse.cdc.order import OUTCOME, Collapsed
from lakehouse.cdc.timeline import FATE as EVENT_FATE
from lakehouse.merge import verdicts
from lakehouse.merge.plan import MergePlan
from lakehouse.merge.result import COUNTS

_FATES: Final = pl.Enum(COUNTS)
_NAME_OF: Final = {
    verdicts.INSERT: "inserted",
    verdicts.UPDATE: "updated",
    verdicts.DELETED: "deleted",
    verdicts.ABSENT: "unchanged",
    verdicts.STALE: "stale",
    verdicts.DUPLICATE: "duplicate",
    verdicts.BEATEN: "conflicting",
}
_FATE: Final = "fate"


def count(batch: ChangeBatch, collapsed: Collapsed, plan: MergePlan) -> dict[str, int]:
    """Counts what became of each record.

    Args:
        batch: The batch as it was ordered: its rejected and ignored records count too.
        collapsed: One change per key, and what was lost on the way to it.
        plan: What becomes of those.

    Returns:
        A number for each name of `COUNTS`; they add up to the batch's ``total``.
    """
    counts = dict.fromkeys(COUNTS, 0)
    counts["rejected"] += len(batch.rejected)
    counts["unchanged"] += batch.ignored
    counts["suppressed"] += batch.suppressed
    if plan.truncate_outcome is not None:
        counts[plan.truncate_outcome] += 1
    for fate, number in _fates(batch, collapsed, plan)[_FATE].value_counts().iter_rows():
        counts[fate] += number
    return counts


def count_events(batch: ChangeBatch, fates: pl.DataFrame) -> dict[str, int]:
    """Counts what became of each record, where a table keeps full history.

    Args:
        batch: The batch: its rejected and ignored records count too.
        fates: ``__ordinal``, ``__op`` and ``__fate`` of each change.

    Returns:
        As `count`.
    """
    counts = dict.fromkeys(COUNTS, 0)
    counts["rejected"] += len(batch.rejected)
    counts["unchanged"] += batch.ignored
    counts["suppressed"] += batch.suppressed
    if batch.derived:
        # A changed key is one record and two rows, a delete and an upsert: the upsert speaks for both.
        fates = fates.sort(OP, descending=True).unique(ORDINAL, keep="last", maintain_order=True)
    for fate, number in fates[EVENT_FATE].value_counts().iter_rows():
        counts[fate] += number
    return counts


def _fates(batch: ChangeBatch, collapsed: Collapsed, plan: MergePlan) -> pl.DataFrame:
    named = plan.verdict.replace_strict(_NAME_OF, return_dtype=_FATES)
    # Who contradicts the stored row is told so, whoever won.
    told = plan.conflicting.to_frame("c").select(
        pl.when("c").then(pl.lit("conflicting", dtype=_FATES)).otherwise(named).alias(_FATE)
    )
    final = collapsed.frame.select(ORDINAL, (pl.col(OP) == UPSERT).alias("upsert")).with_columns(told[_FATE])
    lost = collapsed.lost.select(
        ORDINAL,
        pl.lit(value=False).alias("upsert"),
        pl.col(OUTCOME).cast(pl.String).cast(_FATES).alias(_FATE),
    )
    fates = pl.concat([lost, final], how="vertical")
    if not batch.derived:
        return fates
    # A changed key is one record and two rows, a delete and an upsert: the upsert speaks for both.
    return fates.sort("upsert", maintain_order=True).unique(
        subset=[ORDINAL], keep="last", maintain_order=True
    )
