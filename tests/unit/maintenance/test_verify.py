"""Each kind of damage is found, and nothing else is."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from lakehouse import Lakehouse
from lakehouse.delta.actions import Action, CommitInfo
from lakehouse.delta.checkpoint import write_checkpoint
from lakehouse.delta.transaction import commit
from lakehouse.table import Table


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Two files, one of them with a vector; version 3."""
    tables = {"t": {"key": ["id"], "merge": "on_read"}}
    config = {"version": 1, "name": "x", "storage": {"root": str(tmp_path)}, "tables": tables}
    made = Lakehouse.open(config).table("t")
    made.merge([{"id": number, "a": "x"} for number in range(20)], source="s", offset=1)
    made.merge([{"id": 20, "a": "y"}])
    made.merge([{"id": 3, "_op": "delete"}])
    assert made.verify().ok
    return made


def folder(table: Table) -> Path:
    return Path(table.storage.url)


def marked_file(table: Table) -> Path:
    (path,) = (add.path for add in table.snapshot().files.values() if add.deletion_vector)
    return folder(table) / path


def vector_file(table: Table) -> Path:
    (path,) = folder(table).glob("deletion_vector_*.bin")
    return path


def remove_file(table: Table) -> None:
    marked_file(table).unlink()


def cut_file(table: Table) -> None:
    path = marked_file(table)
    path.write_bytes(path.read_bytes()[:-1])


def break_footer(table: Table) -> None:
    path = marked_file(table)
    content = bytearray(path.read_bytes())
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    content[start : start + 32] = b"\xff" * 32
    path.write_bytes(content)


def break_end(table: Table) -> None:
    path = marked_file(table)
    path.write_bytes(path.read_bytes()[:-4] + b"PAR2")


def change_rows(table: Table) -> None:
    """A file of as many bytes with one row less, as if it had been taken for another."""
    path = marked_file(table)
    size, buffer = path.stat().st_size, io.BytesIO()
    pl.read_parquet(path)[:-1].write_parquet(buffer, compression="uncompressed")
    body = buffer.getvalue()
    end = int.from_bytes(body[-8:-4], "little") + 8
    grown = body[:-end] + bytes(max(size - len(body), 0)) + body[-end:]
    path.write_bytes(grown)
    sizes(table, path.name, len(grown))


def sizes(table: Table, name: str, size: int) -> None:
    for log in folder(table).glob("_delta_log/*.json"):
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        for line in lines:
            if line.get("add", {}).get("path") == name:
                line["add"]["size"] = size
        log.write_text("".join(json.dumps(line) + "\n" for line in lines))


def remove_vector(table: Table) -> None:
    vector_file(table).unlink()


def flip_vector(table: Table) -> None:
    path = vector_file(table)
    content = bytearray(path.read_bytes())
    content[12] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (remove_file, "missing_file"),
        (cut_file, "wrong_size"),
        (break_footer, "unreadable_file"),
        (break_end, "unreadable_file"),
        (change_rows, "wrong_row_count"),
        (remove_vector, "bad_vector"),
        (flip_vector, "bad_vector"),
    ],
)
def test_damage_to_files(table: Table, damage: Callable[[Table], None], kind: str) -> None:
    damage(table)
    (finding,) = table.verify().findings
    assert finding.kind == kind
    damaged = "deletion_vector_" if kind == "bad_vector" else marked_file(table).name
    assert finding.path.startswith(damaged)


def test_files_elsewhere_are_looked_at_too(table: Table, tmp_path: Path) -> None:
    here = table.snapshot()
    add = next(add for add in here.files.values() if add.deletion_vector is None)
    away = tmp_path / "a way.parquet"
    away.write_bytes(table.storage.get(add.path))
    moved: list[Action] = [add.remove(at_ms=0), replace(add, path=away.as_uri())]
    commit(table.storage, version=here.version + 1, actions=moved, commit_info=CommitInfo(), base=here)
    assert table.verify().ok
    away.unlink()
    (finding,) = table.verify().findings
    assert (finding.kind, finding.path) == ("missing_file", away.as_uri())


def checkpoint_of(table: Table) -> Path:
    version = table.snapshot().version
    assert write_checkpoint(table.storage, version).made
    return folder(table) / "_delta_log" / f"{version:020d}.checkpoint.parquet"


def rewrite(path: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    content = pq.read_table(path)
    rows = pa.Table.from_pylist(change(content.to_pylist()), schema=content.schema)
    pq.write_table(rows, path)


def without_a_file(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    first = next(number for number, row in enumerate(rows) if row["add"])
    return rows[:first] + rows[first + 1 :]


def without_vectors(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "add": row["add"] and {**row["add"], "deletionVector": None}} for row in rows]


def with_another_transaction(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "txn": row["txn"] and {**row["txn"], "version": 99}} for row in rows]


def with_other_metadata(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "metaData": row["metaData"] and {**row["metaData"], "id": "other"}} for row in rows]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without_a_file, "1 file too few"),
        (without_vectors, "1 file that differ"),
        (with_another_transaction, "that differ"),
        (with_other_metadata, "other metadata"),
    ],
)
def test_a_checkpoint_that_differs_from_the_log(
    table: Table, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], told: str
) -> None:
    path = checkpoint_of(table)
    assert table.verify().ok
    rewrite(path, change)
    table.merge([{"id": 100}])
    found = table.verify().findings
    assert {finding.kind for finding in found} == {"bad_checkpoint"}
    assert {finding.path for finding in found} == {f"_delta_log/{path.name}"}
    assert any(told in finding.detail for finding in found)


def test_a_checkpoint_that_cant_be_read(table: Table) -> None:
    checkpoint_of(table).write_bytes(b"PAR1")
    (finding,) = table.verify().findings
    assert finding.kind == "bad_checkpoint"
    assert "no readable Parquet" in finding.detail


def test_a_checkpoint_whose_commits_are_gone_is_taken_at_its_word(table: Table) -> None:
    checkpoint_of(table)
    for path in folder(table).glob("_delta_log/*.json"):
        path.unlink()
    assert table.verify().ok
    assert DeltaTable(folder(table)).version() == table.snapshot().version


def test_a_log_that_cant_be_read_is_a_finding(table: Table) -> None:
    (folder(table) / "_delta_log" / f"{1:020d}.json").unlink()
    fresh = Lakehouse.open(
        {
            "version": 1,
            "name": "x",
            "storage": {"root": str(folder(table).parent)},
            "tables": {"t": {"key": ["id"]}},
        }
    ).table("t")
    report = fresh.verify()
    (finding,) = report.findings
    assert (finding.kind, report.version) == ("bad_log", None)
    assert f"{1:020d}.json is missing" in finding.detail
