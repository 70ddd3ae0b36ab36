"""From the URL in the config to an engine that can be used by many threads and processes at once."""

from __future__ import annotations

import sqlite3
import time
import urllib.parse
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, QueuePool

from lakehouse.config.secrets import mask_url
from lakehouse.errors import StorageError, UsageError

WRITES: Final = "lakehouse_writes"
"""Execution option of a connection: its transaction is going to write."""

_BUSY_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 10
_PAUSE_SECONDS: Final = 0.02
_ALIVE: Final = {
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A server that is gone without a word is found out within half a minute, and not after hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a state database is.

    Args:
        kind: What it is.
        url: As SQLAlchemy takes it; with the password.
        shown: The same as it may be shown.
        file: SQLite's file; None where it is in memory, or for PostgreSQL.
        busy_seconds: SQLite: how long to wait for others that write.
    """

    kind: Literal["sqlite", "postgresql"]
    url: URL
    shown: str
    file: Path | None = None
    busy_seconds: float = _BUSY_SECONDS

    @property
    def in_memory(self) -> bool:
        """Whether it is gone with this process."""
        return self.kind == "sqlite" and self.file is None

    def there(self) -> bool:
        """Whether there is anything that could be opened; PostgreSQL is asked only when it is opened.

        Raises:
            StorageError: Its folder can't be looked into.
        """
        try:
            return self.file is None or self.file.exists()
        except OSError as error:
            raise StorageError(
                f"the state database {self.shown} can't be looked for: {error.strerror}",
                advice="see who may read its folder",
            ) from None


def place_of(text: str) -> Place:
    """Reads a URL.

    Args:
        text: ``sqlite:///file`` or ``postgresql://...``, with a driver or without.

    Raises:
        UsageError: It can't be read, or is for another kind of database.
    """
    shown = mask_url(text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UsageError(
            "`state` is no database URL that can be read",
            advice="write sqlite:///folder/state.db or postgresql://user@host/database; what is special in a "
            "password is written in percent, as %40 for @",
        ) from None
    kind, _, driver = url.drivername.partition("+")
    if kind == "sqlite" and driver in {"", "pysqlite"}:
        return _sqlite(url, shown)
    if kind == "postgresql" and driver in {"", "psycopg"}:
        if find_spec("psycopg") is None:
            raise UsageError(
                "`state` names a PostgreSQL database and its driver is not installed",
                advice="pip install lakehouse[postgres]",
            )
        return Place(kind="postgresql", url=url.set(drivername="postgresql+psycopg"), shown=shown)
    raise UsageError(
        f"the state can't be kept in {url.drivername}",
        advice="use SQLite (sqlite:///folder/state.db) or PostgreSQL with psycopg (postgresql://host/db)",
    )


def _sqlite(url: URL, shown: str) -> Place:
    unknown = sorted(set(url.query) - {"timeout"})
    name = url.database or ""
    if unknown or name.startswith("file:"):
        raise UsageError(
            f"the SQLite database {shown} can't be opened so: "
            + (f"there is no setting {unknown[0]}" if unknown else "it is a URI, not a file"),
            advice="write sqlite:///folder/state.db, with ?timeout=SECONDS where it is to wait longer",
        )
    try:
        seconds = float(str(url.query.get("timeout", _BUSY_SECONDS)))
    except ValueError:
        raise UsageError(f"the timeout of {shown} is no number of seconds") from None
    file = None if name in {"", ":memory:"} else Path(name)
    return Place(kind="sqlite", url=url, shown=shown, file=file, busy_seconds=seconds)


def engine_of(place: Place, *, keep: bool = False) -> Engine:
    """Makes the engine. Nothing is reached or made yet; SQLite's file has to be there when it is used.

    Args:
        place: Where the database is.
        keep: Whether connections to PostgreSQL are kept; otherwise each transaction has its own.
    """
    if place.kind == "postgresql":
        return _postgresql(place, keep=keep)
    if place.file is None:
        # One connection, one thread at a time: it is the database.
        engine = create_engine(
            "sqlite://",
            creator=partial(_connect, place),
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
        )
    else:
        engine = create_engine(
            "sqlite://", creator=partial(_connect, place), poolclass=NullPool, hide_parameters=True
        )
    event.listen(engine, "begin", _begin)
    return engine


def make_file(place: Place) -> None:
    """Makes SQLite's file, with a log that lets others read while one writes; it stays so.

    The switch needs the file for itself for a moment, and SQLite does not wait for that by itself. Where the
    file system can't have such a log, SQLite goes on with its older way.

    Args:
        place: Where.
    """
    assert place.file is not None  # noqa: S101 - only for files
    place.file.parent.mkdir(parents=True, exist_ok=True)
    give_up = time.monotonic() + place.busy_seconds
    while True:
        try:
            with closing(_connect(place, mode="rwc")) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
            if not busy or time.monotonic() > give_up:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def empty_log(place: Place) -> None:
    """Brings all that SQLite's log has into the file, and leaves the log empty if nobody reads it just now.

    Args:
        place: Where.
    """
    with closing(_connect(place)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _connect(place: Place, *, mode: str = "rw") -> sqlite3.Connection:
    """Opens SQLite. A file that is gone is an error, and not an empty database without holds."""
    if place.file is None:
        return _prepared(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))
    return _prepared(
        sqlite3.connect(
            f"file:{urllib.parse.quote(str(place.file))}?mode={mode}",
            uri=True,
            timeout=place.busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
    )


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        # What is deleted is overwritten; what is committed survives a power cut.
        for pragma in ("foreign_keys = ON", "secure_delete = ON", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _begin(connection: Connection) -> None:
    """Begins a transaction ourselves: Python's module begins too late, and not before DDL.

    One that will write takes its lock at once: two that read first and write then could not both go on.
    """
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(place: Place, *, keep: bool) -> Engine:
    settings: dict[str, Any] = {"application_name": "lakehouse", **_ALIVE}
    if "connect_timeout" not in place.url.query:
        settings["connect_timeout"] = _CONNECT_SECONDS
    if not keep:
        return create_engine(place.url, poolclass=NullPool, hide_parameters=True, connect_args=settings)
    # A server that was started anew meanwhile is noticed when one is taken; nobody waits for another's.
    return create_engine(
        place.url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=-1,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=settings,
    )
