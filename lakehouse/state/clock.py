"""The one clock by which leases end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import Connection

_CLOCK: Final = text("SELECT clock_timestamp()")


def time_of(connection: Connection) -> datetime:
    """The time now: by the server's clock for PostgreSQL, by the host's for SQLite.

    Args:
        connection: In a transaction.
    """
    if connection.dialect.name == "postgresql":
        found: datetime = connection.execute(_CLOCK).scalar_one()
        return found.astimezone(UTC)
    return datetime.now(UTC)
