"""Asks single Parquet files whether rows of people are in them, where no log says what they are."""

from __future__ import annotations

import io
from collections.abc import Sequence

import polars as pl

from lakehouse.delta.column_mapping import mode, physical_names
from lakehouse.delta.schema import to_polars
from lakehouse.requests.find import Found


def keys_of(found: Found, *, physical: bool = True) -> list[pl.DataFrame]:
    """The values by which rows are found that go or are emptied.

    Args:
        found: Who is looked for, and by which rules.
        physical: Whether columns are named as in data files, or as the table calls them.
    """
    newest = found.past.newest
    names = physical_names(newest.schema, mode(newest.metadata, protocol=newest.protocol))
    types = to_polars(newest.schema)
    asked: list[pl.DataFrame] = []
    for rule in found.rules:
        if rule.do != "keep" and all(name in types for name in rule.key):
            keys = found.people.keys(subject=rule.subject, where=rule.where, types=types)
            if keys.height:
                called = {name: names[name] if physical else name for name in rule.key}
                asked.append(
                    keys.select(pl.col(name).alias(other) for name, other in called.items()).unique()
                )
    return asked


def holds(data: bytes, keys: Sequence[pl.DataFrame]) -> bool:
    """Whether rows of people are in a Parquet file; so it counts where that can't be told.

    Args:
        data: The file.
        keys: Each is looked for by those of its columns that the file has.
    """
    try:
        there = pl.read_parquet_schema(io.BytesIO(data))
        for each in keys:
            here = [name for name in each.columns if name in there]
            if not here:
                continue
            rows = pl.read_parquet(io.BytesIO(data), columns=here)
            wanted = each.select(here).cast({name: rows.schema[name] for name in here}, strict=False)
            if rows.join(wanted.drop_nulls().unique(), on=here, how="semi").height:
                return True
    except (pl.exceptions.PolarsError, OSError, ValueError):
        return True
    return False
