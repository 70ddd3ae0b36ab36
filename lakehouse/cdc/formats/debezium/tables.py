"""Which table an event is of, and which events belong to the table that is merged into."""

from __future__ import annotations

from typing import TypeAlias

from lakehouse.cdc.formats.debezium.events import Event
from lakehouse.cdc.formats.events import one_table

Identity: TypeAlias = tuple[object, object, object, object]
"""Database, schema and table as ``source`` names them, and the message's topic."""


class TableFilter:
    """Takes the events of one table out of a stream.

    Args:
        wanted: ``table``, ``schema.table``, ``database.table``, ``database.schema.table`` or a topic; None
            expects a stream of one table.
    """

    def __init__(self, wanted: str | None) -> None:
        self._wanted = wanted
        self._known: dict[Identity, bool] = {}

    def takes(self, event: Event) -> bool:
        """Whether an event is of the wanted table.

        Args:
            event: An event of any table.

        Returns:
            True for the wanted table, and where the event does not say which table it is of; always True
            where no table is wanted.
        """
        source = event.source
        identity = (source.get("db"), source.get("schema"), source.get("table"), event.topic)
        known = self._known.get(identity)
        if known is None:
            known = self._known[identity] = self._is_wanted(identity)
        return known

    def check(self) -> None:
        """Refuses a stream of several tables where none of them is wanted.

        Raises:
            DataError: Names the tables that were seen.
        """
        if self._wanted is None:
            one_table(name for identity in self._known if (name := _name(identity)) is not None)

    def _is_wanted(self, identity: Identity) -> bool:
        if self._wanted is None:
            return True
        database, schema, table, topic = identity
        if table is None:
            return topic is None or topic == self._wanted or str(topic).endswith(f".{self._wanted}")
        names = {table, f"{schema}.{table}", f"{database}.{table}", f"{database}.{schema}.{table}", topic}
        return self._wanted in names


def _name(identity: Identity) -> str | None:
    """A table's name for people: as short as it is clear, None where the event has none."""
    database, schema, table, topic = identity
    if table is None:
        return None if topic is None else str(topic)
    return ".".join(str(part) for part in (schema or database, table) if part)
