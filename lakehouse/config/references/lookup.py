"""What names there are in a config, also in parts of it that are wrong in other ways."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from lakehouse.config.document import Steps
from lakehouse.config.models import Config
from lakehouse.config.nearest import nearest, suggestion

# A name, perhaps in backticks, and the steps into the column.
_PATH: Final = re.compile(r"(?:`(?P<quoted>(?:[^`]|``)+)`|(?P<plain>[^.\[\]{}$`]+))(?:[.\[{$].*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Finding:
    """A name that points nowhere, or that can't be.

    Args:
        way: The way to the value.
        message: What is wrong.
        on_key: Whether the key is wrong, not the value.
    """

    way: Steps
    message: str
    on_key: bool = False


class Lookup:
    """The names of a config.

    Args:
        config: The config, perhaps without parts that are wrong.
        data: The config as written, which also names what is in the wrong parts.
    """

    def __init__(self, config: Config, data: Any) -> None:
        self.config = config
        self._data = data
        self.tables = self._names("tables", config.tables)
        self.subjects = self._names("subjects", config.subjects)
        self.jobs = self._names("jobs", config.jobs)

    def _names(self, section: str, known: dict[str, Any]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*_keys(self._data, section), *known)))

    def columns(self, table: str) -> tuple[str, ...] | None:
        """The columns that a table's ``schema`` names.

        Args:
            table: A table.

        Returns:
            The columns; None where the config does not say.
        """
        found = self.config.tables.get(table)
        if found is None or found.column_schema is None:
            return None
        return tuple(dict.fromkeys((*found.column_schema, *_keys(self._data, "tables", table, "schema"))))

    def type_of(self, table: str, column: str) -> str | None:
        """The type of a column.

        Args:
            table: A table.
            column: A column.

        Returns:
            The type, in its one spelling; None where the config does not say.
        """
        found = self.config.tables.get(table)
        return found.column_schema.get(column) if found is not None and found.column_schema else None

    def no_table(self, table: str) -> str:
        """Says that there is no such table.

        Args:
            table: A name.

        Returns:
            The sentence; empty where there is such a table.
        """
        if table in self.tables:
            return ""
        return f"there is no table `{table}`{suggestion(table, self.tables, what='tables')}"

    def no_column(self, table: str, column: str, *, must_be_first: bool = False) -> str:
        """Says that a table has no such column.

        Args:
            table: A table.
            column: A name; a path into a nested column counts as its first part.
            must_be_first: Whether the column must be there when the table is made. Others may still come with
                a change where the table's schema evolves, so that only near misses are told.

        Returns:
            The sentence; empty where nothing is wrong, or the config does not say.
        """
        columns = self.columns(table)
        if columns is None or column in columns or column_of(column) in columns:
            return ""
        missing = f"`{column}` is not in the `schema` of `{table}`"
        evolves = self.config.tables[table].changes.schema_policy == "evolve"
        if must_be_first or not evolves:
            return missing + suggestion(column, columns, what="columns")
        near = nearest(column, columns, cutoff=0.8)
        return f"{missing}; did you mean `{near}`? If it comes later, add it to the `schema`" if near else ""


def column_findings(
    lookup: Lookup, table: str, names: tuple[str, ...], way: Steps, *, must_be_first: bool = False
) -> Iterator[Finding]:
    """Looks up a list of columns.

    Args:
        lookup: The names that there are.
        table: The table.
        names: Columns.
        way: The way to the list.
        must_be_first: As in `Lookup.no_column`.

    Yields:
        One finding for each column that is not there.
    """
    for at, name in enumerate(names):
        message = lookup.no_column(table, name, must_be_first=must_be_first)
        if message:
            yield Finding((*way, at), message)


def column_of(path: str) -> str:
    """The column that a path of ``pii`` leads into.

    Args:
        path: Such as ``address.street`` or ``phones[]``.

    Returns:
        The column; the path itself where there is no way in.
    """
    found = _PATH.fullmatch(path)
    return path if found is None else (found["quoted"] or "").replace("``", "`") or found["plain"]


def _keys(data: Any, *way: str) -> tuple[str, ...]:
    for step in way:
        data = data.get(step) if isinstance(data, dict) else None
    return tuple(data) if isinstance(data, dict) else ()
