"""Compaction: few files afterwards, few of them opened by a merge, no row lost whoever writes meanwhile."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse.delta.data import write_files
from lakehouse.errors import StorageError
from lakehouse.maintenance import after_merge
from lakehouse.merge.locate import KeyFilter
from lakehouse.table import Table
from tests.properties.tables import NAME, by_delta_rs, delta, everywhere, open_table, ours

ROWS = 20_000


def filled(root: Path, *, target_size: int | None = None, **section: Any) -> Table:
    table = open_table(root, **{"changes": {"sequence": "n"}, **section})
    ids = pl.int_range(ROWS, eager=True)
    table.merge(
        pl.DataFrame({"id": ids, "v": ids.cast(pl.String), "n": pl.zeros(ROWS, pl.Int64, eager=True)})
    )
    if target_size is not None:
        DeltaTable(str(root / NAME)).alter.set_table_properties({"delta.targetFileSize": str(target_size)})
    return table


def scattered(n: int, rows: int = 200) -> pl.DataFrame:
    ids = (pl.int_range(rows, eager=True) * (ROWS // rows) + n) % ROWS
    return pl.DataFrame({"id": ids, "v": [f"new{n}"] * rows, "n": [n] * rows})


def opened(table: Table, first: int, count: int = 100) -> int:
    """Files that a merge of neighbouring keys has to look into."""
    keys = pl.DataFrame({"id": pl.int_range(first, first + count, eager=True)})
    snapshot = table.snapshot()
    return len(KeyFilter.of(keys).files(tuple(snapshot.files.values()), snapshot=snapshot))


def test_later_merges_of_neighbouring_rows_open_one_file(tmp_path: Path) -> None:
    table = filled(tmp_path, target_size=20_000)
    for n in range(1, 21):
        table.merge(scattered(n, 2000))
    before = ours(table).sort("id")
    assert opened(table, 5000) > 5
    done = table.compact()
    assert done.version is not None
    assert len(table.snapshot().files) == done.files_added > 3
    assert [opened(table, first) for first in (0, 5000, 19_000)] == [1, 1, 1]
    assert ours(table).sort("id").equals(before)
    assert by_delta_rs(tmp_path).sort("id").select("id", "v").equals(before.select("id", "v"))
    assert all(add.deletion_vector is None for add in table.snapshot().files.values())
    assert table.compact().version is None


def test_rows_lie_by_the_columns_that_the_config_names(tmp_path: Path) -> None:
    table = open_table(tmp_path, compact={"cluster_by": ["day"]})
    for day in (3, 1, 2):
        table.merge([{"id": f"{day}-{n}", "day": day if n else None} for n in range(3)])
    table.compact()
    assert ours(table)["day"].to_list() == [None, None, None, 1, 1, 2, 2, 3, 3]


def test_merges_keep_the_number_of_files_bounded(tmp_path: Path) -> None:
    table = filled(tmp_path, compact={"after": 5})
    most, put_together = 0, 0
    for n in range(1, 31):
        result = table.merge(scattered(n))
        most = max(most, len(table.snapshot().files))
        put_together += result.files_compacted
        assert (result.compacted_version is None) == (result.files_compacted == 0)
    assert most <= 6
    assert put_together > 20
    rows = everywhere(table, tmp_path)
    assert len(rows) == ROWS
    assert sum(row["v"].startswith("new") for row in rows) == len(
        {key for n in range(1, 31) for key in scattered(n)["id"]}
    )


def test_without_the_setting_merges_put_nothing_together(tmp_path: Path) -> None:
    table = filled(tmp_path)
    assert [table.merge(scattered(n)).files_compacted for n in range(1, 8)] == [0] * 7
    assert len(table.snapshot().files) == 8


def test_a_compaction_that_fails_does_not_fail_the_merge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = filled(tmp_path, compact={"after": 2})

    def broken(*_: Any, **__: Any) -> None:
        raise StorageError("the store is away")

    monkeypatch.setattr(after_merge, "compact", broken)
    results = [table.merge(scattered(n)) for n in range(1, 6)]
    assert [result.updated for result in results] == [200] * 5
    assert [result.files_compacted for result in results] == [0] * 5


def test_a_compaction_that_loses_the_race_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = filled(tmp_path)
    for n in range(1, 4):
        table.merge(scattered(n))
    rival = open_table(tmp_path, changes={"sequence": "n"}, compact={"after": 2})
    racing = write_files

    def overtaken(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr("lakehouse.maintenance.compact.write_files", racing)
        # Every file is marked by the time the compaction wants to commit.
        table.merge(scattered(9, ROWS))
        return racing(*args, **options)

    monkeypatch.setattr("lakehouse.maintenance.compact.write_files", overtaken)
    result = rival.merge(scattered(4))
    assert (result.committed, result.files_compacted, result.compacted_version) == (True, 0, None)
    assert {row["v"] for row in everywhere(rival, tmp_path)} == {"new9"}
    named = {add.path for add in rival.snapshot().files.values()}
    assert named <= {path.name for path in (tmp_path / NAME).glob("*.parquet")}


def test_a_group_of_which_most_has_gone_meanwhile_is_left_to_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = open_table(tmp_path, partition_by=["p"])
    for n in range(3):
        table.merge([{"id": f"{p}{n}", "p": p, "v": 0} for p in "ab"])
    racing = write_files

    def overtaken(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr("lakehouse.maintenance.compact.write_files", racing)
        other = open_table(tmp_path, partition_by=["p"])
        other.merge([{"id": f"a{n}", "p": "a", "v": 1} for n in (0, 1)])
        return racing(*args, **options)

    monkeypatch.setattr("lakehouse.maintenance.compact.write_files", overtaken)
    done = table.compact()
    assert [group.files[0].partition_values for group in done.groups] == [{"p": "b"}]
    assert (done.files_removed, done.files_added) == (3, 1)
    assert {(row["id"], row["v"]) for row in everywhere(table, tmp_path)} == {
        ("a0", 1), ("a1", 1), ("a2", 0), ("b0", 0), ("b1", 0), ("b2", 0)
    }  # fmt: skip


def test_merges_and_compactions_at_once_lose_nothing(tmp_path: Path) -> None:
    filled(tmp_path, target_size=30_000)
    writers, batches = 3, 8
    stop = threading.Event()
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        table = open_table(tmp_path, changes={"sequence": "n"}, compact={"after": 3})
        try:
            for n in range(1, batches + 1):
                ids = range(writer, 2000, writers)
                table.merge([{"id": key, "v": f"{writer}", "n": n} for key in ids])
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    def tidy() -> None:
        table = open_table(tmp_path)
        while not stop.is_set():
            try:
                table.compact()
            except BaseException as error:  # noqa: BLE001 - told to the test
                if type(error).__name__ != "ConflictError":
                    failures.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    keeper = threading.Thread(target=tidy)
    for thread in (keeper, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    keeper.join()
    assert failures == []
    rows = {row["id"]: (row["v"], row["n"]) for row in everywhere(open_table(tmp_path), tmp_path)}
    assert len(rows) == ROWS
    assert all(rows[key] == (str(key % writers), batches) for key in range(2000))


def test_a_file_that_is_mostly_dead_is_rewritten_and_its_vector_goes(tmp_path: Path) -> None:
    table = open_table(tmp_path, clock=lambda: datetime.now(UTC))
    table.merge([{"id": n, "v": "a"} for n in range(100)])
    table.merge([{"id": n, "_op": "delete"} for n in range(50)])
    (marked,) = table.snapshot().files.values()
    assert marked.deletion_vector is not None
    table.merge([{"id": 50, "_op": "delete"}])
    (clean,) = table.snapshot().files.values()
    assert clean.deletion_vector is None
    assert clean.physical_records == 49
    assert {row["id"] for row in everywhere(table, tmp_path)} == set(range(51, 100))


def test_a_table_that_is_clustered_keeps_its_own_columns(tmp_path: Path) -> None:
    table = open_table(tmp_path)
    for n in range(3):
        table.merge([{"id": 10 * n + m, "v": 9 - m} for m in range(3)])
    log = tmp_path / NAME / "_delta_log"
    version = delta(tmp_path).version() + 1
    (log / f"{version:020}.json").write_text(
        '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],'
        '"writerFeatures":["deletionVectors","clustering","domainMetadata"]}}\n'
        '{"domainMetadata":{"domain":"delta.clustering","configuration":'
        '"{\\"clusteringColumns\\":[[\\"v\\"]]}","removed":false}}\n'
    )
    table.compact()
    assert ours(table)["v"].to_list() == [7] * 3 + [8] * 3 + [9] * 3
