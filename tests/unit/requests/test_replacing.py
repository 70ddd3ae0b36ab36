"""Files are replaced where they lie: whole, once, and with nothing left beside them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lakehouse.delta.parquet_edit.problems import CantEditError
from lakehouse.errors import CorruptTableError, NotFoundError
from lakehouse.requests.redact.files import Cells
from lakehouse.requests.redact.replace import empty_in_place
from lakehouse.storage import Storage, open_storage
from tests.fixtures.pages import holds
from tests.unit.requests.test_emptying_files import PERSON, parquet, people

CELLS = [Cells(("email",))]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    found = open_storage(tmp_path, options={"fsync": "false"})
    found.put("a/f.parquet", parquet(people()))
    return found


def test_the_file_is_replaced_and_told_by_its_digests(storage: Storage) -> None:
    old = storage.get("a/f.parquet")
    done = empty_in_place(storage, "a/f.parquet", size=len(old), rows=[500], columns=CELLS)
    new = storage.get("a/f.parquet")
    assert done is not None
    assert (done.before, done.after) == (hashlib.sha256(old).hexdigest(), hashlib.sha256(new).hexdigest())
    assert (done.size, dict(done.cells)) == (len(old), {("email",): 1})
    assert not holds(new, PERSON.encode())
    assert [info.path for info in storage.list()] == ["a/f.parquet"]
    assert empty_in_place(storage, "a/f.parquet", size=len(old), rows=[500], columns=CELLS) is None


def test_a_checksum_of_hadoop_beside_it_goes(storage: Storage, tmp_path: Path) -> None:
    beside = tmp_path / "a" / ".f.parquet.crc"
    beside.write_bytes(b"of the old content")
    size = storage.head("a/f.parquet").size
    assert empty_in_place(storage, "a/f.parquet", size=size, rows=[500], columns=CELLS)
    assert not beside.exists()


def test_what_can_not_be_replaced_is_named_and_stays(storage: Storage) -> None:
    old = storage.get("a/f.parquet")
    with pytest.raises(NotFoundError):
        empty_in_place(storage, "a/g.parquet", size=1, rows=[1], columns=CELLS)
    with pytest.raises(CorruptTableError, match="not of the size"):
        empty_in_place(storage, "a/f.parquet", size=1, rows=[1], columns=CELLS)
    with pytest.raises(CantEditError, match=r"a/f\.parquet can't be .*, since it has fewer rows"):
        empty_in_place(storage, "a/f.parquet", size=len(old), rows=[5000], columns=CELLS)
    assert storage.get("a/f.parquet") == old
    storage.put("a/f.parquet", b"no parquet")
    with pytest.raises(CorruptTableError, match=r"a/f\.parquet"):
        empty_in_place(storage, "a/f.parquet", size=10, rows=[1], columns=CELLS)
