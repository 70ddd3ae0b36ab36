"""Each kind of damage, made for real, is found, and only it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse.delta.actions import DeletionVector
from lakehouse.delta.deletion_vectors import bitmap_of, write
from lakehouse.storage import open_storage
from lakehouse.table import Table
from tests.faults import work
from tests.integration.delta_log import test_checkpoint_kinds as checkpoints
from tests.integration.interop.engines import open_table
from tests.integration.interop.test_delta_rs_tables import with_feed
from tests.integration.verify.damage import (
    Line,
    edit_log,
    edit_stats,
    files_of,
    flip,
    flip_page,
    kinds,
)
from tests.unit.merge.test_mapped_tables import mapped

LONG = "ä" * 20 + "x" * 60
ROWS = [
    {
        "id": number,
        "n": number if number % 3 else None,
        "text": f"{LONG}{number:03}",
        "price": Decimal(number) / 100,
        "day": date(2026, 1, 1 + number % 28),
        "at": datetime(2026, 1, 1, 0, 0, number % 60, 123456, tzinfo=UTC),
        "flag": number % 2 == 0,
        "real": number / 8,
        "in": {"deep": number, "word": None if number % 5 else "w"},
    }
    for number in range(100)
]
SCHEMA = {
    "id": "long",
    "n": "integer",
    "text": "string",
    "price": "decimal(10,2)",
    "day": "date",
    "at": "timestamp",
    "flag": "boolean",
    "real": "double",
    "in": "struct<deep:long,word:string>",
}


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """One file of every type, with statistics; no vector."""
    made = open_table(tmp_path, schema=SCHEMA, merge="on_write")
    made.create()
    made.merge(ROWS)
    assert made.verify(full=True).findings == ()
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t"


def put(tree: str, name: str, value: object) -> Callable[[Line], object]:
    """A change of one statistic; ``a.b`` is a field of a struct."""

    def change(stats: Line) -> None:
        place = stats[tree]
        *above, last = name.split(".")
        for part in above:
            place = place[part]
        place[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("nullCount", "n", 33),
        put("nullCount", "n", -1),
        put("nullCount", "n", 101),
        put("nullCount", "n", "34"),
        put("nullCount", "in.word", 0),
        put("nullCount", "id", 1),
        put("minValues", "id", 1),
        put("minValues", "id", -1),
        put("maxValues", "id", 98),
        put("maxValues", "id", 1000),
        put("minValues", "id", "zero"),
        put("maxValues", "text", "ä"[:0] + "a"),
        put("minValues", "text", "ö"),
        put("minValues", "text", 7),
        put("minValues", "price", 0.5),
        put("maxValues", "price", 0.98),
        put("minValues", "day", "2026-01-02"),
        put("maxValues", "day", "2026-01-29"),
        put("minValues", "at", "2026-01-01T00:00:01.000Z"),
        put("maxValues", "at", "2026-01-01T00:00:58.999Z"),
        put("maxValues", "real", 1.0),
        put("minValues", "in.deep", 1),
        put("maxValues", "in.deep", 98),
        put("minValues", "flag", True),
    ],
)
def test_a_statistic_that_is_not_true(table: Table, path: Path, change: Callable[[Line], object]) -> None:
    edit_stats(path, change)
    report = table.verify()
    (finding,) = report.findings
    assert (finding.kind, finding.repairable) == ("wrong_statistics", True)
    # Bounds are values of rows, which no report may hold.
    assert "98" not in finding.detail
    assert "2026" not in finding.detail


@pytest.mark.parametrize(
    "change",
    [
        put("maxValues", "text", LONG[:32] + "\U0010ffff"),
        put("maxValues", "text", LONG[:16]),
        put("minValues", "text", LONG[:3]),
        put("minValues", "at", "2026-01-01T00:00:00.123Z"),
        put("maxValues", "at", "2026-01-01T00:00:59.123+00:00"),
        put("minValues", "real", -100.0),
        put("minValues", "n", None),
        put("nullCount", "n", None),
        put("maxValues", "unknown", 7),
        lambda stats: stats.pop("minValues"),
        lambda stats: stats.update(
            {"minValues": {"id": -7}, "maxValues": {"id": 1000}, "tightBounds": False}
        ),
        lambda stats: stats.update({"nullCount": {"n": 50}, "tightBounds": False}),
    ],
)
def test_statistics_that_are_true_in_another_way(
    table: Table, path: Path, change: Callable[[Line], object]
) -> None:
    """Cut off, rounded, left out, or said to be wide."""
    edit_stats(path, change)
    assert table.verify(full=True).findings == ()


def test_wide_bounds_may_not_leave_rows_out(table: Table, path: Path) -> None:
    edit_stats(path, lambda stats: stats.update({"minValues": {"id": 5}, "tightBounds": False}))
    assert kinds(table) == ["wrong_statistics"]


def test_statistics_that_are_no_json(table: Table, path: Path) -> None:
    edit_log(path, lambda line: line.get("add", {}).update({"stats": '{"numRecords": 1'}))
    assert kinds(table) == ["wrong_statistics"]


def test_bounds_count_only_for_rows_that_are_not_deleted(tmp_path: Path, path: Path) -> None:
    """A writer may narrow them when rows go."""
    table = open_table(tmp_path, merge="on_read")
    table.merge([{"id": number} for number in range(50)])
    table.merge([{"id": 0, "_op": "delete"}])
    edit_stats(path, put("minValues", "id", 1))
    assert table.verify(full=True).findings == ()
    edit_stats(path, put("minValues", "id", 2))
    assert kinds(table) == ["wrong_statistics"]


def test_a_number_of_rows_that_is_not_true(table: Table, path: Path) -> None:
    edit_stats(path, lambda stats: stats.update({"numRecords": 99}))
    (finding,) = table.verify().findings
    assert (finding.kind, finding.repairable) == ("wrong_row_count", True)


def test_pages_whose_bytes_were_turned_over(table: Table) -> None:
    """Every column in turn."""
    (file,) = files_of(table)
    whole = file.read_bytes()
    for column in range(pq.read_metadata(file).num_columns):
        flip_page(file, column, end=False)
        found = table.verify(full=True).findings
        assert found, column
        assert {item.kind for item in found} <= {"unreadable_file", "damaged_rows"}
        assert not any(item.repairable for item in found)
        file.write_bytes(whole)


def test_values_that_changed_and_can_still_be_read(tmp_path: Path, path: Path) -> None:
    """The log's statistics are not to be corrected then: the file's own footer knows better."""
    content = pa.table({"id": pa.array(range(1000)), "x": pa.array([0.5] * 1000)})
    write_deltalake(path, content)
    table = open_table(tmp_path)
    (file,) = files_of(table)
    pq.write_table(content, file, compression="none", use_dictionary=False, column_encoding="PLAIN")
    size = file.stat().st_size
    edit_log(path, lambda line: line.get("add", {}).update({"size": size}))
    assert table.verify(full=True).findings == ()
    chunk = pq.read_metadata(file).row_group(0).column(0)
    flip(file, chunk.data_page_offset + chunk.total_compressed_size - 1, 1)
    (finding,) = table.verify().findings
    assert (finding.kind, finding.repairable) == ("damaged_rows", False)
    assert not table.verify(repair=True).repaired


def test_pages_with_checksums(tmp_path: Path, path: Path) -> None:
    """One bit of a value that nothing else tells: only the page's checksum does."""
    content = pa.table({"id": pa.array(range(1000)), "x": pa.array([0.5] * 1000)})
    write_deltalake(path, content)
    table = open_table(tmp_path)
    (file,) = files_of(table)
    pq.write_table(
        content,
        file,
        compression="none",
        use_dictionary=False,
        write_page_checksum=True,
        column_encoding="PLAIN",
    )
    size = file.stat().st_size
    edit_log(path, lambda line: line.get("add", {}).update({"size": size, "stats": None}))
    assert table.verify(full=True).findings == ()
    chunk = pq.read_metadata(file).row_group(0).column(1)
    flip(file, chunk.data_page_offset + chunk.total_compressed_size - 100, 1)
    (finding,) = table.verify().findings
    assert finding.kind == "unreadable_file"
    assert not finding.repairable


