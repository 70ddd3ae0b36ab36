"""Holds the table's own rules on its rows: not-null columns, check constraints, invariants.

Delta protocol, sections "Column Invariants" and "CHECK Constraints": the condition must be true for every
row, so null breaks it. A row that breaks a rule is taken out of the batch and reported; the others live on.

Rows that state all that a rule asks for are judged before anything is read (`reject_violations`). Of partial
rows only the outcome can be judged, which has what is stored in it (`find_violations`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from lakehouse.cdc.changes import OP, ORDINAL, UPSERT, ChangeBatch, Misfit, absence
from lakehouse.cdc.order import Collapsed
from lakehouse.delta.schema import DataType, StructType, to_polars
from lakehouse.errors import UnsupportedFeatureError
from lakehouse.merge.plan import MergePlan
from lakehouse.merge.sql import formula

_CHECK = "delta.constraints."


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule on the rows of a table.

    Args:
        columns: The columns that it looks at.
        holds: From rows to true for those that meet it; None where that can't be told.
        misfit: Why a row that does not is rejected.
    """

    columns: tuple[str, ...]
    holds: Callable[[pl.DataFrame], pl.Series | None]
    misfit: Misfit


def rules_of(schema: StructType, configuration: Mapping[str, str]) -> tuple[Rule, ...]:
    """The rules that rows of a table must meet: pure.

    Args:
        schema: The table's schema.
        configuration: The table's properties.

    Returns:
        The not-null columns first, then the conditions.

    Raises:
        UnsupportedFeatureError: A condition is written in SQL that can't be evaluated here.
    """
    rules = [
        Rule(
            (field.name,),
            partial(_not_null, column=field.name),
            Misfit("not_null", f"column {field.name} must not be null"),
        )
        for field in schema.fields
        if not field.nullable
    ]
    for field in schema.fields:
        rules += [
            Rule(
                (field.name,),
                partial(_no_null_inside, column=field.name, path=path),
                Misfit("not_null", f"field {'.'.join((field.name, *path))} must not be null"),
            )
            for path in _required(field.type)
        ]
    texts = {key.removeprefix(_CHECK): text for key, text in configuration.items() if key.startswith(_CHECK)}
    texts |= {f"on {field.name}": field.invariant for field in schema.fields if field.invariant is not None}
    return (*rules, *(_condition(name, text, schema) for name, text in texts.items()))


def reject_violations(batch: ChangeBatch, rules: Sequence[Rule]) -> ChangeBatch:
    """Takes the rows that break a rule out of a batch.

    Args:
        batch: Conformed to the schema.
        rules: The table's rules.

    Returns:
        The batch without them; they are among its ``rejected``. Rows that do not state all that a rule looks
        at are not judged by it.
    """
    if not rules:
        return batch
    upserts = batch.frame.filter(pl.col(OP) == UPSERT)
    misfits: dict[int, Misfit] = {}
    for rule in rules:
        if not set(rule.columns) <= set(upserts.columns):
            continue
        flags = [absence(name) for name in rule.columns if absence(name) in upserts.columns]
        stated = upserts.filter(~pl.any_horizontal(pl.lit(value=False), *flags))
        for ordinal in stated.filter(_breaks(stated, rule))[ORDINAL]:
            misfits.setdefault(ordinal, rule.misfit)
    return batch.reject(misfits)


def find_violations(
    plan: MergePlan, collapsed: Collapsed, rules: Sequence[Rule], *, schema: StructType
) -> dict[int, Misfit]:
    """Finds the records that would make a row which breaks a rule.

    Args:
        plan: What the batch would do.
        collapsed: The final changes that the plan was made for.
        rules: The table's rules.
        schema: The table's schema after the merge.

    Returns:
        Why, by the ordinal of the record: the last one of the row's key, or the truncate that took cells
        from it.
    """
    if not rules or plan.rows.is_empty():
        return {}
    rows = _whole(plan.rows, schema)
    records = collapsed.frame.select(*collapsed.key, ORDINAL)
    found: dict[int, Misfit] = {}
    for rule in rules:
        broken = rows.filter(_breaks(rows, rule)).select(collapsed.key)
        for ordinal in _ordinals(broken, records, collapsed):
            found.setdefault(ordinal, rule.misfit)
    return found


def find_violations_of_versions(
    rows: pl.DataFrame, changes: pl.DataFrame, rules: Sequence[Rule], *, schema: StructType, on: Sequence[str]
) -> dict[int, Misfit]:
    """Finds the records that would begin a version, in a table with full history, which breaks a rule.

    Args:
        rows: The versions that would be written.
        changes: The changes, with ``__op`` and ``__ordinal``.
        rules: The table's rules.
        schema: The table's schema after the merge.
        on: The columns by which a version finds the change that begins it.

    Returns:
        Why, by the ordinal of the record.
    """
    if not rules or rows.is_empty():
        return {}
    records = changes.filter(pl.col(OP) == UPSERT).select(*on, ORDINAL)
    whole = _whole(rows, schema).join(records, on=list(on), how="inner")
    found: dict[int, Misfit] = {}
    for rule in rules:
        for ordinal in whole[ORDINAL].filter(_breaks(whole, rule)):
            found.setdefault(ordinal, rule.misfit)
    return found


def _whole(rows: pl.DataFrame, schema: StructType) -> pl.DataFrame:
    """The rows with all columns of the table; null where they say nothing."""
    types = to_polars(schema)
    return rows.with_columns(
        pl.lit(None, dtype=types[name]).alias(name) for name in schema.names if name not in rows
    )


def _ordinals(broken: pl.DataFrame, records: pl.DataFrame, collapsed: Collapsed) -> Iterator[int]:
    for ordinal in broken.join(records, on=list(collapsed.key), how="left")[ORDINAL]:
        if ordinal is not None:
            yield ordinal
        elif collapsed.truncate is not None:
            yield collapsed.truncate.ordinal


def _breaks(rows: pl.DataFrame, rule: Rule) -> pl.Series:
    holds = rule.holds(rows)
    if holds is None or holds.dtype != pl.Boolean:
        raise _unknown(rule.misfit.detail)
    return ~holds.fill_null(value=False)


def _not_null(rows: pl.DataFrame, *, column: str) -> pl.Series:
    return rows[column].is_not_null()


def _required(data_type: DataType) -> Iterator[tuple[str, ...]]:
    """The ways to fields of structs that must not be null."""
    for item in data_type.fields if isinstance(data_type, StructType) else ():
        if not item.nullable:
            yield (item.name,)
        yield from ((item.name, *path) for path in _required(item.type))


def _no_null_inside(rows: pl.DataFrame, *, column: str, path: Sequence[str]) -> pl.Series:
    """A field is null only where the struct around it is."""
    around = inside = rows[column]
    for name in path:
        around, inside = inside, inside.struct.field(name)
    return around.is_null() | inside.is_not_null()


def _condition(name: str, text: str, schema: StructType) -> Rule:
    found = formula(text, schema)
    if found is None:
        raise _unknown(f"the table's constraint {name}")
    misfit = Misfit("constraint", f"the table's constraint {name} does not hold")
    return Rule(found.columns, found.evaluate, misfit)


def _unknown(what: str) -> UnsupportedFeatureError:
    return UnsupportedFeatureError(
        f"{what}: the condition can't be evaluated here",
        features=("checkConstraints",),
        advice="write to this table with the engine that made the constraint",
    )
