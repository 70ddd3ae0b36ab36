"""Columns that ``pii`` names and the table does not have: right if they come one day, a leak if misspelt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from lakehouse.config.models import ColumnPii
from lakehouse.config.nearest import nearest
from lakehouse.delta.datatypes import StructType
from lakehouse.errors import RefusedError
from lakehouse.pii.paths import column_of

_DIGITS: Final = re.compile(r"[0-9]+")
_SLIP: Final = 0.8
"""Names as like as that are a slip of the pen, and no two columns."""


def absent_notes(pii: Mapping[str, ColumnPii], schema: StructType) -> tuple[str, ...]:
    """Says which paths of ``pii`` mask nothing, since the table has no such column.

    Args:
        pii: What the config says of the table's columns.
        schema: The table's columns.

    Returns:
        A sentence for each.
    """
    return tuple(
        f"`{path}` of `pii` masks nothing: there is no column `{column}`"
        + (f"; did you mean `{near}`?" if (near := _meant(column, pii, schema, cutoff=0.6)) else "")
        for path, column in _absent(pii, schema)
    )


def ensure_spelt(table: str, pii: Mapping[str, ColumnPii], schema: StructType) -> None:
    """Refuses to go on where a path of ``pii`` is a misspelt column, which would stay clear.

    Args:
        table: The table's name.
        pii: What the config says of its columns.
        schema: Its columns; nothing is said of a table that has none.

    Raises:
        RefusedError: The table lacks a column of ``pii``, and has one that is called nearly like it, of which
            ``pii`` says nothing.
    """
    for path, column in _absent(pii, schema):
        near = _meant(column, pii, schema, cutoff=_SLIP)
        # `phone` and `phone2` are two columns, whatever else they are.
        if near is not None and _DIGITS.findall(near) == _DIGITS.findall(column):
            raise RefusedError(
                f"table {table} has no column `{column}`, which its `pii` names, but `{near}`, of which "
                "`pii` says nothing and which would stay clear",
                advice=f"mend `{path}` in the config; or take it out until there is such a column",
            )


def _absent(pii: Mapping[str, ColumnPii], schema: StructType) -> Iterator[tuple[str, str]]:
    for path in pii:
        column = column_of(path, columns=schema.names)
        if column not in schema:
            yield path, column


def _meant(column: str, pii: Mapping[str, ColumnPii], schema: StructType, *, cutoff: float) -> str | None:
    """The column that was probably meant: one of which nothing is said."""
    said = {column_of(path, columns=schema.names) for path in pii}
    return nearest(column, [name for name in schema.names if name not in said], cutoff=cutoff)
