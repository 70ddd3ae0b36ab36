"""Whether every column of a mapped table has the id and the physical name by which its files know it: pure.

Delta protocol, section "Column Mapping".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from lakehouse.delta import column_mapping
from lakehouse.delta.datatypes import PHYSICAL_NAME, all_fields
from lakehouse.delta.log_files import LOG_FOLDER
from lakehouse.delta.schema import StructType, walk
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import CorruptTableError
from lakehouse.maintenance.verify.report import Finding

_MAX_ID: Final = "delta.columnMapping.maxColumnId"


def check_mapping(snapshot: Snapshot) -> list[Finding]:
    """Check the schema of a version.

    Args:
        snapshot: The version.

    Returns:
        What is wrong; nothing for a table that maps no columns.
    """
    try:
        if column_mapping.mode(snapshot.metadata, protocol=snapshot.protocol) == "none":
            return []
    except CorruptTableError as error:
        return [Finding("bad_column_mapping", LOG_FOLDER, error.message)]
    return [Finding("bad_column_mapping", LOG_FOLDER, what) for what in _problems(snapshot)]


def _problems(snapshot: Snapshot) -> Iterator[str]:
    fields = list(all_fields(snapshot.schema))
    for item in fields:
        if item.column_id is None:
            yield f"column {item.name} has no id"
        if not isinstance(item.metadata.get(PHYSICAL_NAME), str):
            yield f"column {item.name} has no physical name"
    ids = [item.column_id for item in fields if item.column_id is not None]
    yield from (
        f"{count} columns have the id {number}" for number, count in Counter(ids).items() if count > 1
    )
    highest = snapshot.configuration.get(_MAX_ID, "")
    if highest.isdecimal() and ids and int(highest) < max(ids):
        yield f"the highest id that was given is {max(ids)}, and {_MAX_ID} says {highest}"
    for level in (kind for kind in walk(snapshot.schema) if isinstance(kind, StructType)):
        names = Counter(str(item.metadata.get(PHYSICAL_NAME)) for item in level.fields)
        twice = ((name, count) for name, count in names.items() if count > 1)
        yield from (f"{count} columns have the physical name {name}" for name, count in twice)
