"""All data files of a table that are there, of whatever version: a person is in each that ever held them.

Delta protocol, sections "Data Files", "Change Data Files" and "Action Reconciliation". The log names the
files of the versions that can be read; what else lies in the folder (left by crashed writers, or by versions
whose log is gone) is found by listing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote

from lakehouse.delta.actions import AddCdcFile, AddFile, RemoveFile
from lakehouse.delta.log import commits, earliest_commit, earliest_version
from lakehouse.delta.paths import encode_path
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.storage import ObjectInfo, Storage

LOG: Final = "_delta_log/"
OWN: Final = "_lakehouse/"
NULL: Final = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastFile:
    """One data file that is there.

    Args:
        path: Below the table's folder.
        add: As the log says, or would say; with the vector that the newest version has for it.
        kind: ``data``, ``change data``, or ``unlisted`` where the log does not name it.
        size: Bytes.
    """

    path: str
    add: AddFile
    kind: str
    size: int


@dataclass(frozen=True, slots=True)
class Past:
    """All data files of a table.

    Args:
        newest: The newest version.
        first: The oldest version that can be read.
        files: The files that are there.
    """

    newest: Snapshot
    first: int
    files: tuple[PastFile, ...]

    @property
    def adds(self) -> list[AddFile]:
        """The files as a scan takes them."""
        return [each.add for each in self.files]


def past_of(storage: Storage, newest: Snapshot) -> Past:
    """Finds all data files of a table.

    Args:
        storage: The table's folder.
        newest: The newest version.

    Raises:
        CorruptTableError: The log can't be read.
    """
    first = earliest_version(storage)
    known: dict[str, tuple[AddFile, str]] = {}
    for add in newest.files.values():
        _note(known, storage, add, "data")
    for add in load_snapshot(storage, version=first).files.values():
        _note(known, storage, replace(add, deletion_vector=None), "data")
    for commit in commits(storage, start=earliest_commit(storage)):
        for action in commit.actions:
            if isinstance(action, AddFile):
                _note(known, storage, replace(action, deletion_vector=None), "data")
            elif isinstance(action, AddCdcFile):
                _note(known, storage, _as_add(action), "change data")
            elif isinstance(action, RemoveFile) and action.partition_values is not None:
                _note(known, storage, _as_added(action), "data")
    found = [
        PastFile(path=item.path, add=known[item.path][0], kind=known[item.path][1], size=item.size)
        if item.path in known
        else PastFile(path=item.path, add=_unlisted(item, newest), kind="unlisted", size=item.size)
        for item in data_files(storage)
    ]
    return Past(newest, first, tuple(found))


def data_files(storage: Storage) -> Iterator[ObjectInfo]:
    """The Parquet files below a table's folder that are none of its log and none of the lake's own.

    Args:
        storage: The table's folder.
    """
    for item in storage.list():
        if item.path.endswith(".parquet") and not item.path.startswith((LOG, OWN)):
            yield item


def _note(known: dict[str, tuple[AddFile, str]], storage: Storage, add: AddFile, kind: str) -> None:
    path = add.relative_path(storage.url)
    # What lies outside of the table's folder (a shallow clone) is another table's.
    if path is not None:
        known.setdefault(path, (add, kind))


def _as_add(action: AddCdcFile) -> AddFile:
    return AddFile(
        path=action.path, partition_values=action.partition_values, size=action.size, modification_time=0
    )


def _as_added(action: RemoveFile) -> AddFile:
    return AddFile(
        path=action.path,
        partition_values=action.partition_values or {},
        size=action.size or 0,
        modification_time=0,
        stats=action.stats,
    )


def _unlisted(item: ObjectInfo, newest: Snapshot) -> AddFile:
    """A file that the log does not name; its folders tell its partition."""
    folders = [part.partition("=") for part in item.path.split("/")[:-1] if "=" in part]
    values = {unquote(name): None if value == NULL else unquote(value) for name, _, value in folders}
    physical = {
        field.physical_name: values.get(field.physical_name, values.get(field.name))
        for field in newest.schema.fields
        if field.name in newest.partition_columns
    }
    return AddFile(
        path=encode_path(item.path), partition_values=physical, size=item.size, modification_time=0
    )
