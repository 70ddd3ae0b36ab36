"""Looks into the files of which only some rows can be past their time: which rows go, which are held back.

One streaming scan over many files reads only the columns that rules and holds ask for. Memory grows with the
rows that are found in one stretch of files, and with the bitmaps of all of them, not with the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl
from pyroaring import BitMap64

from lakehouse.delta.actions import AddFile
from lakehouse.delta.exact import column
from lakehouse.delta.scan import drop_hidden, scan_files
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import DataError
from lakehouse.merge.plan import dead_rows
from lakehouse.merge.verdicts import FILE, POSITION
from lakehouse.protection import TableHold
from lakehouse.retention.conditions import Condition
from lakehouse.retention.decide import ReadyRule
from lakehouse.storage import Storage

# So many rows of the table are looked at in one go; a quarter of a gigabyte where all of them are found.
_ROWS_A_LOOK: Final = 16_000_000
_UNKNOWN_ROWS: Final = 1_000_000


@dataclass(slots=True)
class Found:
    """What looking found for one rule.

    Args:
        positions: By number of the file, the rows that go.
        rows: How many those are.
        undated: Rows without a date.
        held: By the hold's id, rows past their time that it keeps.
        held_rows: Rows that some hold keeps.
        taken: By the name of another rule, rows that it takes before this one.
        oldest: The least that the column holds in rows that go.
        newest: The greatest there.
    """

    positions: dict[int, BitMap64] = field(default_factory=dict)
    rows: int = 0
    undated: int = 0
    held: dict[str, int] = field(default_factory=dict)
    held_rows: int = 0
    taken: dict[str, int] = field(default_factory=dict)
    oldest: Any = None
    newest: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the files of a version.

    Args:
        rules: In the order in which they take rows.
        holds: What is held: a hold and its condition, None where it holds all rows.
    """

    rules: Sequence[ReadyRule]
    holds: Sequence[tuple[TableHold, Condition | None]] = ()

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        conditions = [ready.where for ready in self.rules] + [found for _, found in self.holds]
        wanted = [ready.column for ready in self.rules]
        wanted += [name for found in conditions if found is not None for name in found.columns]
        wanted += [each.column for ready in self.rules for each in ready.neutral]
        return list(dict.fromkeys(wanted))


def look(
    storage: Storage,
    snapshot: Snapshot,
    files: Sequence[AddFile],
    numbers: Sequence[Sequence[int]],
    question: Question,
    *,
    table: str,
) -> list[Found]:
    """Looks into files.

    Args:
        storage: The table's folder.
        snapshot: The version.
        files: All files of the version, by number.
        numbers: For each rule the numbers of the files that it may take rows of.
        question: What to look for.
        table: The table's name, for errors.

    Returns:
        What was found, by rule.

    Raises:
        DataError: A condition can't be evaluated on some row.
        CorruptTableError: A file can't be read.
    """
    found = [Found() for _ in question.rules]
    wanted = sorted({number for each in numbers for number in each})
    asked = [frozenset(each) for each in numbers]
    for stretch in _stretches(wanted, files):
        chosen = [files[number] for number in stretch]
        try:
            rows = _query(storage, snapshot, chosen, question).collect(engine="streaming")
        except pl.exceptions.PolarsError:
            if not any(ready.where for ready in question.rules) and not any(c for _, c in question.holds):
                raise
            # The cause is not kept: its message can show values.
            raise DataError(
                f"table {table}: a condition of a rule or hold can't be evaluated on some row",
                advice="a value can't be converted or compared as it says; TRY_CAST gives null instead",
            ) from None
        rows = drop_hidden(storage, rows, chosen, file=FILE, position=POSITION)
        # From numbers within the stretch to those among all files.
        places = pl.Series(stretch, dtype=pl.UInt32)
        rows = rows.with_columns(places.gather(rows[FILE]).alias(FILE))
        _note(found, rows, question, asked)
    return found


def _stretches(numbers: Sequence[int], files: Sequence[AddFile]) -> Iterator[list[int]]:
    part: list[int] = []
    rows = 0
    for number in numbers:
        more = files[number].physical_records or _UNKNOWN_ROWS
        if part and rows + more > _ROWS_A_LOOK:
            yield part
            part, rows = [], 0
        part.append(number)
        rows += more
    if part:
        yield part


