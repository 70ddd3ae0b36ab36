"""The keys that a memory of deletes must forget: of all rows that go, in whatever version they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from lakehouse.delta.data import read_rows_at
from lakehouse.requests.find import RULE, Found
from lakehouse.requests.locate import FILE, POSITION, Condition, beside
from lakehouse.requests.reading import VALUE, plain_types
from lakehouse.requests.rules import RowRule
from lakehouse.verbs.opened import OpenTable


def keys_to_forget(table: OpenTable, found: Found) -> pl.DataFrame | None:
    """Finds the keys.

    Args:
        table: The table.
        found: What was found in it.

    Returns:
        The key columns; None where the table has none, or no rule takes rows away.
    """
    key = [name for name in table.config.key if name in found.past.newest.schema]
    if not key:
        return None
    parts = [
        part
        for number, rule in enumerate(found.rules)
        if rule.do == "delete"
        for part in _keys(table, found, number, rule, key)
    ]
    return pl.concat(parts).unique() if parts else None


def _keys(
    table: OpenTable, found: Found, number: int, rule: RowRule, key: Sequence[str]
) -> Iterator[pl.DataFrame]:
    newest, files = found.past.newest, found.past.files
    rows = found.rows.filter(pl.col(RULE) == number)
    if rule.text:
        for (at,), part in rows.partition_by(FILE, as_dict=True).items():
            positions = np.unique(part[POSITION].to_numpy()).astype(np.uint64)
            yield read_rows_at(table.storage, newest, files[at].add, positions, columns=list(key))
        return
    types = plain_types(newest.schema, rule.key)
    if len(types) < len(rule.key):
        return
    keys = found.people.keys(subject=rule.subject, where=rule.where, types=types)
    if set(rule.key) == set(key) and keys.height:
        # Also those of which nothing is left but that memory.
        yield keys.select(key)
    elif rows.height and keys.height:
        adds = [files[at].add for at in sorted(set(rows[FILE]))]
        wanted = Condition(rule.key, keys.select(rule.key).unique())
        yield beside(table.storage, newest, adds, wanted, columns=list(key)).drop(VALUE).unique()