def test_a_file_that_was_cut_or_grew(table: Table) -> None:
    (file,) = files_of(table)
    whole = file.read_bytes()
    for content in (whole[:-1], whole[:100], b"", whole + b"x"):
        file.write_bytes(content)
        (finding,) = table.verify().findings
        assert (finding.kind, finding.repairable) == ("wrong_size", False)
    file.unlink()
    assert kinds(table) == ["missing_file"]


def test_a_wrong_size_of_a_file_that_is_whole(table: Table, path: Path) -> None:
    edit_log(path, lambda line: line.get("add", {}).update({"size": 17}))
    (finding,) = table.verify().findings
    assert (finding.kind, finding.repairable) == ("wrong_size", True)


def test_another_file_in_the_place_of_one(table: Table) -> None:
    """It can be read, and has as many rows; that its size is another one is not the log's mistake."""
    (file,) = files_of(table)
    pl.read_parquet(file).with_columns(pl.col("id") + 500).write_parquet(file, compression="uncompressed")
    found = table.verify().findings
    assert {item.kind for item in found} == {"wrong_size", "wrong_statistics"}
    assert not any(item.repairable for item in found)


def test_columns_of_another_type(table: Table, path: Path) -> None:
    (file,) = files_of(table)
    pl.read_parquet(file).with_columns(n=pl.lit("word")).write_parquet(file)
    size = file.stat().st_size
    edit_log(path, lambda line: line.get("add", {}).update({"size": size}))
    found = {item.kind for item in table.verify().findings}
    assert found == {"wrong_columns"}


