"""The control state: holds, plans, wrapped keys, what was done. SQLAlchemy over SQLite or PostgreSQL.

Everything is inserted and never changed: what holds now is derived from what happened. `open_state` is the
way in; nothing here imports SQLAlchemy before it is called, and alembic only where a database is made or
upgraded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.state.rows import (
    ActionRecord,
    CertificateRecord,
    Hold,
    PlanRecord,
    ScanRecord,
    SubjectKey,
    SubjectKeyCount,
    WrappedKey,
)

if TYPE_CHECKING:
    from lakehouse.state.database import State

__all__ = [
    "ActionRecord",
    "CertificateRecord",
    "Hold",
    "PlanRecord",
    "ScanRecord",
    "SubjectKey",
    "SubjectKeyCount",
    "WrappedKey",
    "open_state",
]


def open_state(url: str) -> State:
    """Opens a state database. Nothing is reached or made yet.

    Args:
        url: As `lakehouse.config.models.Config.state` gives it: ``sqlite:///file`` or ``postgresql://...``;
            it may hold a password, which is never shown.

    Raises:
        UsageError: The URL can't be read, is for another kind of database, or its driver is not installed.
    """
    from lakehouse.state.database import State  # noqa: PLC0415 - SQLAlchemy takes a third of a second

    return State(url)
