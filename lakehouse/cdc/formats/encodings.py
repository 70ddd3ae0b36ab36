"""Codecs of columns whose type and spelling the config declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lakehouse.cdc.formats.base import Settings
from lakehouse.cdc.formats.values.codec import INFER, Codec, Text, Unit, codec_of
from lakehouse.config.models.changes import BinaryMode, Encoding, TimeMode
from lakehouse.delta.datatypes import (
    BINARY,
    DATE,
    STRING,
    TIMESTAMP,
    TIMESTAMP_NTZ,
    DataType,
    DecimalType,
)
from lakehouse.errors import DataError

_EPOCHS: Final[Mapping[Encoding, Unit]] = {
    "epoch_days": "d",
    "epoch_millis": "ms",
    "epoch_micros": "us",
    "epoch_nanos": "ns",
}
_BYTES: Final[Mapping[Encoding, Text]] = {"base64": "base64", "base64_url": "base64_url", "hex": "hex"}
_UNDECLARED: Final[Mapping[Encoding, DataType]] = {
    "epoch_days": DATE,
    "epoch_millis": TIMESTAMP_NTZ,
    "epoch_micros": TIMESTAMP_NTZ,
    "epoch_nanos": TIMESTAMP_NTZ,
    "iso": TIMESTAMP,
    "base64": BINARY,
    "base64_url": BINARY,
    "hex": BINARY,
    "text": STRING,
}
_BINARY_MODES: Final[Mapping[BinaryMode, Text]] = {
    "bytes": "base64",
    "base64": "base64",
    "base64-url-safe": "base64_url",
    "hex": "hex",
}
_TIME_MODES: Final[Mapping[TimeMode, Unit]] = {
    "adaptive": "us",
    "microseconds": "us",
    "isostring": "us",
    "connect": "ms",
    "nanoseconds": "ns",
}


def declared_codec(name: str, *, settings: Settings, debezium: bool = False) -> Codec:
    """The codec of a column, as far as the config tells.

    Args:
        name: The column.
        settings: How the table's changes look.
        debezium: Whether the modes of Debezium apply: text in decimal columns is base64 where
            ``decimals`` is ``precise``, numbers in timestamp columns count as ``times`` says (adaptive:
            microseconds, right for PostgreSQL's usual precision), text in binary columns is written as
            ``binary`` says.

    Returns:
        The codec: by the column's ``encodings``, else by the modes; `INFER` for a column that is not
        declared at all. A number since midnight (``epoch_millis``, ``epoch_micros`` or ``epoch_nanos``) in
        a column declared as string is a time of day.

    Raises:
        DataError: The encoding contradicts the declared type.
    """
    declared = settings.types.get(name)
    encoding = settings.encodings.get(name)
    if encoding is not None:
        return _encoded(name, encoding, declared)
    if declared is None:
        return INFER
    text = _BINARY_MODES[settings.binary] if debezium else "base64"
    unit = _TIME_MODES[settings.times] if debezium else "us"
    unscaled = debezium and settings.decimals == "precise"
    return _by_type(declared, text=text, unit=unit, unscaled=unscaled)


def _by_type(declared: DataType, *, text: Text, unit: Unit, unscaled: bool) -> Codec:
    return _fitted(codec_of(declared, like=Codec(text=text, unit=unit)), unscaled=unscaled)


def _fitted(codec: Codec, *, unscaled: bool) -> Codec:
    """Binary parts keep the spelling of bytes, decimal parts take theirs, all others read text as it is."""
    text: Text = "plain"
    if codec.type == BINARY:
        text = codec.text
    elif isinstance(codec.type, DecimalType) and unscaled:
        text = "unscaled"
    parts = tuple(_fitted(part, unscaled=unscaled) for part in codec.parts)
    return Codec(type=codec.type, text=text, unit=codec.unit, parts=parts)


def _encoded(name: str, encoding: Encoding, declared: DataType | None) -> Codec:
    wanted = _UNDECLARED.get(encoding) if declared is None else declared
    if wanted is None:
        raise DataError(
            f"the encoding {encoding} of column {name} needs the column's digits",
            advice=f"declare the column in the table's `schema`, as `{name}: decimal(12,4)`",
        )
    unit = _EPOCHS.get(encoding, "us")
    if declared == STRING and encoding in _EPOCHS:
        return Codec(type=STRING, text="time", unit=unit)
    return _by_type(
        wanted, text=_BYTES.get(encoding, "plain"), unit=unit, unscaled=encoding == "decimal_base64"
    )