def _query(
    storage: Storage, snapshot: Snapshot, files: Sequence[AddFile], question: Question
) -> pl.LazyFrame:
    """The rows past their time by some rule, and those without a date, each with what is asked of it."""
    rows = scan_files(
        storage,
        snapshot,
        files,
        columns=question.columns,
        file=FILE,
        position=POSITION,
        apply_vectors=False,
    )
    dates = list(dict.fromkeys(ready.column for ready in question.rules))
    for number, ready in enumerate(question.rules):
        if ready.where is not None:
            rows = ready.where.mark(rows, f"__where{number}")
    for number, (_, held) in enumerate(question.holds):
        rows = (
            held.mark(rows, _hold(number))
            if held
            else rows.with_columns(pl.lit(value=True).alias(_hold(number)))
        )
    rows = rows.with_columns(
        *(_hit(number, ready).alias(f"__hit{number}") for number, ready in enumerate(question.rules)),
        *(
            ready.cutoff.undated(column(ready.column)).alias(f"__undated{number}")
            for number, ready in enumerate(question.rules)
        ),
    )
    flags = [f"__{what}{number}" for number in range(len(question.rules)) for what in ("hit", "undated")]
    shown = [FILE, POSITION, *flags, *(_hold(number) for number in range(len(question.holds)))]
    copies = [column(name).alias(f"__date{number}") for number, name in enumerate(dates)]
    return rows.filter(pl.any_horizontal(flags)).select(*shown, *copies)


def _hit(number: int, ready: ReadyRule) -> pl.Expr:
    hit = ready.cutoff.past(column(ready.column)).fill_null(value=False)
    if ready.where is not None:
        hit = hit & pl.col(f"__where{number}")
    if ready.rule.action == "anonymize":
        hit = hit & pl.any_horizontal([each.differs() for each in ready.neutral])
    return hit


def _hold(number: int) -> str:
    return f"__hold{number}"


def _note(
    found: Sequence[Found], rows: pl.DataFrame, question: Question, asked: Sequence[frozenset[int]]
) -> None:
    """Adds up what a stretch of files gave; a row goes by the first rule that hits it."""
    dates = list(dict.fromkeys(ready.column for ready in question.rules))
    held = pl.repeat(value=False, n=rows.height, eager=True)
    for number in range(len(question.holds)):
        held |= rows[_hold(number)]
    is_held = bool(held.any())
    taken = pl.repeat(-1, rows.height, dtype=pl.Int32, eager=True)
    several = len(question.rules) > 1
    for number, (ready, one) in enumerate(zip(question.rules, found, strict=True)):
        hit, undated = rows[f"__hit{number}"], rows[f"__undated{number}"]
        if several:
            # What a rule is not asked about has been counted by statistics.
            here = rows[FILE].is_in(pl.Series(sorted(asked[number]), dtype=pl.UInt32).implode())
            hit, undated = hit & here, undated & here
        one.undated += int(undated.sum())
        if is_held:
            for place, (hold, _) in enumerate(question.holds):
                kept = int((hit & rows[_hold(place)]).sum())
                if kept:
                    one.held[hold.id] = one.held.get(hold.id, 0) + kept
            one.held_rows += int((hit & held).sum())
            hit = hit & ~held
        if several:
            for earlier in range(number):
                shared = int((hit & (taken == earlier)).sum())
                if shared:
                    name = question.rules[earlier].rule.name
                    one.taken[name] = one.taken.get(name, 0) + shared
            hit = hit & (taken == -1)
            taken = taken.set(hit, number)
        going = rows.select(FILE, POSITION, f"__date{dates.index(ready.column)}")
        if not hit.all():
            going = going.filter(hit)
        _take(one, going)


def _take(one: Found, going: pl.DataFrame) -> None:
    if going.is_empty():
        return
    values = going.to_series(2)
    low, high = values.min(), values.max()
    one.oldest = _least(one.oldest, low)
    one.newest = _greatest(one.newest, high)
    one.rows += going.height
    merged: Mapping[int, BitMap64] = dead_rows(going.select(FILE, POSITION))
    for number, positions in merged.items():
        one.positions[number] = positions


def _least(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else min(one, other)


def _greatest(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else max(one, other)
