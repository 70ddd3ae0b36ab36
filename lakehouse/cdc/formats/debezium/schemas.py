"""The schemas that the events of a batch were written with, numbered, and the codecs that they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lakehouse.cdc.formats.base import Settings
from lakehouse.cdc.formats.debezium.connect import codecs_of
from lakehouse.cdc.formats.encodings import declared_codec
from lakehouse.cdc.formats.values.codec import Codec


class Schemas:
    """The schemas of one batch; number 0 stands for events without one.

    Args:
        settings: How the table's changes look.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: list[Sequence[Mapping[str, object]]] = []
        self._codecs: list[dict[str, Codec]] = [{}]
        self._latest = 0

    def number(self, schema: Sequence[Mapping[str, object]] | None) -> int:
        """The number of an event's schema; equal schemas have one number.

        Args:
            schema: The Kafka Connect fields of the row, or None.

        Returns:
            Its number, from 1; 0 for None.
        """
        if schema is None:
            return 0
        if self._latest and self._known[self._latest - 1] == schema:
            return self._latest
        if schema in self._known:
            self._latest = self._known.index(schema) + 1
        else:
            self._known.append(schema)
            self._codecs.append(codecs_of(schema))
            self._latest = len(self._known)
        return self._latest

    def codec(self, name: str, number: int) -> Codec:
        """The codec of a column in the rows of one schema.

        Args:
            name: The column.
            number: The schema's number.

        Returns:
            What the schema says, turned towards the type that the config declares; what the config says
            where there is no schema, or none that is understood.
        """
        codec = self._codecs[number].get(name)
        if codec is None or codec.type is None:
            return declared_codec(name, settings=self._settings, debezium=True)
        declared = self._settings.types.get(name)
        return codec if declared is None else codec.towards(declared)
