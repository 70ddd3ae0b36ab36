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

from lakehouse.cdc.documents import Broken, Json, as_document, parse_json

_START: Final = re.compile(rb'\{\s*"schema"\s*:\s*(?=\{)')
_REST: Final = re.compile(rb'\s*,\s*"payload"\s*:')
_HINT: Final = b'"schema":{'
_SPACED: Final = b'"schema": {'
_DOCUMENTS: Final = frozenset({bytes, str, bytearray, memoryview})
_MOST: Final = 64
_TRIES: Final = 64


class DocumentReader:
    """Reads the JSON documents of one batch."""

    def __init__(self) -> None:
        self._texts: dict[bytes, bytes] = {}
        self._schemas: list[object] = []
        self._tries = _TRIES

    def read(self, items: Sequence[object]) -> Sequence[object]:
        """Reads those items that are JSON documents.

        Args:
            items: Documents (bytes or text) and objects.

        Returns:
            The items, documents replaced by their values: None for a blank one, `Broken` where one is no
            JSON. In an object ``{schema, payload}`` the schema can be a number; see `schema`.
        """
        found = set(map(type, items))
        if _DOCUMENTS.isdisjoint(found):
            return items
        if found == {bytes}:
            places: Sequence[int] = range(len(items))
        else:
            places = [place for place, item in enumerate(items) if as_document(item) is not None]
        documents = self._shortened([_data(items[place]) for place in places])
        values: list[Json | Broken] = parse_json(documents)
        read = list(items)
        for place, data, value in zip(places, documents, values, strict=True):
            read[place] = None if isinstance(value, Broken) and not data.strip() else value
        return read

    def schema(self, schema: object) -> object:
        """The schema that an object ``{schema, payload}`` names.

        Args:
            schema: A schema, or the number that stands for one.

        Returns:
            The schema.
        """
        return self._schemas[schema] if type(schema) is int and schema < len(self._schemas) else schema

    def _shortened(self, documents: list[bytes]) -> list[bytes]:
        """The documents with numbers in place of schemas."""
        if not self._texts:
            every = b"\n".join(documents)
            if _HINT not in every and _SPACED not in every:
                return documents
        return [self._short(data) for data in documents]

    def _short(self, data: bytes) -> bytes:
        for text, number in self._texts.items():
            data = data.replace(text, number)
        if self._tries and (_HINT in data or _SPACED in data) and self._learned(data):
            return self._short(data)
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


def _data(item: object) -> bytes:
    if type(item) is bytes:
        return item
    text = as_document(item)
    if isinstance(text, str):
        return text.encode("utf-8", errors="surrogatepass")
    return text or b""
