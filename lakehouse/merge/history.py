"""Works out what a batch does to a table with full history (SCD 2): reads, writes nothing.

All that the table knows of the keys of the batch is taken apart into events (`lakehouse.cdc.timeline`), the
batch is added, and the keys are folded anew. What comes out is compared with what is stored: versions that
are the same stay where they are, the others are replaced. So a late event, which changes versions in the
middle, is nothing special.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from lakehouse.cdc.changes import ABSENT, DELETE, OP, ORDINAL, SEQUENCE, TIME, TRUNCATE, ChangeBatch, absence
from lakehouse.cdc.conform import Conformed
from lakehouse.cdc.generations import GENERATION, PLACEHOLDER, Generations
from lakehouse.cdc.timeline import (
    EVENTS,
    FATE,
    IS_CURRENT,
    VALID_FROM,
    VALID_TO,
    VERSION_COLUMNS,
    Shape,
    expand,
    fold,
)
from lakehouse.config.models.changes import HistoryConfig
from lakehouse.config.models.tables import TableConfig
from lakehouse.delta.scan import drop_hidden, scan_files
from lakehouse.delta.schema import STRING, StructField, StructType, to_polars, type_from_arrow, type_string
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import DataError
from lakehouse.merge.finder import Finder
from lakehouse.merge.plan import MergePlan, dead_rows
from lakehouse.merge.stored import grown
from lakehouse.merge.timer import Timer
from lakehouse.merge.tombstones import Manifest, deletes_of, load_manifest, watermark
from lakehouse.merge.verdicts import FILE, INSERT, POSITION, UPDATE
from lakehouse.storage import Storage

_NEW = "__new"
_OLD = "__old"


@dataclass(frozen=True, slots=True)
class HistoryPlan:
    """What a batch does to one version of a table with full history.

    Args:
        plan: The rows that go and come.
        fates: ``__ordinal``, ``__op`` and `FATE` of every change of the batch, truncates included.
    """

    plan: MergePlan
    fates: pl.DataFrame


def in_order_of_arrival(conformed: Conformed, *, now_ms: int) -> Conformed:
    """Gives changes without a sequence one: the time of the merge, then their place in the batch.

    Args:
        conformed: The changes in the table's types.
        now_ms: The time of the merge in milliseconds since the epoch, later than every merge before it.
    """
    batch, schema = conformed.batch, conformed.schema
    place = pl.int_range(pl.len()).cast(pl.String).str.zfill(12)
    frame = batch.frame.with_columns(
        pl.concat_str(pl.lit(f"{now_ms:020}-"), place).alias(SEQUENCE),
        pl.lit(now_ms).cast(pl.Datetime("ms", "UTC")).dt.cast_time_unit("us").alias(TIME),
    )
    if SEQUENCE not in schema:
        schema = schema.append([StructField(SEQUENCE, STRING)])
    return replace(conformed, batch=replace(batch, frame=frame, sequence=(SEQUENCE,)), schema=schema)


def with_time(batch: ChangeBatch) -> ChangeBatch:
    """Says of every change when it takes effect: what its format told, else its sequence's first column."""
    if TIME in batch.frame.columns:
        return batch
    return replace(batch, frame=batch.frame.with_columns(pl.col(batch.sequence[0]).alias(TIME)))


def shape_of(
    batch: ChangeBatch,
    schema: StructType,
    *,
    history: HistoryConfig,
    time: pl.DataType,
    generations: Generations,
) -> Shape:
    """Tells the columns of a table with full history apart.

    Args:
        batch: The changes, for key and sequence.
        schema: The table's schema after the merge.
        history: What the config says of it.
        time: The type of `TIME`.
        generations: Since when the columns count.
    """
    types = to_polars(schema)
    fixed = {*batch.key, *batch.sequence, *VERSION_COLUMNS}
    values = {name: kind for name, kind in types.items() if name not in fixed}
    untyped = dict.fromkeys((name for name in generations.untyped if name not in types), PLACEHOLDER)
    return Shape(
        key=batch.key,
        sequence={name: types[name] for name in batch.sequence},
        values={**values, **untyped},
        untracked=_untracked(history, list(values)),
        time=time,
        later={name: since for name, since in generations.later.items() if name in {**values, **untyped}},
        generation=generations.newest,
    )


