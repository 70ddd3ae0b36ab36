"""The format ``dms``: files of AWS Database Migration Service (CSV or Parquet), one row per change.

``Op`` says what a row does: ``I`` insert, ``U`` update, ``D`` delete; files of a full load lack it, or leave
it empty, and their rows are inserts. Everything else is as in the format ``rows``: the table's columns.

**Order.** The files tell their order by nothing but their names and lines, so merge them in that order, or
let DMS add a column and name it in ``changes.sequence``: the transformation rule ``add-column`` with the
expression ``$AR_H_CHANGE_SEQ`` (a number that rises with every change), or ``TimestampColumnName``. CSV
files need a first line with the names: the setting ``AddColumnName=true``.

AWS documentation, "Using Amazon S3 as a target for AWS Database Migration Service", names the columns.
"""

from __future__ import annotations

from typing import Final

from lakehouse.cdc.changes import DELETE, UPSERT, ChangeBatch
from lakehouse.cdc.formats import rows
from lakehouse.cdc.formats.base import Settings
from lakehouse.cdc.formats.rows import Dialect

DIALECT: Final = Dialect(
    column="Op", meanings={"i": UPSERT, "u": UPSERT, "d": DELETE, "": UPSERT}, any_case=True
)
"""How these rows say what they do."""


def read(records: object, *, settings: Settings) -> ChangeBatch:
    """Reads rows.

    Args:
        records: Anything that `lakehouse.cdc.records.as_records` takes.
        settings: How the table's changes look.

    Returns:
        The batch. A row whose ``Op`` is none of the three letters is rejected.

    Raises:
        DataError: The columns can't be read, have names that differ by case only, or lack the key.
    """
    return rows.read(records, settings=settings, dialect=DIALECT)
