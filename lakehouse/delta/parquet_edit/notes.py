"""The notes of a file, its key-value metadata: free texts of the writer, in which values can stand."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from lakehouse.delta.parquet_edit import footer as f
from lakehouse.delta.parquet_edit import thrift
from lakehouse.delta.parquet_edit.footer import Footer
from lakehouse.delta.parquet_edit.thrift import Fields

# What readers need; these only tell types and names of columns.
_NEEDED: Final = (b"org.apache.spark.", b"parquet.avro.schema")
# The schema as Arrow's own message, in Base64, with all of the notes in it once more.
_ARROW: Final = b"ARROW:schema"
_SHORTEST: Final = 4
_KEY: Final = 1
_TEXT: Final = 2


def clean_notes(footer: Footer, gone: Sequence[pa.Array]) -> None:
    """Drop the notes in which a value stands that is to go.

    Args:
        footer: The file's footer; changed.
        gone: Plain values. Only texts and bytes of some length are looked for.
    """
    notes = footer.fields.get(f.KEY_VALUES)
    if notes is None:
        return
    texts = [value for values in gone if pa.types.is_binary(values.type) for value in values.to_pylist()]
    texts = [value for value in texts if len(value) >= _SHORTEST]
    if not texts:
        return
    kept: list[Fields] = []
    for note in notes.value:
        name, content = note[_KEY].value, note[_TEXT].value if _TEXT in note else b""
        if name == _ARROW:
            cleaned = _arrow_schema(content, texts)
            if cleaned is not None:
                kept.append({**note, _TEXT: thrift.binary(cleaned)})
        elif name.startswith(_NEEDED) or not _has(texts, name, content):
            kept.append(note)
    notes.value = kept


def _arrow_schema(content: bytes, texts: Sequence[bytes]) -> bytes | None:
    """Arrow's schema without such notes; None where it can't be read."""
    try:
        message = base64.b64decode(content)
        schema = pa.ipc.read_schema(pa.py_buffer(message))
    except (pa.ArrowException, ValueError, OSError):
        return None
    notes = schema.metadata or {}
    clean = {name: text for name, text in notes.items() if not _has(texts, name, text)}
    if len(clean) == len(notes):
        return content
    return base64.b64encode(schema.with_metadata(clean or None).serialize().to_pybytes())


def _has(texts: Sequence[bytes], *places: bytes) -> bool:
    return any(text in place for text in texts for place in places)
