"""What every change format is given and gives: the interface of this folder.

A format is a module with one function ``read(records, *, settings) -> ChangeBatch`` that is entered in
`lakehouse.cdc.formats.FORMATS`. It gets the records as they were handed in, and gives the normal form of
`lakehouse.cdc.changes`: one row per change, records that can't be used as rejected, the rest untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lakehouse.cdc.changes import ChangeBatch
from lakehouse.config.models.changes import UNAVAILABLE, BinaryMode, DecimalMode, Encoding, TimeMode
from lakehouse.config.models.tables import TableConfig
from lakehouse.delta.datatypes import DataType, StructType
from lakehouse.delta.type_names import parse_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the changes of one table look.

    Args:
        key: The columns that identify a row, in order.
        sequence: The columns that order the changes of a key; None takes the format's own order.
        types: The declared types of columns, by name; the values of other columns say theirs.
        ignore_null_updates: Whether null in an upsert means "not stated".
        decimals: Debezium's ``decimal.handling.mode``, for events without a schema.
        times: Debezium's ``time.precision.mode``, for events without a schema.
        binary: Debezium's ``binary.handling.mode``, for events without a schema.
        encodings: How single columns are written, before the three modes.
        unavailable_value: Debezium's ``unavailable.value.placeholder``.
        source_table: The table whose changes are taken from a stream of several (``orders``,
            ``public.orders``, ``shop.public.orders`` or the topic); None expects changes of one table.
        wants_times: Whether the table keeps full history, for which a format with an order of its own says
            in ``__time`` when each change took effect.
        before: The columns of which it is wanted what they were before a change, from formats that tell: in
            ``__before__<column>``.
    """

    key: tuple[str, ...]
    sequence: tuple[str, ...] | None = None
    types: Mapping[str, DataType] = field(default_factory=dict)
    ignore_null_updates: bool = False
    decimals: DecimalMode = "precise"
    times: TimeMode = "adaptive"
    binary: BinaryMode = "bytes"
    encodings: Mapping[str, Encoding] = field(default_factory=dict)
    unavailable_value: str = UNAVAILABLE
    source_table: str | None = None
    wants_times: bool = False
    before: tuple[str, ...] = ()


class Format(Protocol):
    """A change format."""

    def __call__(self, records: object, /, *, settings: Settings) -> ChangeBatch:
        """Reads records into the normal form; see the module's text."""


def settings_of(
    config: TableConfig, *, source_table: str | None = None, stored: StructType | None = None
) -> Settings:
    """The settings of a table's changes, as its config says.

    Args:
        config: The table's section of the config file.
        source_table: The table whose changes are taken from a stream of several.
        stored: The table's schema, where there is one: it tells the types of columns that the config
            does not.

    Returns:
        The settings.

    Raises:
        UsageError: A declared type is none.
    """
    changes = config.changes
    declared = config.column_schema or {}
    known = {item.name: item.type for item in stored.fields} if stored is not None else {}
    return Settings(
        key=tuple(config.key),
        sequence=None if changes.sequence is None else tuple(changes.sequence),
        types={**known, **{name: parse_type(text) for name, text in declared.items()}},
        ignore_null_updates=changes.ignore_null_updates,
        decimals=changes.decimals,
        times=changes.times,
        binary=changes.binary,
        encodings=dict(changes.encodings),
        unavailable_value=changes.unavailable_value,
        source_table=source_table,
        wants_times=config.history.mode == "full",
    )
