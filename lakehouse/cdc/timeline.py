"""The full history of rows (SCD 2) as a function of the events of their keys. Pure.

**Events** are changes in normal form (see `changes`) with one more column, `TIME`: when the change takes
effect in the business. **Versions** are what a table with full history stores: one row for every stretch of
time in which the tracked columns of a key did not change, with `VALID_FROM`, `VALID_TO` (null: still) and
`IS_CURRENT`. The sequence columns of a version are those of the event that opened it.

`fold` makes versions from events, `expand` makes the events from versions again. Nothing that has ever been
seen of a key is lost between the two, so a late event is simply added to the others and the key folded
anew: the table depends on the set of events and not on their arrival. What a version does not say by itself
is in its column `EVENTS`, which is null for a version that came from one complete event and is not ended by
a delete:

    list of {at: {<sequence columns>}, time, op: Int8, columns: text, state: {<untracked columns>}}

One entry per event of the version, and one for the delete that ended it. ``columns`` names the columns that
the event stated (one per line; null: all that the version knew, see `generations`), ``state`` has the
untracked columns as they were after it.

Deletes that ended no version (the key was dead already) are in no version: they are given apart, for the
memory of deletes (tombstones).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from lakehouse.cdc.cells import SEPARATOR
from lakehouse.cdc.changes import DELETE, OP, ORDINAL, TIME, UPSERT, absence
from lakehouse.cdc.generations import GENERATION, unknown_to
from lakehouse.cdc.lineup import LOST, ROW, settle_ties

VALID_FROM: Final = "_valid_from"
VALID_TO: Final = "_valid_to"
IS_CURRENT: Final = "_is_current"
EVENTS: Final = "_events"
VERSION_COLUMNS: Final = (VALID_FROM, VALID_TO, IS_CURRENT, EVENTS)
"""What a table with full history stores beside the columns of the changes."""

INSERTED: Final = "inserted"
UPDATED: Final = "updated"
DELETED: Final = "deleted"
UNCHANGED: Final = "unchanged"

FATE: Final = "__fate"
"""Column of `Timeline.fates`: what became of an event."""

_AT: Final = "__at"
_BEGINS: Final = "__begins"
_OPENS: Final = "__opens"
_ALIVE: Final = "__alive"
_START: Final = "__start"
_VERSION: Final = "__version"
_ENTRY: Final = "__entry"
_OWN: Final = "__own"


@dataclass(frozen=True, slots=True)
class Shape:
    """What the columns of a table with full history are.

    Args:
        key: The key columns.
        sequence: The columns that order the changes of a key; at least one.
        values: All other columns of the changes and their types.
        untracked: Those of ``values`` whose change opens no version.
        time: The type of `TIME`.
        later: Those of ``values`` that came when there were rows, and in which generation.
        generation: The newest generation of columns; 0 where none came later: then nobody is asked for his.
    """

    key: tuple[str, ...]
    sequence: dict[str, pl.DataType]
    values: dict[str, pl.DataType]
    untracked: tuple[str, ...]
    time: pl.DataType
    later: Mapping[str, int] = field(default_factory=dict)
    generation: int = 0

    @property
    def tracked(self) -> tuple[str, ...]:
        """The columns whose change opens a version."""
        return tuple(name for name in self.values if name not in self.untracked)

    @property
    def inner(self) -> tuple[str, ...]:
        """The sequence columns that are no key columns."""
        return tuple(name for name in self.sequence if name not in self.key)

    @property
    def entries(self) -> pl.List:
        """The type of `EVENTS`."""
        parts: dict[str, pl.DataType] = {
            "at": pl.Struct(self.sequence),
            "time": self.time,
            "op": pl.Int8(),
            "columns": pl.String(),
        }
        if self.untracked:
            parts["state"] = pl.Struct({name: self.values[name] for name in self.untracked})
        return pl.List(pl.Struct(parts))


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """What events make.

    Args:
        versions: Key, sequence and value columns, then `VERSION_COLUMNS`, and `GENERATION` where columns came
            later; by key and time.
        loose: Key, sequence columns and `TIME` of deletes that ended no version.
        fates: ``__ordinal``, ``__op`` and `FATE` of the events that have an ordinal.
    """

    versions: pl.DataFrame
    loose: pl.DataFrame
    fates: pl.DataFrame


def fold(events: pl.DataFrame, shape: Shape) -> Timeline:
    """Makes the versions of some keys from all of their events.

    Args:
        events: Key, sequence and value columns, ``__op`` (0 or 1), `TIME`, ``__ordinal`` (null for events
            that a version or the memory of deletes had), and an absence column for each value column that
            some event does not state; `GENERATION` where columns came later. Of equal events the first
            counts, the others are duplicates.
        shape: What the columns are.

    Returns:
        The versions; every event is in one of them, in ``loose``, or lost to an equal one.
    """
    line = settle_ties(events, key=shape.key, sequence=tuple(shape.sequence), values=tuple(shape.values))
    lost = line.filter(pl.col(LOST).is_not_null())
    ordered = events[line.filter(pl.col(LOST).is_null())[ROW]]
    state = _state(ordered, shape)
    told = pl.concat(
        [
            events.select(ORDINAL, OP)[lost[ROW]].with_columns(lost[LOST].cast(pl.String).alias(FATE)),
            state.select(ORDINAL, OP, _fate(shape).alias(FATE)),
        ]
    )
    loose = state.filter((pl.col(OP) == DELETE) & ~pl.col(_ALIVE))
    return Timeline(
        versions=_versions(state, shape),
        loose=loose.select(*shape.key, *shape.inner, TIME),
        fates=told.drop_nulls(ORDINAL),
    )


def _state(ordered: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """The events in order, with the state of the key after each, and what each does to it."""
    row = pl.int_range(pl.len(), dtype=pl.UInt32)
    same_key = pl.all_horizontal(
        pl.int_range(pl.len()) > 0, *(pl.col(name).eq_missing(pl.col(name).shift()) for name in shape.key)
    )
    upsert = pl.col(OP) == UPSERT
    alive = same_key & (pl.col(OP).shift() == UPSERT)
    frame = ordered.with_columns(row.alias(_OWN), alive.fill_null(value=False).alias(_ALIVE))
    frame = frame.with_columns(pl.when(~pl.col(_ALIVE)).then(_OWN).forward_fill().alias(_START))
    states = []
    for name in shape.values:
        flag = absence(name)
        if flag not in frame.columns:
            continue
        # The newest event of this life that states the column; none leaves it null.
        told = pl.when(upsert & ~pl.col(flag)).then(_OWN).forward_fill()
        source = frame.select(pl.when(told >= pl.col(_START)).then(told))[_OWN]
        states.append(frame[name].gather(source).alias(name))
    frame = frame.with_columns(*states)
    changed = [pl.col(name).ne_missing(pl.col(name).shift()) for name in shape.tracked]
    opens = upsert & (~pl.col(_ALIVE) | pl.any_horizontal(pl.lit(value=False), *changed))
    frame = frame.with_columns(opens.alias(_OPENS))
    if shape.generation:
        # A version is of the generation of the event that opened it.
        own = pl.when(_OPENS).then(pl.col(GENERATION).fill_null(0)).forward_fill()
        frame = frame.with_columns(own.alias(GENERATION))
    return frame.with_columns(_columns(frame, shape))


def _columns(frame: pl.DataFrame, shape: Shape) -> pl.Series:
    """Which columns each event stated, one per line; null where all that its version knew."""
    flags = {name: absence(name) for name in shape.values if absence(name) in frame.columns}
    upsert = pl.col(OP) == UPSERT
    if not flags and not shape.later:
        return pl.Series(_ENTRY, [None], dtype=pl.String).new_from_index(0, frame.height)
    parts = [
        pl.when(~pl.col(flags[name])).then(pl.lit(name)) if name in flags else pl.lit(name)
        for name in shape.values
    ]
    names = pl.concat_str(parts, separator=SEPARATOR, ignore_nulls=True)
    nothing = pl.lit(value=False)
    differs = [
        (pl.col(flags[name]) if name in flags else nothing)
        != (unknown_to(pl.col(GENERATION), name, shape.later[name]) if name in shape.later else nothing)
        for name in dict.fromkeys([*flags, *shape.later])
    ]
    partial = upsert & pl.any_horizontal(*differs)
    return frame.select(pl.when(partial).then(names).alias(_ENTRY))[_ENTRY]


def _fate(shape: Shape) -> pl.Expr:
    changed = [pl.col(name).ne_missing(pl.col(name).shift()) for name in shape.untracked]
    return (
        pl.when(pl.col(OP) == DELETE)
        .then(pl.when(pl.col(_ALIVE)).then(pl.lit(DELETED)).otherwise(pl.lit(UNCHANGED)))
        .when(~pl.col(_ALIVE))
        .then(pl.lit(INSERTED))
        .when(pl.col(_OPENS) | pl.any_horizontal(pl.lit(value=False), *changed))
        .then(pl.lit(UPDATED))
        .otherwise(pl.lit(UNCHANGED))
    )


def _versions(state: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    ends = (pl.col(OP) == DELETE) & pl.col(_ALIVE)
    kept = state.filter((pl.col(OP) == UPSERT) | ends).with_columns(
        pl.col(_OPENS).cast(pl.UInt32).cum_sum().alias(_VERSION)
    )
    marks = kept.filter(pl.col(_OPENS) | (pl.col(OP) == DELETE))
    follows = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(-1)) for name in shape.key)
    marks = marks.with_columns(
        pl.when(follows.fill_null(value=False)).then(pl.col(TIME).shift(-1)).alias(VALID_TO)
    ).filter(_OPENS)
    if shape.untracked:
        last = (
            kept.filter(pl.col(OP) == UPSERT)
            .group_by(_VERSION)
            .agg(pl.col(name).last() for name in shape.untracked)
        )
        marks = marks.drop(shape.untracked).join(last, on=_VERSION, how="left", maintain_order="left")
    entries = _entries(kept, shape)
    marks = marks.join(entries, on=_VERSION, how="left", maintain_order="left")
    return marks.select(
        *shape.key,
        *shape.inner,
        *shape.values,
        pl.col(TIME).alias(VALID_FROM),
        VALID_TO,
        pl.col(VALID_TO).is_null().alias(IS_CURRENT),
        EVENTS,
        *_generation(shape),
    )


def _entries(kept: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """`EVENTS` of the versions that do not speak for themselves, by number."""
    number = pl.col(_VERSION)
    alone = number.ne_missing(number.shift()) & number.ne_missing(number.shift(-1))
    names = [*shape.sequence, TIME, OP, _OPENS, _ENTRY, _VERSION, *shape.untracked]
    told = kept.select(list(dict.fromkeys(names))).filter(~(alone & pl.col(_ENTRY).is_null()))
    # Where nothing but a delete, or repeats, came after a complete event, that event needs no entry.
    complete = pl.col(_OPENS) & pl.col(_ENTRY).is_null()
    if shape.untracked:
        complete &= (pl.col(OP) == UPSERT).sum().over(_VERSION) == 1
    told = told.filter(~complete)
    upsert = pl.col(OP) == UPSERT
    parts = [
        pl.struct(*shape.sequence).alias("at"),
        pl.col(TIME).alias("time"),
        pl.col(OP).alias("op"),
        pl.col(_ENTRY).alias("columns"),
    ]
    if shape.untracked:
        parts.append(pl.when(upsert).then(pl.struct(*shape.untracked)).alias("state"))
    if told.is_empty():
        return pl.DataFrame(schema={_VERSION: pl.UInt32(), EVENTS: shape.entries})
    entries = told.select(_VERSION, pl.struct(parts).alias(EVENTS))
    return entries.group_by(_VERSION, maintain_order=True).agg(EVENTS)


def expand(versions: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """Takes versions apart into the events that made them.

    Args:
        versions: Key, sequence and value columns and `VERSION_COLUMNS`, in any order, and `GENERATION` where
            columns came later. Columns of ``values`` that are not there count as null.
        shape: What the columns are.

    Returns:
        The events, as `fold` takes them, without ordinals.
    """
    missing = [
        pl.lit(None, dtype=kind).alias(name) for name, kind in shape.values.items() if name not in versions
    ]
    rows = versions.with_columns(missing)
    if EVENTS not in rows.columns:
        return _plain(rows, shape)
    speaks = rows[EVENTS].is_null()
    told = rows.filter(~speaks)
    plain = _plain(rows.filter(speaks), shape)
    return plain if told.is_empty() else pl.concat([plain, _told(told, shape)], how="diagonal")


def _plain(rows: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """The events of versions that speak for themselves: one complete event each."""
    return rows.select(
        *shape.key,
        *shape.inner,
        *shape.values,
        pl.lit(UPSERT, dtype=pl.Int8).alias(OP),
        pl.col(VALID_FROM).alias(TIME),
        pl.lit(None, dtype=pl.Int64).alias(ORDINAL),
        *_generation(shape),
        *(
            unknown_to(pl.col(GENERATION), name, since).alias(absence(name))
            for name, since in shape.later.items()
        ),
    )


def _generation(shape: Shape) -> list[str]:
    return [GENERATION] if shape.generation else []


def _told(versions: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """The events of versions that have entries."""
    rows = versions.with_row_index(_VERSION)
    entries = _unpacked(rows, shape)
    upserts = entries.filter(pl.col("op") == UPSERT)
    own = rows.select(_VERSION, pl.struct(*shape.sequence).alias(_AT), pl.col(VALID_FROM).alias(TIME))
    # The event that opened a version has an entry only where there is more to say of it than its row does.
    silent = own.join(
        upserts, left_on=[_VERSION, _AT], right_on=[_VERSION, "at"], how="anti", nulls_equal=True
    )
    silent = silent.with_columns(
        pl.lit(UPSERT, dtype=pl.Int8).alias(OP), pl.lit(None, dtype=pl.String).alias("columns")
    )
    named = entries.rename({"at": _AT, "time": TIME, "op": OP})
    found = pl.concat([silent, named], how="diagonal")
    carried = rows.select(_VERSION, *shape.key, *shape.values, *_generation(shape))
    events = found.join(carried, on=_VERSION, how="left")
    if shape.untracked:
        has_state = pl.col("state").is_not_null()
        events = events.with_columns(
            pl.when(has_state).then(pl.col("state").struct.field(name)).otherwise(pl.col(name)).alias(name)
            for name in shape.untracked
        )
    inner = [pl.col(_AT).struct.field(name).alias(name) for name in shape.inner]
    upsert = pl.col(OP) == UPSERT
    stated = pl.col("columns").str.split(SEPARATOR)
    events = events.with_columns(*inner, stated.alias(_ENTRY)).with_columns(
        (
            upsert
            & pl.when(pl.col(_ENTRY).is_not_null())
            .then(~pl.col(_ENTRY).list.contains(name))
            .otherwise(
                unknown_to(pl.col(GENERATION), name, shape.later[name])
                if name in shape.later
                else pl.lit(value=False)
            )
        )
        .fill_null(value=False)
        .alias(absence(name))
        for name in shape.values
    )
    values = [
        pl.when(upsert & ~pl.col(absence(name))).then(pl.col(name)).alias(name) for name in shape.values
    ]
    flags = [absence(name) for name in shape.values]
    used = events.select(pl.col(flag).any() for flag in flags).row(0) if flags and events.height else ()
    return events.select(
        *shape.key,
        *shape.inner,
        *values,
        OP,
        TIME,
        pl.lit(None, dtype=pl.Int64).alias(ORDINAL),
        *_generation(shape),
        *(flag for flag, some in zip(flags, used, strict=False) if some),
    )


def _unpacked(rows: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """The entries of versions, one per row, with the version's number."""
    names = ["at", "time", "op", "columns", *(["state"] if shape.untracked else [])]
    listed = rows.select(_VERSION, EVENTS).drop_nulls(EVENTS).explode(EVENTS)
    fields = [pl.col(EVENTS).struct.field(name) for name in names]
    return listed.select(_VERSION, *fields)
