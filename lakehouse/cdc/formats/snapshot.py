"""The format ``snapshot``: the whole table as it is, row by row; what is not in it is gone.

The rows are read as those of the format ``rows``. The merge compares them with what is stored and makes of
the difference inserts, updates and deletes; see `lakehouse.merge.picture`. A picture has no order within
itself: of rows with the same key the last one counts.
"""

from __future__ import annotations

from dataclasses import replace

from lakehouse.cdc.changes import SEQUENCE, ChangeBatch
from lakehouse.cdc.formats import rows
from lakehouse.cdc.formats.base import Settings
from lakehouse.errors import DataError


def read(records: object, *, settings: Settings) -> ChangeBatch:
    """Reads a picture.

    Args:
        records: Anything that `lakehouse.cdc.records.as_records` takes.
        settings: How the table's rows look.

    Returns:
        The batch, marked as a full picture.

    Raises:
        DataError: The columns can't be read, have names that differ by case only, or lack the key; or the
            config names a sequence, which a picture does not have.
    """
    if settings.sequence:
        raise DataError(
            f"a full picture is not ordered by {', '.join(settings.sequence)}: the last one is the newest",
            advice="take `changes.sequence` out, or use the format rows for single changes",
        )
    batch = rows.read(records, settings=replace(settings, sequence=()))
    frame = batch.frame
    return replace(batch, frame=frame.drop(SEQUENCE, strict=False), full=True)