@pytest.mark.parametrize("value", ["noon", "2026-02-30", ""])
def test_partition_values(tmp_path: Path, path: Path, value: str) -> None:
    table = open_table(tmp_path, schema={"id": "long", "d": "date"}, partition_by=["d"])
    table.create()
    table.merge([{"id": 1, "d": "2026-02-03"}])
    edit_log(path, lambda line: line.get("add", {}).update({"partitionValues": {"d": value}}))
    assert kinds(table) == ([] if value == "" else ["bad_partition_value"])
    edit_log(path, lambda line: line.get("add", {}).update({"partitionValues": {}}))
    assert kinds(table) == ["bad_partition_value"]


def test_partition_values_out_of_range(tmp_path: Path, path: Path) -> None:
    table = open_table(tmp_path, schema={"id": "long", "p": "byte"}, partition_by=["p"])
    table.create()
    table.merge([{"id": 1, "p": 5}])
    edit_log(path, lambda line: line.get("add", {}).update({"partitionValues": {"p": "300"}}))
    assert kinds(table) == ["bad_partition_value"]


def with_vector(tmp_path: Path) -> Table:
    table = open_table(tmp_path, merge="on_read")
    table.merge([{"id": number, "a": "x"} for number in range(20)])
    table.merge([{"id": 3, "_op": "delete"}])
    return table


def vector_of(table: Table) -> DeletionVector:
    (vector,) = (add.deletion_vector for add in table.snapshot().files.values() if add.deletion_vector)
    return vector


def test_vectors(tmp_path: Path, path: Path) -> None:
    table = with_vector(tmp_path)
    vector = vector_of(table)
    file = path / str(vector.relative_path())
    whole = file.read_bytes()
    for content in (whole[:-2], whole[:9] + bytes(byte ^ 1 for byte in whole[9:14]) + whole[14:], b""):
        file.write_bytes(content)
        (finding,) = table.verify().findings
        assert (finding.kind, finding.repairable) == ("bad_vector", False)
        assert "backup" in finding.advice
    file.unlink()
    assert kinds(table) == ["bad_vector"]
    file.write_bytes(whole)

    def others(line: Line) -> None:
        if line.get("add", {}).get("deletionVector"):
            line["add"]["deletionVector"]["cardinality"] = 2

    edit_log(path, others)
    assert kinds(table) == ["bad_vector"]


