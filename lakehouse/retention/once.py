"""Masks that stay what they are when they are masked again, so that a rule finds nothing to do twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from lakehouse.config.models import OperatorConfig
from lakehouse.errors import NotBuiltError, UsageError
from lakehouse.pii.keys.ring import Key, KeyRing
from lakehouse.pii.mask.nested import change_inside, kind_at, type_word
from lakehouse.pii.operators.base import Operator
from lakehouse.pii.operators.registry import fitting, operator_for
from lakehouse.pii.operators.tokens import FORM
from lakehouse.pii.paths import ColumnPath

CONSTANT: Final = frozenset({"redact", "replace", "nullify"})
"""Operators that put the same in place of all values."""

_AGAIN_THE_SAME: Final = CONSTANT | {"mask", "generalize", "keep"}
_TELLS: Final = "tokenize"
_WHY_NOT: Final = {
    "encrypt": "it gives another text each time",
    "hash": "a hash can't be told from other values",
    "fpe": "its masks can't be told from other values",
    "fake": "invented values can't be told from others",
    "date_shift": "a shifted date can't be told from others",
}


@dataclass(frozen=True, slots=True)
class _Place:
    path: ColumnPath
    operator: Operator
    entity: str

    def mask(self, values: pl.Series) -> pl.Series:
        if not self.path.steps:
            return self._once(values)
        return change_inside(values, self.path.steps, lambda inner, _: self._once(inner))

    def _once(self, values: pl.Series) -> pl.Series:
        """Masks what is no mask yet."""
        if self.operator.name != _TELLS:
            return self.operator.mask(values, entity=self.entity)
        clear = ~values.str.contains(f"^{FORM}$").fill_null(value=True)
        if not clear.any():
            return values
        masks = self.operator.mask(values.filter(clear), entity=self.entity)
        return values.scatter(clear.arg_true(), masks)


@dataclass(frozen=True, slots=True)
class MasksOnce:
    """Masks the values of a column; what is masked already stays."""

    places: tuple[_Place, ...]

    def __call__(self, values: pl.Series) -> pl.Series:
        """Masks values.

        Args:
            values: Of the column.

        Returns:
            As many of the same type.
        """
        for place in self.places:
            values = place.mask(values)
        return values


class _NoKeys:
    """Stands in where no operator has a key."""

    def current(self, purpose: str) -> Key:
        raise UsageError(
            f"the key `{purpose}` is needed, and there are no keys here",
            advice="use an operator without a key: mask, generalize, redact, replace or nullify",
        )

    def version(self, purpose: str, version: int) -> Key:  # noqa: ARG002
        return self.current(purpose)

    def versions(self, purpose: str) -> tuple[int, ...]:  # noqa: ARG002
        return ()


def masks_once(
    kind: pl.DataType,
    places: Sequence[tuple[ColumnPath, OperatorConfig, str]],
    *,
    ring: KeyRing | None,
) -> Callable[[pl.Series], pl.Series]:
    """The masks of a column.

    Args:
        kind: The type of the column.
        places: Where in its values, by which operator, and what is there.
        ring: The keys of the lake.

    Raises:
        NotBuiltError: Another run would mask the masks.
        UsageError: An operator does not fit a type or has wrong settings, or a path leads nowhere.
    """
    return MasksOnce(tuple(_place(kind, *each, ring=ring or _NoKeys()) for each in places))


def _place(
    kind: pl.DataType, path: ColumnPath, config: OperatorConfig, entity: str, *, ring: KeyRing
) -> _Place:
    name = config.operator
    if name not in _AGAIN_THE_SAME and name != _TELLS:
        why = _WHY_NOT.get(name, "what it makes of its own masks is not known")
        raise NotBuiltError(
            f"the operator {name} can't be used by `anonymize`: {why}, and each run would mask it again",
            advice="give the entity, or the column in a rule of its own, tokenize, mask, generalize, redact, "
            "replace or nullify",
        )
    inner = kind_at(kind, path.steps, path=str(path))
    operator = operator_for(config, ring=ring)
    if not operator.takes(inner):
        raise UsageError(
            f"the operator {name} can't mask values of the type {type_word(inner)}",
            advice=f"these can: {', '.join(each for each in fitting(inner) if each != name)}",
        )
    return _Place(path, operator, entity)
