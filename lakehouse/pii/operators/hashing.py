"""``hash``: keyed and one-way, so that nobody can turn it back, and nobody without the key try values out."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from lakehouse.config.models.operators import HashSettings
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.operators.blocks import SIZE, TOGETHER
from lakehouse.pii.operators.common import Basic, in_parts
from lakehouse.pii.operators.content import Content
from lakehouse.pii.operators.digests import KEY_BYTES, Digester, digests
from lakehouse.pii.operators.keyed import key_for
from lakehouse.pii.operators.texts import PART, Writer, hexadecimal

_63_BITS: Final = (1 << 63) - 1
_DIGITS: Final = 2 * SIZE


class Hash(Basic):
    """A keyed one-way digest of the entity and the value, of 128 bits; see `lakehouse.pii.operators.digests`.

    Texts become 32 hexadecimal digits, binary values 16 bytes, and longs the first 63 bits of it, as a number
    that is not negative. The same value of the same entity has the same hash in every table; ``7`` has the
    same one as text in two columns, and as a long in two others. Two of ``n`` texts collide with a chance of
    about ``n² / 2¹²⁹``: nobody has that many. Narrower integers than longs are refused, since so few bits
    collide; two of ``n`` longs do with a chance of about ``n² / 2⁶⁴``: one in 180,000 for ten million.
    """

    name = "hash"
    injective = True

    def __init__(self, settings: HashSettings, *, ring: KeyRing, pinned: bool = False) -> None:
        self._key = key_for(settings, ring=ring, use="hash", first=pinned, length=KEY_BYTES)

    def takes(self, kind: pl.DataType) -> bool:
        """Texts, binary values and longs."""
        return kind in {pl.String, pl.Binary, pl.Int64}

    def looks_for_equal(self, values: pl.Series) -> bool:  # noqa: ARG002
        """Masks are made faster than equal values are found."""
        return False

    def on_values(self, values: pl.Series, *, entity: str) -> pl.Series:
        """Hashes values; an empty text stays empty, which it would be known for anyway."""
        key = self._key.material
        if values.dtype == pl.Int64:
            found = digests(values.cast(pl.String), key=key, kind=entity)
            first = np.ascontiguousarray(found[:, :8]).view(">i8").ravel() & _63_BITS
            done = pl.Series(values.name, first.astype(np.int64))
            if not values.null_count():
                return done
            return pl.select(pl.when(values.is_not_null()).then(done).alias(values.name)).to_series()
        width = SIZE if values.dtype == pl.Binary else _DIGITS
        digester = Digester(key, entity)
        return in_parts(values, lambda part: _written(part, digester, width), size=PART)


def _written(values: pl.Series, digester: Digester, width: int) -> pl.Series:
    """Digests as they are, or in hexadecimal digits; of nothing, nothing."""
    writer = Writer(len(values))
    for at in range(0, len(values), TOGETHER):
        content = Content(values.slice(at, TOGETHER))
        found = digester(content)
        rows, begin = writer.rows(len(found), width)
        if width == SIZE:
            rows[:] = found
        else:
            hexadecimal(found, rows)
        lengths = width if content.lengths.all() else np.where(content.lengths, width, 0)
        writer.put(slice(at, at + len(found)), rows, begin, lengths)
    return writer.series(values)
