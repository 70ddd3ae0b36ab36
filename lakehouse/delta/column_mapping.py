"""Column mapping: the names that columns have in data files, statistics and partition values.

Delta protocol, section "Column Mapping". In the modes ``name`` and ``id`` each column, nested ones too, has
a physical name that never changes, and an id that Parquet files carry as ``field_id``.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, Literal, TypeAlias, overload
from uuid import uuid4

import pyarrow as pa

from lakehouse.delta.actions import Metadata, Protocol
from lakehouse.delta.datatypes import COLUMN_ID, PHYSICAL_NAME, all_fields
from lakehouse.delta.protocols import CONSTRAINT
from lakehouse.delta.schema import (
    ArrayType,
    DataType,
    MapType,
    StructField,
    StructType,
    type_to_arrow,
)
from lakehouse.errors import CorruptTableError

Mode: TypeAlias = Literal["none", "name", "id"]

_PROPERTY: Final = "delta.columnMapping.mode"
MASKS: Final = "lakehouse.masks"
"""The property that says which columns are masked in the rows of a table."""
SHREDDED: Final = "lakehouse.shredded"
"""The property that says which columns of a table are stored under keys of people."""
_MAX_ID: Final = "delta.columnMapping.maxColumnId"
_FEATURE: Final = "columnMapping"
_NESTED_IDS: Final = "delta.columnMapping.nested.ids"
_FIELD_ID: Final = b"PARQUET:field_id"


def masks_in(configuration: Mapping[str, str]) -> dict[str, str]:
    """What a table says of its masks.

    Args:
        configuration: The table's properties.

    Returns:
        Path into a column to what masks it; empty for a table that says nothing, or says it in a way that is
        not ours.
    """
    try:
        found = json.loads(configuration.get(MASKS, "{}"))
    except ValueError:
        return {}
    return {str(path): str(way) for path, way in found.items()} if isinstance(found, dict) else {}


def mode(metadata: Metadata, *, protocol: Protocol | None = None) -> Mode:
    """How a table maps its columns.

    Args:
        metadata: The table's metadata.
        protocol: The table's protocol: without support for the feature the property counts for nothing. None
            takes the property at its word.

    Returns:
        ``none``, ``name`` or ``id``.

    Raises:
        CorruptTableError: The property has a value that Delta does not know.
    """
    if protocol is not None and not _supported(protocol):
        return "none"
    match metadata.configuration.get(_PROPERTY, "none").lower():
        case "none":
            return "none"
        case "name":
            return "name"
        case "id":
            return "id"
        case other:
            raise CorruptTableError(
                f"the table's column mapping mode is {other!r}, which Delta does not know"
            )


def physical_schema(schema: StructType) -> StructType:
    """The same schema under its physical names, nested ones too.

    Args:
        schema: The table's schema, mapped by name or id.

    Returns:
        The schema as data files have it.
    """
    return StructType(tuple(_physical_field(item) for item in schema.fields))


def with_new_columns(metadata: Metadata, schema: StructType) -> Metadata:
    """Give a table another schema; columns that are new get an id and a physical name of their own.

    Args:
        metadata: The table's metadata. Where it maps no columns, new ones need neither.
        schema: The new schema, in which columns that were there before keep what they carry.

    Returns:
        The metadata with the schema, and with the highest id that was ever given.
    """
    if mode(metadata) == "none":
        return replace(metadata, schema_string=schema.to_json())
    known = metadata.configuration.get(_MAX_ID, "0")
    used = [item.column_id or 0 for item in all_fields(schema)]
    ids = itertools.count(max([int(known) if known.isdecimal() else 0, *used]) + 1)
    named = _named_type(schema, ids)
    configuration = {**metadata.configuration, _MAX_ID: str(next(ids) - 1)}
    return replace(metadata, schema_string=named.to_json(), configuration=configuration)


def restored_metadata(now: Metadata, then: Metadata) -> Metadata:
    """The metadata of a table whose rows go back to an older version.

    What old rows must be understood and judged by goes back with them: schema, partitioning, how columns are
    mapped, the conditions that rows satisfy, which columns are masked in them. The other properties stay, and
    no id is given twice.

    Args:
        now: The newest metadata.
        then: The older metadata.

    Returns:
        The metadata; the newest itself where nothing of that kind was changed.
    """
    configuration = {name: text for name, text in now.configuration.items() if not _goes_back(name)}
    configuration |= {name: text for name, text in then.configuration.items() if _goes_back(name)}
    ids = [item.configuration.get(_MAX_ID, "") for item in (now, then)]
    known = [number for number in ids if number.isdecimal()]
    if known:
        configuration[_MAX_ID] = max(known, key=int)
    restored = replace(
        now,
        schema_string=then.schema_string,
        partition_columns=then.partition_columns,
        configuration=configuration,
    )
    return now if restored == now else restored


def _goes_back(name: str) -> bool:
    return name in (_PROPERTY, MASKS, SHREDDED) or name.startswith(CONSTRAINT)


@overload
def _named_type(data_type: StructType, ids: Iterator[int]) -> StructType: ...
@overload
def _named_type(data_type: DataType, ids: Iterator[int]) -> DataType: ...
def _named_type(data_type: DataType, ids: Iterator[int]) -> DataType:
    match data_type:
        case StructType(fields):
            return StructType(tuple(_named_field(item, ids) for item in fields))
        case ArrayType(element):
            return replace(data_type, element=_named_type(element, ids))
        case MapType(key, value):
            return replace(data_type, key=_named_type(key, ids), value=_named_type(value, ids))
        case _:
            return data_type


def _named_field(item: StructField, ids: Iterator[int]) -> StructField:
    carried = dict(item.metadata)
    if item.column_id is None:
        carried[COLUMN_ID] = next(ids)
    if PHYSICAL_NAME not in carried:
        carried[PHYSICAL_NAME] = f"col-{uuid4()}"
    return replace(item, type=_named_type(item.type, ids), metadata=carried)


def physical_names(schema: StructType, mapping: Mode) -> dict[str, str]:
    """What top-level columns are called in data files, statistics and partition values.

    Args:
        schema: The table's schema.
        mapping: How the table maps its columns.

    Returns:
        Display name to physical name.
    """
    return {item.name: item.name if mapping == "none" else item.physical_name for item in schema.fields}


def display_names(schema: StructType, mapping: Mode) -> dict[str, str]:
    """What people call the columns of data files, those inside of structs, lists and maps too.

    Args:
        schema: The table's schema.
        mapping: How the table maps its columns.

    Returns:
        Physical name to display name; empty where the table maps no columns.
    """
    if mapping == "none":
        return {}
    return {item.physical_name: item.name for item in all_fields(schema)}


def arrow_schema(schema: StructType, mapping: Mode) -> pa.Schema:
    """What a data file's columns are, for Parquet writers: physical names, types, field ids.

    Args:
        schema: The table's schema without the columns that files don't hold.
        mapping: How the table maps its columns.

    Returns:
        An Arrow schema; texts and binaries are the large kinds, as Polars hands them out. Without mapping
        the fields have no ids. All fields can be null, so that a column may lose its NOT NULL later.
    """
    return pa.schema([_arrow_field(item, mapping) for item in schema.fields])


def _supported(protocol: Protocol) -> bool:
    if protocol.min_reader_version >= 3:
        return _FEATURE in (protocol.reader_features or ())
    return protocol.min_reader_version == 2


def _physical_field(item: StructField) -> StructField:
    return StructField(item.physical_name, physical_type(item.type), item.nullable, item.metadata)


def physical_type(data_type: DataType) -> DataType:
    """The same type with its fields under their physical names.

    Args:
        data_type: A type of a table that maps its columns.

    Returns:
        The type as data files have it.
    """
    match data_type:
        case StructType():
            return physical_schema(data_type)
        case ArrayType(element, contains_null):
            return ArrayType(physical_type(element), contains_null)
        case MapType(key, value, value_contains_null):
            return MapType(physical_type(key), physical_type(value), value_contains_null)
        case _:
            return data_type


def _arrow_field(item: StructField, mapping: Mode) -> pa.Field:
    if mapping == "none":
        return pa.field(item.name, _arrow_type(item.type, mapping, {}, ""))
    nested = item.metadata.get(_NESTED_IDS)
    known = nested if isinstance(nested, dict) else {}
    ids = {key: value for key, value in known.items() if isinstance(value, int)}
    return pa.field(
        item.physical_name,
        _arrow_type(item.type, mapping, ids, item.physical_name),
        metadata=_id_metadata(item.column_id),
    )


def _arrow_type(data_type: DataType, mapping: Mode, ids: Mapping[str, int], path: str) -> pa.DataType:
    match data_type:
        case StructType(fields):
            return pa.struct([_arrow_field(item, mapping) for item in fields])
        case ArrayType(element, _):
            inside = f"{path}.element"
            kind = _arrow_type(element, mapping, ids, inside)
            return pa.large_list(pa.field("element", kind, metadata=_id_metadata(ids.get(inside))))
        case MapType(key, value, _):
            parts = [
                pa.field(
                    name,
                    _arrow_type(part, mapping, ids, f"{path}.{name}"),
                    nullable=name == "value",
                    metadata=_id_metadata(ids.get(f"{path}.{name}")),
                )
                for name, part in (("key", key), ("value", value))
            ]
            return pa.map_(*parts)
        case _:
            kind = type_to_arrow(data_type)
            if pa.types.is_string(kind):
                return pa.large_string()
            return pa.large_binary() if pa.types.is_binary(kind) else kind


def _id_metadata(number: int | None) -> dict[bytes, bytes] | None:
    return None if number is None else {_FIELD_ID: str(number).encode()}


def field_id(field: pa.Field) -> int | None:
    """The id of a field that was read from a Parquet file.

    Args:
        field: A field of the file's Arrow schema.

    Returns:
        The id, or None where the file has none for it.
    """
    found = (field.metadata or {}).get(_FIELD_ID)
    return None if found is None else int(found)
