"""``lake.pii``: personal data, for the users of a lake. One verb a method, each handed on to a module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from lakehouse.config import Config
from lakehouse.config.models import OperatorConfig
from lakehouse.control import Control
from lakehouse.errors import NotBuiltError
from lakehouse.merge.target import Clock, utc_now
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.operators.base import Operator
from lakehouse.pii.reveal import KIND, LIMIT, Revealed, Revealer
from lakehouse.records import Records
from lakehouse.state.rows import ActionRecord
from lakehouse.table import Table


def operator_for(config: OperatorConfig, *, ring: KeyRing, pinned: bool) -> Operator:
    """The house's own operator for a section of the config; what is heavy is imported now.

    Args:
        config: A section of ``pii.operators``.
        ring: The lake's keys.
        pinned: Whether rows are matched by what it masks.
    """
    try:
        registry = import_module("lakehouse.pii.operators.registry")
    except ImportError:
        raise NotBuiltError("this release has no operators that could turn masks back") from None
    made: Operator = registry.operator_for(config, ring=ring, pinned=pinned)
    return made


class Pii:
    """The personal data of a lake. Reached as `Lakehouse.pii`; can be used from many threads.

    Args:
        config: The lake's config.
        table: Gives a table by its name.
        keys: The lake's keys.
        records: Where it is kept what was done.
        control: The way to the state database.
        clock: Gives the time, timezone-aware.
    """

    def __init__(
        self,
        config: Config,
        *,
        table: Callable[[str], Table],
        keys: KeyRing,
        records: Records,
        control: Control,
        clock: Clock = utc_now,
    ) -> None:
        self._config = config
        self._table = table
        self._keys = keys
        self._records = records
        self._control = control
        self._clock = clock

    def __repr__(self) -> str:
        return f"Pii({self._config.name!r})"

    def reveal(
        self,
        table: str,
        column: str,
        *,
        values: Sequence[Any] | None = None,
        where: str | None = None,
        role: str,
        reason: str,
        limit: int = LIMIT,
    ) -> Revealed:
        """Turns masks of a column back. It is recorded before a value is handed out.

        Kept in the state database: who (the user that this process runs as), in which role, when, why, which
        table and column, how many; never a value or a condition.

        Args:
            table: The table.
            column: One of its columns in `pii`. In texts, the masks among the other words are turned back.
            values: The masks; with them, no `where`. If the role sees only some rows, those that are in none
                of them are withheld.
            where: The rows whose masks are meant, as SQL; with it, no values. It may only name columns that
                the role sees as they are.
            role: A role with ``reveal: true`` that may read the table.
            reason: Why, as ``"case 12/2026"``; at most 1,000 characters. No personal data.
            limit: With `where`: how many rows it may find at most.

        Returns:
            The values.

        Raises:
            RefusedError: The role may not; or nothing could be recorded, as without a state database.
            NotFoundError: The config has no such role.
            TableNotFoundError: The config has no such table.
            KeysError: The key that the masks were made with is lost. If others can be turned back, those are,
                and ``problems`` says why some can't.
            UsageError: The column has no masks that can be turned back, or a condition can't be used.
            StorageError: The state database can't be written: then nothing is shown.
        """
        revealer = Revealer(
            config=self._config,
            table=self._table,
            keys=self._keys,
            records=self._records,
            operator_for=operator_for,
            clock=self._clock,
        )
        return revealer.reveal(
            table, column, values=values, where=where, role=role, reason=reason, limit=limit
        )

    def history(self, table: str | None = None, *, limit: int | None = None) -> list[ActionRecord]:
        """Who turned masks back, the latest first; the state database remembers.

        Args:
            table: Only of this table.
            limit: At most so many entries.

        Returns:
            For each time who, when, which table and how many; in ``detail`` the column, role and reason.

        Raises:
            TableNotFoundError: The config has no such table.
            StorageError: The state database can't be read.
        """
        name = None if table is None else self._table(table).name
        return self._records.list(table=name, kinds=(KIND,), limit=limit)
