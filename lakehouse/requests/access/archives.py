"""Rows of a person in the archives of a table."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import polars as pl

from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.config import Config
from lakehouse.delta.exact import column
from lakehouse.errors import CorruptTableError
from lakehouse.requests.access.sources import Part, Source
from lakehouse.requests.people import People
from lakehouse.requests.rules import RowRule
from lakehouse.retention.archive import ArchiveEntry, list_archives
from lakehouse.retention.manifest import ArchivedFile
from lakehouse.retention.places import ArchivePlaces
from lakehouse.storage import Storage

_HIT: Final = "__hit"


def archive_sources(
    table: str,
    *,
    config: Config,
    lake: Storage,
    rules: Sequence[RowRule],
    people: People,
    masked: frozenset[str] = frozenset(),
) -> Iterator[Source]:
    """The archives of a table, in the places that its rules name.

    Args:
        table: The table.
        config: The lake's config.
        lake: The lake's root.
        rules: What the config says of its rows, for the person's kind.
        people: The person, alone.
        masked: Paths that the table stores masked.

    Yields:
        A source for each archive that is complete; also one without rows of the person.
    """
    places = ArchivePlaces(config=config, lake=lake)
    for place in places.of_table(table):
        for entry in list_archives(place, table=table):
            # The rows of one that is pending are in the table.
            if entry.state == "complete":
                yield Source(
                    name=f"{table}-archive-{entry.manifest.id}",
                    table=table,
                    kind="archive",
                    schema=entry.manifest.parsed_schema(),
                    version=entry.manifest.read_version,
                    format="Archive of Parquet files",
                    rules=tuple(rules),
                    masked=masked,
                    parts=partial(_parts, places.open(entry.url), entry, tuple(rules), people),
                )


def _parts(
    folder: Storage,
    entry: ArchiveEntry,
    rules: Sequence[RowRule],
    people: People,
    columns: Sequence[str] | None,
) -> Iterator[Part]:
    created = datetime.fromisoformat(entry.manifest.created)
    for file in entry.manifest.files:
        rows = _mine(_read(folder, entry, file), rules, people)
        shown = [
            name
            for name in rows.columns
            if name not in CONTROL_COLUMNS and (columns is None or name in columns)
        ]
        if rows.height and shown:
            yield Part(
                rows=rows.select(column(name) for name in shown),
                state="archived",
                version=entry.manifest.read_version,
                stored=created,
            )


def _mine(rows: pl.DataFrame, rules: Sequence[RowRule], people: People) -> pl.DataFrame:
    hit = pl.Series(_HIT, [False], dtype=pl.Boolean).new_from_index(0, rows.height)
    for rule in rules:
        names = [name for name, _ in rule.where]
        if not all(name in rows.columns for name in names):
            continue
        keys = people.keys(subject=rule.subject, where=rule.where, types=rows.schema)
        if keys.is_empty():
            continue
        wanted = keys.select(names).unique().with_columns(pl.lit(value=True).alias(_HIT))
        joined = rows.select(names).join(wanted, on=names, how="left", maintain_order="left")
        hit = hit | joined[_HIT].fill_null(value=False)
    return rows.filter(hit)


def _read(folder: Storage, entry: ArchiveEntry, file: ArchivedFile) -> pl.DataFrame:
    data = folder.get(file.path)
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise CorruptTableError(
            f"archive {entry.manifest.id} of table {entry.manifest.table}: its file {file.path} is not what "
            "was written",
            advice="restore the file from a backup",
        )
    return pl.read_parquet(io.BytesIO(data), glob=False)
