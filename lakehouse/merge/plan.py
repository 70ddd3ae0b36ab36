"""Works out what a batch does to a version of a table: reads, writes nothing.

The quick way serves nearly all rows: where each key is and how old it is decides (`verdicts`). Rows for
which that is not enough take the careful way (`careful`): partial rows, changes of the same sequence as the
stored row, and stored rows whose cells have ages of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from pyroaring import BitMap64

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.changes import ABSENT, DELETE, OP, UPSERT, is_control
from lakehouse.cdc.order import Collapsed, Truncate
from lakehouse.delta.actions import AddFile
from lakehouse.delta.deletion_vectors import bitmap_of
from lakehouse.delta.schema import StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.merge import careful, locate, truncates, verdicts
from lakehouse.merge.stored import stored_rows
from lakehouse.merge.timer import Timer
from lakehouse.merge.tombstones import Manifest, find, load_manifest, watermark
from lakehouse.merge.verdicts import CHANGE, FILE, POSITION, VERDICT
from lakehouse.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """What a batch does to one version of a table.

    Args:
        files: Files by number.
        dead: By number of the file, the positions of the rows that go.
        dropped: Files that go whole (a truncate).
        rows: The rows to append, with the table's columns as far as the batch states them.
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
    storage: Storage, snapshot: Snapshot, collapsed: Collapsed, *, schema: StructType, timer: Timer
) -> MergePlan:
    """Works out what collapsed changes do to a version.

    Args:
        storage: The table's folder.
        snapshot: The version to build on.
        collapsed: One final change per key, cast to the table's types.
        schema: The table's schema after the merge.
        timer: Counts the phases ``locate`` and ``decide``.
    """
    view = _View(
        storage, snapshot, collapsed, load_manifest(storage, snapshot), tuple(snapshot.files.values()), schema
    )
    with timer.phase("locate"):
        truncate, truncate_outcome = _truncate(view)
        truncated = _truncated(view, truncate)
        located = _locate(view, truncated)
    with timer.phase("decide"):
        changes = collapsed.frame.with_row_index(CHANGE)
        buried = _tombstones(view, changes, located)
        work = verdicts.decide(
            changes.select(CHANGE, *dict.fromkeys([*collapsed.key, *collapsed.sequence]), OP),
            key=collapsed.key,
            sequence=collapsed.sequence,
            located=located.frame,
            tombstones=buried,
        )
        verdict, rows, conflicting = _settle(view, changes, work[VERDICT], _Known(located.frame, buried))
    deletes = changes.filter(verdict.is_in([verdicts.DELETED, verdicts.ABSENT]) & (changes[OP] == DELETE))
    remembered = list(dict.fromkeys([*collapsed.key, *collapsed.sequence])) if collapsed.sequence else []
    replaced = changes.filter(verdict.is_in([verdicts.UPDATE, verdicts.DELETED]))
    return MergePlan(
        files=view.files,
        dead=_dead(
            located.frame.join(replaced.select(collapsed.key), on=list(collapsed.key), how="semi"), truncated
        ),
        dropped=tuple(view.files[number] for number in sorted(truncated.whole)),
        rows=rows,
        tombstones=deletes.select(remembered) if remembered else pl.DataFrame(),
        truncate=truncate.sequence if truncate is not None and collapsed.sequence else None,
        verdict=verdict,
        conflicting=conflicting,
        truncate_outcome=truncate_outcome,
        manifest=view.manifest,
    )


@dataclass(frozen=True, slots=True)
class _View:
    """What a plan looks at."""

    storage: Storage
    snapshot: Snapshot
    collapsed: Collapsed
    manifest: Manifest
    files: tuple[AddFile, ...]
    schema: StructType

    @property
    def has_cells(self) -> bool:
        return CELLS in self.snapshot.schema.names


@dataclass(frozen=True, slots=True)
class _Known:
    """What the table knows of the keys of a batch: where their rows are, and tombstones of the others."""

    located: pl.DataFrame
    buried: pl.DataFrame | None


def _truncate(view: _View) -> tuple[Truncate | None, str | None]:
    """The truncate that takes effect, if any, and how its record is counted."""
    truncate = view.collapsed.truncate
    if truncate is None:
        return None, None
    known = watermark(view.storage, view.manifest)
    standing = truncates.standing(truncate.sequence, known=known, sequence=view.collapsed.sequence)
    if standing == "newer":
        return truncate, "deleted"
    return None, "duplicate" if standing == "equal" else "stale"


def _truncated(view: _View, truncate: Truncate | None) -> truncates.Truncated:
    if truncate is None:
        return truncates.Truncated()
    return truncates.truncate_files(
        view.storage, view.snapshot, view.files, mark=truncate.sequence, sequence=view.collapsed.sequence
    )


