"""Whether a place can be masked as the config says: by its type, and by what its column is for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from lakehouse.config.models import TableConfig
from lakehouse.delta.schema import StructField, type_to_polars
from lakehouse.errors import RefusedError, UnsupportedFeatureError, UsageError
from lakehouse.pii.mask.frames import Place
from lakehouse.pii.mask.leaves import InText, Leaf, Whole
from lakehouse.pii.mask.nested import kind_at, type_word
from lakehouse.pii.operators.base import Operator
from lakehouse.pii.operators.registry import fitting

# The fewest characters of a mask that is longer than its value.
_SHORTEST: Final = {"hash": 32, "tokenize": 29, "encrypt": 45}
_WIDTH: Final = re.compile(r"(?:var)?char\((\d+)\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Roles:
    """What the columns of a table are for, besides their values.

    Args:
        key: Tell rows apart.
        order: Order the changes of a row.
        folders: Say in which folder a row is.
    """

    key: frozenset[str]
    order: frozenset[str]
    folders: frozenset[str]

    @classmethod
    def of(cls, section: TableConfig) -> Roles:
        """The roles that the config gives.

        Args:
            section: The table's section.
        """
        return cls(
            key=frozenset(section.key),
            order=frozenset(section.changes.sequence or ()),
            folders=frozenset(section.partition_by),
        )


def check_place(place: Place, field: StructField | None, *, roles: Roles, table: str) -> None:
    """Checks one place.

    Args:
        place: What is masked there, and how.
        field: The column; None where the table does not have it, or it is not known.
        roles: What the columns are for.
        table: The table.

    Raises:
        RefusedError: Its type, or what the column is for, stands against it.
        UsageError: The path leads nowhere.
    """
    where = f"table {table}, column {place.written}"
    if field is not None:
        kind = _kind(place, field, where, table)
        _check_kind(where, place, kind)
    if all(each.name == "keep" for each in operators_of(place.leaf).values()):
        return
    _check_roles(where, place, roles)
    if field is not None:
        _check_field(where, place, field, kind)


def operators_of(leaf: Leaf) -> Mapping[str, Operator]:
    """The operators at a place, by entity.

    Args:
        leaf: How values there are masked.
    """
    return leaf.operators if isinstance(leaf, InText) else {leaf.entity: leaf.operator}


def _kind(place: Place, field: StructField, where: str, table: str) -> pl.DataType:
    try:
        return kind_at(type_to_polars(field.type), place.path.steps, path=place.written)
    except UnsupportedFeatureError as error:
        raise RefusedError(
            f"{where} can't be masked: its type is not known here", advice=error.advice
        ) from None
    except UsageError as error:
        raise UsageError(f"table {table}: {error.message}", advice=error.advice) from None


def _check_kind(where: str, place: Place, kind: pl.DataType) -> None:
    in_text = isinstance(place.leaf, InText)
    if in_text and kind != pl.String:
        raise RefusedError(
            f"{where}: only texts can be searched for personal data, and this is {type_word(kind)}",
            advice="give one entity, or `text: false`, to mask its values as a whole",
        )
    for entity, operator in operators_of(place.leaf).items():
        if not operator.takes(kind):
            in_json = any(step.kind == "json" for step in place.path.steps)
            what = (
                "what is inside of a text" if in_text or in_json else f"values of the type {type_word(kind)}"
            )
            fits = ", ".join(name for name in fitting(kind) if name != operator.name)
            raise RefusedError(
                f"{where}: the operator `{operator.name}` (for {entity}) can't mask {what}",
                advice=f"these can: {fits}",
            )


def _check_roles(where: str, place: Place, roles: Roles) -> None:
    column = place.path.column
    if column in roles.order:
        raise RefusedError(
            f"{where} can't be masked: it orders the changes of a row",
            advice="leave it out of `pii`, or use the operator `keep`",
        )
    if column in roles.key and (name := _first_without(place.leaf, injective=True)):
        raise RefusedError(
            f"{where} is part of the key, and {name} would not keep rows apart and findable",
            advice="use tokenize, hash, fpe or keep for it",
        )
    if column in roles.folders and (name := _first_without(place.leaf, injective=False)):
        raise RefusedError(
            f"{where} says in which folder a row is, and {name} would not always put it into the same one",
            advice="use an operator that gives the same value the same mask, such as generalize",
        )


def _first_without(leaf: Leaf, *, injective: bool) -> str:
    """What masks the same value in different ways, or different values in the same."""
    if isinstance(leaf, InText):
        return "masking inside of texts"
    operator = leaf.operator
    steady = operator.deterministic and not operator.per_person
    return "" if steady and (operator.injective or not injective) else f"the operator `{operator.name}`"


def _check_field(where: str, place: Place, field: StructField, kind: pl.DataType) -> None:
    if field.generation_expression is not None:
        raise RefusedError(
            f"{where} can't be masked: the table computes it from other columns",
            advice="mask those instead, and leave it out of `pii`",
        )
    if place.path.steps or not isinstance(place.leaf, Whole):
        return
    name = place.leaf.operator.name
    empties = name == "nullify" or (name == "redact" and kind not in {pl.String, pl.Binary})
    if empties and not field.nullable:
        raise RefusedError(
            f"{where} must not be null, so that `{name}` can't empty it",
            advice="use `replace` with a `new_value`",
        )
    width = _WIDTH.fullmatch(field.char_varchar or "")
    if width is not None and _SHORTEST.get(name, 0) > int(width[1]):
        raise RefusedError(
            f"{where} holds at most {width[1]} characters, and masks of `{name}` are longer",
            advice="use mask, fpe, redact or replace for it",
        )
