"""Masks turned back into values: of a column, or of a text in which they stand among other words. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from lakehouse.errors import KeysError
from lakehouse.pii.operators.base import Operator

_IN_TEXT: Final = re.compile(r"\b[a-z]+_[1-9][0-9]*_[A-Za-z0-9_-]+")
"""How masks that can be turned back look in a text: a word, the version of the key, a body."""


@dataclass(frozen=True, slots=True)
class Mask:
    """What a column is masked with.

    Args:
        entity: What the column holds.
        operator: What masks it.
    """

    entity: str
    operator: Operator


@dataclass(frozen=True, slots=True)
class TurnedBack:
    """Masks and what they stood for.

    Args:
        values: As many as there were masks, in the same order; null where one can't be turned back.
        errors: Why some can't, each reason once.
    """

    values: pl.Series = field(repr=False)
    errors: tuple[KeysError, ...] = ()


def turn_back(masked: pl.Series, masks: Sequence[Mask], *, person: pl.Series | None = None) -> TurnedBack:
    """Turns masks back.

    Args:
        masked: Masks, or texts with masks in them; what is none stays as it is. Null stays null.
        masks: What they can be masked with: reversible operators, in the order in which they are tried.
        person: Whose each is, for operators that ask.

    Returns:
        The values. A mask that none of the operators turns back is null, and the reason is told.
    """
    if len(masks) == 1:
        try:
            found = _revealed(masks[0], masked, person)
        except KeysError:
            pass  # which of them it is, is looked for below
        else:
            if masked.dtype != pl.String or not _some_in_texts(found):
                return TurnedBack(found)
    back = _ValueByValue(masks, masked.dtype)
    whose = [person.slice(at, 1) for at in range(len(masked))] if person is not None else [None] * len(masked)
    found_values = [back(value, each) for value, each in zip(masked.to_list(), whose, strict=True)]
    values = pl.Series(masked.name, found_values, dtype=masked.dtype)
    return TurnedBack(values, tuple(back.errors.values()))


def _revealed(mask: Mask, masked: pl.Series, person: pl.Series | None) -> pl.Series:
    whose = person if mask.operator.per_person else None
    return mask.operator.reveal(masked, entity=mask.entity, person=whose)


def _some_in_texts(values: pl.Series) -> bool:
    return any(_IN_TEXT.search(value) is not None for value in values.drop_nulls().unique().to_list())


class _ValueByValue:
    """Turns back one value after the other, so that one that can't be does not spoil the others."""

    def __init__(self, masks: Sequence[Mask], dtype: pl.DataType) -> None:
        self._masks = masks
        self._dtype = dtype
        self.errors: dict[str, KeysError] = {}

    def __call__(self, value: object, person: pl.Series | None) -> object:
        if value is None:
            return None
        try:
            if isinstance(value, str) and _IN_TEXT.fullmatch(value) is None:
                text = _IN_TEXT.sub(lambda match: str(self._first(match[0], person)), value)
                return text if text != value else self._first(value, person)
            return self._first(value, person)
        except KeysError as error:
            self.errors.setdefault(error.message, error)
            return None

    def _first(self, value: object, person: pl.Series | None) -> object:
        """What the first operator that knows a mask says; the value itself where it is none."""
        refused: KeysError | None = None
        for mask in self._masks:
            try:
                found = _revealed(mask, pl.Series([value], dtype=self._dtype), person).item()
            except KeysError as error:
                refused = refused or error
                continue
            if found != value:
                return found
        if refused is not None:
            raise refused
        return value
