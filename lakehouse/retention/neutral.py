"""What ``anonymize`` writes in the place of personal values: null, or a constant of the column's type.

A row is anonymized once all of its columns hold that, so a second run finds nothing to do. The other
operators of the config are refused by name until they can be carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from lakehouse.config.models import OperatorConfig, PiiConfig, RetentionRule, TableConfig
from lakehouse.delta.exact import column
from lakehouse.delta.schema import STRING, StructField, type_to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import NotBuiltError, RefusedError

_REDACT: Final = OperatorConfig(operator="redact")
_NULLIFY: Final = OperatorConfig(operator="nullify")


@dataclass(frozen=True, slots=True)
class Neutral:
    """What a column holds once it is anonymized.

    Args:
        column: The column.
        value: A constant of the column's type.
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
    rule: RetentionRule, snapshot: Snapshot, *, config: TableConfig, pii: PiiConfig
) -> tuple[Neutral, ...]:
    """Works out what a rule writes: pure.

    Args:
        rule: A rule with ``action: anonymize``.
        snapshot: The version.
        config: The table's section.
        pii: The lake's section on personal data.

    Returns:
        The columns, each with what it will hold. Columns of ``pii`` that the table does not have yet are
        left out; those that the rule names are not.

    Raises:
        RefusedError: A column is not there, must not change, or has no neutral value.
        NotBuiltError: An operator can't be carried out by this release.
    """
    named = rule.columns or tuple(name for name in config.pii if name in snapshot.schema)
    if not named:
        raise RefusedError(
            f"rule {rule.name}: there is nothing to anonymize",
            advice="give `columns`, or say in the table's `pii` what is personal",
        )
    fixed = _fixed(snapshot, config)
    found: list[Neutral] = []
    for name in named:
        if name not in snapshot.schema:
            raise RefusedError(
                f"rule {rule.name}: there is no column {name}",
                advice=f"the columns are: {', '.join(snapshot.schema.names)}",
            )
        if name in fixed:
            raise RefusedError(
                f"rule {rule.name}: column {name} can't be anonymized, since it {fixed[name]}",
                advice="leave it out of `columns`, or use `action: delete`",
            )
        operator = _operator(name, config=config, pii=pii)
        found.append(_neutral(rule, snapshot.schema.field(name), operator, config=config))
    return tuple(found)


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
    default = pii.operators.get("DEFAULT", _REDACT)
    chosen = [pii.operators.get(kind, default) for kind in about.entities]
    # Several kinds in one column that are masked in different ways: what leaves nothing fits all of them.
    return chosen[0] if all(each == chosen[0] for each in chosen) else _REDACT


def _neutral(
    rule: RetentionRule, field: StructField, operator: OperatorConfig, *, config: TableConfig
) -> Neutral:
    kind = type_to_polars(field.type)
    match operator.operator:
        case "nullify":
            return _null(rule, field, kind)
        case "redact" if field.type == STRING:
            return Neutral(field.name, pl.lit("", dtype=pl.String), is_null=False)
        case "redact":
            return _null(rule, field, kind)
        case "replace":
            return _replaced(rule, field, operator.settings, config=config)
        case other:
            raise NotBuiltError(
                f"rule {rule.name}: the operator {other} (column {field.name}) can't be carried out by "
                "retention in this release",
                advice="name the column in `columns` of a rule of its own with nullify, redact or replace",
            )


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
