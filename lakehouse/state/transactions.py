"""What the repositories need of a database."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy.engine import Connection


class Transactions(Protocol):
    """Gives transactions."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that reads."""

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that writes: all of it or nothing."""

    def truncate_log(self) -> None:
        """Leaves nothing in logs of what was overwritten."""
