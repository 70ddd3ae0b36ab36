"""Whole numbers, floating numbers and truth values, exact or not at all."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import polars as pl

from lakehouse.cdc.formats.values.decoded import (
    Decoded,
    OutOfRangeError,
    by_value,
    kinds,
)
from lakehouse.delta.datatypes import PrimitiveType
from lakehouse.delta.schema import type_to_polars

NOT_FINITE: Final[Mapping[str, float]] = {
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
}
"""How JSON writers spell the floating numbers that JSON does not have."""

NO_NUMBER: Final = frozenset({"nan", "infinity", "-infinity", "+infinity", "inf", "-inf"})
"""What text of no finite number looks like, in lower case."""

_PLAIN: Final = r"^-?[0-9]+(?:\.[0-9]+)?$"
_WHOLE: Final = re.compile(r"[+-]?\d{1,19}(?:\.0*)?")
_LIMIT: Final = 2**63
_TRUTH: Final[Mapping[object, bool]] = {
    True: True,
    False: False,
    "true": True,
    "false": False,
    "t": True,
    "f": False,
    "1": True,
    "0": False,
}


def whole_numbers(values: Sequence[object], target: PrimitiveType) -> Decoded:
    """Reads whole numbers of at most 64 bits.

    Args:
        values: Numbers without a fraction, or their text.
        target: ``long``, ``integer``, ``short`` or ``byte``.

    Returns:
        The target's type where everything fits, otherwise Int64: whether a column is widened is
        decided where the table's schema is known. Beyond 64 bits is out of range.
    """
    decoded = _vectorised(values, int, pl.Int64()) or by_value(values, _whole, pl.Int64())
    narrow = decoded.series.cast(type_to_polars(target), strict=False)
    if narrow.null_count() == decoded.series.null_count():
        return Decoded(narrow, decoded.misfits)
    return decoded


def _vectorised(values: Sequence[object], kind: type, dtype: pl.DataType) -> Decoded | None:
    """Numbers, or plain text of numbers, all at once; None where a value needs a closer look."""
    found = kinds(values)
    if found <= ({int, float} if kind is float else {kind}):
        try:
            return Decoded(pl.Series(values, dtype=dtype, strict=True))
        except (TypeError, OverflowError):
            return None
    if found == {str}:
        text = pl.Series(values, dtype=pl.String)
        if text.str.contains(_PLAIN).all(ignore_nulls=True):
            series = text.cast(dtype, strict=False)
            return Decoded(series) if series.null_count() == text.null_count() else None
    return None


def _whole(value: object) -> int:
    if isinstance(value, str):
        if _WHOLE.fullmatch(value.strip()) is None:
            raise ValueError
        value = int(value.strip().split(".")[0])
    if isinstance(value, (float, Decimal)):
        if value != int(value):
            raise ValueError
        value = int(value)
    if not isinstance(value, int):
        raise TypeError
    if not -_LIMIT <= value < _LIMIT:
        raise OutOfRangeError
    return int(value)


def floating_numbers(values: Sequence[object], target: PrimitiveType) -> Decoded:
    """Reads floating numbers.

    Args:
        values: Numbers, ``NaN``, ``Infinity``, ``-Infinity``, or numbers as text.
        target: ``double`` or ``float``.

    Returns:
        The target's type; Float64 where a number is too large for 32 bits, or has more digits than they hold:
        whether a column is widened is decided where the table's schema is known.
    """
    dtype = type_to_polars(target)
    decoded = _vectorised(values, float, pl.Float64()) or by_value(values, _floating, pl.Float64())
    narrow = decoded.series.cast(dtype)
    differ = narrow.cast(pl.Float64) != decoded.series
    # A number that is written with the same digits is the same to whoever wrote it.
    as_written = narrow.filter(differ).cast(pl.String) == decoded.series.filter(differ).cast(pl.String)
    return Decoded(narrow, decoded.misfits) if as_written.all() else decoded


def _floating(value: object) -> float:
    if isinstance(value, str):
        special = NOT_FINITE.get(value)
        if special is not None:
            return special
        if value.strip().lower() in NO_NUMBER:
            raise ValueError
        return float(value)
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return float(value)
    raise TypeError


def truths(values: Sequence[object]) -> Decoded:
    """Reads truth values.

    Args:
        values: true, false, 1, 0, or their text.

    Returns:
        Boolean.
    """
    if kinds(values) <= {bool}:
        return Decoded(pl.Series(values, dtype=pl.Boolean))
    return by_value(values, _truth, pl.Boolean())


def _truth(value: object) -> bool:
    known = _TRUTH.get(value.strip().lower() if isinstance(value, str) else value)
    if known is None:
        raise ValueError
    return known
