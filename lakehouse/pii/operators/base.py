"""The shape of an operator: it takes the values of a column, or the pieces found in texts, and masks them."""

from __future__ import annotations

from typing import Protocol

import polars as pl


class Operator(Protocol):
    """Masks values of one kind of personal data. Picklable; safe in threads.

    Attributes:
        name: As in the config.
        deterministic: Whether the same value (of the same person, where ``per_person``) gives the same mask
            in every run and table, so that joins, keys and redelivered changes work.
        injective: Whether, besides, different values give different masks, so that a key stays a key.
        reversible: Whether `reveal` can turn masks back.
        per_person: Whether the mask depends on whose value it is, so that ``person`` is needed.
        per_row: Whether the mask depends on the row where ``row`` is given, and on chance where it is not.
    """

    name: str
    deterministic: bool
    injective: bool
    reversible: bool
    per_person: bool
    per_row: bool

    def mask(
        self,
        values: pl.Series,
        *,
        entity: str,
        person: pl.Series | None = None,
        row: pl.Series | None = None,
    ) -> pl.Series:
        """Masks values.

        Args:
            values: Values of any type that `takes` accepts; null stays null.
            entity: What they are, as ``EMAIL_ADDRESS``.
            person: Whose they are, one for each value: any type; only where ``per_person``.
            row: Which row each value is in, as text that is the same whenever the row comes again; only
                where ``per_row``.

        Returns:
            As many values of the same type, in the same order.
        """

    def reveal(self, values: pl.Series, *, entity: str, person: pl.Series | None = None) -> pl.Series:
        """Turns masks back; values that are no masks of this operator stay as they are.

        Raises:
            KeysError: The key that a mask was made with is not there.
            UsageError: The operator is not reversible.
        """

    def takes(self, kind: pl.DataType) -> bool:
        """Whether it can mask values of a type and give that type back."""
