"""Deletion vectors: which rows of a data file are gone, as a bitmap of their positions.

Delta protocol, sections "Deletion Vectors" and "Deletion Vector Format". A position is the row's index in
its Parquet file, from 0. Bitmaps are 64-bit roaring bitmaps; inside a file each comes with its length and a
CRC-32, both big-endian, behind one version byte for the whole file.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap, BitMap64

from lakehouse.delta import z85
from lakehouse.delta.actions import DeletionVector
from lakehouse.delta.locations import locate, map_files
from lakehouse.errors import CorruptTableError, NotFoundError
from lakehouse.storage import Storage

MAGIC: Final = 1681511377
# Written by early releases only, and in the protocol's own example: 32-bit bitmaps one after the other.
_OLD_MAGIC: Final = 1681511376
_VERSION: Final = 1
_LENGTH_BYTES: Final = 4
_CHECKSUM_BYTES: Final = 4
_FIRST_VECTOR: Final = 1
# The magic number and how many bitmaps follow.
_SHORTEST: Final = 8
# From so many positions on, if at least one in so many rows is among them, putting the serialized form
# together is faster than adding them.
_MANY: Final = 4096
_DENSE: Final = 64
_BUCKET: Final = 1 << 32
_LONGEST_LIST: Final = 4096
_NO_RUNS: Final = 12346


def read(storage: Storage, vector: DeletionVector) -> BitMap64:
    """Read one deletion vector.

    Args:
        storage: The table's root.
        vector: Its descriptor.

    Returns:
        The positions of the deleted rows.

    Raises:
        CorruptTableError: The vector is missing, damaged, or not what its descriptor says.
        StorageError: The store failed.
    """
    return read_all(storage, [vector])[0]


def read_all(storage: Storage, vectors: Sequence[DeletionVector]) -> list[BitMap64]:
    """Read many deletion vectors, with one request for each file that holds some of them.

    Args:
        storage: The table's root.
        vectors: Their descriptors.

    Returns:
        A bitmap for each, in the same order.

    Raises:
        CorruptTableError: A vector is missing, damaged, or not what its descriptor says.
        StorageError: The store failed.
    """
    found: list[BitMap64 | None] = [None] * len(vectors)
    files: dict[str, list[int]] = {}
    for index, vector in enumerate(vectors):
        place = vector.place()
        if place is None:
            found[index] = _read_inline(vector)
        else:
            files.setdefault(place, []).append(index)

    def read_file(place: str) -> list[BitMap64]:
        return _read_file(storage, place, [vectors[index] for index in files[place]])

    answers = map_files(read_file, list(files), storage=storage)
    for indexes, bitmaps in zip(files.values(), answers, strict=True):
        for index, bitmap in zip(indexes, bitmaps, strict=True):
            found[index] = bitmap
    return [bitmap for bitmap in found if bitmap is not None]


def write(storage: Storage, bitmaps: Sequence[BitMap64]) -> list[DeletionVector]:
    """Write deletion vectors into one new file at the table's root.

    Args:
        storage: The table's root.
        bitmaps: The positions of deleted rows, one bitmap for each data file.

    Returns:
        A descriptor for each, in the same order; none (and no file) for no bitmaps.

    Raises:
        StorageError: The store failed.
    """
    if not bitmaps:
        return []
    name = uuid4()
    text = z85.encode(name.bytes)
    content = bytearray([_VERSION])
    written: list[DeletionVector] = []
    for bitmap in bitmaps:
        payload = serialize(bitmap)
        written.append(
            DeletionVector(
                storage_type="u",
                path_or_inline_dv=text,
                offset=len(content),
                size_in_bytes=len(payload),
                cardinality=len(bitmap),
            )
        )
        content += struct.pack(">I", len(payload)) + payload + struct.pack(">I", zlib.crc32(payload))
    storage.put(f"deletion_vector_{name}.bin", bytes(content))
    return written


def serialize(bitmap: BitMap64) -> bytes:
    """A vector's own bytes, as files and the log hold them (section "Deletion Vector Format").

    Args:
        bitmap: Positions of deleted rows.

    Returns:
        The magic number, then the portable form of a 64-bit roaring bitmap.
    """
    compact = BitMap64(bitmap)
    compact.run_optimize()
    return struct.pack("<I", MAGIC) + compact.serialize()


def deserialize(payload: bytes) -> BitMap64:
    """Read a vector's own bytes.

    Args:
        payload: As files and the log hold them, without length and checksum.

    Returns:
        Positions of deleted rows.

    Raises:
        ValueError: They are no vector.
    """
    if len(payload) < _SHORTEST:
        raise ValueError("it is too short")
    little, big = struct.unpack("<I", payload[:4])[0], struct.unpack(">I", payload[:4])[0]
    if little == MAGIC:
        return BitMap64.deserialize(payload[4:])
    if _OLD_MAGIC in (little, big):
        return _deserialize_old(payload, order="<" if little == _OLD_MAGIC else ">")
    raise ValueError(f"its format {little} is not known")


def positions_of(bitmap: BitMap64) -> npt.NDArray[np.uint64]:
    """A bitmap as an array.

    Args:
        bitmap: Positions.

    Returns:
        The same positions, ascending, shape (cardinality,).
    """
    return np.asarray(bitmap.to_array(), dtype=np.uint64)


def bitmap_of(positions: Iterable[int] | npt.NDArray[np.integer]) -> BitMap64:
    """Positions as a bitmap.

    Args:
        positions: Row positions in any order; repeats count once.

    Returns:
        The bitmap.
    """
    if isinstance(positions, np.ndarray):
        wide = positions.astype(np.uint64, copy=False)
        if (wide[1:] <= wide[:-1]).any():
            wide = np.unique(wide)  # which pyroaring takes five times as fast
        if wide.size > _MANY and wide[-1] < min(_BUCKET, wide.size * _DENSE):
            return BitMap64.deserialize(_serialized(wide))
        # An array of the standard library is what it takes without touching each number.
        return BitMap64(array("Q", wide.tobytes()))
    return BitMap64(positions)


def _serialized(ascending: npt.NDArray[np.uint64]) -> bytes:
    """The portable form of a bitmap of many positions, put together here, which beats adding one by one.

    One bucket of 32 bits: for each 65,536 positions a list of the low halves, or, of more than 4,096, bits.
    """
    high, low = (ascending >> np.uint64(16)).astype("<u2"), (ascending & np.uint64(0xFFFF)).astype("<u2")
    starts = np.append(0, np.flatnonzero(high[1:] != high[:-1]) + 1)
    keys, ends = high[starts], np.append(starts[1:], ascending.size)
    sizes = ends - starts
    parts: list[bytes] = []
    for start, end in zip(starts, ends, strict=True):
        if end - start <= _LONGEST_LIST:
            parts.append(low[start:end].tobytes())
        else:
            bits = np.zeros(1 << 16, dtype=np.bool_)
            bits[low[start:end]] = True
            parts.append(np.packbits(bits, bitorder="little").tobytes())
    heads = np.empty(2 * keys.size, dtype="<u2")
    heads[0::2], heads[1::2] = keys, sizes - 1
    first = 8 + 8 * keys.size
    places = first + np.cumsum([0, *(len(part) for part in parts[:-1])])
    start_of_bucket = struct.pack("<QIII", 1, 0, _NO_RUNS, keys.size)
    return b"".join([start_of_bucket, heads.tobytes(), places.astype("<u4").tobytes(), *parts])


def _deserialize_old(payload: bytes, *, order: str) -> BitMap64:
    count = struct.unpack_from(f"{order}I", payload, 4)[0]
    found, at = BitMap64(), 8
    for high in range(count):
        size = struct.unpack_from(f"{order}I", payload, at)[0]
        low = np.array(BitMap.deserialize(payload[at + 4 : at + 4 + size]).to_array(), dtype=np.uint64)
        found |= BitMap64(low + np.uint64(high << 32))
        at += 4 + size
    return found


def _read_inline(vector: DeletionVector) -> BitMap64:
    name = "a deletion vector inside the log"
    # The text is filled up to a multiple of four bytes.
    payload = z85.decode(vector.path_or_inline_dv)[: max(vector.size_in_bytes, 0)]
    if len(payload) != vector.size_in_bytes:
        raise _damaged(name, "it is too short")
    return _checked(payload, vector, name=name)


def _read_file(storage: Storage, place: str, vectors: Sequence[DeletionVector]) -> list[BitMap64]:
    """Read the asked vectors of one file."""
    name = f"the deletion vector file {place} of {storage.url}"
    if any(_start(vector) < _FIRST_VECTOR or vector.size_in_bytes < 0 for vector in vectors):
        raise _damaged(name, "the log names a place before its beginning")
    end = max(_start(vector) + _LENGTH_BYTES + vector.size_in_bytes + _CHECKSUM_BYTES for vector in vectors)
    home, path = locate(storage, place)
    try:
        # The version byte comes along, so that one request is enough.
        content = home.get_range(path, start=0, length=end)
    except NotFoundError as error:
        raise CorruptTableError(
            f"the deletion vector file {place} of {storage.url} is missing",
            advice="restore the file from a backup, or read a version that does not need it",
        ) from error
    if content[:1] != bytes([_VERSION]):
        raise _damaged(name, f"it has the format version {content[0] if content else 'none'}, not {_VERSION}")
    return [_checked(_payload(content, vector, name=name), vector, name=name) for vector in vectors]


def _payload(content: bytes, vector: DeletionVector, *, name: str) -> bytes:
    start = _start(vector) + _LENGTH_BYTES
    end = start + vector.size_in_bytes
    if len(content) < end + _CHECKSUM_BYTES:
        raise _damaged(name, "it is too short")
    length = struct.unpack_from(">I", content, start - _LENGTH_BYTES)[0]
    if length != vector.size_in_bytes:
        raise _damaged(name, f"it says {length} bytes where the log says {vector.size_in_bytes}")
    payload = content[start:end]
    if struct.unpack_from(">I", content, end)[0] != zlib.crc32(payload):
        raise _damaged(name, "its checksum is wrong")
    return payload


def _checked(payload: bytes, vector: DeletionVector, *, name: str) -> BitMap64:
    try:
        bitmap = deserialize(payload)
    except (ValueError, IndexError, struct.error) as error:
        raise _damaged(name, error if type(error) is ValueError else "it ends too early") from error
    if len(bitmap) != vector.cardinality:
        raise _damaged(name, f"it holds {len(bitmap)} rows where the log says {vector.cardinality}")
    return bitmap


def _start(vector: DeletionVector) -> int:
    # Nothing can start at 0, where the version byte is: a missing offset means the first vector.
    return vector.offset or _FIRST_VECTOR


def _damaged(name: str, reason: object) -> CorruptTableError:
    return CorruptTableError(
        f"{name} is damaged: {reason}",
        advice="restore the file from a backup, or read a version that does not need it",
    )
