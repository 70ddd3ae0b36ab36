"""What a column of the config is called in data files and in the log."""

from __future__ import annotations

from lakehouse.delta import column_mapping
from lakehouse.delta.parquet_edit.places import ELEMENT, Step
from lakehouse.delta.schema import ArrayType, DataType, MapType, StructField, StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.pii.paths import ColumnPath


def in_files(path: ColumnPath, snapshot: Snapshot) -> tuple[Step, ...] | None:
    """Where a column, or a part of one, is in a data file.

    Args:
        path: By display names. A path into the JSON of a text means the whole text.
        snapshot: A version with its schema.

    Returns:
        The path for `Cells`: physical names, or field ids where the table maps its columns by id. None
        where the version has no such column.
    """
    mapping = column_mapping.mode(snapshot.metadata, protocol=snapshot.protocol)

    def called(item: StructField) -> Step:
        if mapping == "id" and item.column_id is not None:
            return item.column_id
        return item.name if mapping == "none" else item.physical_name

    kind: DataType = snapshot.schema
    found: list[Step] = []
    steps = [("field", path.column), *((step.kind, step.name) for step in path.steps)]
    for step, name in steps:
        match step, kind:
            case "field", StructType() if name in kind.names:
                found.append(called(kind.field(name)))
                kind = kind.field(name).type
            case "item", ArrayType(element, _):
                found.append(ELEMENT)
                kind = element
            case "key", MapType(key, _, _):
                found.append("key")
                kind = key
            case "value", MapType(_, value, _):
                found.append("value")
                kind = value
            case "json", _:
                break
            case _:
                return None
    return tuple(found)


def in_log(path: ColumnPath, snapshot: Snapshot) -> tuple[str, ...] | None:
    """What the statistics of files call a column, or the list or map in which it lies.

    Args:
        path: By display names.
        snapshot: A version with its schema.

    Returns:
        Physical names from the outside in, for `strip_log`; None where the version has no such column.
    """
    mapped = column_mapping.mode(snapshot.metadata, protocol=snapshot.protocol) != "none"
    kind: DataType = snapshot.schema
    found: list[str] = []
    for name in path.names:
        if not isinstance(kind, StructType):
            break
        if name not in kind.names:
            return None
        item = kind.field(name)
        found.append(item.physical_name if mapped else item.name)
        kind = item.type
    return tuple(found)
