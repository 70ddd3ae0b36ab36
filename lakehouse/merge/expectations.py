"""Judges rows by the expectations of the config: what should hold, and what becomes of rows that fail.

A condition must be true of a row; false and null are failures. As with the table's own rules
(`lakehouse.merge.constraints`), a row that states all that a condition asks for is judged by itself, and of a
partial row the outcome is judged. All expectations are judged on the same rows, so that their numbers can be
compared: one that drops rows hides nothing from those behind it.

A condition on a column that is masked before it is stored is about the clear value. So it is judged when a
record arrives, and only of records that state all that it asks for: the outcome has masks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.changes import OP, ORDINAL, UPSERT, ChangeBatch, Misfit, absence
from lakehouse.config.models.tables import Expectation
from lakehouse.delta.schema import StructType, to_polars
from lakehouse.errors import DataError, UsageError

UNMET: Final = "expectation"
"""Reason: an expectation with ``on_fail: quarantine`` does not hold."""

DROPPED: Final = "dropped"
"""Reason: an expectation with ``on_fail: drop`` does not hold; such records are kept nowhere."""

_HOLDS: Final = "__holds"

OnFail = Literal["warn", "drop", "quarantine", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectationResult:
    """How one expectation fared in one merge.

    Args:
        name: Its name in the config.
        on_fail: What becomes of rows that do not meet it.
        checked: Records whose row was judged.
        failed: Those of them whose row did not meet it.
    """

    name: str
    on_fail: OnFail
    checked: int
    failed: int


@dataclass(slots=True)
class _Tally:
    """One expectation, and the ordinals of the records that were judged by it."""

    name: str
    on_fail: OnFail
    condition: str
    columns: tuple[str, ...]
    clear: bool = False
    checked: pl.Series = field(default_factory=lambda: pl.Series(ORDINAL, [], dtype=pl.Int64))
    failed: pl.Series = field(default_factory=lambda: pl.Series(ORDINAL, [], dtype=pl.Int64))

    def judge(self, rows: pl.DataFrame) -> None:
        """Judges rows that have all columns of the condition and the ordinal of their record."""
        missed = rows[ORDINAL].filter(~_holds(rows.select(self.columns), self))
        self.checked = _union(self.checked, rows[ORDINAL])
        self.failed = _union(self.failed, missed)


@dataclass(slots=True)
class Judgement:
    """Judges one batch, step by step.

    Args:
        table: The table's name, for errors.
        types: The columns that conditions can look at.
        tallies: The expectations, in the order of the config.
    """

    table: str
    types: Mapping[str, pl.DataType]
    tallies: tuple[_Tally, ...]

    def arriving(self, batch: ChangeBatch) -> dict[int, Misfit]:
        """Judges what only clear values can tell, of the rows that state all that a condition looks at.

        Args:
            batch: Conformed to the table's schema, not masked yet.

        Returns:
            The records that do not go on, and why.
        """
        return self._judge(batch, [tally for tally in self.tallies if tally.clear])

    def stated(self, batch: ChangeBatch) -> dict[int, Misfit]:
        """Judges the rows that state all that a condition looks at.

        Args:
            batch: Conformed to the table's schema, and masked where that is to be.

        Returns:
            The records that do not go on, and why.
        """
        return self._judge(batch, [tally for tally in self.tallies if not tally.clear])

    def _judge(self, batch: ChangeBatch, tallies: Sequence[_Tally]) -> dict[int, Misfit]:
        if not tallies:
            return {}
        upserts = batch.frame.filter(pl.col(OP) == UPSERT)
        for tally in tallies:
            if not set(tally.columns) <= set(upserts.columns):
                continue
            flags = [absence(name) for name in tally.columns if absence(name) in upserts.columns]
            tally.judge(upserts.filter(~pl.any_horizontal(pl.lit(value=False), *flags)) if flags else upserts)
        return self._misfits(batch.frame[ORDINAL])

    def outcome(self, rows: pl.DataFrame, changes: pl.DataFrame, *, on: Sequence[str]) -> dict[int, Misfit]:
        """Judges what the table would hold of records that do not say all of their row themselves.

        Args:
            rows: The rows that would be written.
            changes: The changes that make them, with ``__op`` and ``__ordinal``.
            on: The columns by which a row finds its change.

        Returns:
            Further records that do not go on, and why.
        """
        if not self.tallies:
            return {}
        records = changes.filter(pl.col(OP) == UPSERT).select(*on, ORDINAL)
        open_ = [
            tally
            for tally in self.tallies
            if not tally.clear and (CELLS in rows.columns or not _has_all(tally.checked, records))
        ]
        if not open_ or rows.is_empty():
            return {}
        missing = [
            pl.lit(None, dtype=dtype).alias(name) for name, dtype in self.types.items() if name not in rows
        ]
        whole = rows.with_columns(missing).join(records, on=list(on), how="inner")
        before = {tally.name: tally.failed.len() for tally in open_}
        for tally in open_:
            tally.judge(whole)
        if all(tally.failed.len() == before[tally.name] for tally in open_):
            return {}
        return self._misfits(changes[ORDINAL])

    def results(self) -> tuple[ExpectationResult, ...]:
        """The numbers so far.

        Raises:
            DataError: An expectation with ``on_fail: fail`` is not met.
        """
        for tally in self.tallies:
            failed = tally.failed.len()
            if tally.on_fail == "fail" and failed:
                raise DataError(
                    f"the expectation {tally.name} of table {self.table} is not met by {failed:,} of "
                    f"{tally.checked.len():,} rows; nothing was written",
                    advice="mend the rows, or let `on_fail` be quarantine, drop or warn",
                )
        return tuple(
            ExpectationResult(
                name=tally.name,
                on_fail=tally.on_fail,
                checked=tally.checked.len(),
                failed=tally.failed.len(),
            )
            for tally in self.tallies
        )

    def _misfits(self, known: pl.Series) -> dict[int, Misfit]:
        """Why records among some ordinals do not go on; the first expectation that says so counts."""
        found: dict[int, Misfit] = {}
        for tally in self.tallies:
            if tally.on_fail in {"drop", "quarantine"} and tally.failed.len():
                reason = DROPPED if tally.on_fail == "drop" else UNMET
                misfit = Misfit(reason, f"the expectation {tally.name} does not hold")
                for ordinal in tally.failed.filter(tally.failed.is_in(known.implode())):
                    found.setdefault(ordinal, misfit)
        return found


def judgement(
    expect: Sequence[Expectation],
    *,
    schema: StructType,
    untold: Sequence[str] = (),
    masked: Sequence[str] = (),
    table: str,
) -> Judgement:
    """Reads the conditions of a table's expectations.

    Args:
        expect: The expectations; those on freshness are no matter of rows.
        schema: The columns that there are, after the merge.
        untold: Columns of the batch that hold nothing but nulls, and that the table lacks.
        masked: Columns that are masked before they are stored.
        table: The table's name, for errors.

    Raises:
        UsageError: A condition can't be read, or names a column that is not there.
    """
    types: dict[str, pl.DataType] = dict(to_polars(schema))
    for name in untold:
        types.setdefault(name, pl.Null())
    return Judgement(table, types, tuple(_read(expect, types, table, masked=frozenset(masked))))


def _read(
    expect: Sequence[Expectation], types: Mapping[str, pl.DataType], table: str, *, masked: frozenset[str]
) -> Iterator[_Tally]:
    nothing = pl.DataFrame(schema=dict(types))
    for each in expect:
        if each.check is None:
            continue
        columns, fault = _columns_of(each.check, nothing)
        if fault:
            raise UsageError(
                f"the expectation {each.name} of table {table} can't be used: {fault}; nothing was written",
                advice='`check` is a SQL condition over the table\'s columns, as "email IS NOT NULL"',
            )
        yield _Tally(each.name, each.on_fail, each.check, columns, clear=not masked.isdisjoint(columns))


def fault_of(check: str, schema: StructType | None) -> str:
    """What is wrong with the condition of an expectation; empty where nothing is.

    Args:
        check: SQL.
        schema: The table's columns; None where they are not known, which leaves the grammar.
    """
    return _columns_of(check, None if schema is None else pl.DataFrame(schema=dict(to_polars(schema))))[1]


def _columns_of(check: str, nothing: pl.DataFrame | None) -> tuple[tuple[str, ...], str]:
    """The columns that a condition looks at, and what is wrong with it, tried on a frame without rows."""
    columns: tuple[str, ...] = ()
    alone = True
    try:
        columns = tuple(dict.fromkeys(pl.sql_expr(check).meta.root_names()))
        if nothing is not None:
            unknown = [name for name in columns if name not in nothing.columns]
            if unknown:
                return columns, f"there is no column {', '.join(unknown)}"
            # Tried on no rows, so that no value can be in the message.
            tried = _answer(nothing.select(columns or nothing.columns), check)
            alone = not tried.len() and tried.dtype in {pl.Boolean(), pl.Null()}
    except pl.exceptions.PolarsError as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return columns, said.partition("; valid columns:")[0][:200]
    return columns, "" if columns and alone else "it is no condition on the columns of a single row"


def _answer(rows: pl.DataFrame, condition: str) -> pl.Series:
    # A whole query, unlike an expression, knows the columns' types and reads texts as times where they are.
    return rows.lazy().sql(f"SELECT ({condition}) AS {_HOLDS} FROM self").collect()[_HOLDS]  # noqa: S608


def _holds(rows: pl.DataFrame, tally: _Tally) -> pl.Series:
    try:
        return _answer(rows, tally.condition).cast(pl.Boolean).fill_null(value=False)
    except pl.exceptions.PolarsError as error:
        # The cause is not kept: its message can show values.
        raise DataError(
            f"the expectation {tally.name} can't be judged on the batch ({type(error).__name__}); "
            "nothing was written",
            advice="a value can't be converted as the condition says; TRY_CAST gives null instead",
        ) from None


def _union(one: pl.Series, other: pl.Series) -> pl.Series:
    """The ordinals of both, each once."""
    return pl.concat([one, other]).unique() if one.len() else other.unique()


def _has_all(checked: pl.Series, records: pl.DataFrame) -> bool:
    return bool(records[ORDINAL].is_in(checked.implode()).all())
