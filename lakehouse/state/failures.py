"""What goes wrong with a database, as errors that say what to do, without a password or a value in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from lakehouse.errors import ConflictError, LakehouseError, StorageError

_SQLITE: Final[tuple[tuple[tuple[int, ...], str, str], ...]] = (
    (
        (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH),
        "can't be written",
        "let this user write the file and its folder; SQLite needs both, also for reading",
    ),
    (
        (sqlite3.SQLITE_CANTOPEN,),
        "can't be opened",
        "see that its folder is there and that this user may read and write it",
    ),
    ((sqlite3.SQLITE_FULL,), "has no room left", "make room on its disk, then try again"),
    (
        (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT),
        "is damaged",
        "restore it from a backup; nothing that a hold could forbid is done without it",
    ),
    ((sqlite3.SQLITE_IOERR,), "can't be read or written", "look at its disk, then try again"),
)
_POSTGRES: Final[tuple[tuple[str, str, str], ...]] = (
    ("password", "refuses this user or password", "check user and password in `state`"),
    ("authentication", "refuses this user or password", "check user and password in `state`"),
    (
        "does not exist",
        "is not there, or lacks this user",
        "make the database and the user that `state` names",
    ),
    ("too many", "takes no more connections", "try again, or let the server take more"),
    ("permission denied", "does not let this user do that", "let the user make and use tables in it"),
    ("read-only", "takes no changes", "let `state` name a server that can be written"),
)


@contextmanager
def explaining(shown: str) -> Iterator[None]:
    """Turns what a database raises into errors of the one tree.

    Args:
        shown: The database's URL, masked.

    Raises:
        ConflictError: Others hold it too long.
        StorageError: It can't be reached, opened, written, or is damaged.
    """
    try:
        yield
    except SQLAlchemyError as error:
        # Without its cause: statements and their parameters are in it.
        raise _told(error, shown) from None
    except sqlite3.Error as error:
        raise _of_sqlite(error, f"the state database {shown}") from None
    except OSError as error:
        raise StorageError(
            f"the state database {shown} can't be reached: {error.strerror or type(error).__name__}",
            advice="see that its folder is there and that this user may read and write it",
        ) from None


def _told(error: SQLAlchemyError, shown: str) -> LakehouseError:
    name = f"the state database {shown}"
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(cause, name)
    text = str(cause).lower() if cause is not None else ""
    state = getattr(cause, "sqlstate", None) or ""
    # 40: rolled back in favour of another; 55P03: a lock was not to be had.
    if state.startswith("40") or state == "55P03":
        return ConflictError(f"{name} is busy", advice="try again")
    for word, what, advice in _POSTGRES:
        if word in text:
            return StorageError(f"{name} {what}", advice=advice)
    if isinstance(error, DBAPIError) and (error.connection_invalidated or not state):
        return StorageError(
            f"{name} can't be reached", advice="see that the server runs and that `state` names its address"
        )
    kind = type(cause).__name__ if cause is not None else type(error).__name__
    return StorageError(f"{name} failed ({kind} {state})".replace(" )", ")"), advice="look at its log")


def _of_sqlite(cause: sqlite3.Error, name: str) -> LakehouseError:
    code = (getattr(cause, "sqlite_errorcode", None) or 0) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return ConflictError(f"{name} is busy: others write to it", advice="try again")
    for codes, what, advice in _SQLITE:
        if code in codes:
            return StorageError(f"{name} {what}", advice=advice)
    return StorageError(
        f"{name} failed ({type(cause).__name__})", advice="restore it from a backup if this stays"
    )
