"""In which ways a changed column chunk is written, one after the other until it is small enough.

Only codecs and encodings that every reader of Delta tables has: the chunk's own, and Zstandard, which Spark,
delta-rs and Polars bring along. Brotli is smaller at times, but Spark lacks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lakehouse.delta.parquet_edit import footer as f
from lakehouse.delta.parquet_edit.problems import CantEditError
from lakehouse.delta.parquet_edit.raw import Encoding
from lakehouse.delta.parquet_edit.thrift import Fields

# CompressionCodec. What is called LZ4 was written in several ways; its own readers know Snappy too.
_CODECS: Final = {0: "none", 1: "snappy", 2: "gzip", 4: "brotli", 5: "snappy", 6: "zstd", 7: "lz4"}
# Encoding, apart from plain values and dictionaries.
_ENCODINGS: Final = {
    5: "DELTA_BINARY_PACKED",
    6: "DELTA_LENGTH_BYTE_ARRAY",
    7: "DELTA_BYTE_ARRAY",
    9: "BYTE_STREAM_SPLIT",
}
_DICTIONARY: Final = (2, 8)
_LEVELS: Final = (3, 9, 22)


def tries(chunks: Sequence[Fields]) -> Iterator[Encoding]:
    """The ways to write some chunks.

    Args:
        chunks: The ``ColumnMetaData`` of the old ones.

    Yields:
        First the way that is most like the old, then others, ever smaller and slower.

    Raises:
        CantEditError: A codec is not known.
    """
    number = int(chunks[0][f.M_CODEC].value)
    codec = _CODECS.get(number)
    if codec is None:
        raise CantEditError("one of its columns is compressed in a way that is not known here")
    used = {int(each) for chunk in chunks for each in chunk[f.M_ENCODINGS].value}
    special = [name for each, name in _ENCODINGS.items() if each in used] if len(chunks) == 1 else []
    pointed = any(each in used for each in _DICTIONARY)
    shapes = [Encoding(codec, dictionary=pointed)]
    shapes += [Encoding(codec, dictionary=not pointed)]
    others = [Encoding(codec, dictionary=False, encoding=name) for name in special]
    shapes = [shapes[0], *others, shapes[1]] if pointed else [*others, *shapes]
    yield from shapes
    for level in _LEVELS:
        for shape in shapes:
            yield Encoding("zstd", level, dictionary=shape.dictionary, encoding=shape.encoding)
