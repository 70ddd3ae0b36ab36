"""Keeps erased people out of rows that come back from an older version of their table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import polars as pl

from lakehouse.cdc.timeline import EVENTS
from lakehouse.delta.schema import STRING, StructType
from lakehouse.requests.suppression.conditions import Condition, left_out
from lakehouse.requests.suppression.emptying import empty, filled
from lakehouse.requests.suppression.listed import Listed
from lakehouse.requests.suppression.recognising import Recogniser


class RowKeeper:
    """The `lakehouse.timetravel.coming.Keeping` of one restore.

    Args:
        conditions: Which rows of the table are a person's.
        key: Its key columns.
        listed: Who must not come back.
    """

    def __init__(self, *, conditions: Sequence[Condition], key: Sequence[str], listed: Listed) -> None:
        self._conditions = tuple(conditions)
        self._key = tuple(key)
        self._recogniser = Recogniser(listed)

    def look(self) -> bool:
        """Takes note of who was erased; whether anybody ever was."""
        return self._recogniser.look()

    def changed(self) -> bool:
        """Whether somebody was erased, or let back in, since the last look."""
        return self._recogniser.changed()

    def columns(self, schema: StructType) -> tuple[str, ...]:
        """The columns by which their rows are recognised, and those that would be emptied.

        Args:
            schema: The columns of the version.
        """
        named = (name for each in self._conditions for name in (*each.names, *_emptied(each)))
        return tuple(dict.fromkeys(name for name in (*named, *self._key) if name in schema.names))

    def gone(self, rows: pl.DataFrame, schema: StructType) -> pl.Series:
        """Which rows stay away: those of erased people, and what was left of them where they were emptied.

        An emptied row has nothing in any column of the key, which no merge would have taken in.

        Args:
            rows: With at least `columns`.
            schema: The columns of the version.
        """
        deleting = [each for each in self._conditions if each.do != "anonymize"]
        hits = self._recogniser.rows(partial(_column, rows), deleting, height=rows.height)
        found = left_out(deleting, hits, height=rows.height)
        if deleting and self._key and all(name in rows.columns for name in self._key):
            found |= _nothing(rows, self._key, schema)
        return found

    def touched(self, rows: pl.DataFrame, schema: StructType) -> pl.Series:
        """Which rows stay away or lose cells.

        Args:
            rows: With at least `columns`.
            schema: The columns of the version.
        """
        found = self.gone(rows, schema)
        emptying = [each for each in self._conditions if each.do == "anonymize"]
        hits = self._recogniser.rows(partial(_column, rows), emptying, height=rows.height)
        for condition, hit in zip(emptying, hits, strict=True):
            if hit.any():
                found |= hit & filled(rows, _emptied(condition), schema=schema)
        return found

    def kept(self, rows: pl.DataFrame, schema: StructType) -> pl.DataFrame:
        """Rows as they may come back.

        Args:
            rows: All columns.
            schema: The columns of the version.
        """
        gone = self.gone(rows, schema)
        emptying = [each for each in self._conditions if each.do == "anonymize"]
        hits = self._recogniser.rows(partial(_column, rows), emptying, height=rows.height)
        for condition, hit in zip(emptying, hits, strict=True):
            if hit.any():
                rows, refused = empty(rows, hit, _emptied(condition), schema=schema, fixed=self._key)
                gone |= refused
        return rows.filter(~gone)


def _emptied(condition: Condition) -> tuple[str, ...]:
    """The columns that a rule empties, with that of the lake's own that tells the same again."""
    return (*condition.columns, EVENTS) if condition.do == "anonymize" else ()


def _nothing(rows: pl.DataFrame, key: Sequence[str], schema: StructType) -> pl.Series:
    found = pl.repeat(value=True, n=rows.height, eager=True)
    for name in key:
        item = schema.field(name)
        if item.nullable:
            found &= rows[name].is_null()
        elif item.type == STRING:
            found &= rows[name] == ""
        else:
            return pl.repeat(value=False, n=rows.height, eager=True)
    return found


def _column(rows: pl.DataFrame, name: str) -> pl.Series | None:
    return rows[name] if name in rows.columns else None