def test_a_vector_that_hides_what_is_not_there(tmp_path: Path, path: Path) -> None:
    table = with_vector(tmp_path)
    (beyond,) = write(open_storage(path), [bitmap_of([3, 20])])

    def others(line: Line) -> None:
        if line.get("add", {}).get("deletionVector"):
            line["add"]["deletionVector"] = {
                "storageType": "u",
                "pathOrInlineDv": beyond.path_or_inline_dv,
                "offset": beyond.offset,
                "sizeInBytes": beyond.size_in_bytes,
                "cardinality": 2,
            }

    edit_log(path, others)
    (finding,) = table.verify().findings
    assert finding.kind == "bad_vector"
    assert "beyond the end" in finding.detail


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("id < 1000", 0),
        ("id < 90", 10),
        ("n IS NOT NULL", 34),
        ("n >= 0", 34),
        ("no_such_function(id)", None),
    ],
)
def test_check_constraints(table: Table, path: Path, rule: str, broken: int | None) -> None:
    def constrain(line: Line) -> None:
        if "metaData" in line:
            line["metaData"]["configuration"]["delta.constraints.mine"] = rule

    edit_log(path, constrain)
    report = table.verify()
    assert [item.kind for item in report.findings] == (["broken_rule"] if broken else [])
    if broken:
        assert report.findings[0].detail.startswith(f"{broken} of the 100 rows")
    assert [item.kind for item in report.notices] == (["unchecked_rule"] if broken is None else [])


def test_columns_that_must_not_be_null(table: Table, path: Path) -> None:
    def constrain(line: Line) -> None:
        if "metaData" in line:
            schema = json.loads(line["metaData"]["schemaString"])
            for item in schema["fields"]:
                item["nullable"] = item["name"] not in {"id", "n"}
            line["metaData"]["schemaString"] = json.dumps(schema)

    edit_log(path, constrain)
    (finding,) = table.verify().findings
    assert finding.kind == "broken_rule"
    assert "column n must not be null" in finding.detail


def test_change_data(tmp_path: Path, path: Path) -> None:
    with_feed(path)
    table = open_table(tmp_path)
    file = next(iter((path / "_change_data").glob("*")))
    file.write_bytes(file.read_bytes()[:-1])
    assert kinds(table) == ["missing_change_data"]
    file.unlink()
    assert kinds(table) == ["missing_change_data"]


def test_the_memory_of_deletes(tmp_path: Path, path: Path) -> None:
    work.fill(tmp_path)
    table = work.table(tmp_path)
    folder = path / "_lakehouse" / "tombstones"
    (rows,) = folder.glob("*.parquet")
    whole = rows.read_bytes()
    flip(rows, 4, 40)
    assert kinds(table) == ["bad_tombstones"]
    rows.unlink()
    assert kinds(table) == ["bad_tombstones"]
    rows.write_bytes(whole)
    (manifest,) = folder.glob("*.json")
    manifest.write_bytes(b"{}")
    assert kinds(table) == ["bad_tombstones"]
    manifest.unlink()
    assert kinds(table) == ["bad_tombstones"]


@pytest.mark.parametrize("kind", ["name", "id"])
def test_mapped_columns(tmp_path: Path, path: Path, kind: str) -> None:
    table = mapped(tmp_path, kind)
    table.merge([{"id": 1, "v": 2, "a": {"x": 3}}])
    assert table.verify().ok

    def twice(line: Line) -> None:
        if "metaData" in line:
            schema = json.loads(line["metaData"]["schemaString"])
            schema["fields"][1]["metadata"] |= {"delta.columnMapping.physicalName": "col-1"}
            schema["fields"][2]["type"]["fields"][0]["metadata"].pop("delta.columnMapping.id")
            line["metaData"]["schemaString"] = json.dumps(schema)

    edit_log(path, twice)
    found = [item for item in table.verify().findings if item.kind == "bad_column_mapping"]
    assert len(found) == 2


