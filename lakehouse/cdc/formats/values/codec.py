"""How the JSON values of one column are written, and which type they become."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from lakehouse.delta.datatypes import (
    DATE,
    TIMESTAMP,
    TIMESTAMP_NTZ,
    ArrayType,
    DataType,
    DecimalType,
    MapType,
    PrimitiveType,
    StructType,
)

Unit = Literal["d", "ms", "us", "ns"]
"""What a whole number counts, from the epoch or from midnight: days, or parts of a second."""

Text = Literal["plain", "base64", "base64_url", "hex", "unscaled", "time"]
"""How text is to be read: as it stands, as bytes in one of three spellings, as the bytes of an unscaled
decimal in base64 (Kafka Connect's Decimal), or as a time of day."""

_TIMES: Final = (DATE, TIMESTAMP, TIMESTAMP_NTZ)
_WHOLE: Final = frozenset({"long", "integer", "short", "byte"})


@dataclass(frozen=True, slots=True)
class Codec:
    """How one column's values are read.

    Args:
        type: What they become; None leaves it to the values (`lakehouse.cdc.formats.values.infer`).
        text: How text is to be read.
        unit: What whole numbers count, for dates, timestamps and times of day.
        scale: Digits right of the dot of ``unscaled`` text; None takes the type's.
        parts: The codecs of the element (array), of key and value (map), of the fields (struct).
    """

    type: DataType | None = None
    text: Text = "plain"
    unit: Unit = "us"
    scale: int | None = None
    parts: tuple[Codec, ...] = ()

    def towards(self, declared: DataType) -> Codec:
        """The same way of reading, with the result as another type of the same family.

        Decimals become decimals of other width, timestamps change their zone, a time of day or a
        duration stays the number that it was where a whole number is wanted. Types of another family
        are left to the cast into the table.

        Args:
            declared: The type that the column shall have.

        Returns:
            A codec that gives that type, or this one where the two are not of one family.
        """
        if isinstance(declared, DecimalType) and (
            self.text == "unscaled" or isinstance(self.type, DecimalType)
        ):
            return replace(self, type=declared)
        if declared in _TIMES and self.type in _TIMES:
            return replace(self, type=declared)
        if self.text == "time" and isinstance(declared, PrimitiveType) and declared.name in _WHOLE:
            return replace(self, type=declared, text="plain")
        return self


INFER: Final = Codec()
"""Reads the values as the JSON has them."""


def codec_of(declared: DataType, *, like: Codec = INFER) -> Codec:
    """The codec for a declared type, nested types included.

    Args:
        declared: The type.
        like: Gives ``text`` for binary and decimal parts (``base64``, ``unscaled``), and ``unit``.

    Returns:
        The codec. Text is read by ``like.text`` in binary columns only where that names bytes, and in
        decimal columns only where that is ``unscaled``; elsewhere as it stands.
    """
    match declared:
        case ArrayType(element, _):
            return Codec(type=declared, parts=(codec_of(element, like=like),))
        case MapType(key, value, _):
            return Codec(type=declared, parts=(codec_of(key, like=like), codec_of(value, like=like)))
        case StructType(fields):
            return Codec(type=declared, parts=tuple(codec_of(item.type, like=like) for item in fields))
        case _:
            return replace(like, type=declared, parts=())
