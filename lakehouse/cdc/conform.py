"""Fits a batch to the table: its types, its columns, and what to do where it does not fit. Pure.

- **Values** are never changed. One that its column can't hold unchanged (see `casts`) takes its record out of
  the batch as rejected; the other records live. Of a delete only key and sequence are looked at.
- **New columns**, and new fields inside structs, are added at the end (``evolve``), refuse the whole batch
  (``freeze``), are left out and named (``discard_columns``), or take the records out that have a value there
  (``quarantine``). A column that holds nothing but nulls says nothing and is left out until it does. Key
  and sequence columns are always added: without them there is no merge.
- **Names** that differ by case only are refused: Delta holds them for one name, and which one is meant is
  a guess.
- **A table that is not there yet** gets the declared columns, then those of the batch.
- **Columns without a type** (nothing but nulls of them has come) stay with the batch where a sequence
  orders it, so that the table can remember that they were stated.
- **Wider types** are proposed only on request (`widen`), under ``evolve``; the batch then comes in the wider
  type, and the table must be changed before it is written.

Columns that the batch does not have are not made up: that they are missing means "keep what is stored".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from lakehouse.cdc.changes import OP, ORDINAL, SEQUENCE, UPSERT, ChangeBatch, Misfit, absence, is_control
from lakehouse.cdc.evolution import grow
from lakehouse.cdc.fitting import UNKNOWN_COLUMN, Rules, fit
from lakehouse.cdc.generations import PLACEHOLDER
from lakehouse.cdc.widening import ORDERED_ALIKE
from lakehouse.cdc.widening import widen as widened_type
from lakehouse.config.models.changes import SchemaPolicy
from lakehouse.delta.schema import DataType, StructType, to_polars
from lakehouse.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Conformed:
    """A batch that fits a schema.

    Args:
        batch: Its columns are in the order of the schema, in exactly its Polars types.
        schema: What the table's schema must be for it.
        changed: Whether that differs from what the table has now.
        discarded: Columns (and fields, as ``address.zip``) that were left out, also those whose type nothing
            tells yet (lists that are all empty).
        added: Columns and fields that the table did not have; empty where there was no table.
        widened: Columns that need a wider type, and that type; ``schema`` has it already.
        untyped: Columns without a type that the batch states or that were stated before, and that are no
            part of ``schema``. As far as the batch has them they are in its frame, as `PLACEHOLDER`.
    """

    batch: ChangeBatch
    schema: StructType
    changed: bool
    discarded: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    widened: Mapping[str, DataType] = field(default_factory=dict)
    untyped: tuple[str, ...] = ()


def conform(
    batch: ChangeBatch,
    *,
    schema: StructType | None,
    declared: StructType | None = None,
    policy: SchemaPolicy = "evolve",
    textual: bool = False,
    widen: bool = False,
    fixed: Collection[str] = (),
    untyped: Collection[str] = (),
    table: str = "",
) -> Conformed:
    """Fits a batch to a table.

    Args:
        batch: Changes in normal form.
        schema: The table's schema; None where there is no table yet.
        declared: The columns that the config gives; None where it gives none.
        policy: What happens to columns that the schema does not have.
        textual: Whether all values came as text (CSV), so that text may be read as a number or Boolean.
        widen: Whether columns may be widened, under the policy ``evolve``. Those of key and sequence only to
            types that compare with what was stored and remembered before.
        fixed: Columns that are never widened.
        untyped: Columns that were stated before and never had a type.
        table: The table's name, for errors.

    Returns:
        The batch, without the records that do not fit, and the schema it needs.

    Raises:
        DataError: New columns under ``freeze``; names that differ by case only; a new column of a type that
            Delta lacks; the table does not have its key columns.
    """
    _check_key(batch, schema, table)
    before = schema if schema is not None else declared
    columns = {name: batch.frame.schema[name] for name in batch.columns}
    takes_all = policy == "evolve" or before is None
    only = None if takes_all else {*batch.key, *batch.sequence}
    growth = grow(before or StructType(), columns, declared=declared, only=only)
    refused = tuple(name for name in growth.refused if _is_stated(batch, name))
    if refused and policy == "freeze":
        raise _frozen(refused, table)
    after = growth.schema
    rules = Rules(textual=textual, refuse_unknown=policy == "quarantine")
    widened = _widened(batch, after, rules=rules, fixed=fixed) if widen and policy == "evolve" else {}
    for name, wider in widened.items():
        after = after.with_type(name, wider)
    if schema is None:
        after = _sequence_last(after)
    stated = _untyped(batch, after) if takes_all and batch.sequence else ()
    waiting = tuple(dict.fromkeys((*(name for name in untyped if name not in after), *stated)))
    return Conformed(
        batch=_fitted(batch, after, rules=rules, untyped=waiting),
        schema=after,
        changed=after != schema,
        discarded=(*(refused if policy == "discard_columns" else ()), *growth.untyped),
        added=growth.added if schema is not None else (),
        widened=widened,
        untyped=waiting,
    )


def _untyped(batch: ChangeBatch, schema: StructType) -> tuple[str, ...]:
    """The columns of which the batch says nothing but null, while the table does not have them.

    They are remembered where a sequence orders the changes: an older value that comes later must not count.
    """
    upserts = batch.frame[OP] == UPSERT
    fixed = {*batch.key, *batch.sequence}
    flags = [(name, absence(name)) for name in batch.columns if name not in schema and name not in fixed]
    return tuple(
        name
        for name, flag in flags
        if (upserts & ~batch.frame[flag] if flag in batch.frame.columns else upserts).any()
    )


def _check_key(batch: ChangeBatch, schema: StructType | None, table: str) -> None:
    missing = [name for name in batch.key if schema is not None and name not in schema]
    if missing:
        raise DataError(
            f"{_named(table)} has no key column {', '.join(missing)}",
            advice="correct `key` in the table's config",
        )


def _is_stated(batch: ChangeBatch, name: str) -> bool:
    """Whether a column is there for more than deletes, of which nothing but key and sequence counts."""
    if name not in batch.frame.columns:
        return True
    upserts = batch.frame[OP] == UPSERT
    return bool(upserts.all()) or bool((batch.frame[name].is_not_null() & upserts).any())


def _frozen(columns: Sequence[str], table: str) -> DataError:
    return DataError(
        f"{_named(table)} has no column {', '.join(columns)}, and its schema is frozen; nothing was written",
        advice="leave the columns out, add them to the table, or set `changes.schema` to another policy",
    )


def _named(table: str) -> str:
    return f"table {table}" if table else "the table"


def _sequence_last(schema: StructType) -> StructType:
    """A format's own order is of little interest to readers, so it stands behind their columns."""
    found = schema.get(SEQUENCE)
    return schema if found is None else schema.without([SEQUENCE]).append([found])


