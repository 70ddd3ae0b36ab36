"""The fault-injecting storage that other tests build on does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.errors import StorageError
from lakehouse.storage import Storage, open_storage
from tests.fixtures.faults import WRITES, FaultyStorage, Moment


def work(storage: Storage) -> None:
    storage.put("a", b"12345678")
    storage.child("log").put_if_absent("0", b"x")
    storage.get("a")
    storage.delete(["a", "log/0"])


def test_counting_changes_nothing(tmp_path: Path) -> None:
    storage = FaultyStorage(open_storage(tmp_path))
    work(storage)

    assert storage.calls == 4
    assert storage.log == [("put", "a"), ("put_if_absent", "0"), ("get", "a"), ("delete", "a")]
    assert storage.list() == []
    assert storage.url == str(tmp_path)


@pytest.mark.parametrize(
    ("at", "when", "left"),
    [
        (1, "before", []),
        (1, "during", []),
        (1, "after", ["a"]),
        (2, "before", ["a"]),
        (2, "after", ["a", "log/0"]),
        (3, "before", ["a", "log/0"]),
        (4, "during", ["log/0"]),
        (4, "after", []),
    ],
)
def test_failing_at_a_call(tmp_path: Path, at: int, when: Moment, left: list[str]) -> None:
    inner = open_storage(tmp_path)
    storage = FaultyStorage(inner, at=at, when=when)

    with pytest.raises(StorageError, match="injected"):
        work(storage)

    assert storage.calls == at
    assert [info.path for info in inner.list()] == left
    if when == "during" and at == 1:
        assert (tmp_path / "a#1").read_bytes() == b"1234"


def test_counting_some_calls_only(tmp_path: Path) -> None:
    storage = FaultyStorage(open_storage(tmp_path), operations=WRITES)
    work(storage)

    assert [operation for operation, _ in storage.log] == ["put", "put_if_absent", "delete"]
