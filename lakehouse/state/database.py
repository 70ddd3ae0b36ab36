"""One state database: made, brought up to date and reached only when it is first used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.engine import Connection

from lakehouse.errors import StorageError
from lakehouse.state.alerts import SqlAlerts
from lakehouse.state.certificates import SqlCertificates
from lakehouse.state.daemons import SqlDaemons
from lakehouse.state.engine import WRITES, Place, empty_log, engine_of, make_file, place_of
from lakehouse.state.failures import explaining
from lakehouse.state.following import SqlFollowing
from lakehouse.state.holds import SqlHolds
from lakehouse.state.incidents import SqlIncidents
from lakehouse.state.job_files import SqlJobFiles
from lakehouse.state.job_queue import SqlQueue
from lakehouse.state.jobs import SqlJobs
from lakehouse.state.keys import SqlKeys
from lakehouse.state.leases import SqlLeases
from lakehouse.state.locks import SqlLocks
from lakehouse.state.plans import SqlPlans
from lakehouse.state.points import SqlPoints
from lakehouse.state.records import SqlRecords
from lakehouse.state.requests import SqlRequests
from lakehouse.state.scans import SqlScans
from lakehouse.state.subject_keys import SqlSubjectKeys
from lakehouse.state.tables import HEAD, KNOWN, VERSION_TABLE, about, claims
from lakehouse.state.totals import SqlTotals

_LOCK: Final = 0x6C616B65
"""Key of the lock that PostgreSQL gives to the one who migrates: "lake"."""


class Database:
    """Connections to a state database, and the transactions on it. Can be used from many threads.

    Args:
        place: Where it is.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._engine: Engine = engine_of(place)
        self._lock = threading.RLock()
        self._ready = False
        self._anchor: Connection | None = None
        self._kept = False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that reads.

        Raises:
            StorageError: The database can't be reached, is damaged, not there, or from a newer release.
        """
        self._up_to_date(make=False)
        with explaining(self.place.shown), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: all of it or nothing. The database is made if it is not there.

        Raises:
            StorageError: As for `reading`, or it can't be written.
            ConflictError: Others write to it all the time.
        """
        self._up_to_date(make=True)
        with explaining(self.place.shown), _writing(self._engine) as connection:
            yield connection

    def revision(self) -> str | None:
        """Its newest migration; None where there is none of our tables.

        Raises:
            StorageError: As for `reading`.
        """
        if not self.place.there():
            return None
        with explaining(self.place.shown), self._engine.connect() as connection, connection.begin():
            return _revision(connection)

    def truncate_log(self) -> None:
        """Empties SQLite's log, so that what was overwritten in the database is not in there any more."""
        if self.place.file is not None:
            with explaining(self.place.shown):
                empty_log(self.place)

    def stay_open(self) -> None:
        """Keeps SQLite's file open, or connections to PostgreSQL, for a process that uses it often.

        Whoever closes SQLite's file last moves its log into it, each time; PostgreSQL begins a process for
        each connection. Lasts until `close`.
        """
        if self.place.kind == "postgresql" and not self._kept:
            self._engine.dispose()
            self._engine, self._kept = engine_of(self.place, keep=True), True
        if self.place.file is not None and self._anchor is None:
            with explaining(self.place.shown):
                self._anchor = self._engine.connect()
                # Without a transaction, so that it is in nobody's way.
                self._anchor.exec_driver_sql("SELECT name FROM sqlite_master LIMIT 1").all()
                self._anchor.rollback()

    def close(self) -> None:
        """Closes what is open; it opens again when it is used."""
        if self._anchor is not None:
            with explaining(self.place.shown):
                self._anchor.close()
            self._anchor = None
        self._engine.dispose()

    def _up_to_date(self, *, make: bool) -> None:
        with self._lock:
            if self._ready:
                return
            found = self.revision()
            if found not in KNOWN and found is not None:
                raise StorageError(
                    f"the state database {self.place.shown} was made by a newer release (its revision is "
                    f"{found}, this one knows {HEAD})",
                    advice="upgrade lakehouse here too",
                )
            if found is None and not make:
                raise StorageError(
                    f"there is no state in the database {self.place.shown}",
                    advice="placing a first hold makes it",
                )
            if found != HEAD:
                self._migrate()
            self._ready = True

    def _migrate(self) -> None:
        from lakehouse.state.migrate import migrate  # noqa: PLC0415 - alembic takes half a second

        with explaining(self.place.shown):
            if self.place.file is not None:
                make_file(self.place)
            with _writing(self._engine) as connection:
                if self.place.kind == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                # Another process may have been faster.
                if _revision(connection) != HEAD:
                    migrate(connection)


