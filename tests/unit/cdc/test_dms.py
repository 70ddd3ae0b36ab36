"""Files of AWS DMS: the letters of Op, full loads without it, and a column that orders them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lakehouse.cdc.changes import DELETE, OP, UPSERT, ChangeBatch
from lakehouse.cdc.formats import Settings, normalize
from lakehouse.cdc.sources import read_files

ROWS = pl.DataFrame(
    {"Op": ["I", "u", " D ", None, ""], "id": [1, 2, 3, 4, 5], "v": ["a", "b", "c", "d", "e"]}
)


def read(records: object, *, sequence: tuple[str, ...] | None = None) -> ChangeBatch:
    return normalize(records, format="dms", settings=Settings(key=("id",), sequence=sequence))


@pytest.mark.parametrize(
    "records", [ROWS, ROWS.to_dicts(), ROWS.rename({"Op": "op"})], ids=["columns", "dicts", "lower"]
)
def test_the_letters(records: object) -> None:
    batch = read(records)
    assert batch.frame[OP].to_list() == [UPSERT, UPSERT, DELETE, UPSERT, UPSERT]
    assert batch.columns == ("id", "v")
    assert batch.rejected == ()


def test_a_csv_file_with_names(tmp_path: Path) -> None:
    path = tmp_path / "20260301-101500.csv"
    path.write_text("Op,id,v,seq\nI,1,a,20260301001\nU,1,b,20260301003\nD,2,,20260301002\n")
    batch = read(read_files([path]), sequence=("seq",))
    assert batch.frame[OP].to_list() == [UPSERT, UPSERT, DELETE]
    assert batch.frame["seq"].to_list() == [20260301001, 20260301003, 20260301002]


def test_a_full_load_has_no_op() -> None:
    assert read(ROWS.drop("Op")).frame[OP].to_list() == [UPSERT] * 5


def test_other_letters_are_rejected_and_named() -> None:
    batch = read([{"Op": "X", "id": 1}, {"Op": "I", "id": 2}])
    assert [(item.position, item.detail) for item in batch.rejected] == [(0, "Op is none of i, u, d")]
    assert batch.frame["id"].to_list() == [2]
