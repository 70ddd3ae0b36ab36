"""The needles of one column that identifies, as values to compare cells with."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lakehouse.requests.needles import Needle
from lakehouse.requests.search.forms import plain

_NONE: Final[tuple[int, ...]] = ()
_PLACE_BITS: Final = 20
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)


class Values:
    """Values that are looked for in one column. Texts only the short ones: the others are found anyway.

    Args:
        needles: All needles.
        numbers: Those of the column, by their numbers.
    """

    def __init__(self, needles: Sequence[Needle], numbers: Sequence[int]) -> None:
        self._texts: dict[str, list[int]] = {}
        self._bytes: dict[bytes, list[int]] = {}
        self._numbers: dict[Decimal, list[int]] = {}
        self._written: dict[str, list[int]] = {}
        self._sets: dict[Any, Any] = {}
        for number in numbers:
            value = needles[number].value.strip()
            if not value:
                # Nobody is identified by nothing, which is in many cells.
                continue
            self._written.setdefault(value, []).append(number)
            decimal = _decimal(value)
            if decimal is not None:
                self._numbers.setdefault(decimal, []).append(number)
            if not needles[number].anywhere:
                self._texts.setdefault(plain(value), []).append(number)
                self._bytes.setdefault(value.encode(), []).append(number)

    def of(self, value: Any) -> Sequence[int]:
        """The needles that are a value.

        Args:
            value: Of any type that Arrow or JSON hand out.
        """
        if value is None or isinstance(value, bool):
            return _NONE
        if isinstance(value, str):
            return self._texts.get(plain(value.strip()), _NONE)
        if isinstance(value, bytes):
            return self._bytes.get(value, _NONE)
        if isinstance(value, int):
            return self._numbers.get(Decimal(value), _NONE)
        if isinstance(value, float | Decimal):
            decimal = _decimal(str(value))
            return _NONE if decimal is None else self._numbers.get(decimal, _NONE)
        written = value.isoformat() if hasattr(value, "isoformat") else str(value)
        return self._written.get(str(written), self._written.get(str(value), _NONE))

    def literal(self, text: str) -> Sequence[int]:
        """The needles that a literal in a condition stands for.

        Args:
            text: What is between quotes, or a number as it is written.
        """
        decimal = _decimal(text)
        return [*self.of(text), *(self._numbers.get(decimal, _NONE) if decimal is not None else _NONE)]

    def whole(self) -> npt.NDArray[np.int64]:
        """Those that are whole numbers of 64 bits, sorted."""
        if "whole" not in self._sets:
            inside = [int(each) for each in self._numbers if each == each.to_integral_value()]
            self._sets["whole"] = np.array(
                sorted(each for each in inside if -(2**63) <= each < 2**63), dtype=np.int64
            )
        found: npt.NDArray[np.int64] = self._sets["whole"]
        return found

    @property
    def has_short(self) -> bool:
        """Whether there are some that are compared with whole texts, and are not looked for in them."""
        return bool(self._texts)

    def has_whole(self, numbers: npt.NDArray[np.integer]) -> bool:
        """Whether some of them are among whole numbers.

        Args:
            numbers: The numbers, signed.
        """
        wanted = self.whole()
        likely = numbers[self._marked().take(_places(numbers), mode="wrap")]
        if not likely.size:
            return False
        nearest = np.minimum(np.searchsorted(wanted, likely), wanted.size - 1)
        return bool((wanted[nearest] == likely).any())

    def _marked(self) -> npt.NDArray[np.bool_]:
        """A table of places where whole numbers can be: most others are told by one look into it."""
        if "marked" not in self._sets:
            marked = np.zeros(1 << _PLACE_BITS, dtype=np.bool_)
            marked[_places(self.whole())] = True
            self._sets["marked"] = marked
        found: npt.NDArray[np.bool_] = self._sets["marked"]
        return found

    def as_type(self, kind: Any) -> Any:
        """Those that a column of a type can have.

        Args:
            kind: An Arrow type. Texts come in small letters.

        Returns:
            An Arrow array; for texts in small letters.
        """
        if kind not in self._sets:
            self._sets[kind] = self._made(kind)
        return self._sets[kind]

    def _made(self, kind: Any) -> Any:
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            texts = {text for known in self._texts for text in (known, known.lower())}
            return pa.array(sorted(texts), type=kind)
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return pa.array(sorted(self._bytes), type=kind)
        if pa.types.is_integer(kind):
            wide = self.whole()
            limits = np.iinfo(kind.to_pandas_dtype())
            return pa.array(wide[(wide >= limits.min) & (wide <= limits.max)]).cast(kind)
        if pa.types.is_floating(kind):
            return pa.array([float(each) for each in self._numbers], type=pa.float64()).cast(kind, safe=False)
        if pa.types.is_boolean(kind) or pa.types.is_null(kind) or pa.types.is_fixed_size_binary(kind):
            return pa.array([], type=kind)
        return pa.array([each for each in (_as(text, kind) for text in self._written) if each], type=kind)


def _places(numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.uint64]:
    places = numbers.astype(np.int64, copy=False).view(np.uint64) * _SPREAD
    places >>= np.uint64(64 - _PLACE_BITS)
    return places


def _decimal(text: str) -> Decimal | None:
    try:
        decimal = Decimal(text)
    except InvalidOperation:
        return None
    return decimal if decimal.is_finite() else None


def _as(text: str, kind: Any) -> Any:
    """A text as a value of a type; None where it is none."""
    try:
        return pa.scalar(text).cast(kind).as_py()
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return None
