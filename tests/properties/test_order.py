"""Any order of the same events, split into any batches, delivered any number of times: the same table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.changes import OP, ORDINAL, ChangeBatch, absence
from lakehouse.cdc.combine import merge_cells, truncate_cells
from lakehouse.cdc.content_hash import content_rank
from lakehouse.cdc.folding import BASE
from lakehouse.cdc.order import Collapsed, Truncate, collapse
from tests.properties.model import DELETE, TRUNCATE, UPSERT, Event, apply, table

VALUES: dict[str, pl.DataType] = {"a": pl.Int64(), "b": pl.String(), "c": pl.List(pl.Int64())}
SEQUENCE: dict[str, pl.DataType] = {"s0": pl.Int64(), "s1": pl.Int64()}
# Few keys and positions, so that changes meet, contradict and repeat each other all the time.
KEYS = st.integers(1, 2)
PLACES = (st.integers(0, 1), st.integers(0, 2))


def _rank(cells: dict[str, object]) -> int:
    frame = pl.DataFrame({name: [cells.get(name)] for name in VALUES}, schema=VALUES)
    return int(content_rank(frame, list(VALUES))[0])


def upsert(key: int, sequence: tuple[int, ...], **cells: object) -> Event:
    return Event(UPSERT, key, sequence, cells, _rank(cells))


@st.composite
def _event(draw: st.DrawFn, *, partial: bool, width: int) -> Event:
    op = draw(st.sampled_from([UPSERT] * 8 + [DELETE, TRUNCATE]))
    sequence = tuple(draw(place) for place in PLACES[:width])
    if op == TRUNCATE:
        return Event(op, None, sequence)
    if op == DELETE:
        return Event(op, draw(KEYS), sequence)
    names = draw(st.sets(st.sampled_from(sorted(VALUES)))) if partial else set(VALUES)
    choices: dict[str, list[object]] = {"a": [None, 1, 2], "b": [None, "x", "y"], "c": [None, [], [1]]}
    cells = {name: draw(st.sampled_from(choices[name])) for name in sorted(names)}
    return upsert(draw(KEYS), sequence, **cells)


def _events(*, partial: bool, width: int = 2, size: int = 12) -> st.SearchStrategy[list[Event]]:
    return st.lists(_event(partial=partial, width=width), max_size=size)


def make_batch(events: Sequence[Event], *, width: int = 2) -> ChangeBatch:
    """The normal form of some events, in order of arrival."""
    sequence = dict(list(SEQUENCE.items())[:width])
    upserts = [event for event in events if event.op == UPSERT]
    stated = [name for name in VALUES if any(name in event.cells for event in upserts)]
    rows = [
        {
            "id": event.key,
            **dict(zip(sequence, event.sequence, strict=True)),
            **{name: event.cells.get(name) for name in stated},
            OP: event.op,
            ORDINAL: ordinal,
            **{absence(name): name not in event.cells for name in stated},
        }
        for ordinal, event in enumerate(events)
    ]
    flags = {absence(name): pl.Boolean() for name in stated}
    types = {name: VALUES[name] for name in stated}
    schema = {"id": pl.Int64(), **sequence, **types, OP: pl.Int8(), ORDINAL: pl.Int64(), **flags}
    frame = pl.DataFrame(rows, schema=schema)
    idle = [flag for flag in flags if not frame[flag].any()]
    return ChangeBatch(frame=frame.drop(idle), key=("id",), sequence=tuple(sequence), total=len(events))


def _same(batch: ChangeBatch) -> ChangeBatch:
    return batch


def _by_text(batch: ChangeBatch) -> ChangeBatch:
    return replace(batch, frame=batch.frame.cast({"id": pl.String}))


def _by_two(batch: ChangeBatch) -> ChangeBatch:
    half = (pl.col("id") % 2).alias("half")
    return replace(batch, frame=batch.frame.with_columns(half), key=("half", "id"))


class Store:
    """A table as a merge keeps it: rows, tombstones and the newest truncate, fed batch by batch."""

    def __init__(self) -> None:
        types = {"id": pl.Int64(), **SEQUENCE, **VALUES, OP: pl.Int8()}
        self.known = pl.DataFrame(schema=types)
        self.truncate: Truncate | None = None

    def merge(self, events: Sequence[Event]) -> None:
        collapsed = collapse(make_batch(events))
        if collapsed.truncate is not None:
            self._apply(collapsed.truncate)
        changes = collapsed.frame
        if changes.is_empty():
            return
        keys = changes.select("id")
        known = keys.join(self.known, on="id", how="left", maintain_order="left")
        if self.truncate is not None:
            marks = [pl.lit(self.truncate.sequence[name][0], dtype=dtype) for name, dtype in SEQUENCE.items()]
            unknown = pl.col(OP).is_null()
            known = known.with_columns(
                *(
                    pl.when(unknown).then(m).otherwise(pl.col(n)).alias(n)
                    for n, m in zip(SEQUENCE, marks, strict=True)
                ),
                pl.when(unknown).then(DELETE).otherwise(pl.col(OP)).cast(pl.Int8).alias(OP),
            )
        merged = merge_cells(known, changes, key=["id"], sequence=list(SEQUENCE))
        unchanged = known.filter(~merged.changed)
        for column in (name for name in unchanged.columns if name in VALUES):
            assert unchanged[column].eq_missing(merged.frame.filter(~merged.changed)[column]).all()
        rest = self.known.join(keys, on="id", how="anti")
        self.known = pl.concat([rest, merged.frame], how="diagonal")

    def _apply(self, truncate: Truncate) -> None:
        newest = self.truncate
        if newest is None or newest.sequence.row(0) < truncate.sequence.row(0):
            self.truncate = truncate
        self.known = truncate_cells(self.known, truncate.sequence, key=["id"]).frame

    def table(self) -> dict[int, dict[str, object]]:
        return _rows(self.known.filter(pl.col(OP) == UPSERT), list(SEQUENCE))


def _rows(frame: pl.DataFrame, sequence: Sequence[str]) -> dict[int, dict[str, object]]:
    found: dict[int, dict[str, object]] = {}
    for row in frame.iter_rows(named=True):
        cells = {name: row.get(name) for name in VALUES}
        found[row["id"]] = {**cells, "sequence": tuple(row[name] for name in sequence)}
    return found


def _complete(rows: dict[int, dict[str, object]]) -> dict[int, dict[str, object]]:
    return {key: {**dict.fromkeys(VALUES), **row} for key, row in rows.items()}


def _adds_up(collapsed: Collapsed, events: Sequence[Event]) -> None:
    counts = collapsed.stale + collapsed.duplicate + collapsed.conflicting
    assert collapsed.frame.height + counts + (collapsed.truncate is not None) == len(events)
    assert collapsed.lost.height == counts


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(events=_events(partial=False), data=st.data())
def test_whole_rows_in_one_batch_are_the_model_in_any_order(events: list[Event], data: st.DataObject) -> None:
    keyed = data.draw(st.sampled_from([_same, _by_text, _by_two]))
    collapsed = collapse(keyed(make_batch(events)))
    again = collapse(keyed(make_batch(data.draw(st.permutations(events)))))
    _adds_up(collapsed, events)
    upserts = collapsed.frame.filter(pl.col(OP) == UPSERT)
    assert _rows(upserts.cast({"id": pl.Int64}), list(SEQUENCE)) == _complete(table(events))
    assert not collapsed.partial
    assert (again.stale, again.duplicate, again.conflicting) == (
        collapsed.stale,
        collapsed.duplicate,
        collapsed.conflicting,
    )


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(events=_events(partial=True))
def test_partial_rows_in_one_batch_are_the_model(events: list[Event]) -> None:
    collapsed = collapse(make_batch(events))
    _adds_up(collapsed, events)
    assert _rows(collapsed.frame.filter(pl.col(OP) == UPSERT), list(SEQUENCE)) == _complete(table(events))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(stored=_events(partial=False, width=0, size=4), events=_events(partial=True, width=0))
def test_without_a_sequence_arrival_is_the_order(stored: list[Event], events: list[Event]) -> None:
    before = _complete(apply(stored))
    collapsed = collapse(make_batch(events, width=0))
    _adds_up(collapsed, events)
    assert collapsed.duplicate == collapsed.conflicting == 0
    assert CELLS not in collapsed.frame.columns
    after = {} if collapsed.truncate is not None else dict(before)
    for row in collapsed.frame.iter_rows(named=True):
        old = after.pop(row["id"], {})
        if row[OP] == DELETE:
            continue
        base = old if row.get(BASE, True) else {}
        absent = [name for name in VALUES if name not in row or row.get(absence(name))]
        # A column that the whole batch lacks stays only if nothing in the batch ended the row before.
        alive = base if row["id"] not in _ended(events) else {}
        cells = {name: alive.get(name) if name in absent else row[name] for name in VALUES}
        after[row["id"]] = {**cells, "sequence": ()}
    assert after == _complete(apply([*stored, *events]))


def _ended(events: Sequence[Event]) -> set[int]:
    everything = any(event.op == TRUNCATE for event in events)
    return {key for event in events for key in [event.key] if key and (event.op == DELETE or everything)}


FIRST = upsert(1, (0, 0), a=1, b="x")
PATCH = upsert(1, (1, 0), b="y")


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(batches=st.lists(_events(partial=True, size=5), max_size=5), again=st.integers(0, 4))
# A contradiction of a cell that is already part of a newer row, from both sides.
@example(batches=[[upsert(1, (0, 0), a=1), PATCH], [upsert(1, (0, 0), a=2)]], again=0)
@example(batches=[[upsert(1, (0, 0), a=2), PATCH], [upsert(1, (0, 0), a=1)]], again=0)
# A late truncate and a late delete between a row and its older cells.
@example(batches=[[FIRST, PATCH], [Event(TRUNCATE, None, (0, 1))], [upsert(1, (0, 0), a=2)]], again=0)
@example(batches=[[PATCH], [FIRST], [Event(DELETE, 1, (0, 1))]], again=1)
# A row that is deleted and comes back in a batch which does not know all its columns.
@example(batches=[[FIRST], [Event(DELETE, 1, (0, 1)), upsert(1, (0, 2), b="y")]], again=0)
def test_any_order_split_and_redelivery_gives_the_table_of_the_model(
    batches: list[list[Event]], again: int
) -> None:
    store = Store()
    for batch in [*batches, *batches[:again]]:
        store.merge(batch)
    events = [event for batch in batches for event in batch]
    assert store.table() == _complete(table(events))
    assert not store.known["id"].is_duplicated().any()
    other = Store()
    for batch in reversed(batches):
        other.merge(batch[::-1])
    assert other.table() == store.table()
