"""Rows of a person in the archives of a table."""

from __future__ import annotations

from datetime import datetime

from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.requests.access.belongs import Belongs
from lakehouse.requests.access.sources import Mine, Source
from lakehouse.requests.elsewhere.archives import FoundInArchive


def archive_source(
    here: FoundInArchive, *, request: str, belongs: Belongs, masked: frozenset[str] = frozenset()
) -> Source:
    """The rows of a person in an archive.

    Args:
        here: Where they are.
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
            versions=dict.fromkeys(here.found.past.newest.files, manifest.read_version),
            stored=datetime.fromisoformat(manifest.created),
        ),
    )
