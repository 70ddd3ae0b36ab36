"""The wrapped keys in the database."""

from __future__ import annotations

import builtins

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from lakehouse.errors import ConflictError
from lakehouse.state.rows import WrappedKey
from lakehouse.state.tables import keys
from lakehouse.state.transactions import Transactions


class SqlKeys:
    """The wrapped keys, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def add(self, key: WrappedKey) -> None:
        """Keeps a version of a key. Of several that add the same version at once, one does.

        Args:
            key: The wrapped key.

        Raises:
            ConflictError: There is that version of that key already; it stays as it is.
        """
        values = {
            "purpose": key.purpose,
            "version": key.version,
            "created": key.created,
            "author": key.author,
            "provider": key.provider,
            "lake": key.lake,
            "wrapping_key": key.wrapping_key,
            "wrapped": key.wrapped,
        }
        with self._database.writing() as connection:
            insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            kept = insert(keys).values(values).on_conflict_do_nothing().returning(keys.c.seq)
            if connection.execute(kept).first() is None:
                raise ConflictError(
                    f"version {key.version} of the key `{key.purpose}` is there already",
                    advice="another process was faster; `lakehouse keys list` shows what there is",
                )

    def list(self, *, purpose: str | None = None) -> builtins.list[WrappedKey]:
        """The versions of the keys, by purpose and version.

        Args:
            purpose: Only those of one key.
        """
        query = select(keys).order_by(keys.c.purpose, keys.c.version)
        if purpose is not None:
            query = query.where(keys.c.purpose == purpose)
        with self._database.reading() as connection:
            return [
                WrappedKey(
                    purpose=row.purpose,
                    version=row.version,
                    created=row.created,
                    author=row.author,
                    provider=row.provider,
                    lake=row.lake,
                    wrapping_key=row.wrapping_key,
                    wrapped=row.wrapped,
                )
                for row in connection.execute(query)
            ]
