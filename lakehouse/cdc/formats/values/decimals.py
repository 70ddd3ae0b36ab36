"""Decimals, exact or not at all: numbers, text, Kafka Connect's bytes and Debezium's variable scale."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from decimal import Context, Decimal, InvalidOperation
from typing import Final

import polars as pl
import pyarrow as pa

from lakehouse.cdc.formats.values.codec import Codec
from lakehouse.cdc.formats.values.decoded import BAD_VALUE, OUT_OF_RANGE, Decoded, OutOfRangeError, by_value
from lakehouse.cdc.formats.values.numbers import NO_NUMBER
from lakehouse.delta.datatypes import DecimalType

_MAX_DIGITS: Final = 38
_MOST_DIGITS: Final = 200_000
"""More than any database's numbers have: PostgreSQL allows 131 072 digits left of the dot."""

_EXACT: Final = Context(prec=_MOST_DIGITS, Emax=999_999, Emin=-999_999)


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
