"""The change formats: one module each, all read into the normal form of `lakehouse.cdc.changes`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lakehouse.cdc.changes import ChangeBatch
from lakehouse.cdc.formats import debezium, dms, maxwell, rows, snapshot
from lakehouse.cdc.formats.base import Format, Settings, settings_of
from lakehouse.config.models.changes import ChangeFormat

FORMATS: Final[Mapping[ChangeFormat, Format]] = {
    "rows": rows.read,
    "debezium": debezium.read,
    "dms": dms.read,
    "maxwell": maxwell.read,
    "snapshot": snapshot.read,
}
"""The formats, by their names in the config."""


def normalize(records: object, *, format: ChangeFormat, settings: Settings) -> ChangeBatch:  # noqa: A002 - the config's word
    """Reads records of any format into the normal form.

    Args:
        records: An Arrow stream, an iterable of dicts or raw events, or what
            `lakehouse.cdc.sources.read_files` gives.
        format: ``changes.format`` of the table's config.
        settings: How the table's changes look; see `settings_of`.

    Returns:
        The batch. Records that can't be used are in its ``rejected``, they don't raise.

    Raises:
        DataError: The batch as a whole can't be used.
    """
    return FORMATS[format](records, settings=settings)


__all__ = ["FORMATS", "Format", "Settings", "normalize", "settings_of"]
