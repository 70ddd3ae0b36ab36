"""JSON: how values look in documents, the same for every verb.

Times are ISO 8601, decimals are texts (a float would change them), bytes are base64, durations are
ISO 8601 durations; a float that is no number or infinite is the text ``NaN``, ``Infinity`` or ``-Infinity``,
since JSON has no other way to tell it from null.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any

_LARGEST = 2**64


def encode(document: object, *, indent: bool = False, strict: bool = True) -> bytes:
    """Writes a document as JSON bytes, without a newline at the end.

    Args:
        document: Dicts, lists, tuples, sets and plain values.
        indent: Whether to spread it over lines for a person.
        strict: Whether the document may hold what JSON has no form for (infinite floats, integers of more
            than 64 bits, sets). Without such, long tables are written faster.
    """
    import orjson

    options = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z | (orjson.OPT_INDENT_2 if indent else 0)
    return orjson.dumps(_plain(document) if strict else document, default=_scalar, option=options)


def _plain(value: object) -> object:
    """Replaces what JSON can't hold and orjson would turn into null or refuse."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(inner) for inner in value), key=str)
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return str(value)
    return value


def _scalar(value: Any) -> object:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, timedelta):
        return duration(value)
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(type(value).__name__)


def duration(value: timedelta) -> str:
    """A duration as ISO 8601 has it, in days and seconds: ``P7D``, ``PT0.25S``, ``-P1DT30S``."""
    sign = "-" if value < timedelta(0) else ""
    value = abs(value)
    seconds = Decimal(value.seconds) + Decimal(value.microseconds) / 1_000_000
    days = f"{value.days}D" if value.days else ""
    rest = f"T{seconds.normalize():f}S" if seconds or not days else ""
    return f"{sign}P{days}{rest}"
