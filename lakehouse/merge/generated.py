"""Generated columns: computed here, and checked where a change states them.

Delta protocol, section "Generated Columns": the value must be the same as that of the column's SQL
expression, null included. Only expressions that mean the same here as in Spark are evaluated; a table with
another one is refused by the column's name. Times are taken in UTC.

A change that states the columns from which another is generated gets that one at once (`state_generated`), so
that it is not a partial change for the want of it. Of rows that are put together from partial changes and
what is stored it is computed at the end (`regenerate`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from lakehouse.cdc.changes import OP, ORDINAL, UPSERT, ChangeBatch, Misfit, absence
from lakehouse.delta.fitting import file_type
from lakehouse.delta.schema import StructField, StructType, to_polars, type_to_polars
from lakehouse.errors import UnsupportedFeatureError
from lakehouse.merge.plan import MergePlan
from lakehouse.merge.sql import Formula, formula

_LITERAL: Final = re.compile(r"'(?:[^']|'')*'")
# Division and remainder differ between engines, and double quotes are text in one and names in the other.
_STRANGE: Final = re.compile(r'[/%"]')
_CALL: Final = re.compile(r"([A-Za-z_]\w*)\s*\(")
_ALIKE: Final = frozenset(
    {"cast", "year", "month", "day", "hour", "minute", "upper", "lower", "coalesce", "abs", "substring"}
    | {"substr", "left", "if", "nullif", "in", "and", "or", "not", "when", "then", "else", "between"}
    | {"decimal", "varchar", "char"}
)


@dataclass(frozen=True, slots=True)
class Generated:
    """A column that is computed from others.

    Args:
        field: The column.
        formula: How.
    """

    field: StructField
    formula: Formula

    @property
    def name(self) -> str:
        """The column's name."""
        return self.field.name

    def values(self, rows: pl.DataFrame) -> pl.Series:
        """The column's values.

        Args:
            rows: With the columns that it is computed from.

        Returns:
            The values in the column's type.

        Raises:
            UnsupportedFeatureError: They can't be computed here.
        """
        found = self.formula.evaluate(rows)
        wanted = type_to_polars(self.field.type)
        if found is None:
            raise _unknown(self.field)
        cast = found.cast(wanted, strict=False).alias(self.name)
        if cast.null_count() != found.null_count():
            raise _unknown(self.field)
        return cast


def generated_of(schema: StructType) -> tuple[Generated, ...]:
    """The generated columns of a table: pure.

    Args:
        schema: The table's schema.

    Raises:
        UnsupportedFeatureError: One is computed in a way that is not known here.
    """
    return tuple(
        _generated(field, field.generation_expression, schema)
        for field in schema.fields
        if field.generation_expression is not None
    )


def state_generated(batch: ChangeBatch, generated: Sequence[Generated]) -> ChangeBatch:
    """Completes changes that state all that a generated column needs, and rejects those that contradict.

    Args:
        batch: Conformed to the schema.
        generated: The table's generated columns.

    Returns:
        The batch. What a change says of a generated column, but not of those that it is computed from, is
        left out.
    """
    misfits: dict[int, Misfit] = {}
    for one in generated:
        frame = batch.frame
        if not set(one.formula.columns) <= set(frame.columns):
            batch = replace(batch, frame=frame.drop(one.name, absence(one.name), strict=False))
            continue
        told = _stated(frame, one.formula.columns)
        values = one.values(frame)
        if one.name in frame.columns:
            said = _stated(frame, [one.name]) & told & (frame[OP] == UPSERT)
            wrong = said & frame[one.name].ne_missing(values)
            reason = Misfit("generated", f"column {one.name} is generated, and the record says otherwise")
            misfits |= dict.fromkeys(frame.filter(wrong)[ORDINAL].to_list(), reason)
        frame = frame.drop(absence(one.name), strict=False).with_columns(values.set(~told, None))
        if not told.all():
            frame = frame.with_columns((~told).alias(absence(one.name)))
        batch = replace(batch, frame=frame)
    return batch.reject(misfits)


def regenerate(plan: MergePlan, generated: Sequence[Generated], *, schema: StructType) -> MergePlan:
    """Computes the generated columns of the rows that a merge writes.

    Args:
        plan: What the merge does.
        generated: The table's generated columns.
        schema: The table's schema after the merge.
    """
    if not generated or plan.rows.is_empty():
        return plan
    types = to_polars(schema)
    rows = plan.rows
    for one in generated:
        missing = [
            pl.lit(None, dtype=types[c]).alias(c) for c in one.formula.columns if c not in rows.columns
        ]
        rows = rows.with_columns(one.values(rows.with_columns(missing)))
    return replace(plan, rows=rows)


def _stated(frame: pl.DataFrame, columns: Iterable[str]) -> pl.Series:
    flags = [absence(name) for name in columns if absence(name) in frame.columns]
    if not flags:
        return pl.repeat(value=True, n=frame.height, eager=True)
    return frame.select(told=~pl.any_horizontal(flags))["told"]


def _generated(field: StructField, text: str, schema: StructType) -> Generated:
    plain = _LITERAL.sub("''", text)
    calls = {name.lower() for name in _CALL.findall(plain)}
    found = formula(text, schema)
    known = found is not None and field.name not in found.columns
    if found is None or not known or _STRANGE.search(plain) or not calls <= _ALIKE:
        raise _unknown(field)
    # Only types that can be written have values to compare.
    file_type(field.type, field.name)
    return Generated(field, found)


def _unknown(field: StructField) -> UnsupportedFeatureError:
    return UnsupportedFeatureError(
        f"the table's column {field.name} is generated from others in a way that is not known here",
        features=("generatedColumns",),
        advice="write to this table with the engine that made it",
    )
