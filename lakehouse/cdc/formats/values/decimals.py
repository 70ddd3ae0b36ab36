"""Decimals, exact or not at all: numbers, text, Kafka Connect's bytes and Debezium's variable scale."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from decimal import Context, Decimal, InvalidOperation
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
from lakehouse.cdc.formats.values.numbers import NO_NUMBER
from lakehouse.delta.datatypes import DecimalType

_MAX_DIGITS: Final = 38
_MOST_DIGITS: Final = 200_000
"""More than any database's numbers have: PostgreSQL allows 131 072 digits left of the dot."""

_EXACT: Final = Context(prec=_MOST_DIGITS, Emax=999_999, Emin=-999_999)


def decimals(values: Sequence[object], codec: Codec, target: DecimalType) -> Decoded:
    """Reads decimals.

    Args:
        values: Numbers, text, or structs ``{scale, value}`` (Debezium's VariableScaleDecimal).
        codec: ``text="unscaled"`` reads text as base64 of the unscaled big-endian number (Kafka
            Connect's Decimal) with ``scale`` digits right of the dot; otherwise text is a number.
        target: The width that is expected.

    Returns:
        Decimal of the target's width; of a larger one where a number needs more digits, since digits are
        never rounded away and whether a column is widened is decided with the table's schema. More than
        38 digits are out of range. NaN and infinities are null.
    """
    series = None
    if kinds(values) == {str}:
        at_once = _all_unscaled if codec.text == "unscaled" else _all_text
        series = at_once(values, codec, target)
    return _one_by_one(values, codec, target) if series is None else Decoded(series)


def _all_text(values: Sequence[object], _codec: Codec, target: DecimalType) -> pl.Series | None:
    """Plain text of the target's width, all at once; None where a value needs a closer look."""
    text = pl.Series(values, dtype=pl.String)
    whole, scale = target.precision - target.scale, target.scale
    if not text.str.contains(rf"^-?[0-9]{{0,{whole}}}(?:\.[0-9]{{1,{scale}}})?$").all(ignore_nulls=True):
        return None
    series = text.cast(pl.Decimal(target.precision, scale), strict=False)
    return series if series.null_count() == text.null_count() else None


def _all_unscaled(values: Sequence[object], codec: Codec, target: DecimalType) -> pl.Series | None:
    """Bytes of the target's scale, all at once; None where a value needs a closer look."""
    if codec.scale not in (None, target.scale):
        return None
    try:
        numbers = [None if value is None else unscaled_number(str(value)) for value in values]
    except ValueError:
        return None
    limit = 10**target.precision
    fits = all(number is None or -limit < number < limit for number in numbers)
    return decimal_series(numbers, target) if fits else None


def _one_by_one(values: Sequence[object], codec: Codec, target: DecimalType) -> Decoded:
    scale = target.scale if codec.scale is None else codec.scale
    unscaled = codec.text == "unscaled"
    numbers: list[tuple[int, int] | None] = []
    misfits: dict[int, str] = {}
    for index, value in enumerate(values):
        number = None
        if value is not None:
            try:
                if unscaled and isinstance(value, str):
                    number = unscaled_number(value), scale
                else:
                    number = _parts(_number(value))
            except OutOfRangeError:
                misfits[index] = OUT_OF_RANGE
            except (ValueError, TypeError, ArithmeticError, LookupError):
                misfits[index] = BAD_VALUE
        numbers.append(number)
    fitted, over = _fitted(numbers, target)
    width = _wide_enough(target, [numbers[index] for index in over])
    if width != target:
        fitted, over = _fitted(numbers, width)
    return Decoded(decimal_series(fitted, width), {**misfits, **dict.fromkeys(over, OUT_OF_RANGE)})


def _fitted(
    numbers: Sequence[tuple[int, int] | None], width: DecimalType
) -> tuple[list[int | None], list[int]]:
    """Unscaled numbers of a width, and the places of those that need more digits."""
    limit = 10**width.precision
    fitted: list[int | None] = []
    over: list[int] = []
    for index, number in enumerate(numbers):
        whole = None
        if number is not None:
            whole = _rescaled(*number, width.scale)
            if whole is None or not -limit < whole < limit:
                whole = None
                over.append(index)
        fitted.append(whole)
    return fitted, over


def _wide_enough(target: DecimalType, numbers: Sequence[tuple[int, int] | None]) -> DecimalType:
    """The target, widened for each number that still fits into 38 digits with those before it."""
    left, right = target.precision - target.scale, target.scale
    for number in numbers:
        if number is not None:
            digits = Decimal(number[0]).scaleb(-number[1], _EXACT).normalize(_EXACT)
            exponent = digits.as_tuple().exponent
            wider = (
                max(left, digits.adjusted() + 1),
                max(right, -exponent if isinstance(exponent, int) else 0),
            )
            if sum(wider) <= _MAX_DIGITS:
                left, right = wider
    return DecimalType(left + right, right)


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
            number: Decimal | None = _exact(unscaled_number(value), codec.scale or 0)
        else:
            number = _number(value)
        if number is not None and abs(number.adjusted()) > _MOST_DIGITS:
            raise OutOfRangeError
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
    return int.from_bytes(binascii.a2b_base64(text, strict_mode=True), "big", signed=True)


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
    return Decimal(unscaled).scaleb(-scale, _EXACT)


def _number(value: object) -> Decimal | None:
    """A decimal from a number, text or ``{scale, value}``; None for what is not finite."""
    if isinstance(value, dict):
        return _exact(unscaled_number(value["value"]), int(value["scale"]))
    if isinstance(value, str):
        if value.strip().lower() in NO_NUMBER:
            return None
        number = Decimal(value.strip())
    elif isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise TypeError
    else:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return number if number.is_finite() else None


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
    parts = _parts(number)
    whole = None if parts is None else _rescaled(*parts, scale)
    if whole is None:
        raise OutOfRangeError
    return whole


def _parts(number: Decimal | None) -> tuple[int, int] | None:
    """A number without its dot, and how many of its digits are right of the dot."""
    if number is None:
        return None
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise InvalidOperation
    whole = int("".join(map(str, digits)))
    if not whole:
        return 0, 0
    if abs(exponent) > 10 * _MAX_DIGITS:
        raise OutOfRangeError
    return -whole if sign else whole, -exponent


def _rescaled(number: int, scale: int, wanted: int) -> int | None:
    """The same value with another number of digits right of the dot; None where digits would be lost."""
    factor: int = 10 ** abs(wanted - scale)
    if scale <= wanted:
        return number * factor
    quotient, rest = divmod(number, factor)
    return None if rest else quotient
