"""Works out what a batch does to a version of a table: reads, writes nothing.

The quick way serves nearly all rows: where each key is and how old it is decides (`verdicts`). Rows for
which that is not enough take the careful way (`careful`): partial rows, changes of the same sequence as the
stored row, and stored rows whose cells have ages of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from pyroaring import BitMap64

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.changes import ABSENT, OP, UPSERT, is_control
from lakehouse.cdc.generations import (
    GENERATION,
    Generations,
)
from lakehouse.cdc.order import Collapsed, Truncate
from lakehouse.delta.actions import AddFile
from lakehouse.delta.deletion_vectors import bitmap_of
from lakehouse.delta.schema import StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.merge import careful, locate, truncates, verdicts
from lakehouse.merge.finder import Finder
from lakehouse.merge.graves import to_remember
from lakehouse.merge.known import Known, View, known_rows, tombstones_of
from lakehouse.merge.stored import grown
from lakehouse.merge.timer import Timer
from lakehouse.merge.tombstones import Manifest, load_manifest, watermark
from lakehouse.merge.verdicts import CHANGE, FILE, POSITION, VERDICT
from lakehouse.storage import Storage

_HALF: Final = np.uint64(32)
_LOW: Final = np.uint64(2**32 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """What a batch does to one version of a table.

    Args:
        files: Files by number.
        dead: By number of the file, the positions of the rows that go.
        dropped: Files that go whole (a truncate).
        rows: The rows to append, with the table's columns as far as the batch states them.
        row_verdicts: INSERT or UPDATE for each of them.
        updates: ``__file`` and ``__position`` of the stored rows that are replaced by newer ones.
        tombstones: Key and sequence columns of the deletes to remember.
        truncate: The sequence columns of a truncate to remember (one row), or None.
        verdict: What becomes of each collapsed change (see `lakehouse.merge.verdicts`).
        conflicting: Which of them have the sequence of the stored row and other content (Boolean).
        truncate_outcome: How the newest truncate's record is counted; None where there is none.
        manifest: What the version remembers of earlier deletes.
    """

    files: tuple[AddFile, ...]
    dead: dict[int, BitMap64]
    dropped: tuple[AddFile, ...]
    rows: pl.DataFrame
    row_verdicts: pl.Series
    updates: pl.DataFrame
    tombstones: pl.DataFrame
    truncate: pl.DataFrame | None
    verdict: pl.Series
    conflicting: pl.Series
    truncate_outcome: str | None
    manifest: Manifest

    @property
    def changes_nothing(self) -> bool:
        """Whether the table stays as it is, and nothing new is to be remembered."""
        return (
            not self.dead
            and not self.dropped
            and self.rows.is_empty()
            and self.tombstones.is_empty()
            and self.truncate is None
        )


def plan_merge(
    storage: Storage,
    snapshot: Snapshot,
    collapsed: Collapsed,
    *,
    schema: StructType,
    generations: Generations,
    finder: Finder,
    timer: Timer,
) -> MergePlan:
    """Works out what collapsed changes do to a version.

    Args:
        storage: The table's folder.
        snapshot: The version to build on.
        collapsed: One final change per key, cast to the table's types.
        schema: The table's schema after the merge.
        generations: Since when its columns count, after the merge.
        finder: Finds the keys; goes on with what it found in tries before, and notes what was read.
        timer: Counts the phases ``locate`` and ``decide``.
    """
    files = tuple(snapshot.files.values())
    manifest = load_manifest(storage, snapshot)
    view = View(storage, snapshot, collapsed, manifest, files, schema, generations, finder)
    with timer.phase("locate"):
        truncate, truncate_outcome = _truncate(view)
        truncated = _truncated(view, truncate)
        mark = truncate.sequence if truncate is not None and collapsed.sequence else None
        aged = _aged(view, truncated, mark)
        located = _locate(view, truncated)
    with timer.phase("decide"):
        known = Known(located.frame, tombstones_of(view, located.frame), mark)
        quick = verdicts.decide(
            collapsed.frame, sequence=collapsed.sequence, located=known.located, tombstones=known.buried
        )
        settled = _settle(view, quick, known)
        replaced = settled.verdict.is_in([verdicts.UPDATE, verdicts.DELETED])
        places = located.frame
        if not replaced.gather(places[CHANGE]).all():
            places = places.filter(replaced.gather(places[CHANGE]))
    verdict = settled.verdict
    if aged.height:
        # What the batch replaces or deletes anyway has been settled without those cells.
        aged = aged.join(places, on=[FILE, POSITION], how="anti")
    updates = places.filter(verdict.gather(places[CHANGE]) == verdicts.UPDATE).select(FILE, POSITION)
    updates = pl.concat([updates, aged.select(FILE, POSITION)])
    with timer.phase("decide"):
        deletes = to_remember(storage, manifest, collapsed, verdict=verdict)
    return MergePlan(
        files=view.files,
        dead=dead_rows(pl.concat([places.select(FILE, POSITION), aged.select(FILE, POSITION)]), truncated),
        dropped=tuple(view.files[number] for number in sorted(truncated.whole)),
        rows=pl.concat([_stamped(settled.rows, view), aged.drop(FILE, POSITION)], how="diagonal"),
        row_verdicts=settled.row_verdicts.extend_constant(verdicts.UPDATE, aged.height),
        updates=updates,
        tombstones=deletes,
        truncate=mark,
        verdict=verdict,
        conflicting=settled.conflicting,
        truncate_outcome=truncate_outcome,
        manifest=view.manifest,
    )


def _stamped(rows: pl.DataFrame, view: View) -> pl.DataFrame:
    """Rows as they are stored: what has no type is left out, and they say which columns they knew."""
    rows = rows.select(name for name in rows.columns if name in view.schema or name == CELLS)
    newest = view.generations.newest
    return rows.with_columns(pl.lit(newest, dtype=pl.Int32).alias(GENERATION)) if newest else rows


def _truncate(view: View) -> tuple[Truncate | None, str | None]:
    """The truncate that takes effect, if any, and how its record is counted."""
    truncate = view.collapsed.truncate
    if truncate is None:
        return None, None
    known = watermark(view.storage, view.manifest)
    standing = truncates.standing(truncate.sequence, known=known, sequence=view.collapsed.sequence)
    if standing == "newer":
        return truncate, "deleted"
    return None, "duplicate" if standing == "equal" else "stale"


def _truncated(view: View, truncate: Truncate | None) -> truncates.Truncated:
    if truncate is None:
        return truncates.Truncated()
    view.finder.read_everything()
    return truncates.truncate_files(
        view.storage, view.snapshot, view.files, mark=truncate.sequence, sequence=view.collapsed.sequence
    )


def _aged(view: View, truncated: truncates.Truncated, mark: pl.DataFrame | None) -> pl.DataFrame:
    """The rows that a truncate leaves, but with fewer cells: ``__file``, ``__position``, the new row."""
    if mark is None or not view.has_cells:
        return pl.DataFrame(schema={FILE: pl.UInt32(), POSITION: pl.UInt32()})
    survivors = truncates.truncate_survivors(
        view.storage,
        view.snapshot,
        view.files,
        truncated,
        mark=mark,
        key=view.collapsed.key,
        untyped=[name for name in view.generations.untyped if name not in view.snapshot.schema],
    )
    return grown(survivors, view.schema)


def _locate(view: View, truncated: truncates.Truncated) -> locate.Located:
    """Where the keys of the batch are stored, apart from what the truncate removes."""
    collapsed = view.collapsed
    keys = collapsed.frame.select(collapsed.key)
    numbers = {add.path: number for number, add in enumerate(view.files)}
    found = view.finder.candidates(view.snapshot, keys=keys)
    found = tuple(add for add in found if numbers[add.path] not in truncated.whole)
    older = not view.has_cells and locate.all_older(
        view.snapshot, found, changes=collapsed.frame, sequence=collapsed.sequence
    )
    located = view.finder.locate(
        view.storage,
        view.snapshot,
        found,
        changes=collapsed.frame.select(list(dict.fromkeys([*collapsed.key, *collapsed.sequence]))),
        key=collapsed.key,
        sequence=() if older else collapsed.sequence,
    )
    of_all = pl.Series([numbers[add.path] for add in found], dtype=pl.UInt32)
    frame = located.frame.with_columns(of_all.gather(located.frame[FILE]).alias(FILE))
    return locate.Located(files=view.files, frame=truncated.survivors(frame))


@dataclass(frozen=True, slots=True)
class _Settled:
    """The final verdicts, and the rows to append; see `MergePlan`."""

    verdict: pl.Series
    conflicting: pl.Series
    rows: pl.DataFrame
    row_verdicts: pl.Series


def _settle(view: View, verdict: pl.Series, known: Known) -> _Settled:
    """Lets the quick verdicts stand where they can, and settles the other changes carefully."""
    collapsed = view.collapsed
    changes = collapsed.frame
    nobody = pl.repeat(value=False, n=changes.height, eager=True)
    needs_care = _needs_care(view, changes, verdict)
    columns = view.schema.names
    writes = ~needs_care & verdict.is_in([verdicts.INSERT, verdicts.UPDATE])
    rows = changes.select(name for name in columns if name in changes.columns).filter(writes)
    if not needs_care.any():
        return _Settled(verdict, nobody, rows, verdict.filter(writes))
    chosen = changes.filter(needs_care)
    places = pl.arg_where(needs_care, eager=True)
    stored = known_rows(view, places, known)
    if not collapsed.sequence:
        more, conflicting = careful.fill_by_arrival(chosen, stored, columns=columns), nobody
    else:
        settled = careful.settle(chosen, stored, key=collapsed.key, sequence=collapsed.sequence)
        verdict = verdict.scatter(places, settled.verdict)
        more, conflicting = settled.rows, nobody.scatter(places, settled.conflicting)
    careful_writes = verdict.gather(places)
    careful_writes = careful_writes.filter(careful_writes.is_in([verdicts.INSERT, verdicts.UPDATE]))
    return _Settled(
        verdict,
        conflicting,
        pl.concat([rows, more], how="diagonal"),
        pl.concat([verdict.filter(writes), careful_writes]),
    )


def _needs_care(view: View, changes: pl.DataFrame, verdict: pl.Series) -> pl.Series:
    """Which changes can't be judged by the age of the stored row alone."""
    stated = {name for name in changes.columns if not is_control(name)}
    lacks = any(name not in stated for name in (*view.columns, *view.generations.untyped))
    flags = [pl.col(name) for name in changes.columns if name.startswith(ABSENT)]
    partial = pl.lit(value=True) if lacks else pl.any_horizontal(pl.lit(value=False), *flags)
    is_upsert = pl.col(OP) == UPSERT
    frame = changes.with_columns(verdict)
    care = pl.col(VERDICT) == verdicts.EQUAL
    if view.collapsed.sequence:
        care |= is_upsert & partial & (pl.col(VERDICT) != verdicts.BEATEN)
        if any(name in stated for name in view.generations.later):
            # A late change can be the only one that says anything of a column that came later.
            care |= is_upsert & (pl.col(VERDICT) == verdicts.STALE)
        if CELLS in changes.columns:
            care |= pl.col(CELLS).is_not_null()
        if view.has_cells:
            # No cell is newer than its row: what is newer than that, and complete, needs no closer look.
            care |= pl.col(VERDICT) == verdicts.STALE
    else:
        care |= is_upsert & partial
    return frame.select(care.fill_null(value=False).alias("care"))["care"]


def dead_rows(located: pl.DataFrame, truncated: truncates.Truncated | None = None) -> dict[int, BitMap64]:
    """By file, the positions of the rows that go.

    Args:
        located: ``__file`` and ``__position`` of rows that go.
        truncated: What a truncate removes besides.
    """
    dead = {} if truncated is None else dict(truncated.dead)
    # One number for file and position: sorting those is several times as fast as grouping.
    place = pl.col(FILE).cast(pl.UInt64) * (1 << 32) + pl.col(POSITION)
    column = located.select(place.alias(POSITION))[POSITION]
    # Rows of few files usually come in order; looking costs little beside sorting.
    places = (column if column.is_sorted() else column.sort()).to_numpy()
    numbers = [int(number) for number in located[FILE].unique().sort()]
    ends = np.searchsorted(places, np.array(numbers, dtype=np.uint64) + np.uint64(1) << _HALF)
    start = 0
    for number, end in zip(numbers, ends, strict=True):
        positions = bitmap_of(places[start:end] & _LOW)
        dead[number] = positions | dead[number] if number in dead else positions
        start = end
    return dead
