"""The same checks and repairs on an object store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from deltalake import DeltaTable

from lakehouse import Lakehouse
from lakehouse.delta.checkpoint import write_checkpoint
from lakehouse.table import Table
from tests.fixtures.servers import S3Server

pytestmark = pytest.mark.server


@pytest.fixture
def table(moto_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    """Three files, a vector, a checkpoint."""
    monkeypatch.setenv("SECRET", moto_s3.secret_access_key)
    options = {**moto_s3.options(), "secret_access_key": "${SECRET}"}
    with moto_s3.bucket() as bucket:
        made = Lakehouse.open(
            {
                "version": 1,
                "name": "x",
                "storage": {"root": f"s3://{bucket}/lake", "options": options},
                "tables": {"t": {"key": ["id"], "merge": "on_read"}},
            }
        ).table("t")
        for start in (0, 100, 200):
            made.merge([{"id": number, "v": f"value {number}"} for number in range(start, start + 100)])
        made.merge([{"id": 7, "_op": "delete"}])
        assert write_checkpoint(made.storage, made.snapshot().version).made
        yield made


def kinds(table: Table, *, full: bool = False) -> list[str]:
    return [item.kind for item in table.verify(full=full).findings]


def test_a_healthy_table(table: Table) -> None:
    report = table.verify(full=True)
    assert (report.findings, report.notices) == ((), ())
    assert (report.files_read, report.rows_read, report.vectors) == (3, 300, 1)
    assert table.verify().rows_read == 300


def test_lost_and_damaged_files(table: Table) -> None:
    store = table.storage
    paths = [add.path for add in table.snapshot().files.values()]
    whole = [store.get(path) for path in paths]
    store.put(paths[0], whole[0][:-9])
    store.put(paths[1], whole[1][:40] + bytes(40) + whole[1][80:])
    store.delete([paths[2]])
    assert sorted(kinds(table)) == ["missing_file", "unreadable_file", "wrong_size"]
    report = table.verify(repair=True)
    assert report.repaired == ()
    for path, content in zip(paths, whole, strict=True):
        store.put(path, content)
    assert kinds(table, full=True) == []


def test_a_vector_and_a_checkpoint(table: Table) -> None:
    store = table.storage
    (vector,) = (add.deletion_vector for add in table.snapshot().files.values() if add.deletion_vector)
    place = str(vector.relative_path())
    content = store.get(place)
    store.put(place, content[:-1] + bytes([content[-1] ^ 1]))
    (checkpoint,) = (info.path for info in store.list("_delta_log") if "checkpoint.parquet" in info.path)
    store.put(checkpoint, store.get(checkpoint)[:-50])
    assert sorted(kinds(table)) == ["bad_checkpoint", "bad_vector"]
    report = table.verify(repair=True)
    assert [item.kind for item in report.findings] == ["bad_vector"]
    assert [item.kind for item in report.repaired] == ["checkpoint"]
    store.put(place, content)
    assert kinds(table, full=True) == []
    there = DeltaTable(store.uri(), storage_options=store.library_options())
    assert there.version() == table.snapshot().version
    assert len(there.file_uris()) == 3


def test_statistics_are_corrected(table: Table) -> None:
    store = table.storage
    for info in store.list("_delta_log"):
        if info.path.endswith(".json"):
            text = store.get(info.path).decode()
            store.put(
                info.path, text.replace('\\"nullCount\\":{\\"id\\":0', '\\"nullCount\\":{\\"id\\":4').encode()
            )
    store.delete([info.path for info in store.list("_delta_log") if not info.path.endswith(".json")])
    version = table.snapshot().version
    found = table.verify()
    # Where rows are deleted, a number of nulls only says something if it is 0 or all.
    assert [item.kind for item in found.findings] == ["wrong_statistics"] * 2
    report = table.verify(repair=True, found=found)
    assert report.findings == ()
    assert report.version == version + 1
    assert table.read().height == 299
