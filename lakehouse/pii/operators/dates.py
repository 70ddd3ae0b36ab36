"""``date_shift``: dates moved by days, the same for all dates of a person, so that intervals stay."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lakehouse.config.models.operators import DateShiftSettings
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.operators.common import Basic
from lakehouse.pii.operators.digests import KEY_BYTES, digests, one_digest
from lakehouse.pii.operators.keyed import key_for

_ISO: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:$|[T ])"
_ISO_LENGTH: Final = 10
_FIRST, _LAST = date(1, 1, 1), date(9999, 12, 31)
_DAY: Final = 86_400_000_000
_SOMEBODY, _NOBODY = "person", "nobody"


class DateShift(Basic):
    """Adds 1 to ``days`` days, or takes them away, as a keyed digest of the person says.

    All dates of a person move alike, in every table that knows the person by the same identifier: what was
    three days apart still is, and the time of day stays. The shift is never zero. Where nobody is named
    (null), the shift is that of nobody, the same for all such rows. Dates that would leave the years 1 to
    9999 move the other way instead; they alone can't be turned back.

    A mask does not say which version of the key made it. So the first version is used, also after a rotation,
    unless ``version`` names another. Texts are dates in ISO 8601 (``2026-03-01``, with or without a time);
    other texts become ``<DATE_TIME>``, or whatever their entity is.
    """

    name = "date_shift"
    reversible = True
    per_person = True

    def __init__(self, settings: DateShiftSettings, *, ring: KeyRing, pinned: bool = False) -> None:  # noqa: ARG002
        self._key = key_for(settings, ring=ring, use="date_shift", first=True, length=KEY_BYTES)
        self._days = settings.days

    def takes(self, kind: pl.DataType) -> bool:
        """Dates, timestamps and texts."""
        return kind in {pl.String, pl.Date} or isinstance(kind, pl.Datetime)

    def mask(
        self,
        values: pl.Series,
        *,
        entity: str,
        person: pl.Series | None = None,
        row: pl.Series | None = None,  # noqa: ARG002
    ) -> pl.Series:
        """Moves dates; see `Operator.mask`."""
        return self._moved(values, person, entity=entity, back=False)

    def reveal(self, values: pl.Series, *, entity: str, person: pl.Series | None = None) -> pl.Series:
        """Moves dates back; see `Operator.reveal`."""
        return self._moved(values, person, entity=entity, back=True)

    def _moved(self, values: pl.Series, person: pl.Series | None, *, entity: str, back: bool) -> pl.Series:
        nobody = self._days_of(one_digest(b"", key=self._key.material, kind=_NOBODY))[0]
        days = pl.Series("days", [nobody], dtype=pl.Int64).new_from_index(0, len(values))
        if person is not None:
            people = person.cast(pl.String)
            theirs = self._days_of(digests(people, key=self._key.material, kind=_SOMEBODY).tobytes())
            days = pl.select(
                pl.when(people.is_not_null()).then(pl.Series(theirs)).otherwise(days)
            ).to_series()
        if back:
            days = -days
        return _text(values, days, entity) if values.dtype == pl.String else _typed(values, days)

    def _days_of(self, drawn: bytes) -> NDArray[np.int64]:
        """Days from -days to days, but not 0, for each 16 bytes: evenly, but for a share below 2⁻⁴⁶."""
        numbers = np.frombuffer(drawn, dtype=">u8")[::2] % np.uint64(2 * self._days)
        shifts = numbers.astype(np.int64) - self._days
        return shifts + (shifts >= 0)


def _typed(values: pl.Series, days: pl.Series) -> pl.Series:
    kind = values.dtype
    if isinstance(kind, pl.Datetime) and kind.time_unit == "ns":
        # Nanoseconds reach from 1677 to 2262 alone.
        rest = values.to_physical() % 1000
        micros = _typed(values.cast(pl.Datetime("us", kind.time_zone)), days)
        return (micros.to_physical() * 1000 + rest).cast(kind).alias(values.name)
    unit = 1
    if isinstance(kind, pl.Datetime):
        unit = _DAY if kind.time_unit == "us" else _DAY // 1000
    first, last = (pl.Series([edge]).cast(kind).to_physical().cast(pl.Int64)[0] for edge in (_FIRST, _LAST))
    frame = pl.DataFrame({"value": values.to_physical().cast(pl.Int64), "by": days * unit})
    moved = pl.col("value") + pl.col("by")
    # The last day counts to its end.
    fits = moved.is_between(first, last + unit - 1)
    done = frame.select(pl.when(fits).then(moved).otherwise(pl.col("value") - pl.col("by"))).to_series()
    return done.cast(values.to_physical().dtype).cast(kind).alias(values.name)


def _text(values: pl.Series, days: pl.Series, entity: str) -> pl.Series:
    text = values.alias("text").to_frame()
    is_date = pl.col("text").str.contains(_ISO)
    day = pl.col("text").str.head(_ISO_LENGTH).str.to_date("%Y-%m-%d", strict=False)
    read = text.select(pl.when(is_date & day.is_between(_FIRST, _LAST)).then(day)).to_series()
    done = pl.when(read.is_not_null()).then(
        _typed(read, days).dt.to_string("%Y-%m-%d") + values.str.slice(_ISO_LENGTH)
    )
    # An empty text stays empty, and null stays null.
    kept = done.when(values.str.len_bytes() > 0).then(pl.lit(f"<{entity}>")).otherwise(values)
    return text.select(kept.alias(values.name)).to_series()
