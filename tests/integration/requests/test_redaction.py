"""A person is taken out of every version of a table, and every version stays readable, whoever reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, QueryBuilder, write_deltalake

from lakehouse.delta.snapshot import load_snapshot
from lakehouse.storage import open_storage
from tests.fixtures.pages import every_byte
from tests.fixtures.redaction import PERSON, STREET, anna, people, redact, traces
from tests.fixtures.sail import Sail
from tests.fixtures.servers import S3Server
from tests.properties.tables import NAME, open_table
from tests.unit.merge.test_mapped_tables import mapped


def by_ours(root: Path) -> Path:
    """With vectors, rewritten files, change data, a compaction and a checkpoint."""
    table = open_table(root, change_feed=True)
    table.merge(people(0, 50))
    table.merge(anna())
    table.merge(people(40, 60).with_columns(v=pl.lit(9, dtype=pl.Int64)))
    table.merge(anna(v=2))
    table.compact()
    table.merge(anna(80))
    DeltaTable(root / NAME).create_checkpoint()
    table.merge(pl.DataFrame({"id": [7, 80], "_op": ["delete", "delete"]}))
    return root / NAME


def by_delta_rs(root: Path) -> Path:
    """With a predicate and a note of the user in the log, change data and checkpoints."""
    path = root / NAME
    note = CommitProperties(custom_metadata={"userMetadata": f"added {PERSON}"})
    settings = {"delta.enableChangeDataFeed": "true"}
    write_deltalake(path, people(0, 50).to_arrow(), configuration=settings)
    write_deltalake(path, anna(100).to_arrow(), mode="append", commit_properties=note)
    DeltaTable(path).update(predicate=f"email = '{PERSON}'", updates={"v": "v + 1"})
    DeltaTable(path).create_checkpoint()
    write_deltalake(path, people(200, 220).to_arrow(), mode="append")
    DeltaTable(path).optimize.compact()
    DeltaTable(path).delete(f"email = '{PERSON}'")
    DeltaTable(path).create_checkpoint()
    write_deltalake(path, people(300, 310).to_arrow(), mode="append")
    return path


def by_name(root: Path) -> Path:
    return _mapped(root, "name")


def by_id(root: Path) -> Path:
    return _mapped(root, "id")


def _mapped(root: Path, kind: str) -> Path:
    table = mapped(root, kind)
    table.merge(people(0, 20).with_columns(v=pl.col("v").cast(pl.Int32)))
    table.merge(anna().with_columns(v=pl.col("v").cast(pl.Int32)))
    table.merge(pl.DataFrame({"id": [7], "_op": ["delete"]}))
    DeltaTable(root / NAME).create_checkpoint()
    return root / NAME


def by_sail(root: Path, sail: Sail) -> Path:
    path = root / NAME
    columns = "id bigint, email string, address struct<street: string, zip: bigint>, v bigint"
    name = sail.create(path, columns)
    rows = ", ".join(
        f"({n}, 'u{n}@example.com', named_struct('street', 's{n}', 'zip', {n}), {n})" for n in range(9)
    )
    sail.sql(f"INSERT INTO {name} VALUES {rows}")
    sail.sql(f"INSERT INTO {name} VALUES (77, '{PERSON}', named_struct('street', '{STREET}', 'zip', 1), 3)")
    sail.sql(f"DELETE FROM {name} WHERE email = '{PERSON}'")
    return path


def emptied(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the rows must be without the person."""
    return [
        {**row, "email": None, "address": {**row["address"], "street": None}}
        if row["email"] == PERSON
        else row
        for row in rows
    ]


def ordered(found: pl.DataFrame | pa.Table) -> list[dict[str, Any]]:
    frame = found if isinstance(found, pl.DataFrame) else pl.DataFrame(found)
    return frame.select("id", "email", "address", "v").sort("id", "v").to_dicts()