def _untracked(history: HistoryConfig, values: Sequence[str]) -> tuple[str, ...]:
    if history.track is not None:
        return tuple(name for name in values if name not in history.track)
    return tuple(name for name in values if name in (history.track_except or ()))


def history_fields(shape: Shape) -> tuple[StructField, ...]:
    """The columns that a table with full history has beside those of its changes.

    Args:
        shape: What its other columns are.
    """
    frame = pl.DataFrame(
        schema={VALID_FROM: shape.time, VALID_TO: shape.time, IS_CURRENT: pl.Boolean(), EVENTS: shape.entries}
    )
    arrow = frame.to_arrow().schema
    return tuple(StructField(name, type_from_arrow(arrow.field(name).type)) for name in arrow.names)


def fields_of_config(config: TableConfig, schema: StructType) -> tuple[StructField, ...]:
    """The columns that a table with full history is made with, as far as the config tells.

    Args:
        config: The table's section of the config.
        schema: The columns of its changes.

    Returns:
        None where the table keeps no history, or nothing tells yet by what it is dated.
    """
    sequence = config.changes.sequence or ((SEQUENCE,) if SEQUENCE in schema else ())
    if config.history.mode != "full" or any(name not in schema for name in sequence):
        return ()
    types = to_polars(schema)
    fixed = {*config.key, *sequence}
    shape = Shape(
        key=tuple(config.key),
        sequence={name: types[name] for name in sequence} or {SEQUENCE: pl.String()},
        values={name: kind for name, kind in types.items() if name not in fixed},
        untracked=_untracked(config.history, [name for name in types if name not in fixed]),
        time=types[sequence[0]] if config.changes.sequence else pl.Datetime("us", "UTC"),
    )
    return history_fields(shape)


def check_dates(snapshot: Snapshot, shape: Shape) -> None:
    """Refuses changes that are dated by another kind than the versions that a table has.

    Args:
        snapshot: The table's version to build on.
        shape: What the columns are for the changes.

    Raises:
        DataError: The two can't be compared.
    """
    if VALID_FROM not in snapshot.schema or not snapshot.files:
        return
    stored = to_polars(snapshot.schema)[VALID_FROM]
    if stored != shape.time:
        raise DataError(
            f"the versions of this table are dated by {stored}, and these changes by {shape.time}",
            advice="keep `changes.sequence` as it was, or begin a new table",
        )


def same_type(known: StructField | None, wanted: StructField) -> bool:
    """Whether a column that a table has is of the type that is wanted, names of column mapping aside."""
    return known is not None and type_string(known.type) == type_string(wanted.type)


def plan_history(
    storage: Storage,
    snapshot: Snapshot,
    batch: ChangeBatch,
    *,
    shape: Shape,
    schema: StructType,
    moments: bool,
    finder: Finder,
    timer: Timer,
) -> HistoryPlan:
    """Works out what changes do to a version.

    Args:
        storage: The table's folder.
        snapshot: The version to build on.
        batch: The changes, cast to the table's types, with `TIME`.
        shape: What the columns are.
        schema: The table's columns after the merge; others have no type yet.
        moments: Whether versions that ended in the moment in which they began are kept. Late events can
            need them; where arrival is the order there are none.
        finder: Notes what was read.
        timer: Counts the phases ``locate`` and ``decide``.
    """
    manifest = load_manifest(storage, snapshot)
    marks = _known_marks(storage, manifest, shape)
    truncates = batch.frame.filter(pl.col(OP) == TRUNCATE).select(*shape.sequence, TIME, ORDINAL)
    fresh = truncates.unique(list(shape.sequence), keep="first", maintain_order=True)
    fresh = fresh.join(marks, on=list(shape.sequence), how="anti")
    changes = batch.frame.filter(pl.col(OP) != TRUNCATE)
    key = list(shape.key)
    with timer.phase("locate"):
        keys = changes.select(key).unique(maintain_order=True)
        if fresh.height:
            finder.read_everything()
            touched = _touched(storage, snapshot, fresh, shape)
            keys = pl.concat([touched, keys], how="vertical_relaxed").unique(maintain_order=True)
        stored = _stored(storage, snapshot, keys, shape, finder)
    with timer.phase("decide"):
        marks = pl.concat([marks, fresh.select(marks.columns)])
        parts = [expand(stored.drop(FILE, POSITION), shape), *_deletes(storage, manifest, keys, marks, shape)]
        events = _together([*parts, _events(changes, shape)])
        folded = fold(events, shape)
        versions = folded.versions.drop(name for name in shape.values if name not in schema)
        if not moments:
            versions = versions.filter(pl.col(VALID_FROM).ne_missing(pl.col(VALID_TO)))
        old, new, changed = _difference(stored, versions, shape)
    known = deletes_of(storage, manifest, keys=keys)
    loose = folded.loose.join(marks, on=list(shape.sequence), how="anti") if marks.height else folded.loose
    if known is not None:
        loose = loose.join(known, on=[*key, *shape.inner], how="anti", nulls_equal=True)
    plan = MergePlan(
        files=tuple(snapshot.files.values()),
        dead=dead_rows(old),
        dropped=(),
        rows=new,
        row_verdicts=pl.select(
            pl.when(changed).then(pl.lit(UPDATE, dtype=pl.Int8)).otherwise(pl.lit(INSERT, dtype=pl.Int8))
        ).to_series(),
        updates=old.filter("__changed").select(FILE, POSITION),
        tombstones=loose,
        truncate=marks if fresh.height else None,
        verdict=pl.Series(dtype=pl.Int8),
        conflicting=pl.Series(dtype=pl.Boolean),
        truncate_outcome=None,
        manifest=manifest,
    )
    return HistoryPlan(plan, _with_truncates(folded.fates, truncates, fresh))


