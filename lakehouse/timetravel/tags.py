"""Tags: names for versions. A tagged version's files are kept.

A tag is one small object, ``_lakehouse/tags/<table>/<tag>.json`` below the lake's root, written with
put-if-absent: tags are there for every host that sees the lake, need no database, and two people can't give
one name to two versions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from lakehouse.delta.locations import map_files
from lakehouse.errors import CorruptTableError, LakehouseError, NotFoundError, RefusedError, UsageError
from lakehouse.storage import Storage

FOLDER: Final = "_lakehouse/tags"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _nothing() -> None:
    """Looks at nothing."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A name for a version.

    Args:
        name: Letters, digits, dots, dashes and underscores, at most 100.
        table: The table's name.
        version: The version that it names.
        created: When it was given (UTC).
    """

    name: str
    table: str
    version: int
    created: datetime


def list_tags(lake: Storage, *, table: str) -> tuple[Tag, ...]:
    """All tags of a table, by name.

    Args:
        lake: The lake's root.
        table: The table's name.
    """
    paths = [item.path for item in lake.list(f"{FOLDER}/{table}") if item.path.endswith(".json")]
    found = map_files(lambda path: _read_if_there(lake, path), paths, storage=lake)
    return tuple(tag for tag in found if tag is not None)


def versions_of(tags: Iterable[Tag]) -> dict[int, list[str]]:
    """The versions that have names, with their names.

    Args:
        tags: The tags of one table.
    """
    found: dict[int, list[str]] = {}
    for tag in tags:
        found.setdefault(tag.version, []).append(tag.name)
    return found


def get_tag(lake: Storage, *, table: str, name: str) -> Tag:
    """One tag.

    Raises:
        NotFoundError: The table has no tag of that name; the advice names those that it has.
    """
    path = _path(table, name)
    try:
        return _read(lake, path)
    except NotFoundError:
        others = ", ".join(tag.name for tag in list_tags(lake, table=table))
        raise NotFoundError(
            f"table {table} has no tag {name}",
            advice=f"its tags are: {others}" if others else "it has no tags",
        ) from None


def put_tag(
    lake: Storage,
    *,
    table: str,
    name: str,
    version: int,
    now: datetime,
    still_there: Callable[[], None] = _nothing,
) -> Tag:
    """Gives a version a name.

    Args:
        lake: The lake's root.
        table: The table's name.
        name: The tag.
        version: A version that can be read; the caller has checked that.
        now: The time (UTC).
        still_there: Called once the tag is there, so that vacuums see it: raises where one took the version
            before that; then the tag goes again.

    Returns:
        The tag. Giving the same name to the same version again changes nothing.

    Raises:
        UsageError: The name has characters that a tag can't have, or could be taken for a version.
        RefusedError: The name stands for another version already.
    """
    path = _path(table, name)
    if name.isdecimal():
        raise UsageError(
            f"a tag can't be called {name}: it would be taken for version {name}",
            advice=f"give it a name with a letter, as in v{name}",
        )
    tag = Tag(name=name, table=table, version=version, created=now)
    body = orjson.dumps({"name": name, "table": table, "version": version, "created": now.isoformat()})
    if lake.put_if_absent(path, body):
        try:
            still_there()
        except LakehouseError:
            lake.delete([path])
            raise
        return tag
    existing = get_tag(lake, table=table, name=name)
    if existing.version != version:
        raise RefusedError(
            f"tag {name} of table {table} stands for version {existing.version} already",
            advice="tags do not move: remove it first, or choose another name",
        )
    return existing


def remove_tag(lake: Storage, *, table: str, name: str) -> Tag:
    """Takes a name away; the version itself stays until it is vacuumed.

    Raises:
        NotFoundError: The table has no tag of that name.
    """
    tag = get_tag(lake, table=table, name=name)
    lake.delete([_path(table, name)])
    return tag


def _path(table: str, name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            "a tag's name has letters, digits, dots, dashes and underscores, begins with a letter or digit, "
            "and is at most 100 long"
        )
    return f"{FOLDER}/{table}/{name}.json"


def _read(lake: Storage, path: str) -> Tag:
    try:
        body = orjson.loads(lake.get(path))
        return Tag(
            name=str(body["name"]),
            table=str(body["table"]),
            version=int(body["version"]),
            created=datetime.fromisoformat(body["created"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptTableError(
            f"the tag {lake.url}/{path} can't be read",
            advice="restore the file from a backup, or delete it and give the tag again",
        ) from error


def _read_if_there(lake: Storage, path: str) -> Tag | None:
    try:
        return _read(lake, path)
    except NotFoundError:
        # Removed since it was listed.
        return None