def test_files_that_lack_the_ids_of_columns(tmp_path: Path, path: Path) -> None:
    table = mapped(tmp_path, "id")
    table.merge([{"id": 1, "v": 2}])
    (file,) = files_of(table)
    pl.read_parquet(file).write_parquet(file)
    size = file.stat().st_size
    edit_log(path, lambda line: line.get("add", {}).update({"size": size}))
    assert kinds(table) == ["wrong_columns"]


def test_an_old_commit_that_is_gone_or_cut(tmp_path: Path, path: Path) -> None:
    """The newest version is read from its checkpoint; the older ones are lost."""
    work.fill(tmp_path)
    table = work.table(tmp_path)
    DeltaTable(path).create_checkpoint()
    commit = path / "_delta_log" / f"{1:020}.json"
    commit.write_bytes(commit.read_bytes()[:100])
    report = table.verify()
    assert [item.kind for item in report.findings] == ["bad_log"]
    assert report.findings[0].path == f"_delta_log/{commit.name}"
    assert [item.kind for item in report.notices] == ["unchecked_orphans"]
    commit.unlink()
    (finding,) = table.verify().findings
    assert (finding.kind, finding.path) == ("bad_log", f"_delta_log/{commit.name}")


@pytest.mark.parametrize(
    "hint",
    [
        b"{",
        b"[]",
        b'{"version": "3"}',
        b'{"version": 99, "size": 1}',
        b'{"version": 2, "size": 3, "parts": 4}',
    ],
)
def test_a_hint_at_no_checkpoint(tmp_path: Path, path: Path, hint: bytes) -> None:
    work.fill(tmp_path)
    DeltaTable(path).create_checkpoint()
    table = work.table(tmp_path)
    assert table.verify().ok
    (path / "_delta_log" / "_last_checkpoint").write_bytes(hint)
    (finding,) = table.verify().findings
    assert (finding.kind, finding.repairable) == ("bad_last_checkpoint", True)


def test_checkpoints_of_several_files(tmp_path: Path) -> None:
    """Without commits nothing stands for them."""
    storage = checkpoints.with_checkpoint(tmp_path)
    checkpoints.into_v2(storage, "parquet")
    sidecar = tmp_path / "table" / "_delta_log" / "_sidecars" / "two.parquet"
    whole = sidecar.read_bytes()
    (tmp_path / "table").rename(tmp_path / "t")
    table = open_table(tmp_path)
    assert table.verify().ok
    sidecar = tmp_path / "t" / "_delta_log" / "_sidecars" / "two.parquet"
    for damage in (sidecar.unlink, lambda: sidecar.write_bytes(whole[:-7])):
        damage()
        (finding,) = table.verify().findings
        assert finding.kind == "bad_log"
        assert "two.parquet" in finding.detail


def many_files(tmp_path: Path, count: int) -> Table:
    content: Any = pa.table({"id": pa.array(range(count)), "p": pa.array([f"p{n:02}" for n in range(count)])})
    write_deltalake(tmp_path / "t", content, partition_by=["p"])
    return open_table(tmp_path)


def test_a_sample_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    """Some samples meet the damage and others don't; a full check always does."""
    table = many_files(tmp_path, 40)
    files = files_of(table)
    for file in files[:10]:
        flip_page(file, 0, end=False)
    found = {seed: kinds(table, seed=seed) for seed in range(6)}
    assert found == {seed: kinds(table, seed=seed) for seed in range(6)}
    assert len({len(each) for each in found.values()}) > 1
    assert all(0 < table.verify(seed=seed).files_read <= 16 for seed in range(6))
    assert len(kinds(table, full=True)) == 10


def test_a_sample_looks_at_every_file_all_the_same(tmp_path: Path) -> None:
    table = many_files(tmp_path, 40)
    files = files_of(table)
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:-5])
    flip(files[2], files[2].stat().st_size - 60, 40)
    assert sorted(kinds(table)) == ["missing_file", "unreadable_file", "wrong_size"]
