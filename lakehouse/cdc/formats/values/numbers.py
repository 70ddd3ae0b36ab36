"""Whole numbers, floating numbers, truth values and decimals, exact or not at all."""

from __future__ import annotations

import binascii
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

import polars as pl
import pyarrow as pa

from lakehouse.cdc.formats.values.codec import Codec
from lakehouse.cdc.formats.values.decoded import (
    BAD_VALUE,
    OUT_OF_RANGE,
    Decoded,
    OutOfRangeError,
    by_value,
    kinds,
)
from lakehouse.delta.datatypes import DecimalType, PrimitiveType
from lakehouse.delta.schema import type_to_polars

NOT_FINITE: Final[Mapping[str, float]] = {
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
}
"""How JSON writers spell the floating numbers that JSON does not have."""

_NO_DECIMAL: Final = frozenset({"nan", "infinity", "-infinity", "+infinity", "inf", "-inf"})
_WHOLE: Final = re.compile(r"[+-]?\d{1,19}(?:\.0*)?")
_LIMIT: Final = 2**63
_MAX_DIGITS: Final = 38
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
    decoded = None
    if kinds(values) <= {int}:
        try:
            decoded = Decoded(pl.Series(values, dtype=pl.Int64, strict=True))
        except (TypeError, OverflowError):
            decoded = None
    if decoded is None:
        decoded = by_value(values, _whole, pl.Int64())
    narrow = decoded.series.cast(type_to_polars(target), strict=False)
    if narrow.null_count() == decoded.series.null_count():
        return Decoded(narrow, decoded.misfits)
    return decoded


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
        Float64 or Float32.
    """
    dtype = type_to_polars(target)
    if kinds(values) <= {float, int}:
        try:
            return Decoded(pl.Series(values, dtype=pl.Float64, strict=False).cast(dtype))
        except (TypeError, OverflowError):
            pass
    decoded = by_value(values, _floating, pl.Float64())
    return Decoded(decoded.series.cast(dtype), decoded.misfits)


def _floating(value: object) -> float:
    if isinstance(value, str):
        special = NOT_FINITE.get(value)
        if special is not None:
            return special
        if value.strip().lower() in _NO_DECIMAL:
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


def decimals(values: Sequence[object], codec: Codec, target: DecimalType) -> Decoded:
    """Reads decimals of a fixed width.

    Args:
        values: Numbers, text, or structs ``{scale, value}`` (Debezium's VariableScaleDecimal).
        codec: ``text="unscaled"`` reads text as base64 of the unscaled big-endian number (Kafka
            Connect's Decimal) with ``scale`` digits right of the dot; otherwise text is a number.
        target: The width.

    Returns:
        Decimal of the target's width. NaN and infinities are null. Digits are never rounded away: what
        needs more of them is out of range.
    """
    scale = target.scale if codec.scale is None else codec.scale
    limit = 10**target.precision
    unscaled: list[int | None] = []
    misfits: dict[int, str] = {}
    read_text = codec.text == "unscaled"
    for index, value in enumerate(values):
        number = None
        if value is not None:
            try:
                if read_text and isinstance(value, str):
                    number = _rescaled(unscaled_number(value), scale, target.scale)
                else:
                    number = _scaled(value, target.scale)
                if number is not None and not -limit < number < limit:
                    raise OutOfRangeError
            except OutOfRangeError:
                number, misfits[index] = None, OUT_OF_RANGE
            except (ValueError, TypeError, ArithmeticError, KeyError):
                number, misfits[index] = None, BAD_VALUE
        unscaled.append(number)
    return Decoded(decimal_series(unscaled, target), misfits)


def decimal_text(values: Sequence[object], codec: Codec) -> Decoded:
    """Reads decimals of any width as text, the only column type that holds them all exactly.

    Args:
        values: As for `decimals`.
        codec: As for `decimals`; ``scale`` None means 0 for ``unscaled`` text.

    Returns:
        Text in plain notation, as ``12345678901234567890.123456789``. NaN and infinities are null.
    """

    def convert(value: object) -> str | None:
        if isinstance(value, str) and codec.text == "unscaled":
            return plain(_exact(unscaled_number(value), codec.scale or 0))
        number = _number(value)
        return None if number is None else plain(number)

    return by_value(values, convert, pl.String())


def unscaled_number(text: str) -> int:
    """The whole number that base64 of big-endian two's complement bytes stands for.

    Args:
        text: Base64; the empty text is 0.

    Returns:
        The number.

    Raises:
        ValueError: It is no base64.
    """
    return int.from_bytes(binascii.a2b_base64(text.encode("ascii"), strict_mode=True), "big", signed=True)


def decimal_series(unscaled: Sequence[int | None], target: DecimalType) -> pl.Series:
    """A decimal column from unscaled numbers.

    Args:
        unscaled: Numbers of at most ``target.precision`` digits.
        target: The width.

    Returns:
        The numbers divided by 10 to the power of the target's scale.
    """
    valid = pa.array([None if number is None else True for number in unscaled], pa.bool_()).buffers()[0]
    data = b"".join((number or 0).to_bytes(16, "little", signed=True) for number in unscaled)
    arrow = pa.Array.from_buffers(
        pa.decimal128(target.precision, target.scale), len(unscaled), [valid, pa.py_buffer(data)]
    )
    return pl.Series(pl.from_arrow(arrow))


def plain(number: Decimal) -> str:
    """A decimal as text without an exponent.

    Args:
        number: A finite decimal.

    Returns:
        The text.
    """
    return format(number, "f")


def _exact(unscaled: int, scale: int) -> Decimal:
    """Decimal of any number of digits; no rounding by a context."""
    sign = 1 if unscaled < 0 else 0
    return Decimal((sign, tuple(map(int, str(abs(unscaled)))), -scale))


def _number(value: object) -> Decimal | None:
    """A decimal from a number, text or ``{scale, value}``; None for what is not finite."""
    if isinstance(value, dict):
        return _exact(unscaled_number(value["value"]), int(value["scale"]))
    if isinstance(value, str):
        if value.strip().lower() in _NO_DECIMAL:
            return None
        number = Decimal(value.strip())
    elif isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise TypeError
    else:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return number if number.is_finite() else None


def _scaled(value: object, scale: int) -> int | None:
    number = _number(value)
    return None if number is None else unscaled_at(number, scale)


def unscaled_at(number: Decimal, scale: int) -> int:
    """A decimal as a whole number of its smallest digit, exact whatever Python's decimal context is.

    Args:
        number: A finite decimal.
        scale: Digits right of the dot to keep.

    Returns:
        The number times 10 to the power of the scale.

    Raises:
        OutOfRangeError: It has more digits right of the dot, or is beyond any column's width.
    """
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise InvalidOperation
    whole = int("".join(map(str, digits)))
    if whole and abs(exponent) > 10 * _MAX_DIGITS:
        raise OutOfRangeError
    return _rescaled(-whole if sign else whole, -exponent if whole else 0, scale)


def _rescaled(number: int, scale: int, wanted: int) -> int:
    factor: int = 10 ** abs(wanted - scale)
    if scale <= wanted:
        return number * factor
    quotient, rest = divmod(number, factor)
    if rest:
        raise OutOfRangeError
    return quotient
