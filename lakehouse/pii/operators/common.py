"""What the operators share: nulls, distinct values, and the bytes of a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import polars as pl

from lakehouse.errors import UsageError

_SAMPLE: Final = 4096
_MOSTLY_DISTINCT: Final = 0.9


class Basic:
    """An operator that gives the same mask for the same value. Others override what differs."""

    name: str = ""
    deterministic: bool = True
    injective: bool = False
    reversible: bool = False
    per_person: bool = False
    per_row: bool = False

    def mask(
        self,
        values: pl.Series,
        *,
        entity: str,
        person: pl.Series | None = None,  # noqa: ARG002
        row: pl.Series | None = None,  # noqa: ARG002
    ) -> pl.Series:
        """Masks each distinct value once; see `Operator.mask`."""
        return on_distinct(values, lambda distinct: self.on_values(distinct, entity=entity))

    def reveal(
        self,
        values: pl.Series,
        *,
        entity: str,
        person: pl.Series | None = None,  # noqa: ARG002
    ) -> pl.Series:
        """Turns masks back; see `Operator.reveal`."""
        if not self.reversible:
            raise UsageError(
                f"masks of the operator `{self.name}` can't be turned back",
                advice="tokenize, encrypt and fpe can",
            )
        return on_distinct(values, lambda distinct: self.back(distinct, entity=entity))

    def takes(self, kind: pl.DataType) -> bool:
        """Whether values of a type can be masked."""
        return kind == pl.String

    def on_values(self, values: pl.Series, *, entity: str) -> pl.Series:
        """Masks values, nulls among them; the same type comes back."""
        raise NotImplementedError

    def back(self, values: pl.Series, *, entity: str) -> pl.Series:
        """Turns masks back, nulls among them; the same type comes back."""
        raise NotImplementedError


def on_distinct(values: pl.Series, function: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Applies a function to each distinct value once.

    Args:
        values: Any values.
        function: From values to as many of the same type, one by one; null must give null.

    Returns:
        What the function gives for each, in the same order.
    """
    if len(values) <= _SAMPLE // 16 or _mostly_distinct(values):
        return function(values).alias(values.name)
    distinct = values.unique()
    if len(distinct) > _MOSTLY_DISTINCT * len(values):
        return function(values).alias(values.name)
    masked = function(distinct)
    pairs = pl.DataFrame({"value": distinct, "mask": masked})
    joined = values.alias("value").to_frame().join(pairs, on="value", how="left", maintain_order="left")
    return joined["mask"].alias(values.name)


def _mostly_distinct(values: pl.Series) -> bool:
    """A guess from an even sample; wrong guesses only cost time."""
    if len(values) < 4 * _SAMPLE:
        return False
    sample = values.gather_every(len(values) // _SAMPLE)
    return sample.n_unique() > _MOSTLY_DISTINCT * len(sample)


def each_text(values: pl.Series, function: Callable[[str], str | None]) -> pl.Series:
    """Applies a function to each text.

    Args:
        values: Texts; null stays null.
        function: From text to text.
    """
    given: list[str | None] = values.to_list()
    found = [None if text is None else function(text) for text in given]
    return pl.Series(values.name, found, dtype=pl.String)


def as_bytes(values: pl.Series) -> list[bytes | None]:
    """The bytes of values, which keyed operators work on: the same for ``7`` as text, integer or long.

    Args:
        values: Texts (UTF-8), binary (as they are), integers (in decimal).
    """
    if values.dtype == pl.Binary:
        return list(values.to_list())
    texts: Sequence[str | None] = values.cast(pl.String).to_list()
    # A lone surrogate can't be in a Polars text, so that every text has bytes.
    return [None if text is None else text.encode() for text in texts]
