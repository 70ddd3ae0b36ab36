"""Reading one bound of a file's statistics, never tighter than the rows.

Delta protocol, section "Per-file Statistics". Writers round and cut: texts at any length, timestamps down to
milliseconds, decimals to the digits of a float or to 64 bits, doubles that once were floats to the digits of
those. Here each bound is widened by as much as that can have been.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import partial
from typing import Any, Final, TypeAlias

from lakehouse.delta.schema import DataType, DecimalType, PrimitiveType

Convert: TypeAlias = Callable[[Any], Any]

_LAST_CHARACTER: Final = "\U0010ffff"
_MILLISECOND: Final = timedelta(milliseconds=1)
_EXACT: Final = Context(prec=110)
# A float holds this many decimal digits exactly; beyond, a bound may be this many floats away.
_FLOAT_DIGITS: Final = 15
_FLOAT_STEPS: Final = 4
_CUT_OFF: Final = frozenset({Decimal(2**63 - 1), Decimal(-(2**63))})


def convert(reader: Convert, value: Any) -> Any:
    """Read one bound.

    Args:
        reader: How.
        value: As JSON gave it.

    Returns:
        The bound, or None for a value that does not fit: statistics are optional, so that loses nothing.
    """
    if value is None:
        return None
    try:
        return reader(value)
    except (ValueError, TypeError, ArithmeticError):
        return None


def converters(data_type: DataType) -> tuple[Convert, Convert]:
    """How the bounds of a type are read.

    Args:
        data_type: The column's type.

    Returns:
        For lower and for upper bounds, to be called by `convert`.
    """
    if isinstance(data_type, DecimalType):
        return (
            partial(_decimal_bound, kind=data_type, upper=False),
            partial(_decimal_bound, kind=data_type, upper=True),
        )
    name = data_type.name if isinstance(data_type, PrimitiveType) else ""
    return _CONVERTERS.get(name, (_nothing, _nothing))


def _nothing(_: Any) -> None:
    return None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value))
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(type(value))
    return value


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _double_below(value: Any) -> float:
    number = _finite(value)
    return min(number, _as_float(number))


def _double_above(value: Any) -> float:
    number = _finite(value)
    return max(number, _as_float(number))


def _as_float(number: float) -> float:
    """The number as a column that was of the type ``float`` before held it: the log has it in few digits."""
    try:
        found: float = struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return number
    return found


def _date(value: Any) -> date:
    return date.fromisoformat(value[:10])


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _local_moment(value: Any) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=None)


def _decimal(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _decimal_bound(value: Any, kind: DecimalType, *, upper: bool) -> Decimal:
    number, step = _decimal(value), Decimal(1).scaleb(-kind.scale)
    if kind.precision > _FLOAT_DIGITS:
        # Some writers cut such bounds to what 64 bits hold, others compute them in floats.
        if number in _CUT_OFF:
            raise ValueError(value)
        slack = Decimal(_FLOAT_STEPS * math.ulp(float(value)))
        number = _EXACT.add(number, slack if upper else -slack)
    number = number.quantize(step, rounding=ROUND_CEILING if upper else ROUND_FLOOR, context=_EXACT)
    largest = Decimal(10**kind.precision - 1).scaleb(-kind.scale, context=_EXACT)
    return max(-largest, min(largest, number))


def _text_above(value: Any) -> str:
    return _text(value) + _LAST_CHARACTER


def _moment_above(value: Any) -> datetime:
    return _moment(value) + _MILLISECOND


def _local_moment_above(value: Any) -> datetime:
    return _local_moment(value) + _MILLISECOND


# For each type how its lower and its upper bound are read.
_CONVERTERS: Final[Mapping[str, tuple[Convert, Convert]]] = {
    **dict.fromkeys(("long", "integer", "short", "byte"), (math.floor, math.ceil)),
    "float": (_finite, _finite),
    "double": (_double_below, _double_above),
    "string": (_text, _text_above),
    "boolean": (_boolean, _boolean),
    "date": (_date, _date),
    "timestamp": (_moment, _moment_above),
    "timestamp_ntz": (_local_moment, _local_moment_above),
}
