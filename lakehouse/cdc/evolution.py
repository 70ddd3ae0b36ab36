"""What a batch adds to a table's schema: new columns, and new fields inside structs, lists and maps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from lakehouse.cdc.inference import infer_type, part_type
from lakehouse.delta.schema import ArrayType, DataType, MapType, StructField, StructType, walk
from lakehouse.errors import DataError


@dataclass(frozen=True, slots=True)
class Growth:
    """A schema compared with a batch.

    Args:
        schema: With what the batch has and the schema lacks at the end, nullable.
        added: What was added, by name (``address.zip`` for a field of a struct).
        refused: What the batch has and the schema goes on to lack, by name.
        untyped: What could not be added since nothing tells its type yet: lists that are all empty.
    """

    schema: StructType
    added: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    untyped: tuple[str, ...] = ()


@dataclass(slots=True)
class _Survey:
    """What may be added, and what has been found so far."""

    declared: StructType
    only: Collection[str] | None
    added: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    untyped: list[str] = field(default_factory=list)

    def judge(self, name: str, dtype: pl.DataType) -> StructField | None:
        """The field to add for something that the schema lacks, or None."""
        if dtype == pl.Null:
            return None
        if self.only is not None and name not in self.only:
            self.refused.append(name)
            return None
        found = self.declared.get(name)
        if found is None and (inferred := infer_type(dtype, column=name)) is not None:
            found = StructField(name, inferred)
        (self.untyped if found is None else self.added).append(name)
        if found is not None:
            for part in walk(found.type):
                if isinstance(part, StructType):
                    _check_names((), part.names, path=f"{name}.")
        return found


def grow(
    schema: StructType,
    frame: Mapping[str, pl.DataType],
    *,
    declared: StructType | None = None,
    only: Collection[str] | None = None,
) -> Growth:
    """Finds what a frame has and a schema lacks.

    Args:
        schema: The table's schema.
        frame: The business columns of the batch and their types.
        declared: Types that the config gives to columns which the table does not have yet.
        only: The columns that may be added; None for all, and for fields of structs too.

    Returns:
        The larger schema. Columns and fields that hold nothing but nulls are passed over.

    Raises:
        DataError: A name differs from another one by case only, or a new column has a type that Delta lacks.
    """
    survey = _Survey(declared or StructType(), only)
    grown = _grow_struct(schema, frame, path="", survey=survey)
    return Growth(grown, tuple(survey.added), tuple(survey.refused), tuple(survey.untyped))


def _grow_struct(
    known: StructType, parts: Mapping[str, pl.DataType], *, path: str, survey: _Survey
) -> StructType:
    _check_names(known.names, parts, path=path)
    fields = [
        replace(item, type=_grow(item.type, parts[item.name], path=f"{path}{item.name}", survey=survey))
        if item.name in parts
        else item
        for item in known.fields
    ]
    news = [
        (name, survey.judge(f"{path}{name}", dtype)) for name, dtype in parts.items() if name not in known
    ]
    fields.extend(replace(found, name=name) for name, found in news if found is not None)
    return StructType(tuple(fields))


def _grow(known: DataType, dtype: pl.DataType, *, path: str, survey: _Survey) -> DataType:
    """The type of a column that the table has, with the fields that it lacks."""
    match known, dtype:
        case StructType(), pl.Struct():
            parts = {item.name: part_type(item.dtype) for item in dtype.fields}
            return _grow_struct(known, parts, path=f"{path}.", survey=survey)
        case ArrayType(), pl.List() | pl.Array():
            element = _grow(known.element, part_type(dtype.inner), path=f"{path}.element", survey=survey)
            return replace(known, element=element)
        case MapType(), pl.Map():
            return _grow_map(known, dtype.key, dtype.value, path=path, survey=survey)
        case MapType(), pl.List(inner=pl.Struct() as entry):
            entries: dict[str, object] = {item.name: item.dtype for item in entry.fields}
            if set(entries) == {"key", "value"}:
                return _grow_map(known, entries["key"], entries["value"], path=path, survey=survey)
    return known


def _grow_map(known: MapType, key: object, value: object, *, path: str, survey: _Survey) -> MapType:
    # Keys grow too: without a field that tells them apart, two of them would be one.
    return replace(
        known,
        key=_grow(known.key, part_type(key), path=f"{path}.key", survey=survey),
        value=_grow(known.value, part_type(value), path=f"{path}.value", survey=survey),
    )


def _check_names(known: Sequence[str], found: Collection[str], *, path: str) -> None:
    """Delta's names are unique regardless of case, so a name in another case is neither old nor new."""
    spelled = {name.lower(): name for name in known}
    for name in found:
        other = spelled.setdefault(name.lower(), name)
        if other != name:
            raise DataError(
                f"the changes have a column {path}{name}, and there is {path}{other}: names that differ by "
                "case only can't stand in one table",
                advice=f"rename {path}{name} to {path}{other}, or to something else",
            )
        if any(ord(character) < 32 for character in name):
            raise DataError(
                "the changes have a column whose name holds a control character", advice="rename the column"
            )
