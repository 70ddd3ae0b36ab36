"""What a role sees of a table, as far as turning masks back needs it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from lakehouse.errors import RefusedError, UsageError
from lakehouse.pii.mask.computed import computed_from
from lakehouse.protection.row_by_row import looks_at_single_rows
from lakehouse.table import Table
from lakehouse.timetravel.reading import explaining, filtered

MASKED: Final = "masked"
VALUE: Final = "value"


class Sight:
    """One role on one column of one table.

    Args:
        table: The table.
        column: The column that is asked for.
        condition: SQL for the rows that the role sees; None means all.
        hidden: The columns that it does not see as they are, or paths into them, as `pii` in the config has
            them.
    """

    def __init__(self, table: Table, column: str, *, condition: str | None, hidden: frozenset[str]) -> None:
        self._table = table
        self._column = column
        self._condition = condition
        self._hidden = hidden

    def given(self, values: Sequence[Any]) -> pl.DataFrame:
        """The values that were given, as the column has them.

        Args:
            values: Masks.

        Returns:
            One column, ``masked``.

        Raises:
            UsageError: A value that the column can't hold. It is not repeated.
            RefusedError: It can't be told whether the role sees them.
        """
        if isinstance(values, str | bytes):
            raise UsageError("`values` is a list of values, not one", advice='write ["..."]')
        kind = self._kind()
        if kind is None and self._condition is not None:
            raise RefusedError(
                f"the role sees only some rows of table {self._table.name}, and whether a value is in them "
                f"can't be told of {self._column}",
                advice="a role that sees all rows can turn it back",
            )
        try:
            series = pl.Series(MASKED, list(values), strict=True)
            series = series if kind is None or series.dtype == kind else series.cast(kind)
        except (TypeError, OverflowError, pl.exceptions.PolarsError):
            raise UsageError(
                f"a value can't be one of column {self._column} of table {self._table.name} ({kind})",
                advice="give masks as they are stored",
            ) from None
        return series.to_frame()

    def found(
        self, where: str, *, limit: int, person: Sequence[str] = ()
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The stored values of the rows that meet a condition, with the key of each.

        Args:
            where: SQL over the columns that the role sees as they are.
            limit: How many rows it may find.
            person: The columns that say whose a row is. They are no part of what is shown.

        Returns:
            The columns of the key that the role sees as they are, and ``masked``; and beside it those of
            the person.

        Raises:
            UsageError: The condition can't be used, or finds more rows than the limit.
        """
        if limit < 1:
            raise UsageError("the limit is a number of rows, at least 1")
        if self._kind() is None:
            raise UsageError(
                f"{self._column} of table {self._table.name} is inside of a column",
                advice="its masks are turned back by their values: give those in place of a condition",
            )
        names = self._open_columns()
        beside = [name for name in person if name not in names]
        held = _free([*names, *beside])
        rows = self._rows().select(*names, *beside, pl.col(self._column).alias(held))
        self._ensure_usable(where, rows.select(names))
        keys = [name for name in self._table.config.key if name in names and name not in {MASKED, VALUE}]
        wanted = rows.map_batches(
            lambda frame: _matching(frame, names, where, table=self._table.name),
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
            streamable=True,
        )
        found = self._collect(wanted.head(limit + 1))
        if found.height > limit:
            raise UsageError(
                f"the condition finds more than {limit:,} rows of table {self._table.name}",
                advice="narrow it down, or give a higher limit (--limit)",
            )
        return found.select(*keys, pl.col(held).alias(MASKED)), found.select(person)

    def only_seen(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """Takes the values out that are in no row that the role sees, where it does not see all.

        Args:
            rows: With ``masked`` and ``value``.

        Returns:
            The rows, and of how many the value was taken out.
        """
        if self._condition is None:
            return rows, 0
        seen = self._collect(self._rows().select(self._column).unique())[self._column].implode()
        # Stored masked, or as it is and masked on the way out.
        allowed = pl.col(MASKED).is_in(seen) | pl.col(VALUE).is_in(seen)
        marked = rows.with_columns(allowed.fill_null(value=False).alias("_seen"))
        withheld = marked.filter(~pl.col("_seen") & pl.col(VALUE).is_not_null()).height
        return marked.with_columns(pl.when("_seen").then(VALUE).alias(VALUE)).drop("_seen"), withheld

    def _rows(self) -> pl.LazyFrame:
        """All rows that the role sees."""
        return self._table.scan(where=self._condition)

    def _open_columns(self) -> list[str]:
        """The columns that a condition may ask for: those that the role sees as they are."""
        every = self._rows().collect_schema().names()
        names = [name for name in every if not self._is_hidden(name)]
        if names == every or not self._table.exists():
            return names
        schema = self._table.snapshot().schema
        masked = [name for name in schema.names if self._is_hidden(name)]
        computed = computed_from(masked, schema).columns
        return [name for name in names if name not in computed]

    def _is_hidden(self, name: str) -> bool:
        """Whether the column, or something inside of it, is not seen as it is."""
        quoted = "`" + name.replace("`", "``") + "`"
        return any(
            path == name or path.startswith((*(f"{name}{sign}" for sign in ".[{$"), quoted))
            for path in self._hidden
        )

    def _ensure_usable(self, where: str, rows: pl.LazyFrame) -> None:
        asked = _read(where)
        named = [] if asked is None else list(dict.fromkeys(asked.meta.root_names()))
        masked = [name for name in named if self._is_hidden(name)]
        if masked:
            raise UsageError(
                f"the condition on table {self._table.name} asks for {', '.join(masked)}, which the role "
                "sees masked",
                advice="ask for other columns: " + ", ".join(rows.collect_schema().names()),
            )
        # Before it is tried: what it asks of other rows or files would be read.
        if asked is not None and not looks_at_single_rows(asked):
            raise UsageError(
                f"the condition on table {self._table.name} depends on other rows",
                advice="compare the columns of single rows with fixed values",
            )
        filtered(rows, where, table=self._table.name, shown=rows.collect_schema().names())

    def _kind(self) -> pl.DataType | None:
        """The type of the column; None for a path into one.

        Raises:
            UsageError: The table does not have it.
        """
        if not self._table.exists():
            return pl.String()
        schema = self._table.scan().collect_schema()
        found = schema.get(self._column)
        if found is None and not any(sign in self._column for sign in ".[{$"):
            raise UsageError(
                f"table {self._table.name} has no column {self._column}",
                advice=f"its columns are: {', '.join(schema)}",
            )
        return found

    def _collect(self, lazy: pl.LazyFrame) -> pl.DataFrame:
        with explaining(self._table.storage, snapshots=[self._table.snapshot()], table=self._table.name):
            return lazy.collect(engine="streaming")


def _free(names: Sequence[str]) -> str:
    """A name that no column has."""
    name = VALUE
    while name in names:
        name = f"_{name}"
    return name


def _matching(frame: pl.DataFrame, names: Sequence[str], where: str, *, table: str) -> pl.DataFrame:
    """The rows that meet a condition, which is asked of some columns alone.

    What is not there can't be asked for: SQL knows ways to name columns that are not to be seen beforehand.
    """
    number = f"_{secrets.token_hex(8)}"
    asked = frame.lazy().select(names).with_row_index(number)
    hits = filtered(asked, where, table=table, shown=names).select(number).collect()[number]
    return frame[hits]


def _read(where: str) -> pl.Expr | None:
    """The condition; None where it can't be read, which is said when it is tried."""
    try:
        return pl.sql_expr(where)
    except pl.exceptions.PolarsError:
        return None
