"""Holds the table's own rules on its rows: not-null columns, check constraints, invariants.

Delta protocol, sections "Column Invariants" and "Check Constraints". A row that breaks a rule is taken out
of the batch and reported; the others live on.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import polars as pl

from lakehouse.cdc.changes import OP, ORDINAL, UPSERT, ChangeBatch, Misfit, absence
from lakehouse.delta.schema import StructType
from lakehouse.errors import UnsupportedFeatureError

_CHECK = "delta.constraints."
_INVARIANT = "delta.invariants"


def check_constraints(schema: StructType, configuration: Mapping[str, str]) -> dict[str, pl.Expr]:
    """The rules that rows of a table must meet: pure.

    Args:
        schema: The table's schema.
        configuration: The table's properties.

    Returns:
        By name, an expression that is true, or null, for rows that meet the rule.

    Raises:
        UnsupportedFeatureError: A rule is written in SQL that can't be evaluated here.
    """
    texts = {key.removeprefix(_CHECK): text for key, text in configuration.items() if key.startswith(_CHECK)}
    for field in schema.fields:
        raw = field.metadata.get(_INVARIANT)
        if isinstance(raw, str):
            texts[f"invariant of {field.name}"] = orjson.loads(raw)["expression"]["expression"]
    return {name: _expression(name, text) for name, text in texts.items()}


def reject_violations(
    batch: ChangeBatch, *, schema: StructType, configuration: Mapping[str, str]
) -> ChangeBatch:
    """Takes the rows that break a rule out of a batch.

    Args:
        batch: Conformed to the schema.
        schema: The table's schema.
        configuration: The table's properties.

    Returns:
        The batch without them; they are among its ``rejected``. A rule over columns that a partial row does
        not state is judged with what the row states.
    """
    misfits: dict[int, Misfit] = {}
    upserts = batch.frame.filter(pl.col(OP) == UPSERT)
    for field in schema.fields:
        if field.nullable or field.name not in upserts.columns:
            continue
        stated = ~pl.col(absence(field.name)) if absence(field.name) in upserts.columns else pl.lit(True)
        for ordinal in upserts.filter(pl.col(field.name).is_null() & stated)[ORDINAL]:
            misfits.setdefault(ordinal, Misfit("not_null", f"column {field.name} must not be null"))
    for name, expression in check_constraints(schema, configuration).items():
        if not set(expression.meta.root_names()) <= set(upserts.columns):
            continue
        for ordinal in upserts.filter(~expression)[ORDINAL]:
            misfits.setdefault(ordinal, Misfit("constraint", f"the table's constraint {name} does not hold"))
    return batch.reject(misfits)


def _expression(name: str, text: str) -> pl.Expr:
    try:
        return pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise UnsupportedFeatureError(
            f"the table's constraint {name} can't be evaluated here",
            features=("checkConstraints",),
            advice="write to this table with the engine that made the constraint",
        ) from error
