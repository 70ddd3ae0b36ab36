"""``hash``: keyed and one-way, so that nobody can turn it back, and nobody without the key try values out."""

from __future__ import annotations

from binascii import hexlify
from typing import Final

import numpy as np
import polars as pl

from lakehouse.config.models.operators import HashSettings
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.operators.blocks import SIZE, texts
from lakehouse.pii.operators.common import Basic, in_parts
from lakehouse.pii.operators.digests import KEY_BYTES, digests
from lakehouse.pii.operators.keyed import key_for

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

    def mask(
        self,
        values: pl.Series,
        *,
        entity: str,
        person: pl.Series | None = None,  # noqa: ARG002
        row: pl.Series | None = None,  # noqa: ARG002
    ) -> pl.Series:
        """Hashes values, equal ones too, which is faster than to look for them; see `Operator.mask`."""
        return in_parts(values, lambda part: self.on_values(part, entity=entity))

    def on_values(self, values: pl.Series, *, entity: str) -> pl.Series:
        """Hashes values; an empty text stays empty, which it would be known for anyway."""
        given = values if values.dtype == pl.Binary else values.cast(pl.String)
        found = digests(given, key=self._key.material, kind=entity)
        if values.dtype == pl.Int64:
            first = np.ascontiguousarray(found[:, :8]).view(">i8").ravel() & _63_BITS
            return _where(values.is_not_null(), pl.Series(first.astype(np.int64)), given=values)
        offsets = np.arange(len(given) + 1, dtype=np.int64) * _DIGITS
        done = texts(offsets, np.frombuffer(hexlify(found.data), dtype=np.uint8))
        if values.dtype == pl.Binary:
            return _where(given.bin.size() > 0, done.str.decode("hex"), given=values)
        return _where(given.str.len_bytes() > 0, done, given=values)


def _where(chosen: pl.Series, done: pl.Series, *, given: pl.Series) -> pl.Series:
    """What was done where it is chosen, and what was given elsewhere."""
    if not chosen.null_count() and chosen.all():
        return done.alias(given.name)
    return pl.select(pl.when(chosen).then(done).otherwise(given).alias(given.name)).to_series()
