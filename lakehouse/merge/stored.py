"""Reads stored rows whole, by file and position, and brings them into the types that a merge gives them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lakehouse.delta.actions import AddFile
from lakehouse.delta.exact import column
from lakehouse.delta.locations import map_files
from lakehouse.delta.read_plan import shape
from lakehouse.delta.scan import read_rows_at
from lakehouse.delta.schema import StructType, to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.merge.verdicts import FILE, POSITION
from lakehouse.storage import Storage


def stored_rows(
    storage: Storage,
    snapshot: Snapshot,
    files: Sequence[AddFile],
    places: pl.DataFrame,
    *,
    columns: Sequence[str],
) -> pl.DataFrame:
    """Reads rows of a version.

    Args:
        storage: The table's folder.
        snapshot: The version.
        files: Files by number.
        places: ``__file`` and ``__position`` of the rows.
        columns: The columns to read.

    Returns:
        ``__file``, ``__position`` and the columns; rows of one file stand together.
    """
    types = to_polars(snapshot.schema)
    nothing = pl.DataFrame(
        schema={
            FILE: pl.UInt32(),
            POSITION: places.schema[POSITION],
            **{name: types[name] for name in columns},
        }
    )

    def read(number: int, positions: pl.Series) -> pl.DataFrame:
        rows = read_rows_at(
            storage, snapshot, files[number], positions.to_numpy(), columns=list(columns), row_index=POSITION
        )
        return rows.select(pl.lit(number, dtype=pl.UInt32).alias(FILE), POSITION, *columns)

    groups = [
        (int(number), group[POSITION]) for (number,), group in places.group_by(FILE, maintain_order=True)
    ]
    parts = map_files(lambda group: read(*group), groups, storage=storage)
    return pl.concat([nothing, *parts], how="vertical")


def grown(rows: pl.DataFrame, schema: StructType) -> pl.DataFrame:
    """Brings rows of the schema before a merge into that after it.

    Args:
        rows: Stored rows; columns that the schema lacks stay as they are.
        schema: The table's schema after the merge: structs in it can have more fields.

    Returns:
        The same rows and columns; fields that structs got are null.
    """
    return rows.with_columns(
        shape(column(item.name), rows.schema[item.name], item.type, lambda part: part.name).alias(item.name)
        for item in schema.fields
        if item.name in rows.columns
    )
