"""Operators that need no key and leave nothing: ``redact``, ``replace``, ``nullify``; and ``keep``."""

from __future__ import annotations

import polars as pl

from lakehouse.config.models.operators import ReplaceSettings
from lakehouse.pii.operators.common import Basic


class Redact(Basic):
    """An empty text (or bytes), as Presidio's ``redact``; null in columns of other types."""

    name = "redact"

    def mask(
        self,
        values: pl.Series,
        *,
        entity: str,  # noqa: ARG002
        person: pl.Series | None = None,  # noqa: ARG002
        row: pl.Series | None = None,  # noqa: ARG002
    ) -> pl.Series:
        """Empties values; see `Operator.mask`."""
        return _constant(
            values, "" if values.dtype == pl.String else b"" if values.dtype == pl.Binary else None
        )

    def takes(self, kind: pl.DataType) -> bool:  # noqa: ARG002
        """All types."""
        return True


class Nullify(Redact):
    """Null."""

    name = "nullify"

    def mask(
        self,
        values: pl.Series,
        *,
        entity: str,  # noqa: ARG002
        person: pl.Series | None = None,  # noqa: ARG002
        row: pl.Series | None = None,  # noqa: ARG002
    ) -> pl.Series:
        """Gives nulls; see `Operator.mask`."""
        return pl.Series(values.name, [None], dtype=values.dtype).new_from_index(0, len(values))


class Keep(Redact):
    """The value as it is."""

    name = "keep"
    injective = True
    reversible = True

    def mask(
        self,
        values: pl.Series,
        *,
        entity: str,  # noqa: ARG002
        person: pl.Series | None = None,  # noqa: ARG002
        row: pl.Series | None = None,  # noqa: ARG002
    ) -> pl.Series:
        """Gives the values back; see `Operator.mask`."""
        return values

    def back(self, values: pl.Series, *, entity: str) -> pl.Series:  # noqa: ARG002
        """Gives the values back."""
        return values


class Replace(Basic):
    """A constant of the column's type, or the entity in angle brackets, as Presidio's ``replace``."""

    name = "replace"

    def __init__(self, settings: ReplaceSettings) -> None:
        self._value = settings.new_value

    def mask(
        self,
        values: pl.Series,
        *,
        entity: str,
        person: pl.Series | None = None,  # noqa: ARG002
        row: pl.Series | None = None,  # noqa: ARG002
    ) -> pl.Series:
        """Puts the constant in place of values; see `Operator.mask`."""
        value = self._value
        if value is None or value == "":
            # Presidio takes an empty value for none, too.
            value = f"<{entity}>"
        return _constant(values, _fitting(value, values.dtype))

    def takes(self, kind: pl.DataType) -> bool:
        """Texts, and whatever type the constant fits."""
        if self._value is None or self._value == "":
            return kind == pl.String
        return _fitting(self._value, kind) is not None


def _fitting(value: object, kind: pl.DataType) -> object:
    """A value as one of a type; None where it does not fit."""
    if kind.is_nested() or (isinstance(value, bool) and kind not in {pl.Boolean, pl.String}):
        return None
    try:
        if isinstance(value, str) and kind.is_temporal():
            read = pl.Series([value])
            return (read.str.to_date() if kind == pl.Date else read.str.to_datetime().cast(kind))[0]
        if kind == pl.String:
            return str(value)
        cast = pl.Series([value]).cast(kind)[0]
    except pl.exceptions.PolarsError:
        return None
    return cast if cast == value or not isinstance(value, int | float) else None


def _constant(values: pl.Series, value: object) -> pl.Series:
    """A constant for each value that is not null."""
    constant = pl.lit(value, dtype=values.dtype)
    return pl.select(pl.when(values.is_not_null()).then(constant).alias(values.name)).to_series()
