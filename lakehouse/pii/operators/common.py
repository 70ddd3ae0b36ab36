"""What the operators share: nulls, distinct values, and the bytes of a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from lakehouse.errors import UsageError

_PART: Final = 100_000


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
        """Masks values, equal ones once where that is worth it; see `Operator.mask`."""
        if not self.looks_for_equal(values):
            return self.on_values(values, entity=entity)
        return on_distinct(values, lambda distinct: self.on_values(distinct, entity=entity))

    def looks_for_equal(self, values: pl.Series) -> bool:  # noqa: ARG002
        """Whether equal values are masked once: to look for them takes about 0.1 µs a value."""
        return True

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

    To look for equal values takes about 0.1 µs a value: it is worth it for what Python does value by value.

    Args:
        values: Any values.
        function: From values to as many of the same type, one by one; null must give null.

    Returns:
        What the function gives for each, in the same order.
    """
    distinct = values.unique()
    if len(distinct) == len(values):
        return in_parts(values, function)
    pairs = pl.DataFrame({"value": distinct, "mask": in_parts(distinct, function)})
    joined = values.alias("value").to_frame().join(pairs, on="value", how="left", maintain_order="left")
    return joined["mask"].alias(values.name)


def in_parts(
    values: pl.Series, function: Callable[[pl.Series], pl.Series], *, size: int = _PART
) -> pl.Series:
    """Applies a function to a part at a time, so that what Python makes of values is small.

    Args:
        values: Any values.
        function: From values to as many of the same type, one by one.
        size: How many at a time.
    """
    if len(values) <= size:
        return function(values).alias(values.name)
    parts = [function(values.slice(at, size)) for at in range(0, len(values), size)]
    return pl.concat(parts).alias(values.name)


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
    return list(values.cast(pl.String).cast(pl.Binary).to_list())
