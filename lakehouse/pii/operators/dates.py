"""``date_shift``: dates moved by days, the same for all dates of a person, so that intervals stay."""

from __future__ import annotations

import hmac
import re
from datetime import date, timedelta
from typing import Final

import polars as pl

from lakehouse.config.models.operators import DateShiftSettings
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.operators.common import Basic
from lakehouse.pii.operators.keyed import key_for

_ISO: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?=$|[T ])", re.ASCII)
_FIRST, _LAST = date(1, 1, 1), date(9999, 12, 31)
_DAY: Final = 86_400_000_000


class DateShift(Basic):
    """Adds 1 to ``days`` days, or takes them away, as HMAC-SHA256 of the person says.

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
        self._key = key_for(settings, ring=ring, use="date_shift", first=True)
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
        if person is None:
            person = pl.Series([None], dtype=pl.String).new_from_index(0, len(values))
        people = person.cast(pl.String)
        distinct = people.unique()
        pairs = pl.DataFrame({"person": distinct, "days": [self._shift(each) for each in distinct.to_list()]})
        days = (
            people.alias("person")
            .to_frame()
            .join(pairs, on="person", how="left", maintain_order="left", nulls_equal=True)["days"]
        )
        if back:
            days = -days
        return _text(values, days, entity) if values.dtype == pl.String else _typed(values, days)

    def _shift(self, person: str | None) -> int:
        """Days from -days to days, but not 0: evenly, but for a share of less than 2⁻⁴⁶."""
        whose = b"\0" if person is None else b"\1" + person.encode()
        drawn = int.from_bytes(hmac.digest(self._key.material, whose, "sha256")[:8]) % (2 * self._days)
        return drawn - self._days if drawn < self._days else drawn - self._days + 1


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
    def moved(text: str | None, by: int) -> str | None:
        if not text:
            return text
        found = _ISO.match(text)
        try:
            day = date.fromisoformat(found[1]) if found else None
        except ValueError:
            day = None
        if found is None or day is None:
            return f"<{entity}>"
        return _day(day, by).isoformat() + text[found.end() :]

    done = [moved(text, by) for text, by in zip(values.to_list(), days.to_list(), strict=True)]
    return pl.Series(values.name, done, dtype=pl.String)


def _day(day: date, by: int) -> date:
    try:
        return day + timedelta(days=by)
    except OverflowError:
        return day - timedelta(days=by)
