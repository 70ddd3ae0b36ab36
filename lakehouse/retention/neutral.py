"""What ``anonymize`` writes in the place of personal values, such that a second run finds nothing to do.

That can be null or a constant of the column's type, or a mask that can be told: one that stays what it is
when it is masked again (``mask``, ``generalize``), or that says that it is one (``tokenize``). Masks that
look like any other value (``hash``, ``fpe``, ``date_shift``, ``fake``) would be masked again by each run,
and those of ``encrypt`` differ each time: they are refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from lakehouse.config.models import ColumnPii, OperatorConfig, PiiConfig, RetentionRule, TableConfig
from lakehouse.delta.exact import column
from lakehouse.delta.schema import STRING, StructField, type_to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import NotBuiltError, RefusedError, UsageError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.paths import ColumnPath, column_of, parse_path
from lakehouse.retention.once import CONSTANT, masks_once

_REDACT: Final = OperatorConfig(operator="redact")
_NULLIFY: Final = OperatorConfig(operator="nullify")


@dataclass(frozen=True, slots=True)
class Neutral:
    """What a column holds once it is anonymized.

    Args:
        column: The column.
        value: A constant of the column's type, or what becomes of its values.
        is_null: Whether that is null.
    """

    column: str
    value: pl.Expr
    is_null: bool

    def differs(self) -> pl.Expr:
        """Whether a row does not hold it yet."""
        if self.is_null:
            return column(self.column).is_not_null()
        return column(self.column).ne_missing(self.value)


def neutral_values(
    rule: RetentionRule,
    snapshot: Snapshot,
    *,
    config: TableConfig,
    pii: PiiConfig,
    ring: KeyRing | None = None,
) -> tuple[Neutral, ...]:
    """Works out what a rule writes: pure.

    Args:
        rule: A rule with ``action: anonymize``.
        snapshot: The version.
        config: The table's section.
        pii: The lake's section on personal data.
        ring: The keys of the lake, which ``tokenize`` needs.

    Returns:
        The columns, each with what it will hold. Columns of ``pii`` that the table does not have yet are
        left out; those that the rule names are not.

    Raises:
        RefusedError: A column is not there, must not change, or has no neutral value.
        NotBuiltError: Values would be masked anew by each run.
        KeysError: The key is not there.
    """
    named = rule.columns or tuple(config.pii)
    there = [name for name in named if _column(name, snapshot) in snapshot.schema]
    missing = next((name for name in named if name not in there), None)
    if rule.columns and missing is not None:
        raise RefusedError(
            f"rule {rule.name}: there is no column {missing}",
            advice=f"the columns are: {', '.join(snapshot.schema.names)}",
        )
    if not there:
        raise RefusedError(
            f"rule {rule.name}: there is nothing to anonymize",
            advice="give `columns`, or say in the table's `pii` what is personal",
        )
    inside: dict[str, list[tuple[ColumnPath, OperatorConfig, str]]] = {}
    found: dict[str, Neutral] = {}
    fixed = _fixed(snapshot, config)
    for name in there:
        path = parse_path(name, columns=snapshot.schema.names)
        if path.column in fixed:
            raise RefusedError(
                f"rule {rule.name}: column {path.column} can't be anonymized, since it {fixed[path.column]}",
                advice="leave it out of `columns`, or use `action: delete`",
            )
        operator = _operator(name, config=config, pii=pii)
        if not path.steps and operator.operator in CONSTANT:
            found[name] = _neutral(rule, snapshot.schema.field(name), operator, config=config)
        elif not path.steps or path.column not in found:
            kinds = config.pii.get(name)
            inside.setdefault(path.column, []).append((path, operator, kinds.entities[0] if kinds else ""))
    for name, places in inside.items():
        if name not in found:
            value = _masked(rule, snapshot.schema.field(name), places, ring=ring)
            found[name] = Neutral(name, value, is_null=False)
    return tuple(found.values())


def _column(name: str, snapshot: Snapshot) -> str:
    return column_of(name, columns=snapshot.schema.names)


def _fixed(snapshot: Snapshot, config: TableConfig) -> dict[str, str]:
    """Columns by which rows are found or ordered."""
    return {
        **dict.fromkeys(config.changes.sequence or (), "orders the changes of a row"),
        **dict.fromkeys(snapshot.metadata.partition_columns, "says in which folder a row is"),
        **dict.fromkeys(config.key, "is part of the key"),
    }


def _operator(name: str, *, config: TableConfig, pii: PiiConfig) -> OperatorConfig:
    """How a column is masked: as the config says of its kinds of data; without a kind it becomes null."""
    about = config.pii.get(name)
    if about is None:
        return _NULLIFY
    if about.shred is not None:
        # It holds ciphertexts: masks of those would say nothing.
        return _REDACT
    default = pii.operators.get("DEFAULT", _REDACT)
    chosen = [pii.operators.get(kind, default) for kind in about.entities]
    if any(each != chosen[0] for each in chosen) or _leaves_text(about, chosen[0]):
        # Several kinds that are masked in different ways: what leaves nothing fits all of them.
        return _REDACT
    return chosen[0]


def _leaves_text(about: ColumnPii, operator: OperatorConfig) -> bool:
    """Whether the values are texts with personal data somewhere in them, and the mask would show a part."""
    return about.is_text and operator.operator not in {*CONSTANT, "tokenize"}


def _masked(
    rule: RetentionRule,
    field: StructField,
    places: list[tuple[ColumnPath, OperatorConfig, str]],
    *,
    ring: KeyRing | None,
) -> pl.Expr:
    """What becomes of values that are masked one by one."""
    kind = type_to_polars(field.type)
    try:
        change = masks_once(kind, places, ring=ring)
    except (NotBuiltError, UsageError) as error:
        kept = NotBuiltError if isinstance(error, NotBuiltError) else RefusedError
        raise kept(f"rule {rule.name}, column {field.name}: {error.message}", advice=error.advice) from None
    return column(field.name).map_batches(change, return_dtype=kind, is_elementwise=True)


def _neutral(
    rule: RetentionRule, field: StructField, operator: OperatorConfig, *, config: TableConfig
) -> Neutral:
    kind = type_to_polars(field.type)
    match operator.operator:
        case "redact" if field.type == STRING:
            return Neutral(field.name, pl.lit("", dtype=pl.String), is_null=False)
        case "replace":
            return _replaced(rule, field, operator.settings, config=config)
    return _null(rule, field, kind)


def _null(rule: RetentionRule, field: StructField, kind: pl.DataType) -> Neutral:
    if not field.nullable:
        raise RefusedError(
            f"rule {rule.name}: column {field.name} must not be null, so it can't be emptied",
            advice="use the operator `replace` with a `new_value`, or leave the column out",
        )
    return Neutral(field.name, pl.lit(None, dtype=kind), is_null=True)


def _replaced(
    rule: RetentionRule, field: StructField, settings: Mapping[str, object], *, config: TableConfig
) -> Neutral:
    kind = type_to_polars(field.type)
    given = settings.get("new_value")
    if given is None and field.type == STRING:
        about = config.pii.get(field.name)
        given = f"<{about.entities[0]}>" if about is not None else "<removed>"
    try:
        value = pl.Series([given]).cast(kind)[0] if given is not None else None
    except pl.exceptions.PolarsError:
        value = None
    if value is None:
        raise RefusedError(
            f"rule {rule.name}: `new_value` of the operator `replace` does not fit column {field.name}",
            advice="give a value of the column's type",
        )
    return Neutral(field.name, pl.lit(value, dtype=kind), is_null=False)
