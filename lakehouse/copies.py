"""The masked copies of a lake: which tables are copies, and of what.

A copy is registered by one small object, ``_lakehouse/copies/<name>.json`` below the lake's root, written
with put-if-absent and never changed: copies are there for every host that sees the lake, need no section in a
config, and no two sources can feed one. How far a copy has come says its own log: the transaction of
`application`, committed together with the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from lakehouse.errors import CorruptTableError, NotFoundError, RefusedError
from lakehouse.storage import Storage

FOLDER: Final = "_lakehouse/copies"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyEntry:
    """A table that is a copy of another one.

    Args:
        name: Its own name, which is that of its folder.
        source: The table that it is a copy of.
        source_version: The version of the source that the copy was begun with.
        created: When (UTC).
    """

    name: str
    source: str
    source_version: int
    created: datetime


def application(source: str) -> str:
    """The application whose transaction in a copy's log says which version of the source the copy has.

    Args:
        source: The table that it is a copy of.
    """
    return f"copy:{source}"


def find_copy(lake: Storage, name: str) -> CopyEntry | None:
    """What is known of a copy.

    Args:
        lake: The lake's root.
        name: A table's name.

    Returns:
        The entry; None where no copy has that name.
    """
    try:
        return _read(lake, _path(name))
    except NotFoundError:
        return None


def list_copies(lake: Storage, *, source: str | None = None) -> tuple[CopyEntry, ...]:
    """All copies, by name.

    Args:
        lake: The lake's root.
        source: Only copies of this table.
    """
    paths = (item.path for item in lake.list(FOLDER) if item.path.endswith(".json"))
    return tuple(each for each in _there(lake, paths) if source in (None, each.source))


def register(lake: Storage, entry: CopyEntry) -> CopyEntry:
    """Gives a name to a copy that is about to be made.

    Args:
        lake: The lake's root.
        entry: The copy.

    Returns:
        What is registered: an earlier entry, if the name stands for a copy of the same source already.

    Raises:
        RefusedError: The name stands for a copy of another table.
    """
    body = orjson.dumps(
        {
            "name": entry.name,
            "source": entry.source,
            "source_version": entry.source_version,
            "created": entry.created.isoformat(),
        }
    )
    if lake.put_if_absent(_path(entry.name), body):
        return entry
    known = _read(lake, _path(entry.name))
    if known.source != entry.source:
        raise RefusedError(
            f"{entry.name} is a copy of {known.source}, and can't be one of {entry.source} too",
            advice=f"choose another name, or drop it: lakehouse pii mask --drop {entry.name}",
        )
    return known


def unregister(lake: Storage, name: str) -> None:
    """Forgets a copy, once its files are gone."""
    lake.delete([_path(name)])


def _path(name: str) -> str:
    return f"{FOLDER}/{name}.json"


def _there(lake: Storage, paths: Iterable[str]) -> Iterable[CopyEntry]:
    for path in paths:
        try:
            yield _read(lake, path)
        except NotFoundError:
            # Dropped since it was listed.
            continue


def _read(lake: Storage, path: str) -> CopyEntry:
    try:
        body = orjson.loads(lake.get(path))
        return CopyEntry(
            name=str(body["name"]),
            source=str(body["source"]),
            source_version=int(body["source_version"]),
            created=datetime.fromisoformat(body["created"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptTableError(
            f"the entry of a masked copy, {lake.url}/{path}, can't be read",
            advice="restore the file from a backup, or delete it and the copy's folder and copy again",
        ) from error