Read = Callable[[Path, int], list[dict[str, Any]]]


def delta_rs(path: Path, version: int) -> list[dict[str, Any]]:
    table = DeltaTable(path, version=version)
    return ordered(pl.DataFrame(QueryBuilder().register("t", table).execute("select * from t").read_all()))


def polars(path: Path, version: int) -> list[dict[str, Any]]:
    return ordered(pl.scan_delta(str(path), version=version).collect())


def lakehouse(path: Path, version: int) -> list[dict[str, Any]]:
    return ordered(open_table(path.parent).read(version=version))


READERS: tuple[Read, ...] = (delta_rs, polars, lakehouse)


@pytest.mark.parametrize("make", [by_ours, by_delta_rs])
def test_every_version_is_read_without_the_person(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    check(make(tmp_path), READERS)


@pytest.mark.parametrize("make", [by_name, by_id])
def test_tables_that_map_their_columns(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    # Polars does not read such tables.
    check(make(tmp_path), (delta_rs, lakehouse))


@pytest.mark.server
@pytest.mark.xdist_group("sail")
@pytest.mark.parametrize("make", [by_ours, by_delta_rs])
def test_sail_reads_every_version_that_it_could_read_before(
    tmp_path: Path, make: Callable[[Path], Path], sail: Sail
) -> None:
    check(make(tmp_path), (lambda path, version: ordered(sail.read(path, version=version)),), some_fail=True)


@pytest.mark.server
@pytest.mark.xdist_group("sail")
def test_a_table_of_sail(tmp_path: Path, sail: Sail) -> None:
    path = by_sail(tmp_path, sail)
    check(path, (*READERS, lambda path, version: ordered(sail.read(path, version=version))))


def check(path: Path, readers: Iterable[Read], *, some_fail: bool = False) -> None:
    before: dict[tuple[int, int], list[dict[str, Any]]] = {}
    newest = DeltaTable(path).version()
    for number, read in enumerate(readers):
        for version in range(newest + 1):
            try:
                before[number, version] = read(path, version)
            except Exception:
                if not some_fail and has_columns(path, version):
                    raise
    assert any(row["email"] == PERSON for rows in before.values() for row in rows)
    assert traces(path)
    times = {file.name: file.stat().st_mtime_ns for file in (path / "_delta_log").glob("*[0-9].json")}
    touched, log = redact(open_storage(path, options={"fsync": "false"}))
    assert touched
    assert log.changed
    assert traces(path) == []
    assert times == {file.name: file.stat().st_mtime_ns for file in (path / "_delta_log").glob("*[0-9].json")}
    for (number, version), rows in before.items():
        # Sorting is by what is left in both.
        assert list(readers)[number](path, version) == emptied(rows)


def has_columns(path: Path, version: int) -> bool:
    return "email" in load_snapshot(open_storage(path), version=version).schema.names


def test_a_table_in_s3(moto_s3: S3Server) -> None:
    with moto_s3.bucket() as bucket:
        lake = open_storage(f"s3://{bucket}/lake", options=moto_s3.options())
        table = open_table(Path(), storage=lake)
        table.merge(people(0, 20))
        table.merge(anna())
        table.merge(pl.DataFrame({"id": [7], "_op": ["delete"]}))
        storage = table.storage
        newest = table.snapshot().version
        before = [ordered(table.read(version=version)) for version in range(1, newest + 1)]
        touched, log = redact(storage)
        assert touched
        assert log.retimed
        again = open_table(Path(), storage=lake)
        for version, rows in enumerate(before, start=1):
            assert ordered(again.read(version=version)) == emptied(rows)
            there = DeltaTable(storage.uri(), version=version, storage_options=storage.library_options())
            assert there.version() == version
        for info in storage.list():
            data = storage.get(info.path)
            parts = every_byte(data) if info.path.endswith(".parquet") else [data]
            assert not any(b"zz-canary" in part for part in parts), info.path
