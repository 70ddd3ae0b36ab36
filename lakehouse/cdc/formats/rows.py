"""The format ``rows``: the table's own columns, one row per change.

Beside the columns of the table a row may have

- ``_op``: ``insert update upsert delete truncate`` or Debezium's letters ``c r u d t``, in any case. Without
  it, or null, the row is an upsert: the merge finds out whether it inserts or updates.
- ``_sequence``: orders the changes of a key, unless the config names columns for that (then it is left out).

A column that a dict lacks is absent in that row; a column that an Arrow table lacks is absent in all of
them. Of a delete only key and sequence count, of a truncate only the sequence. Blank lines and records
that are None are ignored.

Arrow columns keep their types; values of dicts become the declared types of the config, or what
`lakehouse.cdc.formats.values.infer` makes of them. Text in a column that is declared as another type is read
as that: base64 for binary, ISO 8601 for dates and timestamps; numbers there count days and microseconds.
``encodings`` says where it is otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from lakehouse.cdc.changes import (
    DELETE,
    OP,
    OPERATION,
    ORDINAL,
    SEQUENCE,
    TRUNCATE,
    UPSERT,
    ChangeBatch,
    Misfit,
    Rejected,
    absence,
)
from lakehouse.cdc.documents import BROKEN, as_document, parse_json
from lakehouse.cdc.formats.assemble import Row, Rows, assemble
from lakehouse.cdc.formats.base import Settings
from lakehouse.cdc.formats.encodings import declared_codec
from lakehouse.cdc.formats.finish import UNKNOWN_OP, Draft, check_names, finish
from lakehouse.cdc.formats.values.codec import Codec
from lakehouse.cdc.formats.values.decode import decode
from lakehouse.cdc.records import BROKEN_JSON, Records, Tabular, as_records, rejection
from lakehouse.cdc.untyped import typed_text
from lakehouse.delta.datatypes import STRING
from lakehouse.delta.type_names import type_string

NOT_A_ROW: Final = "not_a_row"
"""Reason: a record is no object with text as names."""

OPERATIONS: Final[Mapping[str, int]] = {
    "insert": UPSERT,
    "update": UPSERT,
    "upsert": UPSERT,
    "c": UPSERT,
    "r": UPSERT,
    "u": UPSERT,
    "delete": DELETE,
    "d": DELETE,
    "truncate": TRUNCATE,
    "t": TRUNCATE,
}
"""What the words of ``_op`` mean."""

_UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Dialect:
    """How rows say what they do.

    Args:
        column: The name of the column that says it.
        meanings: What its words mean, in lower case.
        any_case: Whether the column's name may be written in any case.
    """

    column: str = OPERATION
    meanings: Mapping[str, int] = field(default_factory=lambda: OPERATIONS)
    any_case: bool = False

    def named(self, names: Iterable[object]) -> str | None:
        """The column among some names; None where it is not there."""
        if not self.any_case:
            return self.column if self.column in names else None
        return next((n for n in names if isinstance(n, str) and n.lower() == self.column.lower()), None)

    def meaning(self, word: object) -> int:
        """What a word means; nothing is an upsert, what is not known -1."""
        if word is None:
            return UPSERT
        return self.meanings.get(word.strip().lower(), _UNKNOWN) if isinstance(word, str) else _UNKNOWN


_NO_ROW: Final = Misfit(NOT_A_ROW, "the record is no object of columns")


def read(records: object, *, settings: Settings, dialect: Dialect | None = None) -> ChangeBatch:
    """Reads rows.

    Args:
        records: Anything that `lakehouse.cdc.records.as_records` takes.
        settings: How the table's changes look.
        dialect: How they say what they do; None for ``_op`` and its words.

    Returns:
        The batch.

    Raises:
        DataError: The columns can't be read, have names that differ by case only, or lack the key.
    """
    taken, told = as_records(records), dialect or Dialect()
    if isinstance(taken, Tabular):
        return _from_columns(taken, settings, told)
    return _from_objects(taken, settings, told)


def _from_columns(table: Tabular, settings: Settings, dialect: Dialect) -> ChangeBatch:
    frame = table.frame
    word = dialect.named(frame.columns)
    check_names(frame.columns)
    if table.untyped:
        told = [name for name in frame.columns if name not in settings.types and name != word]
        frame = frame.with_columns(typed_text(frame[name]) for name in told)
    frame = frame.with_columns(_operations(frame, word, dialect), _ordinals(table))
    if word is not None:
        frame = frame.drop(word)
    frame, misfits = _typed(frame, settings)
    draft = Draft(
        frame=frame,
        key=settings.key,
        sequence=(),
        origin=table,
        total=len(table),
        rejected=table.rejected,
        misfits=misfits,
    )
    return _finished(draft, settings, dialect)


def _ordinals(table: Tabular) -> pl.Series:
    """The column ``__ordinal``."""
    numbers = table.record_of_row
    if isinstance(numbers, range):
        return pl.int_range(numbers.start, numbers.stop, dtype=pl.Int64, eager=True).alias(ORDINAL)
    return pl.Series(ORDINAL, numbers, dtype=pl.Int64)


def _typed(frame: pl.DataFrame, settings: Settings) -> tuple[pl.DataFrame, dict[int, Misfit]]:
    """Columns of text whose declared type is another are read as that; misfits by ordinal."""
    typed: list[pl.Series] = []
    misfits: dict[int, Misfit] = {}
    for name, declared in settings.types.items():
        if name in frame.columns and frame[name].dtype == pl.String and declared != STRING:
            decoded = decode(frame[name].to_list(), declared_codec(name, settings=settings))
            typed.append(decoded.series.alias(name))
            for row, reason in decoded.misfits.items():
                detail = f"the value of column {name} is no {type_string(declared)}"
                misfits.setdefault(frame[ORDINAL][row], Misfit(reason, detail))
    return frame.with_columns(typed), misfits


def _operations(frame: pl.DataFrame, word: str | None, dialect: Dialect) -> pl.Series:
    """The column ``__op``; -1 where what the column ``word`` says is not known."""
    if word is None:
        return pl.repeat(UPSERT, frame.height, dtype=pl.Int8, eager=True).alias(OP)
    words = frame[word]
    if words.dtype == pl.Null:
        return pl.repeat(UPSERT, frame.height, dtype=pl.Int8, eager=True).alias(OP)
    text = _as_text(words).alias(OP)
    # A batch has few different words, however many rows.
    by_meaning: dict[int, list[str]] = {}
    for found in text.unique().drop_nulls().to_list():
        by_meaning.setdefault(dialect.meaning(found), []).append(found)
    meaning = pl.lit(_UNKNOWN, dtype=pl.Int8)
    for code in by_meaning.keys() - {_UNKNOWN}:
        meaning = pl.when(pl.col(OP).is_in(by_meaning[code])).then(code).otherwise(meaning)
    known = text.to_frame().with_columns(meaning.cast(pl.Int8).alias(OP))[OP]
    return known.set(words.is_null(), UPSERT)


def _as_text(words: pl.Series) -> pl.Series:
    """Words of any type as text; null where no text can be made of them."""
    if words.dtype.is_nested():
        return pl.Series([None], dtype=pl.String).new_from_index(0, words.len())
    if words.dtype == pl.Binary:
        texts = [None if word is None else word.decode(errors="replace") for word in words.to_list()]
        return pl.Series(texts, dtype=pl.String)
    return words.cast(pl.String, strict=False)


def _from_objects(records: Records, settings: Settings, dialect: Dialect) -> ChangeBatch:
    positions: list[int] = []
    ops: list[int] = []
    rows: list[Row] = []
    rejected: list[Rejected] = []
    ignored = 0
    counted = {*settings.key, *(settings.sequence or ()), SEQUENCE}
    for position, item in enumerate(_parsed(records)):
        if item is None:
            ignored += 1
        elif not isinstance(item, Mapping) or not all(type(name) is str for name in item):
            rejected.append(rejection(records, position, BROKEN_JSON if item is BROKEN else _NO_ROW))
        else:
            word = dialect.named(item)
            op = UPSERT if word is None else dialect.meaning(item[word])
            ops.append(op)
            # What a delete says beyond key and sequence means nothing, so it need not be of any type.
            names = item if op in {UPSERT, _UNKNOWN} else item.keys() & counted
            rows.append(item if word is None else {name: item[name] for name in names if name != word})
            positions.append(position)
    frame, misfits = assemble(Rows(ordinals=positions, ops=ops, rows=rows), choose=_codecs(settings))
    draft = Draft(
        frame=frame,
        key=settings.key,
        sequence=(),
        origin=records,
        total=len(records),
        ignored=ignored,
        rejected=rejected,
        misfits=misfits,
    )
    return _finished(draft, settings, dialect)


def _parsed(records: Records) -> list[object]:
    """The records with JSON read; None where there is none, as in a blank line."""
    items: list[object] = list(records.items)
    raw = {place: text for place, item in enumerate(items) if (text := as_document(item)) is not None}
    for (place, text), value in zip(raw.items(), parse_json(list(raw.values())), strict=True):
        if not text.strip():
            items[place] = None
        else:
            items[place] = () if value is None else value  # the word null is JSON, but no row
    return items


def _codecs(settings: Settings) -> Callable[[str, int], Codec]:
    def choose(name: str, _schema: int) -> Codec:
        return declared_codec(name, settings=settings)

    return choose


def _finished(draft: Draft, settings: Settings, dialect: Dialect) -> ChangeBatch:
    """The draft with its sequence, unknown operations as misfits, and checked."""
    frame = draft.frame
    unknown = frame.filter(pl.col(OP) == _UNKNOWN)[ORDINAL]
    known = ", ".join(word for word in dialect.meanings if word)
    words = Misfit(UNKNOWN_OP, f"{dialect.column} is none of {known}")
    sequence = settings.sequence
    if sequence is None:
        sequence = (SEQUENCE,) if SEQUENCE in frame.columns else ()
    if SEQUENCE in frame.columns and SEQUENCE not in sequence:
        frame = frame.drop(SEQUENCE, absence(SEQUENCE), strict=False)
    return finish(
        replace(
            draft,
            frame=frame,
            sequence=sequence,
            misfits={**dict.fromkeys(unknown.to_list(), words), **draft.misfits},
            ignore_null_updates=settings.ignore_null_updates,
        )
    )
