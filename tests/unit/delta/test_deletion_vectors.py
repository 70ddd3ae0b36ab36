from __future__ import annotations

import struct
import zlib
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from pyroaring import BitMap, BitMap64

from lakehouse.delta import deletion_vectors, z85
from lakehouse.delta.actions import DeletionVector
from lakehouse.errors import CorruptTableError
from lakehouse.storage import Storage, open_storage


@pytest.fixture
def table(tmp_path: Path) -> Storage:
    return open_storage(tmp_path)


def by_hand(bitmap: BitMap64) -> bytes:
    """The payload as the protocol draws it, built bucket by bucket and not by the code under test."""
    buckets: dict[int, list[int]] = {}
    for value in bitmap:
        buckets.setdefault(value >> 32, []).append(value & 0xFFFFFFFF)
    payload = struct.pack("<Iq", 1681511377, len(buckets))
    for high, low in sorted(buckets.items()):
        payload += struct.pack("<I", high) + BitMap(low).serialize()
    return payload


def file_of(payload: bytes) -> bytes:
    return b"\x01" + struct.pack(">I", len(payload)) + payload + struct.pack(">I", zlib.crc32(payload))


def test_vectors_of_one_write_share_a_file_and_come_back(table: Storage) -> None:
    bitmaps = [BitMap64([0, 7]), BitMap64(range(100_000)), BitMap64([5, 2**32 + 1, 2**40])]
    written = deletion_vectors.write(table, bitmaps)
    assert [info.path for info in table.list()] == [written[0].relative_path()]
    assert [vector.cardinality for vector in written] == [2, 100_000, 3]
    assert [vector.storage_type for vector in written] == ["u", "u", "u"]
    assert deletion_vectors.read_all(table, written[::-1]) == bitmaps[::-1]
    assert deletion_vectors.read(table, written[1]) == bitmaps[1]


def test_nothing_is_written_for_no_vectors(table: Storage) -> None:
    assert deletion_vectors.write(table, []) == []
    assert table.list() == []


def test_the_bytes_are_those_of_the_protocol(table: Storage) -> None:
    first, second = BitMap64([3, 4, 7, 11, 18, 29]), BitMap64([1, 2**33])
    one, two = deletion_vectors.write(table, [first, second])
    content = table.get(one.relative_path() or "")
    assert content[0] == 1
    assert one.offset == 1
    for vector, bitmap in ((one, first), (two, second)):
        start = vector.offset or 0
        assert struct.unpack_from(">I", content, start)[0] == vector.size_in_bytes
        payload = content[start + 4 : start + 4 + vector.size_in_bytes]
        assert payload == by_hand(bitmap)
        assert struct.unpack_from(">I", content, start + 4 + vector.size_in_bytes)[0] == zlib.crc32(payload)
    assert two.offset == 1 + 4 + one.size_in_bytes + 4


def test_a_long_run_takes_few_bytes(table: Storage) -> None:
    (vector,) = deletion_vectors.write(table, [BitMap64(range(1_000_000))])
    assert vector.size_in_bytes < 1000


def test_inline_vectors() -> None:
    payload = by_hand(BitMap64([1, 5, 9]))
    text = z85.encode(payload + b"\0" * (-len(payload) % 4))
    vector = DeletionVector("i", text, size_in_bytes=len(payload), cardinality=3)
    nowhere = open_storage("memory://")
    assert list(deletion_vectors.read(nowhere, vector)) == [1, 5, 9]


def test_the_older_form_in_the_protocols_own_example() -> None:
    text = "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"
    vector = DeletionVector("i", text, size_in_bytes=40, cardinality=6)
    assert list(deletion_vectors.read(open_storage("memory://"), vector)) == [3, 4, 7, 11, 18, 29]


def test_the_older_form_with_two_buckets() -> None:
    low, high = BitMap([1, 2]).serialize(), BitMap([3]).serialize()
    payload = struct.pack("<II", 1681511376, 2)
    payload += struct.pack("<I", len(low)) + low + struct.pack("<I", len(high)) + high
    assert list(deletion_vectors.deserialize(payload)) == [1, 2, 2**32 + 3]


@pytest.mark.parametrize("prefix", ["", "ab", "x/y"])
def test_relative_files_with_a_random_prefix(table: Storage, prefix: str) -> None:
    name = UUID("d2c639aa-8816-431a-aaf6-d3fe2512ff61")
    payload = by_hand(BitMap64([8]))
    folder = f"{prefix}/" if prefix else ""
    table.put(f"{folder}deletion_vector_{name}.bin", file_of(payload))
    vector = DeletionVector("u", prefix + z85.encode(name.bytes), len(payload), 1, offset=1)
    assert list(deletion_vectors.read(table, vector)) == [8]


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("form", ["file:", "file://", "plain"])
def test_absolute_paths(tmp_path: Path, inside: bool, form: str) -> None:
    table = open_storage(tmp_path / "table")
    folder = tmp_path / "table" if inside else tmp_path / "else where"
    payload = by_hand(BitMap64([8, 9]))
    folder.mkdir(exist_ok=True)
    (folder / "a b%.bin").write_bytes(file_of(payload))
    encoded = f"{folder}/a b%.bin".replace("%", "%25").replace(" ", "%20")
    path = encoded if form == "plain" else form + encoded
    vector = DeletionVector("p", path, len(payload), 2, offset=1)
    assert list(deletion_vectors.read(table, vector)) == [8, 9]