def _widened(
    batch: ChangeBatch, schema: StructType, *, rules: Rules, fixed: Collection[str]
) -> dict[str, DataType]:
    """The columns that need a wider type for this batch; deletes don't count."""
    found: dict[str, DataType] = {}
    types = to_polars(schema)
    upserts = batch.frame[OP] == UPSERT
    for item in schema.fields:
        if item.name not in batch.columns or item.name in fixed:
            continue
        values = batch.frame[item.name]
        if values.dtype == types[item.name]:
            continue
        wider = widened_type(values.filter(upserts), item.type, rules=rules)
        compared = item.name in batch.key or item.name in batch.sequence
        if wider is not None and (wider in ORDERED_ALIKE or not compared):
            found[item.name] = wider
    return found


def _fitted(batch: ChangeBatch, schema: StructType, *, rules: Rules, untyped: Collection[str]) -> ChangeBatch:
    """The batch in the schema's types and order, without the records that do not fit."""
    frame = batch.frame
    needed = {*batch.key, *batch.sequence}
    upserts = frame[OP] == UPSERT
    columns: list[pl.Series] = []
    misfits: list[tuple[pl.Series, Misfit]] = []
    for item in schema.fields:
        if item.name not in batch.columns:
            continue
        found = fit(frame[item.name], item.type, column=item.name, rules=rules)
        columns.append(found.values.alias(item.name))
        # What a delete says beyond its key and sequence means nothing, so it need not fit.
        misfits.extend(
            (lost if item.name in needed else lost & upserts, reason) for lost, reason in found.misfits
        )
    dropped = [name for name in batch.columns if name not in schema]
    if rules.refuse_unknown:
        misfits.extend((frame[name].is_not_null() & upserts, _unknown(name)) for name in dropped)
    flags = {absence(name) for name in dropped if name not in untyped}
    empty = pl.Series([None], dtype=PLACEHOLDER).new_from_index(0, frame.height)
    columns.extend(empty.alias(name) for name in dropped if name in untyped)
    # A batch of nothing but truncates has key columns without a type.
    kept = [name for name in dropped if name in needed and name not in untyped]
    control = [name for name in frame.columns if is_control(name) and name not in flags]
    fitted = pl.DataFrame([*columns, *(frame[name] for name in (*kept, *control))])
    reasons: dict[int, Misfit] = {}
    for lost, reason in misfits:
        for ordinal in frame[ORDINAL].filter(lost).to_list():
            reasons.setdefault(ordinal, reason)
    return replace(batch, frame=fitted).reject(reasons)


def _unknown(name: str) -> Misfit:
    return Misfit(UNKNOWN_COLUMN, f"the table has no column {name}")
