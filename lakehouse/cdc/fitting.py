"""Brings a column to the type of the table, whatever its parts, and says which rows do not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import polars as pl

from lakehouse.cdc.casts import cast_exactly
from lakehouse.cdc.changes import Misfit
from lakehouse.delta.schema import (
    ArrayType,
    DataType,
    MapType,
    OpaqueType,
    StructField,
    StructType,
    type_string,
    type_to_polars,
)

WRONG_TYPE: Final = "wrong_type"
"""Reason: a value is of a kind that the column does not take."""

OUT_OF_RANGE: Final = "out_of_range"
"""Reason: a value is of the right kind, and the column can't hold it unchanged."""

UNKNOWN_COLUMN: Final = "unknown_column"
"""Reason: a value stands in a column or field that the table does not have."""

Misfits: TypeAlias = tuple[tuple[pl.Series, Misfit], ...]
"""Pairs of a Boolean per row (true: the row does not fit) and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How strictly values are taken.

    Args:
        textual: Whether text may be read as a number or Boolean.
        refuse_unknown: Whether a row that has a value in an unknown field of a struct is refused; otherwise
            such values are left out.
    """

    textual: bool = False
    refuse_unknown: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A column in the table's type.

    Args:
        values: The column; null where a value does not fit.
        misfits: Which rows do not fit, and why.
    """

    values: pl.Series
    misfits: Misfits = ()


def fit(  # noqa: PLR0911 - one way out per type
    values: pl.Series, target: DataType, *, column: str, rules: Rules
) -> Fit:
    """Brings a column to a type without changing a value.

    Args:
        values: The column.
        target: The table's type.
        column: Its name, with those of the structs around it, for the reasons.
        rules: How strictly values are taken.

    Returns:
        The column, and the rows that do not fit.

    Raises:
        UnsupportedFeatureError: The table's type is not known here.
    """
    dtype = type_to_polars(target)
    if values.dtype == dtype:
        return Fit(values)
    if values.dtype == pl.Null:
        return Fit(values.cast(dtype))
    match target:
        case StructType() if isinstance(values.dtype, pl.Struct):
            return _fit_struct(values, target, column=column, rules=rules)
        case ArrayType() if isinstance(values.dtype, pl.List | pl.Array):
            return _fit_list(values, target.element, column=f"{column}.element", rules=rules)
        case MapType() if (entries := entries_of(values)) is not None:
            entry = StructType((StructField("key", target.key), StructField("value", target.value)))
            return _fit_list(entries, entry, column=column, rules=rules)
        case StructType() | ArrayType() | MapType() | OpaqueType():
            cast = None
        case _:
            cast = None if values.dtype.is_nested() else cast_exactly(values, target, textual=rules.textual)
    if cast is None:
        blank = pl.Series(values.name, [None], dtype=dtype).new_from_index(0, values.len())
        source = "text" if values.dtype == pl.String else str(values.dtype)
        return _with_misfit(
            blank, values, Misfit(WRONG_TYPE, f"{column}: {source} in a column of {type_string(target)}")
        )
    if values.dtype == pl.String:
        return _with_misfit(
            cast, values, Misfit(WRONG_TYPE, f"{column}: the text is no {type_string(target)}")
        )
    return _with_misfit(
        cast, values, Misfit(OUT_OF_RANGE, f"{column}: a value does not fit {type_string(target)}")
    )


def _with_misfit(cast: pl.Series, values: pl.Series, misfit: Misfit) -> Fit:
    lost = cast.is_null() & values.is_not_null()
    return Fit(cast.alias(values.name), ((lost, misfit),) if lost.any() else ())


def _fit_struct(values: pl.Series, target: StructType, *, column: str, rules: Rules) -> Fit:
    known = [item.name for item in values.dtype.fields] if isinstance(values.dtype, pl.Struct) else []
    misfits: Misfits = ()
    parts: list[pl.Series] = []
    for item in target.fields:
        if item.name not in known:
            dtype = type_to_polars(item.type)
            parts.append(pl.Series(item.name, [None], dtype=dtype).new_from_index(0, values.len()))
            continue
        part = fit(values.struct.field(item.name), item.type, column=f"{column}.{item.name}", rules=rules)
        parts.append(part.values.alias(item.name))
        misfits += part.misfits
    for name in known if rules.refuse_unknown else ():
        if name not in target and (stated := values.struct.field(name).is_not_null()).any():
            misfits += ((stated, Misfit(UNKNOWN_COLUMN, f"the table has no field {column}.{name}")),)
    frame = pl.DataFrame([part.alias(f"{number}") for number, part in enumerate(parts)])
    fields = [pl.col(f"{number}").alias(part.name) for number, part in enumerate(parts)]
    built = frame.select(pl.when(values.is_not_null()).then(pl.struct(fields)).alias(values.name))
    return Fit(built[values.name], misfits)


def _fit_list(values: pl.Series, element: DataType, *, column: str, rules: Rules) -> Fit:
    """Takes the lists apart, fits what is in them, and puts them together again."""
    if isinstance(values.dtype, pl.Array):
        values = values.arr.to_list()
    lengths = values.list.len()
    rows = pl.DataFrame({"row": pl.int_range(values.len(), dtype=pl.UInt32, eager=True), "length": lengths})
    owners = rows.filter(pl.col("length") > 0).select(pl.col("row").repeat_by("length")).explode("row")["row"]
    inner = fit(values.explode(empty_as_null=False, keep_nulls=False), element, column=column, rules=rules)
    misfits = tuple(
        (rows["row"].is_in(owners.filter(lost).unique().implode()), misfit) for lost, misfit in inner.misfits
    )
    lists = (
        pl.DataFrame({"row": owners, "value": inner.values})
        .group_by("row", maintain_order=True)
        .agg(pl.col("value").alias("list"))
    )
    empty = pl.lit(pl.Series([[]], dtype=pl.List(inner.values.dtype))).first()
    built = rows.join(lists, on="row", how="left", maintain_order="left").select(
        pl.when(pl.col("length") == 0).then(empty).otherwise(pl.col("list")).alias(values.name)
    )
    return Fit(built[values.name], misfits)


def entries_of(values: pl.Series) -> pl.Series | None:
    """A map as a list of key and value.

    Args:
        values: A column.

    Returns:
        Lists of structs; None where the column is no map.
    """
    dtype = values.dtype
    if isinstance(dtype, pl.Map):
        return values.cast(pl.List(pl.Struct({"key": dtype.key, "value": dtype.value})))
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
        return values if {item.name for item in dtype.inner.fields} == {"key", "value"} else None
    if not isinstance(dtype, pl.Struct):
        return None
    # An object of JSON, read as a struct of all names: what a row lacks is null there.
    kinds = {item.dtype for item in dtype.fields}
    if len(kinds - {pl.Null()}) > 1:
        return None
    inner = next(iter(kinds - {pl.Null()}), pl.Null())
    pairs = [
        pl.struct(pl.lit(item.name).alias("key"), pl.col(f"{number}").cast(inner).alias("value"))
        for number, item in enumerate(dtype.fields)
    ]
    parts = pl.DataFrame(
        [values.struct.field(item.name).alias(f"{n}") for n, item in enumerate(dtype.fields)]
    )
    lists = parts.select(pl.concat_list(pairs).list.filter(pl.element().struct.field("value").is_not_null()))
    return lists.to_series().set(values.is_null(), None)
