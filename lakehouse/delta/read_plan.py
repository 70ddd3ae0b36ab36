"""How each column of a table is read from a data file, which may be older than the table's schema.

Files lack columns that were added later, have narrower types from before a widening, know columns by physical
names (Delta protocol, sections "Column Mapping", "Type Widening" and "Consistency Between Table Metadata
and Data Files"). Polars does most of that while it reads; only ids and the rarer widenings need a look into
the file's footer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import polars as pl
import pyarrow as pa

from lakehouse.delta import column_mapping, footers
from lakehouse.delta.actions import AddFile
from lakehouse.delta.column_mapping import Mode
from lakehouse.delta.datatypes import TYPE_CHANGES, VARIANT
from lakehouse.delta.exact import column
from lakehouse.delta.schema import ArrayType, DataType, MapType, StructField, StructType, type_to_polars, walk
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import CorruptTableError
from lakehouse.storage import Storage

CAST_OPTIONS: Final = pl.ScanCastOptions(
    integer_cast=("upcast", "allow-float"),
    float_cast="upcast",
    datetime_cast=("nanosecond-downcast", "millisecond-upcast", "convert-timezone"),
    missing_struct_fields="insert",
    extra_struct_fields="ignore",
    categorical_to_string="allow",
)

NamesIn: TypeAlias = Callable[[StructField], str | None]


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """How one column is read.

    Args:
        source: The column's name in the file; None where the file can't have it.
        read_as: The type that is asked of the file (Polars widens while it reads).
        value: From what was read to the table's type, under the display name.
    """

    source: str | None
    read_as: pl.DataType
    value: pl.Expr


def needs_footer(fields: Sequence[StructField], mapping: Mode) -> bool:
    """Whether only the file itself tells how to read it.

    Args:
        fields: The columns to read.
        mapping: How the table maps its columns.

    Returns:
        True where columns go by id, a type was changed, or there are variants, which some writers mark as
        such in the file and others don't.
    """
    if mapping == "id" or any(_type_changed(item) for item in fields):
        return True
    return any(kind == VARIANT for item in fields for kind in walk(item.type))


def plan_by_name(fields: Sequence[StructField], mapping: Mode) -> list[ColumnSource]:
    """Plan to read columns by their names; one plan for all files.

    Args:
        fields: The columns to read, no partition columns.
        mapping: How the table maps its columns, not by id.

    Returns:
        A source for each.
    """

    def name_of(item: StructField) -> str:
        return item.name if mapping == "none" else item.physical_name

    sources = []
    for item in fields:
        wanted = type_to_polars(item.type)
        if wanted == pl.Null():
            sources.append(_absent(item))
            continue
        stored = type_to_polars(item.type if mapping == "none" else column_mapping.physical_type(item.type))
        value = shape(column(name_of(item)), stored, item.type, name_of)
        sources.append(ColumnSource(name_of(item), stored, value.alias(item.name)))
    return sources


def plan_by_footer(
    storage: Storage,
    snapshot: Snapshot,
    add: AddFile,
    *,
    fields: Sequence[StructField],
    mapping: Mode,
    footer: Any = None,
) -> list[ColumnSource]:
    """Plan to read columns of one file by what its footer says.

    Args:
        storage: The table's root.
        snapshot: The version; only its name is used.
        add: The file.
        fields: The columns to read, no partition columns.
        mapping: How the table maps its columns.
        footer: The file's ``pyarrow.parquet.FileMetaData`` where it was read before.

    Returns:
        A source for each.

    Raises:
        CorruptTableError: The file is missing or damaged, or lacks the ids that the table goes by.
    """
    footer = footers.read_footer(storage, add) if footer is None else footer
    stored: pa.Schema = footer.schema.to_arrow_schema()
    names = _names_in(stored, mapping)
    if mapping == "id" and len(stored) and not names.by_id:
        raise CorruptTableError(
            f"the data file {add.path} of {storage.url} (version {snapshot.version}) has no field ids, "
            "by which this table finds its columns",
            advice="rewrite the file with the engine that added it",
        )
    types = pl.Schema(pl.DataFrame(stored.empty_table()).schema)
    sources = []
    for item in fields:
        source = names.of(item)
        if source is None or source not in types:
            sources.append(_absent(item))
            continue
        value = shape(column(source), types[source], item.type, names.of)
        sources.append(ColumnSource(source, types[source], value.alias(item.name)))
    return sources


@dataclass(frozen=True, slots=True)
class _FileNames:
    """What fields are called in one file."""

    mapping: Mode
    by_id: dict[int, str]

    def of(self, item: StructField) -> str | None:
        if self.mapping == "id":
            return None if item.column_id is None else self.by_id.get(item.column_id)
        return item.name if self.mapping == "none" else item.physical_name


def _names_in(stored: pa.Schema, mapping: Mode) -> _FileNames:
    found: dict[int, str] = {}
    waiting: list[Any] = list(stored)
    while waiting and mapping == "id":
        item = waiting.pop()
        number = column_mapping.field_id(item)
        if number is not None:
            found[number] = item.name
        waiting += [item.type.field(index) for index in range(item.type.num_fields)]
    return _FileNames(mapping, found)


def _absent(item: StructField) -> ColumnSource:
    kind = type_to_polars(item.type)
    return ColumnSource(None, kind, pl.lit(None, dtype=kind).alias(item.name))


def _type_changed(item: StructField) -> bool:
    if TYPE_CHANGES in item.metadata:
        return True
    structs = (kind for kind in walk(item.type) if isinstance(kind, StructType))
    return any(_type_changed(inner) for kind in structs for inner in kind.fields)


def shape(value: pl.Expr, have: pl.DataType, want: DataType, names: NamesIn) -> pl.Expr:
    """Bring a value into another type of the same form: fields renamed, added and dropped, numbers widened.

    Args:
        value: The value.
        have: Its Polars type.
        want: The type wanted.
        names: What a wanted field is called in the value; None where the value can't have it.

    Returns:
        The value in the Polars type of ``want``; itself where nothing is to be done.
    """
    wanted = type_to_polars(want)
    if isinstance(have, pl.BaseExtension):
        value, have = value.ext.storage(), _instance(have.ext_storage())
    if have == wanted:
        return value
    match want:
        case StructType(fields) if isinstance(have, pl.Struct):
            stored = {item.name: _instance(item.dtype) for item in have.fields}
            parts = [_part(value, stored, item, names) for item in fields]
            return pl.when(value.is_not_null()).then(pl.struct(parts))
        case ArrayType(element, _) if isinstance(have, pl.List):
            return value.list.eval(shape(pl.element(), _instance(have.inner), element, names))
        case MapType():
            return _shape_map(value, have, want, names)
        case _:
            return _widen(value, have, wanted)


def _part(value: pl.Expr, stored: dict[str, pl.DataType], item: StructField, names: NamesIn) -> pl.Expr:
    source = names(item)
    if source is None or source not in stored:
        return pl.lit(None, dtype=type_to_polars(item.type)).alias(item.name)
    return shape(value.struct.field(source), stored[source], item.type, names).alias(item.name)


def _shape_map(value: pl.Expr, have: pl.DataType, want: MapType, names: NamesIn) -> pl.Expr:
    if isinstance(have, pl.Map):
        key, inner = _instance(have.key), _instance(have.value)
    elif isinstance(have, pl.List) and isinstance(have.inner, pl.Struct):
        key, inner = (_instance(item.dtype) for item in have.inner.fields)
    else:
        return value
    entries = pl.List(pl.Struct({"key": key, "value": inner}))
    entry = pl.element()
    shaped = value.cast(entries).list.eval(
        pl.struct(
            shape(entry.struct.field("key"), key, want.key, names).alias("key"),
            shape(entry.struct.field("value"), inner, want.value, names).alias("value"),
        )
    )
    return shaped.cast(type_to_polars(want))


def _widen(value: pl.Expr, have: pl.DataType, want: pl.DataType) -> pl.Expr:
    if not isinstance(want, pl.Datetime):
        return value.cast(want)
    zone = have.time_zone if isinstance(have, pl.Datetime) else None
    moment = value.cast(pl.Datetime("us", zone))
    if (zone is None) == (want.time_zone is None):
        return moment.cast(want)
    if zone is None:
        return moment.dt.replace_time_zone("UTC")
    return moment.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def _instance(kind: Any) -> pl.DataType:
    found: pl.DataType = kind() if isinstance(kind, type) else kind
    return found
