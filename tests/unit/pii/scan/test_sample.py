from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.delta.schema import LONG, STRING, OpaqueType, StructField, StructType
from lakehouse.pii.scan.sample import MOST_FILES, plan_stretches, sample_columns
from lakehouse.pii.scan.values import PathValues
from lakehouse.storage import Storage, open_storage
from tests.unit.delta.made_tables import ID, PHYSICAL, snapshot_of, struct, write


@pytest.fixture
def table() -> Storage:
    return open_storage("memory://")


@given(
    st.lists(st.integers(0, 5000), max_size=200),
    st.integers(1, 3000),
    st.integers(0, 2**31),
)
def test_stretches_are_of_bounded_size_and_do_not_overlap(counts: list[int], wanted: int, seed: int) -> None:
    found = plan_stretches(counts, wanted=wanted, seed=seed)
    assert found == plan_stretches(counts, wanted=wanted, seed=seed)
    for each in found:
        assert each.rows > 0
        assert 0 <= each.start <= counts[each.file] - each.rows
    for one, other in pairwise(found):
        assert one.file < other.file or one.start + one.rows <= other.start
    files = {each.file for each in found}
    rows = sum(each.rows for each in found)
    having = [file for file, size in enumerate(counts) if size]
    assert rows <= max(wanted, len(files)) + len(files)
    if len(having) <= MOST_FILES:
        assert files == set(having), "a file did not contribute"
    else:
        assert len(files) == MOST_FILES
    if sum(counts) <= wanted and len(having) <= MOST_FILES:
        assert rows == sum(counts)


def test_each_of_many_files_can_be_chosen() -> None:
    counts = [10] * 200
    chosen = {each.file for seed in range(60) for each in plan_stretches(counts, wanted=500, seed=seed)}
    assert len(chosen) == 200


def test_rows_of_a_file_come_from_all_over_it() -> None:
    found = plan_stretches([1_000_000], wanted=5_000, seed=1)
    assert len(found) == 64
    assert sum(each.rows for each in found) == 5_000
    assert found[0].start < 20_000
    assert found[-1].start > 980_000


def _sampled(storage: Storage, schema: StructType, frame: pl.DataFrame, **more: int) -> dict[str, PathValues]:
    here = snapshot_of(schema)
    adds = [add for part in frame.iter_slices(100) for add in write(storage, part, here)]
    whole = snapshot_of(schema, adds)
    pieces = sample_columns(storage, whole, table="t", **more)
    return {str(each.path): each for piece in pieces for each in piece}


def test_a_sample_is_spread_over_the_files_and_the_same_for_a_seed(table: Storage) -> None:
    frame = pl.DataFrame({"id": range(1000)})
    first = _sampled(table, struct("id:long"), frame, wanted=50, seed=4)["id"]
    assert first.filled == 50
    assert {value // 100 for value in first.values.to_list()} == set(range(10))
    again = _sampled(open_storage("memory://"), struct("id:long"), frame, wanted=50, seed=4)["id"]
    assert len(again.values) == 50
    other = _sampled(open_storage("memory://"), struct("id:long"), frame, wanted=50, seed=5)["id"]
    assert other.values.to_list() != first.values.to_list()


def test_a_small_table_is_looked_at_whole(table: Storage) -> None:
    frame = pl.DataFrame({"id": range(250), "name": [None, "a", "b", "b", " "] * 50})
    found = _sampled(table, struct("id:long,name:string"), frame, wanted=5000)
    assert found["id"].values.to_list() == list(range(250))
    assert (found["name"].rows, found["name"].filled) == (250, 150)
    assert dict(zip(found["name"].values, found["name"].counts, strict=True)) == {"a": 50, "b": 100}


def test_a_table_without_rows_has_paths_without_values(table: Storage) -> None:
    here = snapshot_of(struct("id:long,address:struct<street:string>"))
    pieces = list(sample_columns(table, here, table="t"))
    assert [str(each.path) for piece in pieces for each in piece] == ["id", "address.street"]
    assert all(each.rows == 0 for piece in pieces for each in piece)


def test_mapped_columns_have_their_display_names(table: Storage) -> None:
    mapped = StructType((StructField("e mail", STRING, True, {ID: 1, PHYSICAL: "col-1"}),))
    here = snapshot_of(mapped, properties={"delta.columnMapping.mode": "name"})
    adds = write(table, pl.DataFrame({"e mail": ["ada@example.org"]}), here)
    whole = snapshot_of(mapped, adds, properties={"delta.columnMapping.mode": "name"})
    ((found,),) = sample_columns(table, whole, table="t")
    assert (str(found.path), found.values.to_list()) == ("e mail", ["ada@example.org"])


def test_a_type_that_is_not_known_is_named(table: Storage) -> None:
    here = snapshot_of(struct("id:long"))
    adds = write(table, pl.DataFrame({"id": [1]}), here)
    odd = StructType(
        (StructField("id", LONG, True, {}), StructField("odd", OpaqueType('"geometry"'), True, {}))
    )
    pieces = list(sample_columns(table, snapshot_of(odd, adds), table="t"))
    assert [(str(each.path), each.note) for piece in pieces for each in piece] == [
        ("id", ""),
        ("odd", "of a type that is not known here"),
    ]


def test_what_is_filled_in_one_of_many_files_is_found_by_their_statistics(table: Storage) -> None:
    made = [f"a{at}@mail.example" if at // 100 == 137 else None for at in range(20_000)]
    frame = pl.DataFrame({"id": range(20_000), "mail": pl.Series(made, dtype=pl.String)})
    for seed in (0, 1):
        found = _sampled(table, struct("id:long,mail:string"), frame, wanted=500, seed=seed)["mail"]
        assert 1 <= found.filled <= 500, "it is in one file of two hundred"


def test_maps_are_told_from_lists_of_structs(table: Storage) -> None:
    pairs = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
    made = pl.Series("prefs", [[{"key": "a@mail.example", "value": "x"}]], dtype=pairs)
    kinds = "prefs:map<string,string>,pairs:array<struct<key:string,value:string>>"
    found = _sampled(table, struct(kinds), pl.DataFrame([made, made.alias("pairs")]))
    assert list(found) == ["prefs{key}", "prefs{}", "pairs[].key", "pairs[].value"]
    assert {each.sampled for each in found.values()} == {1}
