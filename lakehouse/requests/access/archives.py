"""Rows of a person in the archives of a table."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.delta.snapshot import Snapshot
from lakehouse.requests.access.belongs import Belongs
from lakehouse.requests.access.sources import Mine, Source
from lakehouse.requests.elsewhere.archives import FoundInArchive
from lakehouse.verbs.opened import OpenTable


@dataclass(frozen=True, slots=True)
class _CellsOf:
    """Opens archived cells as those of the table itself, which says what is stored under keys of people.

    Args:
        table: The table.
    """

    table: OpenTable

    def clear(
        self,
        rows: pl.LazyFrame,
        snapshot: Snapshot,  # noqa: ARG002 - that of the archive, which does not say it
        *,
        only: Collection[str] | None = None,
    ) -> pl.LazyFrame:
        """See `lakehouse.verbs.opened.Cells.clear`."""
        newest = self.table.find()
        return rows if newest is None else self.table.cells.clear(rows, newest, only=only)


def archive_source(
    here: FoundInArchive,
    *,
    table: OpenTable,
    request: str,
    belongs: Belongs,
    masked: frozenset[str] = frozenset(),
) -> Source:
    """The rows of a person in an archive.

    Args:
        here: Where they are.
        table: The table.
        request: The request.
        belongs: What the config says about whose rows are.
        masked: Paths that the table stores masked.
    """
    manifest = here.entry.manifest
    schema = here.found.past.newest.schema
    columns = tuple(name for name in schema.names if name not in CONTROL_COLUMNS)
    return Source(
        name=f"{manifest.table}-archive-{manifest.id}",
        table=manifest.table,
        kind="archive",
        schema=schema,
        columns=columns,
        version=manifest.read_version,
        format="Archive of Parquet files",
        rules=tuple(rule for rule in here.found.rules if rule.subject == belongs.subject),
        masked=masked,
        parts=Mine(
            here.folder,
            here.found,
            request=request,
            belongs=belongs,
            columns=columns,
            state="archived",
            cells=_CellsOf(table),
            versions=dict.fromkeys(here.found.past.newest.files, manifest.read_version),
            stored=datetime.fromisoformat(manifest.created),
        ),
    )
