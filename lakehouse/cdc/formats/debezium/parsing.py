"""JSON of events read fast: a schema that was seen before is not read again.

With schemas enabled, Kafka Connect repeats the whole schema in every message, several times the size of
the change itself. It is the same text again and again, so each text is read once; later documents get
its number in its place before they are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from lakehouse.cdc.records import Broken, Json, as_document, parse_json

_START: Final = re.compile(rb'\{\s*"schema"\s*:\s*(?=\{)')
_REST: Final = re.compile(rb'\s*,\s*"payload"\s*:')
_HINTS: Final = (b'"schema":{', b'"schema": {')
_MOST: Final = 64
_TRIES: Final = 64


class DocumentReader:
    """Reads the JSON documents of one batch."""

    def __init__(self) -> None:
        self._texts: dict[bytes, bytes] = {}
        self._schemas: list[object] = []
        self._tries = _TRIES

    def read(self, items: Sequence[object]) -> list[object]:
        """Reads those items that are JSON documents.

        Args:
            items: Documents (bytes or text) and objects.

        Returns:
            The items, documents replaced by their values: None for an empty one, `Broken` where one is no
            JSON. In an object ``{schema, payload}`` the schema can be a number; see `schema`.
        """
        found = list(items)
        documents: dict[int, bytes] = {}
        for place, item in enumerate(found):
            text = None if item is None or type(item) is dict else as_document(item)
            if text is not None:
                data = text.encode("utf-8", errors="surrogatepass") if isinstance(text, str) else text
                documents[place] = self._shortened(data)
        values: list[Json | Broken] = parse_json(list(documents.values()))
        for (place, data), value in zip(documents.items(), values, strict=True):
            found[place] = value if data else None
        return found

    def schema(self, schema: object) -> object:
        """The schema that an object ``{schema, payload}`` names.

        Args:
            schema: A schema, or the number that stands for one.

        Returns:
            The schema.
        """
        return self._schemas[schema] if type(schema) is int and schema < len(self._schemas) else schema

    def _shortened(self, data: bytes) -> bytes:
        for text, number in self._texts.items():
            data = data.replace(text, number)
        if self._tries and any(hint in data for hint in _HINTS) and self._learned(data):
            return self._shortened(data)
        return data

    def _learned(self, data: bytes) -> bool:
        """Learns the first schema of a document that is not known yet."""
        self._tries -= 1
        start = _START.search(data)
        if start is None or len(self._schemas) >= _MOST:
            return False
        try:
            text = data[start.end() :].decode()
            schema, length = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            return False
        end = start.end() + len(text[:length].encode())
        rest = _REST.match(data, end)
        if rest is None:
            return False
        self._tries += 1
        self._texts[data[start.start() : rest.end()]] = b'{"schema":%d,"payload":' % len(self._schemas)
        self._schemas.append(schema)
        return True
