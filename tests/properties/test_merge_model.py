"""Streams of changes through real merges: the model, both modes and every reader agree, in any order."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lakehouse.cdc.content_hash import content_rank
from lakehouse.table import Table
from tests.properties.model import DELETE, TRUNCATE, UPSERT, Event, apply, table
from tests.properties.tables import by_delta_rs, by_polars, delta, open_table, ours

Mode = Literal["on_read", "on_write"]

VALUES: dict[str, pl.DataType] = {
    "a": pl.Int64(),
    "b": pl.String(),
    "c": pl.List(pl.Int64()),
    "d": pl.Boolean(),
}
CHOICES: dict[str, list[object]] = {
    "a": [None, 1, 2],
    "b": [None, "x", "y"],
    "c": [None, [], [1, None]],
    "d": [None, True],
}
TYPES = {"a": "long", "b": "string", "c": "array<long>", "d": "boolean"}
# A list that is empty wherever it occurs tells no type, and is left out.
LATE: dict[str, list[object]] = {name: CHOICES[name] for name in ("a", "b", "d")}
ORDER = ("s", "t")
WORDS = {DELETE: "delete", TRUNCATE: "truncate"}


def upsert(key: int, sequence: tuple[int, ...], **cells: object) -> Event:
    frame = pl.DataFrame({name: [cells.get(name)] for name in VALUES}, schema=VALUES)
    return Event(UPSERT, key, sequence, cells, int(content_rank(frame, list(VALUES))[0]))


def delete(key: int, sequence: tuple[int, ...]) -> Event:
    return Event(DELETE, key, sequence)


def truncate(sequence: tuple[int, ...]) -> Event:
    return Event(TRUNCATE, None, sequence)


@dataclass(frozen=True)
class Plan:
    """What is delivered, batch by batch, and after which batches who compacts the table."""

    batches: tuple[tuple[Event, ...], ...]
    compact_after: frozenset[int] = frozenset()
    by_others: bool = False

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch]


@st.composite
def events_of(draw: st.DrawFn, *, width: int, partial: bool) -> Event:
    op = draw(st.sampled_from([UPSERT] * 7 + [DELETE] * 2 + [TRUNCATE]))
    sequence = tuple(draw(st.integers(0, 5)) for _ in range(width))
    if op == TRUNCATE:
        return truncate(sequence)
    key = draw(st.integers(1, 4))
    if op == DELETE:
        return delete(key, sequence)
    names = draw(st.sets(st.sampled_from(sorted(VALUES)))) if partial else set(VALUES)
    return upsert(key, sequence, **{name: draw(st.sampled_from(CHOICES[name])) for name in sorted(names)})


@st.composite
def evolving(draw: st.DrawFn) -> Event:
    """An event of a source whose rows get columns: it states all that there are by then, or some of them."""
    op = draw(st.sampled_from([UPSERT] * 12 + [DELETE] * 2 + [TRUNCATE]))
    key, sequence = draw(st.integers(1, 2)), (draw(st.integers(0, 9)),)
    if op != UPSERT:
        return truncate(sequence) if op == TRUNCATE else delete(key, sequence)
    known = draw(st.sampled_from([["a"], ["a"], ["a", "b"], ["a", "b", "d"], ["a", "b", "d"], ["b"], ["d"]]))
    return upsert(key, sequence, **{name: draw(st.sampled_from(LATE[name])) for name in known})


@st.composite
def plans(
    draw: st.DrawFn, *, width: int, partial: bool, size: int, event: st.SearchStrategy[Event] | None = None
) -> Plan:
    one = event if event is not None else events_of(width=width, partial=partial)
    events = draw(st.lists(one, min_size=1, max_size=size))
    again = draw(st.lists(st.sampled_from(events), max_size=3)) if width else []
    arrival = draw(st.permutations([*events, *again])) if width else events
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(arrival) - 1)), max_size=5)))
    parts = [arrival[start:end] for start, end in zip([0, *cuts], [*cuts, len(arrival)], strict=True)]
    batches = tuple(tuple(part) for part in parts if part)
    after = frozenset(draw(st.sets(st.integers(0, len(batches)), max_size=1)))
    return Plan(batches, after, by_others=draw(st.booleans()))


def record(event: Event) -> dict[str, object]:
    row: dict[str, object] = {**dict(zip(ORDER, event.sequence, strict=False)), **event.cells}
    if event.op != TRUNCATE:
        row["id"] = event.key
    if event.op != UPSERT:
        row["_op"] = WORDS[event.op]
    return row


def rows_of(frame: pl.DataFrame, *, width: int) -> dict[int, dict[str, object]]:
    assert not frame["id"].is_duplicated().any()
    return {
        row["id"]: {
            **{name: row.get(name) for name in VALUES},
            "sequence": tuple(row[name] for name in ORDER[:width]),
        }
        for row in frame.iter_rows(named=True)
    }


def expected(events: Sequence[Event], *, width: int) -> dict[int, dict[str, object]]:
    rows = table(events) if width else apply(events)
    return {key: {**dict.fromkeys(VALUES), **row} for key, row in rows.items()}


def compact(found: Table, root: Path, plan: Plan, *, mode: Mode) -> None:
    if plan.by_others and mode == "on_write":
        # delta-rs does not compact tables with deletion vectors.
        delta(root).optimize.compact()
        return
    found.compact()


def deliver(root: Path, plan: Plan, *, mode: Mode, width: int, types: Mapping[str, str]) -> Table:
    """Merges the batches one by one; their counts must add up."""
    sequence = list(ORDER[:width])
    schema = {"id": "long", **dict.fromkeys(sequence, "long"), **types}
    found = open_table(root, merge=mode, schema=schema, changes={"sequence": sequence} if sequence else {})
    found.create()
    for number, batch in enumerate(plan.batches):
        before = found.snapshot()
        result = found.merge([record(event) for event in batch])
        assert result.total == len(batch)
        assert result.rejected == result.suppressed == 0
        assert result.committed == (found.snapshot().version == before.version + 1)
        if number in plan.compact_after:
            compact(found, root, plan, mode=mode)
    return found


def check(plan: Plan, *, width: int, types: Mapping[str, str] = TYPES) -> None:
    wanted = expected(plan.events, width=width)
    modes: tuple[Mode, ...] = ("on_read", "on_write")
    for mode in modes:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            found = deliver(root, plan, mode=mode, width=width, types=types)
            assert rows_of(ours(found), width=width) == wanted, mode
            assert rows_of(by_delta_rs(root), width=width) == wanted, mode
            assert rows_of(by_polars(root), width=width) == wanted, mode
            report = found.verify()
            assert report.ok, report.findings
            assert mode == "on_read" or not report.vectors


PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
quick = settings(deadline=None, max_examples=14, suppress_health_check=list(HealthCheck), phases=PHASES)
long = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck), phases=PHASES)


@quick
@given(plan=plans(width=2, partial=False, size=12))
def test_whole_rows_by_sequence(plan: Plan) -> None:
    check(plan, width=2)


@quick
@given(plan=plans(width=1, partial=True, size=12))
def test_partial_rows_by_sequence(plan: Plan) -> None:
    check(plan, width=1)


@long
@given(plan=plans(width=1, partial=True, size=12, event=evolving()))
def test_columns_that_come_with_any_batch(plan: Plan) -> None:
    check(plan, width=1, types={})


@quick
@given(plan=plans(width=0, partial=True, size=12))
def test_partial_rows_by_arrival(plan: Plan) -> None:
    check(plan, width=0)