def _locate(view: _View, truncated: truncates.Truncated) -> locate.Located:
    """Where the keys of the batch are stored, apart from what the truncate removes."""
    collapsed = view.collapsed
    keys = collapsed.frame.select(collapsed.key)
    numbers = {add.path: number for number, add in enumerate(view.files)}
    found = locate.candidates(view.snapshot, keys=keys)
    found = tuple(add for add in found if numbers[add.path] not in truncated.whole)
    older = not view.has_cells and locate.all_older(
        view.snapshot, found, changes=collapsed.frame, sequence=collapsed.sequence
    )
    located = locate.locate(
        view.storage, view.snapshot, found, keys=keys, sequence=() if older else collapsed.sequence
    )
    of_all = pl.Series([numbers[add.path] for add in found], dtype=pl.UInt32)
    frame = located.frame.with_columns(of_all.gather(located.frame[FILE]).alias(FILE))
    return locate.Located(files=view.files, frame=truncated.survivors(frame))


def _tombstones(view: _View, changes: pl.DataFrame, located: locate.Located) -> pl.DataFrame | None:
    """What the table remembers of the keys that are not stored."""
    if not view.collapsed.sequence:
        return None
    key = list(view.collapsed.key)
    missing = changes.select(key).join(located.frame, on=key, how="anti")
    return find(view.storage, view.manifest, keys=missing, sequence=view.collapsed.sequence)


def _settle(
    view: _View, changes: pl.DataFrame, verdict: pl.Series, known: _Known
) -> tuple[pl.Series, pl.DataFrame, pl.Series]:
    """The final verdicts, the rows to append, and who contradicted a stored row of the same sequence."""
    collapsed = view.collapsed
    nobody = pl.repeat(value=False, n=changes.height, eager=True)
    needs_care = _needs_care(view, changes, verdict)
    columns = [name for name in view.schema.names if name != CELLS]
    quick = changes.filter(~needs_care & verdict.is_in([verdicts.INSERT, verdicts.UPDATE]))
    rows = quick.select(name for name in columns if name in quick.columns)
    if not needs_care.any():
        return verdict, rows, nobody
    chosen = changes.filter(needs_care)
    stored = _stored(view, chosen, known)
    if not collapsed.sequence:
        filled = careful.fill_by_arrival(chosen, stored, columns=columns)
        return verdict, pl.concat([rows, filled], how="diagonal"), nobody
    settled = careful.settle(chosen.drop(CHANGE), stored, key=collapsed.key, sequence=collapsed.sequence)
    places = pl.arg_where(needs_care, eager=True)
    return (
        verdict.scatter(places, settled.verdict),
        pl.concat([rows, settled.rows], how="diagonal"),
        nobody.scatter(places, settled.conflicting),
    )


def _needs_care(view: _View, changes: pl.DataFrame, verdict: pl.Series) -> pl.Series:
    """Which changes can't be judged by the age of the stored row alone."""
    stated = {name for name in changes.columns if not is_control(name)}
    lacks = any(name not in stated for name in view.snapshot.schema.names if name != CELLS)
    flags = [pl.col(name) for name in changes.columns if name.startswith(ABSENT)]
    partial = pl.lit(value=True) if lacks else pl.any_horizontal(pl.lit(value=False), *flags)
    is_upsert = pl.col(OP) == UPSERT
    frame = changes.with_columns(verdict)
    found = pl.col(VERDICT).is_in([verdicts.UPDATE, verdicts.DELETED, verdicts.STALE, verdicts.EQUAL])
    care = pl.col(VERDICT) == verdicts.EQUAL
    if view.collapsed.sequence:
        care |= is_upsert & partial & (pl.col(VERDICT) != verdicts.BEATEN)
        if CELLS in changes.columns:
            care |= pl.col(CELLS).is_not_null()
        if view.has_cells:
            care |= found
    else:
        care |= is_upsert & partial
    return frame.select(care.fill_null(value=False).alias("care"))["care"]


def _stored(view: _View, chosen: pl.DataFrame, known: _Known) -> pl.DataFrame:
    """What the table knows of the keys of some changes, row by row: stored row, tombstone or nothing."""
    key, sequence = list(view.collapsed.key), view.collapsed.sequence
    columns = list(view.snapshot.schema.names)
    places = known.located.join(chosen.select(key), on=key, how="semi")
    newest = verdicts.newest_per_key(places, key=key, sequence=sequence)
    stored = stored_rows(
        view.storage, view.snapshot, view.files, newest.select(FILE, POSITION), columns=columns
    )
    stored = stored.drop(FILE, POSITION).with_columns(pl.lit(UPSERT, dtype=pl.Int8).alias(OP))
    if known.buried is not None:
        dead = known.buried.rename({verdicts.buried(column): column for column in sequence})
        dead = dead.select(*key, *(c for c in sequence if c not in key)).with_columns(
            pl.lit(DELETE, dtype=pl.Int8).alias(OP)
        )
        stored = pl.concat(
            [stored, dead.cast({c: stored.schema[c] for c in dead.columns if c in stored.schema})],
            how="diagonal",
        )
    return chosen.select(key).join(stored, on=key, how="left", maintain_order="left").select(*columns, OP)


def _dead(located: pl.DataFrame, truncated: truncates.Truncated) -> dict[int, BitMap64]:
    """By file, the positions of the rows that go."""
    dead = dict(truncated.dead)
    for (number,), group in located.group_by(FILE):
        positions = bitmap_of(group[POSITION].to_numpy())
        dead[int(number)] = positions | dead[int(number)] if int(number) in dead else positions
    return dead