def _known_marks(storage: Storage, manifest: Manifest, shape: Shape) -> pl.DataFrame:
    """The truncates that the table remembers: sequence columns and `TIME`."""
    types = {**shape.sequence, TIME: shape.time}
    found = watermark(storage, manifest)
    if found is None or not set(types) <= set(found.columns):
        return pl.DataFrame(schema=types)
    return found.select(pl.col(name).cast(kind) for name, kind in types.items())


def _touched(storage: Storage, snapshot: Snapshot, marks: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """The keys that truncates end: those with a version that began before one and did not end before it."""
    oldest = marks.sort(list(shape.sequence))[TIME][0]
    known = VALID_TO in snapshot.schema.names
    columns = [*shape.key, VALID_TO] if known else list(shape.key)
    rows = scan_files(storage, snapshot, list(snapshot.files.values()), columns=columns)
    if known:
        rows = rows.filter(pl.col(VALID_TO).is_null() | (pl.col(VALID_TO) >= oldest))
    return rows.select(shape.key).unique().collect(engine="streaming")


def _stored(
    storage: Storage, snapshot: Snapshot, keys: pl.DataFrame, shape: Shape, finder: Finder
) -> pl.DataFrame:
    """Every stored version of the keys, with ``__file`` (among all files of the table) and ``__position``."""
    numbers = {path: number for number, path in enumerate(snapshot.files)}
    generation = {GENERATION: pl.Int32()} if shape.generation else {}
    found = finder.candidates(snapshot, keys=keys)
    columns = [
        name
        for name in (*shape.key, *shape.inner, *shape.values, *VERSION_COLUMNS, *generation)
        if name in snapshot.schema.names
    ]
    # Keys and rows in one pass: the pages of the other columns are read once, and only where a key was found.
    scan = scan_files(
        storage,
        snapshot,
        found,
        columns=columns,
        file=FILE,
        position=POSITION,
        apply_vectors=False,
        keys=keys,
    )
    read = scan.collect(engine="streaming")
    rows: pl.DataFrame = drop_hidden(storage, read, found, file=FILE, position=POSITION)
    of_all = pl.Series([numbers[add.path] for add in found], dtype=pl.UInt32)
    rows = rows.with_columns(of_all.gather(rows[FILE]).alias(FILE))
    # What versions tell of untracked columns lacks those that come with this merge.
    rows = grown(rows, StructType(tuple(item for item in history_fields(shape) if item.name == EVENTS)))
    types = {**shape.sequence, **shape.values, VALID_FROM: shape.time, VALID_TO: shape.time, **generation}
    rows = rows.with_columns(
        pl.col(name).cast(kind) if name in rows.columns else pl.lit(None, dtype=kind).alias(name)
        for name, kind in types.items()
    )
    first, kind = next(iter(shape.sequence.items()))
    # Rows from before the table kept its history hold since their sequence.
    since = pl.coalesce(VALID_FROM, first) if kind == shape.time else pl.col(VALID_FROM)
    known = [pl.col(name).fill_null(0) for name in generation]
    return rows.with_columns(since.alias(VALID_FROM), *known)


def _deletes(
    storage: Storage, manifest: Manifest, keys: pl.DataFrame, marks: pl.DataFrame, shape: Shape
) -> list[pl.DataFrame]:
    """The deletes of the keys that no version tells of: remembered ones, and truncates."""
    columns = [*shape.key, *shape.inner, TIME]
    found: list[pl.DataFrame] = []
    known = deletes_of(storage, manifest, keys=keys)
    if known is not None and set(columns) <= set(known.columns):
        found.append(known.select(columns))
    if marks.height:
        found.append(keys.join(marks, how="cross").select(columns))
    types = {**{name: keys.schema[name] for name in shape.key}, **shape.sequence, TIME: shape.time}
    return [
        part.with_columns(pl.col(name).cast(types[name]) for name in columns).with_columns(
            pl.lit(DELETE, dtype=pl.Int8).alias(OP), pl.lit(None, dtype=pl.Int64).alias(ORDINAL)
        )
        for part in found
    ]


def _events(changes: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """The batch's changes; columns that it lacks are absent."""
    missing = [name for name in shape.values if name not in changes.columns]
    return changes.with_columns(
        *(pl.lit(None, dtype=shape.values[name]).alias(name) for name in missing),
        *((pl.col(OP) != DELETE).alias(absence(name)) for name in missing),
        *([pl.lit(shape.generation, dtype=pl.Int32).alias(GENERATION)] if shape.generation else []),
    )


def _together(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    events = pl.concat(parts, how="diagonal_relaxed")
    flags = [name for name in events.columns if name.startswith(ABSENT)]
    return events.with_columns(pl.col(flag).fill_null(value=False) for flag in flags)


def _difference(
    stored: pl.DataFrame, versions: pl.DataFrame, shape: Shape
) -> tuple[pl.DataFrame, pl.DataFrame, pl.Series]:
    """Compares what is stored with what shall be.

    Returns:
        The stored rows that go (``__changed``: whether a new one takes their place); the rows that come; and
        which of those take the place of a stored one.
    """
    names = list(dict.fromkeys([*shape.key, *shape.sequence]))
    old = stored.with_row_index(_OLD)
    new = versions.with_row_index(_NEW)
    first = old.unique(names, keep="first", maintain_order=True)
    pairs = new.select(_NEW, *names).join(first.select(_OLD, *names), on=names, how="inner", nulls_equal=True)
    # The usual change is that a version ends: then all the other columns need no look.
    compared = sorted((name for name in versions.columns if name not in names), key=VALID_TO.__ne__)
    same = pl.repeat(value=True, n=pairs.height, eager=True)
    for name in compared:
        if not same.any():
            break
        mine = versions[name].gather(pairs[_NEW])
        there = name in stored.columns
        same &= _same(mine, stored[name].gather(pairs[_OLD])) if there else mine.is_null()
    kept = pairs.filter(same)
    replaced = pairs.filter(~same)
    goes = old.filter(~pl.col(_OLD).is_in(kept[_OLD].implode()))
    comes = new.filter(~pl.col(_NEW).is_in(kept[_NEW].implode()))
    changed = comes[_NEW].is_in(replaced[_NEW].implode())
    goes = goes.with_columns(pl.col(_OLD).is_in(replaced[_OLD].implode()).alias("__changed"))
    return goes, comes.drop(_NEW), changed


def _same(mine: pl.Series, theirs: pl.Series) -> pl.Series:
    """Which values are equal; null equals null."""
    if mine.name == EVENTS and mine.null_count() == mine.len() == theirs.null_count():
        return pl.repeat(value=True, n=mine.len(), eager=True)
    return mine.eq_missing(theirs.cast(mine.dtype))


def _with_truncates(fates: pl.DataFrame, truncates: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
    told = truncates.select(
        ORDINAL,
        pl.lit(TRUNCATE, dtype=pl.Int8).alias(OP),
        pl.when(pl.col(ORDINAL).is_in(fresh[ORDINAL].implode()))
        .then(pl.lit("deleted"))
        .otherwise(pl.lit("duplicate"))
        .alias(FATE),
    )
    return pl.concat([fates, told])
