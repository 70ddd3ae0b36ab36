"""One value as a person reads it in a table's cell or beside a label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from lakehouse.cli.documents import encode

_BYTES_SHOWN = 16
# Characters that move a terminal's cursor, change its colours or turn the direction of text are data here.
_HARMFUL = {
    **{code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))},
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
    **{code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029)},
}


class Cell(NamedTuple):
    """A value as text.

    Args:
        text: One line, without control characters.
        kind: ``number`` (stands right), ``time``, ``null`` or ``text``. Only text may be cut: half of
            anything else is wrong.
    """

    text: str
    kind: str = "text"


def cell(value: object) -> Cell:
    """Renders a value of a row: null, text, numbers, times, bytes, lists and structs."""
    kind, render = _RENDERERS.get(type(value), ("text", _other))
    return Cell(render(value), kind)


def _text(value: str) -> str:
    shown = value if value.isprintable() else value.translate(_HARMFUL)
    # An empty text and the word null must not be taken for a missing value.
    return f'"{shown}"' if shown in {"", "null"} else shown


def _bytes(value: bytes) -> str:
    shown = value[:_BYTES_SHOWN].hex()
    return f"0x{shown}… ({size(len(value))})" if len(value) > _BYTES_SHOWN else f"0x{shown}"


def _other(value: object) -> str:
    return str(value).translate(_HARMFUL)


def _nested(value: object) -> str:
    return encode(value).decode().translate(_HARMFUL)


def said(text: str | None) -> Cell:
    """A text of ours in a cell: nothing to say is an empty cell, not a null."""
    return Cell((text or "").translate(_HARMFUL))


def amount(number: int | None) -> Cell:
    """A count with its thousands apart; what is not known is a question mark."""
    return Cell("?" if number is None else f"{number:,}", "number")


def moment(value: datetime) -> str:
    """A timestamp as ``2026-03-04 05:06:07Z``; fractions only where there are some.

    ``--timestamp`` takes it back as it is printed.
    """
    text = value.isoformat(sep=" ").replace("+00:00", "Z")
    if value.microsecond:
        digits = f"{value.microsecond:06d}"
        text = text.replace(f".{digits}", f".{digits.rstrip('0')}")
    return text


def size(number: float) -> str:
    """Bytes as ``812 B``, ``3.4 MB``; a thousand to the step."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "B" or number >= 100 else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} PB"


def span(seconds: float) -> str:
    """A duration as ``12 ms``, ``0.3 s``, ``2 min 5 s``."""
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


_RENDERERS: Final[Mapping[type, tuple[str, Callable[[Any], str]]]] = {
    type(None): ("null", lambda _: "null"),
    str: ("text", _text),
    bool: ("text", lambda value: "true" if value else "false"),
    int: ("number", repr),
    float: ("number", repr),
    Decimal: ("number", "{:f}".format),
    datetime: ("time", moment),
    date: ("time", date.isoformat),
    time: ("time", time.isoformat),
    timedelta: ("time", str),
    bytes: ("text", _bytes),
    dict: ("text", _nested),
    list: ("text", _nested),
    tuple: ("text", _nested),
}
"""How a value of a type is shown: the kind of its cell, and its text. By type, since tables can be long."""
