"""CSV into columns, line by line accounted for.

Polars reads the values. What it would pass over in silence is looked at before: a line with fewer fields
than names (its missing ones would be null), one with more, a quote that never closes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final, NamedTuple

import polars as pl

from lakehouse.cdc.changes import Rejected
from lakehouse.cdc.records import Tabular
from lakehouse.errors import DataError

BAD_CSV: Final = "bad_csv"
"""Reason: a line has not as many fields as there are names, an open quote, or bytes that are not UTF-8."""

_QUOTE: Final = b'"'
_OTHER_SEPARATORS: Final = {b";": "semicolons", b"\t": "tabs", b"|": "bars"}
_RESTARTS: Final = 100


class _Line(NamedTuple):
    """One record of the file.

    Args:
        number: Where it begins, from 1.
        text: Its bytes, without the end of the line.
        fields: How many fields it has; 0 where a quote is not closed.
    """

    number: int
    text: bytes
    fields: int


def read_csv(data: bytes, *, name: str) -> Tabular:
    """Reads CSV: commas, quotes doubled inside quotes, names in the first line, UTF-8.

    Args:
        data: The file's bytes.
        name: The file's name, for messages.

    Returns:
        The columns as text, marked as untyped; an empty field is null. Lines that can't be read are
        rejected.

    Raises:
        DataError: The names are missing or double, something else than commas is between them, or Polars
            can't read the file.
    """
    lines = [line for line in _lines(data) if line.text]
    if not lines:
        return Tabular(pl.DataFrame())
    header, *rest = lines
    _check_commas(header, name=name)
    kept = [line for line in rest if line.fields == header.fields and _is_text(line.text)]
    good = {line.number for line in kept}
    frame = _frame(b"\n".join(line.text for line in (header, *kept)), name=name)
    rejected = tuple(
        Rejected(position, line.number, BAD_CSV, _complaint(line, header.fields), line.text)
        for position, line in enumerate(rest)
        if line.number not in good
    )
    positions = [position for position, line in enumerate(rest) if line.number in good] if rejected else None
    lines_of = [line.number for line in rest]
    return Tabular(frame, positions=positions, lines=lines_of, rejected=rejected, untyped=True)


def _lines(data: bytes) -> Iterator[_Line]:
    if _QUOTE not in data:
        for number, text in enumerate(data.split(b"\n"), 1):
            stripped = text.rstrip(b"\r")
            yield _Line(number, stripped, stripped.count(b",") + 1)
        return
    yield from _quoted_lines(data)


def _quoted_lines(data: bytes) -> Iterator[_Line]:
    """Records that can go over several lines, because a quoted field can hold the end of a line.

    A quote that is never closed costs its own line; reading goes on in the next one.
    """
    physical = [line + b"\n" for line in data.split(b"\n")]
    begin = 0
    for _ in range(_RESTARTS):
        reader = csv.reader(
            (line.decode("utf-8", errors="replace") for line in physical[begin:]), strict=True
        )
        first = begin
        try:
            for fields in reader:
                end = first + reader.line_num
                yield _Line(begin + 1, b"".join(physical[begin:end]).rstrip(b"\r\n"), len(fields))
                begin = end
        except csv.Error:
            yield _Line(begin + 1, physical[begin].rstrip(b"\r\n"), 0)
            begin += 1
            continue
        return
    raise DataError(
        f"more than {_RESTARTS} lines have a quote that is never closed",
        advice="check that the file is CSV with commas, and quotes doubled inside quotes",
    )


def _check_commas(header: _Line, *, name: str) -> None:
    """Refuses a file whose names are one name with other separators in it."""
    other = next((word for mark, word in _OTHER_SEPARATORS.items() if mark in header.text), None)
    if header.fields == 1 and other is not None:
        raise DataError(
            f"the columns of {name} are separated by {other}, not by commas",
            advice="write the file with commas between its fields",
        )


def _complaint(line: _Line, fields: int) -> str:
    """Why a line is rejected."""
    if line.fields != fields:
        return f"the line does not have {fields} fields"
    return "the line is not UTF-8"


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _frame(data: bytes, *, name: str) -> pl.DataFrame:
    names = next(csv.reader(io.StringIO(data.decode("utf-8", errors="replace"))))
    if len(set(names)) < len(names) or "" in names:
        raise DataError(
            f"the first line of {name} does not name its columns: names are missing or double",
            advice="give every column a name of its own in the first line",
        )
    try:
        return pl.read_csv(data, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"the file {name} can't be read as CSV: {type(error).__name__}",
            advice="check that it is CSV with commas, and quotes doubled inside quotes",
        ) from error