@contextmanager
def _writing(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as plain:
        connection = plain.execution_options(**{WRITES: True})
        with connection.begin():
            yield connection


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    return None if found is None else str(found)


class State:
    """The control state of a lake. Made by `lakehouse.state.open_state`.

    Args:
        url: The database's URL.

    Raises:
        UsageError: See `lakehouse.state.open_state`.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(place_of(url))
        self.holds = SqlHolds(self._database)
        self.plans = SqlPlans(self._database)
        self.records = SqlRecords(self._database)
        self.keys = SqlKeys(self._database)
        self.scans = SqlScans(self._database)
        self.requests = SqlRequests(self._database)
        self.certificates = SqlCertificates(self._database)
        self.subject_keys = SqlSubjectKeys(self._database)
        self.jobs = SqlJobs(self._database)
        self.leases = SqlLeases(self._database)
        self.locks = SqlLocks(self._database)
        self.job_files = SqlJobFiles(self._database)
        self.queue = SqlQueue(self._database)
        self.daemons = SqlDaemons(self._database)
        self.points = SqlPoints(self._database)
        self.incidents = SqlIncidents(self._database)
        self.following = SqlFollowing(self._database)
        self.alerts = SqlAlerts(self._database)
        self.totals = SqlTotals(self._database)

    def __repr__(self) -> str:
        return f"State({self.shown!r})"

    @property
    def shown(self) -> str:
        """The URL, without a password."""
        return self._database.place.shown

    @property
    def in_memory(self) -> bool:
        """Whether it is gone with this process."""
        return self._database.place.in_memory

    def exists(self) -> bool:
        """Whether the database has been made.

        Raises:
            StorageError: That can't be found out.
        """
        return self._database.revision() is not None

    def make(self) -> None:
        """Makes the database, or brings it up to date."""
        with self._database.writing():
            pass

    @property
    def id(self) -> str:
        """What tells this database from any other.

        Raises:
            StorageError: It is not there or can't be read.
        """
        with self._database.reading() as connection:
            found = connection.execute(select(about.c.id)).scalars().all()
        if len(found) != 1:
            raise StorageError(
                f"the state database {self.shown} does not say which it is", advice="restore it from a backup"
            )
        return str(found[0])

    def claim(self, lake: str) -> str:
        """Makes the database that of a lake, unless it is another one's already.

        Args:
            lake: The lake's root.

        Returns:
            The root of the lake whose it is.

        Raises:
            StorageError: It can't be written.
        """
        with self._database.writing() as connection:
            mine = text("INSERT INTO lakehouse_claims (slot, lake) VALUES (1, :lake) ON CONFLICT DO NOTHING")
            connection.execute(mine, {"lake": lake})
        with self._database.reading() as connection:
            return str(connection.execute(select(claims.c.lake)).scalar_one())

    def stay_open(self) -> None:
        """Keeps the database open until `close`, for a process that uses it again and again.

        Raises:
            StorageError: It can't be opened.
        """
        self._database.stay_open()

    def close(self) -> None:
        """Closes what is open; it opens again when it is used."""
        self._database.close()
