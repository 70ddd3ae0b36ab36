"""Texts that are written as Base64, read."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import polars as pl

_LOOKS: Final = r"^[A-Za-z0-9+/_-]{12,}={0,2}$"
_MOST_OF_THEM: Final = 0.8
_MOST: Final = 500


def decoded(texts: pl.Series, counts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """What Base64 says, where a column is written in it and holds texts.

    Args:
        texts: Distinct values.
        counts: How often each was there.

    Returns:
        Texts and how often each was there, of a part of the values where there are many; as they came where
        they are nothing of the kind, such as hashes and keys.
    """
    looks = texts.str.contains(_LOOKS) & (texts.str.len_bytes() % 4 == 0)
    if texts.is_empty() or int(looks.sum()) < _MOST_OF_THEM * texts.len():
        return texts, counts
    every = max(1, texts.len() // _MOST)
    chosen, weights = texts.gather_every(every), counts.gather_every(every)
    read = pl.Series([_read(each) for each in chosen.to_list()], dtype=pl.String)
    if read.null_count() > (1 - _MOST_OF_THEM) * read.len():
        return texts, counts
    there = read.is_not_null()
    return read.filter(there), weights.filter(there)


def _read(value: str) -> str | None:
    try:
        text = base64.b64decode(value.replace("-", "+").replace("_", "/"), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return None if any(ord(sign) < 32 and sign not in "\t\r\n" for sign in text) else text
