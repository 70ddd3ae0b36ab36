"""Since when columns count."""

from __future__ import annotations

import polars as pl

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.generations import GENERATION, Generations, generations_of, mark_unknown, unknown_cells

NOTHING = pl.DataFrame({"seq": [None, None, None]}, schema={"seq": pl.Int64})
ROWS = pl.DataFrame(
    {"id": [1, 2, 3], "seq": [5, 5, 5], "b": [None, None, "x"], GENERATION: [None, 1, None]},
    schema={"id": pl.Int64, "seq": pl.Int64, "b": pl.String, GENERATION: pl.Int32},
)


def test_columns_of_a_table_without_rows_came_with_it() -> None:
    assert Generations().with_columns(typed=["a"], untyped=[], anew=True) == Generations()
    known = Generations().with_columns(typed=[], untyped=["b"], anew=True)
    assert (known.newest, known.later) == (0, {})
    # The rows stated it from the beginning, so there is nobody to be told apart.
    assert known.with_columns(typed=["b"], untyped=[], anew=False) == Generations()


def test_each_merge_that_brings_columns_begins_a_generation() -> None:
    first = Generations().with_columns(typed=["a"], untyped=["b"], anew=False)
    second = first.with_columns(typed=["b", "c"], untyped=[], anew=False)
    assert second == Generations(since={"a": 1, "b": 1, "c": 2})
    assert generations_of(second.properties()) == second
    assert generations_of(first.properties()) == first
    assert generations_of({}) == Generations()


def test_cells_are_unknown_to_older_rows_where_they_are_null() -> None:
    cells = unknown_cells(ROWS, Generations(since={"b": 1}))
    assert cells.rows() == [(0, "b")]
    assert unknown_cells(ROWS.drop(GENERATION), Generations(since={"b": 1})).rows() == [(0, "b"), (1, "b")]
    marked = mark_unknown(ROWS, cells, graves=NOTHING, sequence=["seq"])
    entry = {"columns": "b", "at": {"seq": None}, "rank": None}
    assert marked[CELLS].to_list() == [[entry], None, None]


def test_unknown_cells_are_as_old_as_the_last_delete_unless_the_row_says_more() -> None:
    cells = unknown_cells(ROWS, Generations(since={"b": 1}))
    graves = pl.DataFrame({"seq": [3, None, None]})
    (entry,) = mark_unknown(ROWS, cells, graves=graves, sequence=["seq"])[CELLS][0].to_list()
    assert (entry["columns"], entry["at"]) == ("b", {"seq": 3})
    told = mark_unknown(ROWS, cells, graves=graves, sequence=["seq"])
    again = mark_unknown(told, cells, graves=NOTHING, sequence=["seq"])
    assert again[CELLS].to_list() == told[CELLS].to_list()
