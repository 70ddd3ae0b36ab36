"""Values as a bundle writes them: exactly, in JSON; safely, for spreadsheets; readably, for people. Pure."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from html import escape
from typing import Any, Final

import orjson
import polars as pl

from lakehouse.config.moments import iso

BOM: Final = b"\xef\xbb\xbf"
"""Begins a CSV file, so that spreadsheets read it as UTF-8."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_WHOLE: Final = range(-(1 << 63), 1 << 64)
_LONGEST_SHOWN: Final = 20_000


def plain(value: Any) -> Any:  # noqa: PLR0911 - one for each kind of value
    """A value as JSON can hold it, with nothing lost.

    Args:
        value: As Polars gives it.

    Returns:
        Numbers that JSON would not keep exactly (decimals, not-a-number) become texts, bytes become Base64,
        moments ISO 8601 in UTC.
    """
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if value in _WHOLE else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case datetime():
            return iso(value)
        case date() | time():
            return value.isoformat()
        case Decimal():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case timedelta():
            return f"{value.total_seconds():f}".rstrip("0").rstrip(".") + "s"
        case Mapping():
            return {str(name): plain(each) for name, each in value.items()}
        case pl.Series() | list() | tuple():
            return [plain(each) for each in value]
        case _:
            return str(value)


def documents(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows as documents that JSON can hold.

    Args:
        rows: The rows.
    """
    for row in rows.iter_rows(named=True):
        yield {name: plain(value) for name, value in row.items()}


def json_line(document: Mapping[str, Any]) -> bytes:
    """A document as a line of JSON Lines.

    Args:
        document: With what `plain` gives.
    """
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def csv_line(values: Iterable[Any]) -> tuple[bytes, int]:
    """Values as a line of CSV (RFC 4180) that no spreadsheet takes for a program.

    A text that begins as formulas do gets an apostrophe in front, which spreadsheets hide or show; JSON Lines
    has it as it is. Null is nothing, an empty text two quotes.

    Args:
        values: What `plain` gives.

    Returns:
        The line, and how many apostrophes there are in it.
    """
    cells: list[str] = []
    guarded = 0
    for value in values:
        match value:
            case None:
                cells.append("")
            case bool():
                cells.append("true" if value else "false")
            case int() | float():
                cells.append(str(value))
            case str():
                risky = value.startswith(_FORMULA)
                guarded += risky
                cells.append(_quoted(f"'{value}" if risky else value))
            case _:
                cells.append(_quoted(orjson.dumps(value).decode()))
    return (",".join(cells) + "\r\n").encode(), guarded


def html_cell(value: Any) -> str:
    """A value as a person reads it; everything escaped.

    Args:
        value: What `plain` gives.
    """
    match value:
        case None:
            return '<span class="none">none</span>'
        case bool():
            return "yes" if value else "no"
        case str():
            cut = value[:_LONGEST_SHOWN]
            more = f" … ({len(value):,} characters; the rest is in the data file)" if cut != value else ""
            return escape(_visible(cut) + more)
        case int() | float():
            return str(value)
        case _:
            return html_cell(orjson.dumps(value).decode())


def unused(names: Sequence[str], taken: Iterable[str]) -> tuple[str, ...]:
    """Names that no column has.

    Args:
        names: As they should be.
        taken: What columns are called.
    """
    there = set(taken)
    found = []
    for name in names:
        free = name
        while free in there:
            free += "_"
        there.add(free)
        found.append(free)
    return tuple(found)


def _visible(text: str) -> str:
    """Signs that turn text around or can't be in a page, as what they are."""
    return _HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


_HIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
