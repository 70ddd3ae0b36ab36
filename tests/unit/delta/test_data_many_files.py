from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from pyroaring import BitMap64

from lakehouse.delta import data, deletion_vectors, scan_groups, scan_query
from lakehouse.delta.snapshot import Snapshot
from lakehouse.storage import Storage, open_storage
from tests.unit.delta.made_tables import put, snapshot_of, struct, write


@pytest.fixture(scope="module", params=[3, 150])
def many(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Storage, Snapshot]:
    """Files of different length in two partitions, some of them with a vector; the odd keys are dead."""
    table = open_storage(tmp_path_factory.mktemp("many"))
    here = snapshot_of(struct("k:long,p:string,late:string"), partition_by=("p",))
    adds, start = [], 0
    for number in range(request.param):
        rows = 5 + number % 7
        frame = pl.DataFrame({"k": range(start, start + rows)})
        add = put(table, frame.to_arrow(), path=f"d {number % 2}/f{number}.parquet")
        add = replace(add, partition_values={"p": "x" if number % 2 else None})
        if number % 3 == 0:
            dead = BitMap64([at for at in range(rows) if (start + at) % 2])
            (vector,) = deletion_vectors.write(table, [dead])
            add = replace(add, deletion_vector=vector)
        adds.append(add)
        start += rows
    return table, snapshot_of(here.schema, adds, partition_by=("p",))


class TestManyFiles:
    def expected(self, table: Storage, here: Snapshot, *, apply_vectors: bool) -> pl.DataFrame:
        parts = [
            data.scan_file(table, here, add, row_index="at", apply_vector=apply_vectors)
            .with_columns(f=pl.lit(number, dtype=pl.UInt32))
            .collect()
            for number, add in enumerate(here.files.values())
        ]
        return pl.concat(parts).select("k", "p", "late", "f", "at")

    @pytest.mark.parametrize("apply_vectors", [True, False])
    @pytest.mark.parametrize("engine", ["streaming", "in-memory"])
    def test_file_and_position_are_right(
        self, many: tuple[Storage, Snapshot], apply_vectors: bool, engine: Any
    ) -> None:
        table, here = many
        adds = list(here.files.values())
        scan = data.scan_files(table, here, adds, file="f", position="at", apply_vectors=apply_vectors)
        found = scan.collect(engine=engine).sort("k")
        assert found.equals(self.expected(table, here, apply_vectors=apply_vectors))

    def test_without_marks(self, many: tuple[Storage, Snapshot]) -> None:
        table, here = many
        expected = self.expected(table, here, apply_vectors=True).drop("f", "at")
        assert data.scan_table(table, here).collect().sort("k").equals(expected)
        assert data.scan_table(table, here, columns=["p"]).collect().height == expected.height
        assert data.scan_table(table, here, columns=["late"]).collect().height == expected.height

    def test_only_the_rows_of_keys(self, many: tuple[Storage, Snapshot]) -> None:
        table, here = many
        adds = list(here.files.values())
        keys = pl.DataFrame({"k": [0, 1, 6, 7, 16, 10**6]})
        scan = data.scan_files(
            table, here, adds, columns=["k"], file="f", position="at", apply_vectors=False, keys=keys
        )
        found = scan.collect(engine="streaming").sort("k")
        expected = self.expected(table, here, apply_vectors=False).join(keys, on="k", how="semi")
        assert found.equals(expected.select("k", "f", "at"))
        living = data.drop_dead(found, data.read_vectors(table, adds), file="f", position="at")
        expected = self.expected(table, here, apply_vectors=True).join(keys, on="k", how="semi")
        assert living.equals(expected.select("k", "f", "at"))
        assert data.drop_dead(found, {}, file="f", position="at") is found

    def test_only_the_file_or_only_the_position(self, many: tuple[Storage, Snapshot]) -> None:
        table, here = many
        adds = list(here.files.values())
        expected = self.expected(table, here, apply_vectors=True)
        files = data.scan_files(table, here, adds, columns=["k"], file="f").collect().sort("k")
        assert files["f"].to_list() == expected["f"].to_list()
        places = data.scan_files(table, here, adds, columns=["k"], position="at").collect().sort("k")
        assert places["at"].to_list() == expected["at"].to_list()


class TestRowsAt:
    def test_the_rows_come_by_ascending_position(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long,p:long"), partition_by=("p",))
        add = replace(
            put(table, pa.table({"a": range(1000)}), row_group_size=100), partition_values={"p": "3"}
        )
        found = data.read_rows_at(table, here, add, [999, 5, 5, 0], row_index="at")
        assert found.rows() == [(0, 3, 0), (5, 3, 5), (999, 3, 999)]
        assert data.read_rows_at(table, here, add, BitMap64([7]), columns=["a"]).rows() == [(7,)]
        assert data.read_rows_at(table, here, add, np.array([7, 2]), columns=["p"]).rows() == [(3,), (3,)]
        assert data.read_rows_at(table, here, add, []).schema == {"a": pl.Int64, "p": pl.Int64}

    def test_far_apart(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long"))
        (add,) = write(table, pl.DataFrame({"a": range(6_000_000)}), here)
        positions = list(range(3, 6_000_000, 70_000))
        assert data.read_rows_at(table, here, add, positions)["a"].to_list() == positions

    def test_the_vector_does_not_count(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long"))
        (add,) = write(table, pl.DataFrame({"a": range(10)}), here)
        (vector,) = deletion_vectors.write(table, [BitMap64([3])])
        marked = replace(add, deletion_vector=vector)
        assert data.read_rows_at(table, here, marked, [3, 4])["a"].to_list() == [3, 4]


def test_no_scan_has_more_rows_than_can_be_numbered(table: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_groups, "_ROWS_A_SCAN", 5)
    here = snapshot_of(struct("id:long"))
    adds = [add for start in range(7) for add in write(table, pl.DataFrame({"id": [start, -start]}), here)]
    rows = data.scan_files(table, here, adds, file="file", position="at").collect().sort("file", "at")
    assert rows.rows() == [
        (value, start, at) for start in range(7) for at, value in enumerate((start, -start))
    ]


@pytest.mark.parametrize("wanted", [1, 7, 40])
def test_a_list_that_is_made_longer_picks_the_same_rows(
    table: Storage, monkeypatch: pytest.MonkeyPatch, wanted: int
) -> None:
    add = put(table, pl.DataFrame({"k": range(100)}).to_arrow(), path="f.parquet")
    here = snapshot_of(struct("k:long"), [add])
    monkeypatch.setattr(scan_query, "_MANY_ROWS", 10)
    monkeypatch.setattr(scan_query, "_SHORT_LIST", 5)
    monkeypatch.setattr(scan_query, "_QUICK_LIST", 30)
    keys = pl.DataFrame({"k": range(0, 2 * wanted, 2)})
    found = data.scan_files(table, here, [add], position="at", keys=keys).collect()
    assert found["k"].to_list() == keys["k"].to_list()
    assert found["at"].to_list() == keys["k"].to_list()
