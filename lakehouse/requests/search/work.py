"""The work of one process: some objects of a place, opened and searched one after the other."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import IO, Final

from lakehouse.errors import NotFoundError, StorageError
from lakehouse.requests.search.documents import look_at_document
from lakehouse.requests.search.names import look_at_name, shown
from lakehouse.requests.search.opening import opened
from lakehouse.requests.search.parquet import look_at_parquet
from lakehouse.requests.search.places import Folder
from lakehouse.requests.search.report import Kind, NotSearched, ObjectResult, Searched
from lakehouse.requests.search.sought import Sought
from lakehouse.requests.search.tally import Tally
from lakehouse.requests.search.values import Values
from lakehouse.storage.object_versions import ObjectVersion, object_versions

_LOG: Final = "_delta_log/"
_DOCUMENTS: Final = (".json", ".jsonl", ".ndjson", ".txt", ".csv", ".gz", ".crc")
_MAGICS: Final = (b"PAR1", b"PARE")


@dataclass(frozen=True, slots=True)
class Item:
    """An object to be searched.

    Args:
        path: Its name in the place's storage.
        size: Its bytes when it was listed.
        version: An older version of it; None for what it is now.
    """

    path: str
    size: int
    version: ObjectVersion | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Some objects of one place.

    Args:
        folder: The place.
        items: The objects.
    """

    folder: Folder
    items: tuple[Item, ...]


class Work:
    """What is done with a task. Pickles: once, however many tasks there are.

    Args:
        sought: What is looked for.
    """

    def __init__(self, sought: Sought) -> None:
        self.sought = sought
        self._known: dict[tuple[str, ...], tuple[dict[str, Values], frozenset[str]]] = {}

    def __reduce__(self) -> tuple[Callable[[bytes], Work], tuple[bytes]]:
        return _unpacked, (self._packed,)

    @cached_property
    def _packed(self) -> bytes:
        return pickle.dumps(self.sought, protocol=pickle.HIGHEST_PROTOCOL)

    def __call__(self, task: Task) -> tuple[ObjectResult, ...]:
        """Searches the objects of a task.

        Args:
            task: The task.

        Returns:
            What each told.
        """
        tables = (task.folder.table, *task.folder.like)
        if tables not in self._known:
            self._known[tables] = self.sought.columns(tables), self.sought.named(tables)
        columns, named = self._known[tables]
        return tuple(self._one(task.folder, item, columns, named) for item in task.items)

    def _one(
        self, folder: Folder, item: Item, columns: dict[str, Values], named: frozenset[str]
    ) -> ObjectResult:
        tally = Tally(
            sought=self.sought,
            table=folder.table,
            path=_shown(folder, item, self.sought),
            columns=columns,
            names=dict(folder.names),
            named=named,
            json_cells=folder.records and bool(columns),
        )
        look_at_name(item.path, tally)
        kind = _kind(item.path)
        try:
            if item.version is None:
                with opened(folder.storage, item.path) as file:
                    kind, size = _look(file, kind, item.path, tally)
            else:
                kind, size = _look(io.BytesIO(_older(folder, item.version)), kind, item.path, tally)
        except NotFoundError:
            result = tally.result(kind=kind, size=0, objects=0)
            return ObjectResult(searched=result.searched, hits=result.hits, vanished=True)
        except (StorageError, OSError) as error:
            tally.fail(f"it can't be read ({type(error).__name__})")
            return tally.result(kind=kind, size=0)
        return tally.result(kind=kind, size=size)


@lru_cache(maxsize=1)
def _unpacked(packed: bytes) -> Work:
    """In another process: the same for all tasks of a search."""
    return Work(pickle.loads(packed))  # noqa: S301 - from the process that started this one


def _look(file: IO[bytes], kind: Kind, path: str, tally: Tally) -> tuple[Kind, int]:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(4)
    file.seek(max(size - 4, 0))
    tail = file.read(4)
    file.seek(0)
    if head in _MAGICS or tail in _MAGICS or path.endswith(".parquet"):
        checkpoint = kind in {"checkpoint", "log"}
        look_at_parquet(file, size, tally, rows_as_documents=checkpoint)
        return ("checkpoint" if checkpoint else "parquet"), size
    look_at_document(file, tally)
    return kind, size


def _kind(path: str) -> Kind:
    name = path.rsplit("/", 1)[-1]
    if path.startswith(_LOG) or f"/{_LOG}" in path:
        return "checkpoint" if name.endswith(".parquet") else "log"
    if name.endswith(".parquet"):
        return "parquet"
    if name.endswith(".bin"):
        return "vector"
    return (
        "document"
        if name.endswith((".json", ".jsonl", ".ndjson", ".txt", ".csv", ".gz", ".crc"))
        else "other"
    )


def _older(folder: Folder, version: ObjectVersion) -> bytes:
    versions = object_versions(folder.storage)
    if versions is None:
        raise StorageError("the store keeps no older versions")
    return versions.get(version)


def _shown(folder: Folder, item: Item, sought: Sought) -> str:
    path = "/".join(part for part in (folder.shown, item.path) if part)
    text = shown(path, sought)
    return f"{text} (version {item.version.id})" if item.version is not None else text


def failed(folder: Folder, sought: Sought, reason: str) -> ObjectResult:
    """What is told of a place that could not be listed.

    Args:
        folder: The place.
        sought: What is looked for.
        reason: Why.
    """
    missing = NotSearched(table=folder.table, path=shown(folder.shown, sought), reason=reason)
    return ObjectResult(searched=Searched(kind="other"), not_searched=(missing,))
