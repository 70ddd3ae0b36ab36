"""What was taken away from a lake, by which rule and on whose order: kept in its state database."""

from __future__ import annotations

import builtins
import getpass
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from lakehouse.control import Control
from lakehouse.state.rows import ActionRecord

if sys.platform != "win32":
    import pwd


class Records(Protocol):
    """Where verbs that take something away say what they have done."""

    def plan(
        self,
        *,
        kind: str,
        versions: Mapping[str, int],
        digest: str,
        document: Mapping[str, Any],
        now: datetime,
    ) -> str | None:
        """Keeps a plan that is about to be carried out.

        Args:
            kind: What for.
            versions: For each table the version that it was made on.
            digest: Of all that it does.
            document: The plan, without values of rows.
            now: The time (timezone-aware).

        Returns:
            Its id, for the records of what it did; None where nothing is kept.
        """

    def add(self, records: Sequence[ActionRecord]) -> None:
        """Keeps what was done.

        Args:
            records: In the order in which it was done.
        """

    def list(
        self, *, table: str | None = None, kinds: Sequence[str] | None = None, limit: int | None = None
    ) -> builtins.list[ActionRecord]:
        """What was done, newest first.

        Args:
            table: Only to one table.
            kinds: Only by these verbs, as records call them.
            limit: At most so many.
        """


class NoRecords:
    """Keeps nothing: the table's own log says what was done."""

    def plan(self, **_: Any) -> None:
        """Forgets it."""

    def add(self, records: Sequence[ActionRecord]) -> None:
        """Forgets them."""

    def list(self, **_: Any) -> builtins.list[ActionRecord]:
        """Knows of nothing."""
        return []


class StateRecords:
    """`Records` in a lake's state database, which is made if the lake has none.

    All of its methods raise `StorageError` where the database can't be used, and `RefusedError` where it is
    not the one of this lake.

    Args:
        control: The way to it.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def plan(
        self,
        *,
        kind: str,
        versions: Mapping[str, int],
        digest: str,
        document: Mapping[str, Any],
        now: datetime,
    ) -> str | None:
        """See `Records.plan`."""
        state = self._control.made(now=now)
        kept = state.plans.add(
            kind=kind, author=operator(), versions=versions, digest=digest, document=document, now=now
        )
        return kept.id

    def add(self, records: Sequence[ActionRecord]) -> None:
        """See `Records.add`."""
        if records:
            self._control.made(now=records[0].at).records.add(records)

    def list(
        self, *, table: str | None = None, kinds: Sequence[str] | None = None, limit: int | None = None
    ) -> builtins.list[ActionRecord]:
        """See `Records.list`."""
        state = self._control.existing()
        return [] if state is None else state.records.list(table=table, kinds=kinds, limit=limit)


def operator() -> str:
    """Who this process works for: the user that it runs as, whatever its variables say."""
    if sys.platform == "win32":
        return getpass.getuser()
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        # A container's user without a name.
        return f"user {number}"
