"""What goes wrong in the world: clear errors of the right kind, nothing half written, good rows not lost."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lakehouse import (
    DataError,
    Lakehouse,
    LakehouseError,
    StorageError,
    Table,
    TableNotFoundError,
    UnsupportedFeatureError,
    UsageError,
    VersionNotFoundError,
)
from tests.fixtures.servers import run_moto

ROWS = [{"id": 1, "name": "Ada", "at": 1}, {"id": 2, "name": "Bob", "at": 1}]


def open_table(folder: Path, **more: Any) -> Table:
    """A table ``t`` with the key ``id`` and the sequence ``at``."""
    section = {"key": ["id"], "changes": {"sequence": "at"}, **more}
    config = {"version": 1, "name": "bad", "storage": {"root": str(folder)}, "tables": {"t": section}}
    return Lakehouse.open(config).table("t")


def state(folder: Path) -> dict[str, int]:
    """Every object of the lake and its size."""
    return {str(path): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """The table with two rows."""
    made = open_table(tmp_path)
    made.merge(ROWS)
    return made


def names(table: Table) -> list[str]:
    """The names in the table, by id."""
    found: list[str] = table.read(columns=["id", "name"]).sort("id")["name"].to_list()
    return found


class TestBatches:
    def test_without_key_columns(self, table: Table, tmp_path: Path) -> None:
        before = state(tmp_path)
        with pytest.raises(DataError, match="id"):
            table.merge([{"name": "Cyd", "at": 2}])
        assert state(tmp_path) == before

    def test_null_and_missing_keys_lose_only_themselves(self, table: Table) -> None:
        result = table.merge(
            [{"id": None, "name": "?", "at": 2}, {"id": 3, "name": "Cyd", "at": 2}, {"name": "?", "at": 2}]
        )
        assert (result.inserted, result.rejected, result.total) == (1, 2, 3)
        assert [problem.position for problem in result.problems] == [0, 2]
        assert names(table) == ["Ada", "Bob", "Cyd"]

    def test_a_value_of_the_wrong_type_loses_only_its_record(self, table: Table) -> None:
        result = table.merge(
            [{"id": 1, "name": "Ada L.", "at": "yesterday"}, {"id": 2, "name": "Bob B.", "at": 2}]
        )
        assert (result.updated, result.rejected) == (1, 1)
        assert "yesterday" not in str(result.problems[0].detail)
        assert names(table) == ["Ada", "Bob B."]

    def test_unknown_columns_under_a_frozen_schema(self, tmp_path: Path) -> None:
        frozen = open_table(tmp_path, changes={"sequence": "at", "schema": "freeze"})
        frozen.merge(ROWS)
        before = state(tmp_path)
        with pytest.raises(DataError, match="shoe_size"):
            frozen.merge([{"id": 1, "name": "Ada", "at": 2, "shoe_size": 38}])
        assert state(tmp_path) == before

    def test_an_empty_batch_changes_nothing(self, table: Table, tmp_path: Path) -> None:
        before = state(tmp_path)
        result = table.merge([])
        assert (result.total, result.committed, result.version) == (0, False, 1)
        assert state(tmp_path) == before

    def test_an_empty_batch_makes_no_table(self, tmp_path: Path) -> None:
        made = open_table(tmp_path)
        assert made.merge([]).version is None
        assert not made.exists()

    def test_broken_json_on_line_7_of_10(self, table: Table, tmp_path: Path) -> None:
        lines = [json.dumps({"id": number, "name": f"n{number}", "at": 2}) for number in range(10, 20)]
        lines[6] = '{"id": 16, "name": '
        file = tmp_path / "changes.jsonl"
        file.write_text("\n".join(lines))
        result = table.merge_files([file])
        assert (result.inserted, result.rejected) == (9, 1)
        assert (result.problems[0].line, result.problems[0].reason) == (7, "bad_json")

    def test_something_that_is_no_batch(self, table: Table) -> None:
        with pytest.raises((DataError, UsageError)):
            table.merge(42)

    def test_source_without_offset(self, table: Table) -> None:
        with pytest.raises(UsageError, match="offset"):
            table.merge(ROWS, source="shop")


class TestTables:
    def test_a_table_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(TableNotFoundError, match="has not been made"):
            open_table(tmp_path).read()

    def test_a_folder_that_is_no_table(self, tmp_path: Path) -> None:
        (tmp_path / "t").mkdir()
        (tmp_path / "t" / "notes.txt").write_text("not a table")
        with pytest.raises(TableNotFoundError):
            open_table(tmp_path).read()

    def test_a_file_where_the_table_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "t").write_text("a file")
        with pytest.raises(LakehouseError) as caught:
            open_table(tmp_path).merge(ROWS)
        assert caught.value.advice

    def test_an_unknown_writer_feature_is_refused_by_name(self, table: Table, tmp_path: Path) -> None:
        self.upgrade(
            tmp_path / "t",
            {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors", "timeMachine"]},
        )
        before = state(tmp_path)
        with pytest.raises(UnsupportedFeatureError, match="timeMachine") as caught:
            table.merge([{"id": 1, "name": "x", "at": 9}])
        assert caught.value.exit_code == 3
        assert state(tmp_path) == before
        assert names(table) == ["Ada", "Bob"]

    def test_an_unknown_reader_feature_is_refused_by_name(self, table: Table, tmp_path: Path) -> None:
        features = ["deletionVectors", "timeMachine"]
        self.upgrade(tmp_path / "t", {"readerFeatures": features, "writerFeatures": features})
        with pytest.raises(UnsupportedFeatureError, match="timeMachine"):
            table.read()

    @staticmethod
    def upgrade(folder: Path, features: Mapping[str, list[str]]) -> None:
        """Commits a protocol with the features."""
        action = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}}
        (folder / "_delta_log" / f"{2:020}.json").write_text(json.dumps(action))

    def test_versions_that_are_not_there(self, table: Table) -> None:
        with pytest.raises(VersionNotFoundError, match="77"):
            table.read(version=77)
        with pytest.raises(UsageError, match="timezone"):
            table.read(timestamp="2026-01-01T00:00:00")

    def test_a_vacuumed_version_says_so(self, table: Table, tmp_path: Path) -> None:
        rewritten = open_table(tmp_path, merge="on_write")
        rewritten.merge([{"id": 1, "name": "Ada L.", "at": 2}])
        gone = [add.path for add in table.snapshot(version=1).files.values()]
        for path in gone:
            (tmp_path / "t" / path).unlink()
        with pytest.raises(VersionNotFoundError, match=r"version 1 .* files are gone"):
            rewritten.read(version=1)
        with pytest.raises(VersionNotFoundError, match="can't come back"):
            rewritten.restore(version=1)
        assert names(rewritten) == ["Ada L.", "Bob"]


def test_a_store_that_vanishes_mid_merge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "testing")
    with run_moto() as server, server.bucket() as bucket:
        options = {**server.options(), "secret_access_key": "${SECRET}", "max_retries": "1", "timeout": "2s"}
        config = {
            "version": 1,
            "name": "gone",
            "storage": {"root": f"s3://{bucket}/lake", "options": options},
            "tables": {"t": {"key": ["id"], "changes": {"sequence": "at"}}},
        }
        vanishing = Lakehouse.open(config).table("t")
        vanishing.merge(ROWS)
    with pytest.raises(StorageError) as caught:
        vanishing.merge([{"id": 1, "name": "Ada L.", "at": 2}])
    assert caught.value.exit_code == 1
    assert caught.value.advice
    assert "Ada" not in str(caught.value)


def test_a_full_disk(table: Table, tmp_path: Path) -> None:
    """A process that may write no more than 20 kB to a file: the table stays as it was, and says why."""
    script = textwrap.dedent(
        """
        import resource, signal, sys
        import polars as pl
        from lakehouse import Lakehouse, StorageError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        section = {"key": ["id"], "changes": {"sequence": "at"}}
        config = {"version": 1, "name": "bad", "storage": {"root": sys.argv[1]}, "tables": {"t": section}}
        names = [f"n{i}" for i in range(100_000)]
        many = pl.DataFrame({"id": range(100_000), "name": names, "at": [5] * 100_000})
        try:
            Lakehouse.open(config).table("t").merge(many)
        except StorageError as error:
            print("refused:", error.advice)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("refused:")
    assert names(table) == ["Ada", "Bob"]
    assert table.verify().ok
    assert table.merge([{"id": 1, "name": "Ada L.", "at": 2}]).updated == 1
    data = {path.name for path in (tmp_path / "t").glob("*.parquet")}
    assert len(data) == len(table.snapshot().files), "nothing of the batch that did not fit is left"
