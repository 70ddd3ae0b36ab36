"""The kinds of columns that the tables of the state database are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, DateTime, Integer, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

ID: Final = String(32)
"""Names a thing: a run, a request, a hold."""

# SQLite counts rows by itself only in a column of the type INTEGER.
Number: Final = BigInteger().with_variant(Integer, "sqlite")
"""The number of a row."""


def number() -> Column[Any]:
    """The column ``seq``: rows are numbered as they come."""
    return Column("seq", Number, primary_key=True, autoincrement=True)


class Moment(TypeDecorator[datetime]):
    """A point in time: timezone-aware outside, UTC inside."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database; SQLite keeps no zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a timezone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database, always in UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