def test_without_an_offset_the_first_vector_is_meant(table: Storage) -> None:
    payload = by_hand(BitMap64([8]))
    table.put("v.bin", file_of(payload))
    assert list(deletion_vectors.read(table, DeletionVector("p", f"{table.url}/v.bin", len(payload), 1))) == [
        8
    ]


def damage(content: bytes, kind: str) -> bytes:
    match kind:
        case "version":
            return b"\x02" + content[1:]
        case "bit":
            return content[:20] + bytes([content[20] ^ 1]) + content[21:]
        case "checksum":
            return content[:-1] + bytes([content[-1] ^ 1])
        case "short":
            return content[:-5]
        case "length":
            return content[:4] + bytes([content[4] ^ 1]) + content[5:]
        case _:
            return b""


@pytest.mark.parametrize("kind", ["version", "bit", "checksum", "short", "length", "empty"])
def test_a_damaged_file_is_named(table: Storage, kind: str) -> None:
    (vector,) = deletion_vectors.write(table, [BitMap64([1, 2, 70_000])])
    path = vector.relative_path() or ""
    table.put(path, damage(table.get(path), kind))
    with pytest.raises(CorruptTableError, match=path):
        deletion_vectors.read(table, vector)


def test_a_missing_file_is_named(table: Storage) -> None:
    (vector,) = deletion_vectors.write(table, [BitMap64([1])])
    path = vector.relative_path() or ""
    table.delete([path])
    with pytest.raises(CorruptTableError, match=f"{path}.*is missing"):
        deletion_vectors.read(table, vector)


@pytest.mark.parametrize("magic", [b"", b"\0\0\0\0", struct.pack("<I", 1681511378)])
def test_an_unknown_format_is_refused(table: Storage, magic: bytes) -> None:
    payload = magic and magic + by_hand(BitMap64([1]))[4:]
    table.put("v.bin", file_of(payload))
    vector = DeletionVector("p", f"{table.url}/v.bin", len(payload), 1, offset=1)
    with pytest.raises(CorruptTableError, match=r"v\.bin"):
        deletion_vectors.read(table, vector)


def test_another_number_of_rows_than_the_log_says_is_refused(table: Storage) -> None:
    payload = by_hand(BitMap64([1]))
    table.put("v.bin", file_of(payload))
    vector = DeletionVector("p", f"{table.url}/v.bin", len(payload), 2, offset=1)
    with pytest.raises(CorruptTableError, match="holds 1 rows where the log says 2"):
        deletion_vectors.read(table, vector)


def test_an_unknown_storage_type_is_refused(table: Storage) -> None:
    with pytest.raises(CorruptTableError, match="'q'"):
        deletion_vectors.read(table, DeletionVector("q", "x", 1, 1))


def test_bitmaps_and_arrays() -> None:
    unsorted = np.array([5, 1, 5, 3], dtype=np.int64)
    assert list(deletion_vectors.bitmap_of(unsorted)) == [1, 3, 5]
    assert list(deletion_vectors.bitmap_of([4, 2])) == [2, 4]
    assert deletion_vectors.positions_of(BitMap64([2, 2**33])).tolist() == [2, 2**33]
    assert deletion_vectors.positions_of(BitMap64()).tolist() == []


@pytest.mark.parametrize(
    "payload", [b"", b"\xd1", struct.pack("<I", 1681511377), b"\xd0\xd39d\xff\xff\xff\x7f"]
)
def test_a_payload_that_ends_too_early_is_damage(table: Storage, payload: bytes) -> None:
    table.put("x.bin", file_of(payload))
    with pytest.raises(CorruptTableError, match="is damaged"):
        deletion_vectors.read(table, DeletionVector("p", f"{table.url}/x.bin", len(payload), 1, 1))


@pytest.mark.parametrize(("offset", "size"), [(-9, 20), (1, -3), (None, -1)])
def test_a_descriptor_that_names_an_impossible_place_is_damage(
    table: Storage, offset: int | None, size: int
) -> None:
    (vector,) = deletion_vectors.write(table, [BitMap64([1])])
    for kind, place in (("u", vector.path_or_inline_dv), ("i", z85.encode(b"12345678"))):
        with pytest.raises(CorruptTableError, match="is damaged"):
            deletion_vectors.read(table, DeletionVector(kind, place, size, 1, offset))


@pytest.mark.parametrize(
    ("count", "rows"),
    [
        (5_000, 5_000),
        (5_000, 70_000),
        (65_536, 65_536),
        (131_073, 131_073),
        (60_000, 300_000),
        (40_000, 10**6),
    ],
)
def test_many_positions_make_the_same_bitmap_as_one_by_one(count: int, rows: int) -> None:
    random = np.random.default_rng(count + rows)
    ascending = np.sort(random.choice(rows, count, replace=False))
    expected = BitMap64(ascending.tolist())
    for positions in (ascending, random.permutation(ascending), np.repeat(ascending, 2)):
        found = deletion_vectors.bitmap_of(positions)
        assert found == expected
        assert np.array_equal(deletion_vectors.positions_of(found), ascending)
        assert deletion_vectors.deserialize(deletion_vectors.serialize(found)) == expected
    grown = deletion_vectors.bitmap_of(ascending) | BitMap64([2**33])
    assert len(grown) == count + 1
