"""Rows of a person in the archives of a table."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import polars as pl

from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.config import Config
from lakehouse.delta.exact import column
from lakehouse.errors import CorruptTableError
from lakehouse.requests.access.belongs import Belongs
from lakehouse.requests.access.sources import Part, Source
from lakehouse.requests.people import People
from lakehouse.requests.rules import RowRule
from lakehouse.retention.archive import ArchiveEntry, list_archives
from lakehouse.retention.manifest import ArchivedFile
from lakehouse.retention.places import ArchivePlaces
from lakehouse.storage import Storage

_HIT: Final = "__hit"


def _as_it_is(rows: pl.DataFrame) -> pl.DataFrame:
    return rows


def archive_sources(
    table: str,
    *,
    config: Config,
    lake: Storage,
    rules: Sequence[RowRule],
    people: People,
    belongs: Belongs,
    masked: frozenset[str] = frozenset(),
    clear: Callable[[pl.DataFrame], pl.DataFrame] = _as_it_is,
) -> Iterator[Source]:
    """The archives of a table, in the places that its rules name.

    Args:
        table: The table.
        config: The lake's config.
        lake: The lake's root.
        rules: What the config says of its rows, for the person's kind.
        people: The person, alone.
        belongs: What the config says about whose rows are.
        masked: Paths that the table stores masked.
        clear: Opens cells that are stored under keys of people.

    Yields:
        A source for each archive that is complete; also one without rows of the person.
    """
    places = ArchivePlaces(config=config, lake=lake)
    mine = _Mine(tuple(rules), people, belongs)
    for place in places.of_table(table):
        for entry in list_archives(place, table=table):
            # The rows of one that is pending are in the table.
            if entry.state == "complete":
                yield Source(
                    name=f"{table}-archive-{entry.manifest.id}",
                    table=table,
                    kind="archive",
                    schema=entry.manifest.parsed_schema(),
                    columns=tuple(
                        name for name in entry.manifest.parsed_schema().names if name not in CONTROL_COLUMNS
                    ),
                    version=entry.manifest.read_version,
                    format="Archive of Parquet files",
                    rules=tuple(rules),
                    masked=masked,
                    parts=partial(_parts, places.open(entry.url), entry, mine, clear),
                )


def _parts(
    folder: Storage,
    entry: ArchiveEntry,
    mine: _Mine,
    clear: Callable[[pl.DataFrame], pl.DataFrame],
    columns: Sequence[str] | None,
) -> Iterator[Part]:
    created = datetime.fromisoformat(entry.manifest.created)
    for file in entry.manifest.files:
        for rows, numbers in mine(_read(folder, entry, file)):
            found_by = tuple(mine.rules[number] for number in numbers)
            limited = mine.belongs.shown(entry.manifest.table, found_by)
            shown = [
                name
                for name in rows.columns
                if name not in CONTROL_COLUMNS
                and (columns is None or name in columns)
                and (limited is None or name in limited)
            ]
            if shown:
                yield Part(
                    rows=clear(rows.select(column(name) for name in shown)),
                    state="archived",
                    rules=found_by,
                    version=entry.manifest.read_version,
                    stored=created,
                )


@dataclass(frozen=True, slots=True)
class _Mine:
    """Finds a person's rows by rules."""

    rules: tuple[RowRule, ...]
    people: People
    belongs: Belongs

    def __call__(self, rows: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, list[int]]]:
        """The person's rows, with the numbers of the rules that find them."""
        hits: list[pl.Series] = []
        for number, rule in enumerate(self.rules):
            names = [name for name, _ in rule.where]
            if not names or not all(name in rows.columns for name in names):
                continue
            keys = self.people.keys(subject=rule.subject, where=rule.where, types=rows.schema)
            if keys.is_empty():
                continue
            wanted = keys.select(names).unique().with_columns(pl.lit(number, dtype=pl.Int32).alias(_HIT))
            joined = rows.select(names).join(wanted, on=names, how="left", maintain_order="left")
            hits.append(joined[_HIT].alias(f"{_HIT}{number}"))
        if not hits:
            return
        found = pl.DataFrame(hits).select(pl.concat_list(pl.all()).list.drop_nulls().alias(_HIT))[_HIT]
        for numbers in found.filter(found.list.len() > 0).unique().sort().to_list():
            yield rows.filter(found == pl.Series([numbers], dtype=found.dtype)), numbers


def _read(folder: Storage, entry: ArchiveEntry, file: ArchivedFile) -> pl.DataFrame:
    data = folder.get(file.path)
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise CorruptTableError(
            f"archive {entry.manifest.id} of table {entry.manifest.table}: its file {file.path} is not what "
            "was written",
            advice="restore the file from a backup",
        )
    return pl.read_parquet(io.BytesIO(data), glob=False)
