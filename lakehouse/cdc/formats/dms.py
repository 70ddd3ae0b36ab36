"""The format ``dms``: files of AWS Database Migration Service (CSV or Parquet), one row per change.

``Op`` says what a row does: ``I`` insert, ``U`` update, ``D`` delete; files of a full load lack it, or leave
it empty, and their rows are inserts. Everything else is as in the format ``rows``: the table's columns.

**Order.** The files tell their order by nothing but their names and lines, so merge them in that order, or
let DMS add a column and name it in ``changes.sequence``: the transformation rule ``add-column`` with the
expression ``$AR_H_CHANGE_SEQ`` (a number that rises with every change), or ``TimestampColumnName``. CSV
files need a first line with the names: the setting ``AddColumnName=true``.

AWS documentation, "Using Amazon S3 as a target for AWS Database Migration Service", names the columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from lakehouse.cdc.changes import OPERATION, ChangeBatch
from lakehouse.cdc.formats import rows
from lakehouse.cdc.formats.base import Settings
from lakehouse.cdc.records import Records, Tabular, as_records

COLUMN: Final = "op"
"""The name of the column that says what a row does, in any case."""

_WORDS: Final[Mapping[str, str]] = {"i": "insert", "u": "update", "d": "delete"}


def read(records: object, *, settings: Settings) -> ChangeBatch:
    """Reads rows.

    Args:
        records: Anything that `lakehouse.cdc.records.as_records` takes.
        settings: How the table's changes look.

    Returns:
        The batch. A row whose ``Op`` is none of the three letters is rejected.

    Raises:
        DataError: The columns can't be read, have names that differ by case only, or lack the key.
    """
    taken = as_records(records)
    if isinstance(taken, Tabular):
        taken = Tabular(_named(taken.frame), taken.positions, taken.lines, taken.rejected, taken.untyped)
    else:
        taken = Records([_renamed(item) for item in taken.items], taken.lines)
    return rows.read(taken, settings=settings)


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the operations under the name and in the words of the format ``rows``."""
    name = _operation_in(frame.columns)
    if name is None:
        return frame
    text = frame[name].cast(pl.String, strict=False).str.strip_chars().str.to_lowercase()
    words = text.replace("", None).replace(_WORDS)
    return frame.drop(name).with_columns(words.alias(OPERATION))


def _renamed(item: object) -> object:
    name = _operation_in(item) if isinstance(item, Mapping) else None
    if name is None or not isinstance(item, Mapping):
        return item
    word = item[name]
    told = _WORDS.get(word.strip().lower(), word) if isinstance(word, str) else word
    return {**{key: value for key, value in item.items() if key != name}, OPERATION: told or None}


def _operation_in(names: Iterable[object]) -> str | None:
    return next((name for name in names if isinstance(name, str) and name.lower() == COLUMN), None)
