"""Values of columns as texts, and texts as values of columns."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import polars as pl

from lakehouse.requests.identity import normal_form

_TIMES: Final = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
)


def as_value(text: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """A text as a value of a type.

    Args:
        text: The text; times are ISO 8601, in UTC where the type has a time zone.
        kind: The type.

    Returns:
        The value; null where the text is none.
    """
    plain = text.str.strip_chars()
    match kind:
        case pl.String():
            return text
        case pl.Boolean():
            low = plain.str.to_lowercase()
            return pl.when(low.is_in(["true", "false"])).then(low == "true")
        case pl.Date():
            return plain.str.to_date("%Y-%m-%d", strict=False)
        case pl.Datetime():
            bare = plain.str.replace(r"( ?UTC|Z|[+]00:?00)$", "")
            read = [bare.str.to_datetime(form, strict=False, time_unit=kind.time_unit) for form in _TIMES]
            naive = pl.coalesce(read)
            return naive if kind.time_zone is None else naive.dt.replace_time_zone("UTC").cast(kind)
        case _ if kind.is_numeric():
            return plain.cast(kind, strict=False)
    return pl.lit(None, dtype=kind)


def as_text(value: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """A value as the text that `as_value` reads back.

    Args:
        value: The value.
        kind: Its type.
    """
    if isinstance(kind, pl.Datetime):
        utc = value if kind.time_zone is None else value.dt.convert_time_zone("UTC")
        return utc.dt.strftime("%Y-%m-%d %H:%M:%S%.6f")
    if kind == pl.Binary:
        # What is no text identifies nobody.
        return pl.lit(None, dtype=pl.String)
    return value.cast(pl.String)


def has_form(values: pl.Series, wanted: Collection[str], forms: pl.Series) -> pl.Series:
    """Which texts have one of some normal forms: of ASCII quickly, of others one by one.

    Args:
        values: Texts.
        wanted: Normal forms.
        forms: The same as a series of one list.
    """
    hit = values.str.strip_chars().str.to_lowercase().is_in(forms).fill_null(value=False)
    odd = (values.str.len_bytes() != values.str.len_chars()).fill_null(value=False)
    if not odd.any():
        return hit
    places = odd.arg_true()
    return hit.scatter(places, [normal_form(each) in wanted for each in values.gather(places)])
