"""What paths into columns lead to: their types in a schema, and their values in rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import polars as pl

from lakehouse.delta.schema import ArrayType, DataType, MapType, StructType, type_to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import UnsupportedFeatureError, UsageError
from lakehouse.pii.paths import ColumnPath, parse_path

VALUE: Final = "__value"


def type_at(schema: StructType, path: ColumnPath) -> DataType | None:
    """The type of the values at a path.

    Args:
        schema: The table's.
        path: A column, or a path through fields, lists and maps.

    Returns:
        The type; None where the schema has no such values.
    """
    if path.column not in schema.names:
        return None
    kind: DataType = schema.field(path.column).type
    for step in path.steps:
        match step.kind, kind:
            case "field", StructType() if step.name in kind.names:
                kind = kind.field(step.name).type
            case "item", ArrayType(element, _):
                kind = element
            case "key", MapType(key, _, _):
                kind = key
            case "value", MapType(_, value, _):
                kind = value
            case _:
                return None
    return kind


def plain_types(schema: StructType, texts: Iterable[str]) -> dict[str, pl.DataType]:
    """The types of plain values.

    Args:
        schema: The table's.
        texts: Columns and paths.

    Returns:
        By column or path; those that the schema does not have, or that are nested, are left out.
    """
    found: dict[str, pl.DataType] = {}
    for text in texts:
        try:
            kind = type_at(schema, parse_path(text, columns=schema.names))
            plain = None if kind is None else type_to_polars(kind)
        except (UsageError, UnsupportedFeatureError):
            continue
        if plain is not None and not plain.is_nested():
            found[text] = plain
    return found


def only_fields(path: ColumnPath) -> bool:
    """Whether a path leads to at most one value of each row."""
    return all(step.kind == "field" for step in path.steps)


def spread(rows: pl.LazyFrame, paths: Mapping[str, ColumnPath]) -> pl.LazyFrame:
    """The values at paths, a row for each element of the lists and maps on the way.

    Args:
        rows: Under each name of ``paths`` the column into which the path leads.
        paths: By name.
    """
    for name, path in paths.items():
        for step in path.steps:
            match step.kind:
                case "field":
                    rows = rows.with_columns(pl.col(name).struct.field(step.name).alias(name))
                case "item":
                    rows = rows.explode(name)
                case _:
                    rows = rows.explode(name).with_columns(pl.col(name).struct.field(step.kind).alias(name))
    return rows


def columns_of(paths: Iterable[ColumnPath]) -> Sequence[str]:
    """The columns into which paths lead, each once."""
    return list(dict.fromkeys(path.column for path in paths))


def as_keys(snapshot: Snapshot, values: pl.DataFrame, paths: Sequence[ColumnPath]) -> pl.DataFrame:
    """Values in the types of what paths lead to, with their numbers; what is no such value is left out.

    Args:
        snapshot: A version.
        values: A column for each path.
        paths: Columns, or paths into them.

    Returns:
        The number, and the values under the names that `key_name` gives.

    Raises:
        UsageError: There is no such column, or no value can be compared with it.
    """
    if values.width != len(paths):
        raise UsageError("a condition has not one column of values for each of its columns")
    if sum(not only_fields(path) for path in paths) > 1:
        raise UsageError("a condition goes through more than one list or map")
    columns = []
    for number, (path, each) in enumerate(zip(paths, values, strict=True)):
        at = type_at(snapshot.schema, path)
        if at is None:
            raise _no_column(snapshot, path)
        kind = type_to_polars(at)
        if kind.is_nested():
            raise UsageError(f"the values at {path} are no plain values")
        try:
            columns.append(each.cast(kind, strict=False).alias(key_name(number)))
        except pl.exceptions.PolarsError:
            raise UsageError(f"the values for {path} can't be compared with it") from None
    return pl.DataFrame(columns).with_row_index(VALUE).drop_nulls()


def key_name(number: int) -> str:
    """What the values of a path are called, by its number."""
    return f"__key{number}"


def _no_column(snapshot: Snapshot, path: ColumnPath) -> UsageError:
    return UsageError(
        f"there is no column {path}", advice=f"the columns are: {', '.join(snapshot.schema.names)}"
    )
