"""Puts the result of a merge together."""

from __future__ import annotations

from typing import Any

import polars as pl

from lakehouse.cdc.changes import DELETE, OP, ChangeBatch
from lakehouse.merge.counts import count
from lakehouse.merge.decide import Decision, decide_on_nothing
from lakehouse.merge.files import FileChanges
from lakehouse.merge.plan import MergePlan
from lakehouse.merge.result import COUNTS, MergeResult
from lakehouse.merge.target import MergeTarget, Suppressing
from lakehouse.merge.timer import Timer
from lakehouse.merge.tombstones import Manifest
from lakehouse.merge.verdicts import ABSENT, INSERT


def result_on_nothing(
    target: MergeTarget, batch: ChangeBatch, timer: Timer, *, suppressing: Suppressing | None = None
) -> MergeResult:
    """The result of a batch for which no table is made: it is empty, or it is a dry run.

    Args:
        target: The table as the config has it.
        batch: The changes.
        timer: Counts phases.
        suppressing: Keeps erased people out; None where nobody can be erased.
    """
    begun = decide_on_nothing(target, batch, timer=timer, suppressing=suppressing)
    collapsed = begun.collapsed
    is_delete = collapsed.frame[OP] == DELETE
    plan = MergePlan(
        files=(),
        dead={},
        dropped=(),
        rows=collapsed.frame.clear(),
        row_verdicts=pl.Series(dtype=pl.Int8),
        updates=pl.DataFrame(),
        tombstones=pl.DataFrame(),
        truncate=None,
        verdict=is_delete.cast(pl.Int8).replace_strict({0: INSERT, 1: ABSENT}, return_dtype=pl.Int8),
        conflicting=is_delete & ~is_delete,
        truncate_outcome="deleted" if collapsed.truncate else None,
        manifest=Manifest(),
    )
    counts = count(begun.conformed.batch, collapsed, plan)
    return result_of(
        target, Decision(begun.conformed, plan, counts, expectations=begun.expectations), timer=timer
    )


def result_of(
    target: MergeTarget,
    decision: Decision,
    *,
    timer: Timer,
    version: int | None = None,
    written: FileChanges | None = None,
    attempts: int = 0,
    rebased: int = 0,
) -> MergeResult:
    """Puts a merge's result together.

    Args:
        target: The table.
        decision: What the batch does.
        timer: Counts phases.
        version: The table's version after the merge.
        written: What the commit did to files; None where there was none.
        attempts: How often it was tried.
        rebased: How many conflicts left the plan as it was.
    """
    changes = written or FileChanges()
    conformed = decision.conformed
    tally: dict[str, Any] = {name: decision.counts[name] for name in COUNTS}
    return MergeResult(
        table=target.name,
        version=version,
        committed=written is not None,
        **tally,
        rows_removed=changes.rows_removed,
        files_added=changes.added,
        files_removed=changes.removed,
        vectors_written=changes.vectors,
        bytes_written=changes.bytes_written,
        attempts=attempts,
        rebased=rebased,
        seconds=timer.seconds,
        problems=conformed.batch.rejected,
        discarded=conformed.discarded,
        new_columns=conformed.added,
        expectations=decision.expectations,
        widened=tuple(conformed.widened),
    )
