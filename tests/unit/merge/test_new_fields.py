"""A batch brings fields or columns that the table does not have yet, and touches rows from before them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.properties.tables import delta, everywhere, open_table

SCHEMA = {"id": "long", "seq": "long", "v": "long", "s": "struct<x:long>"}
FIRST: list[dict[str, Any]] = [
    *({"id": key, "seq": 1, "v": 0, "s": {"x": key}} for key in (1, 2, 3, 4)),
    {"id": 5, "seq": 1, "v": 0, "s": None},
]


@pytest.mark.parametrize("changes", [{}, {"sequence": "seq"}], ids=["arrival", "sequence"])
def test_structs_get_a_field_while_other_rows_are_written_again(
    tmp_path: Path, mode: str, changes: dict[str, Any]
) -> None:
    table = open_table(tmp_path, merge=mode, schema=SCHEMA, changes=changes, change_feed=True)
    table.merge(FIRST)
    result = table.merge(
        [
            {"id": 1, "seq": 2, "s": {"x": 1, "y": 7}},
            {"id": 2, "seq": 2, "v": 9},
            {"id": 3, "seq": 2, "_op": "delete"},
        ]
    )
    assert result.new_columns == ("s.y",)
    assert [(row["id"], row["v"], row["s"]) for row in everywhere(table, tmp_path)] == [
        (1, 0, {"x": 1, "y": 7}),
        (2, 9, {"x": 2, "y": None}),
        (4, 0, {"x": 4, "y": None}),
        (5, 0, None),
    ]
    feed = pl.DataFrame(delta(tmp_path).load_cdf(starting_version=2, ending_version=2).read_all())
    gone = feed.filter(pl.col("_change_type").is_in(["update_preimage", "delete"])).sort("id")
    assert gone["s"].to_list() == [{"x": key, "y": None} for key in (1, 2, 3)]
    assert table.verify().ok


def test_structs_get_a_field_while_a_truncate_empties_older_cells(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema=SCHEMA, changes={"sequence": "seq"})
    table.merge(FIRST)
    table.merge([{"id": 1, "seq": 5, "s": {"x": 10}}])
    table.merge([{"seq": 3, "_op": "truncate"}, {"id": 2, "seq": 4, "s": {"x": 2, "y": 7}}])
    assert everywhere(table, tmp_path) == [
        {"id": 1, "seq": 5, "v": None, "s": {"x": 10, "y": None}},
        {"id": 2, "seq": 4, "v": None, "s": {"x": 2, "y": 7}},
    ]


def test_a_late_change_is_the_first_to_speak_of_a_column(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, changes={"sequence": "seq"})
    table.merge([{"id": 1, "seq": 5, "a": 5}])
    table.merge([{"id": 1, "seq": 3, "a": 3, "b": "x"}, {"id": 2, "seq": 3, "a": 2, "b": "y"}])
    assert everywhere(table, tmp_path) == [
        {"id": 1, "seq": 5, "a": 5, "b": "x"},
        {"id": 2, "seq": 3, "a": 2, "b": "y"},
    ]
    assert table.merge([{"id": 1, "seq": 2, "a": 2, "b": "older"}]).stale == 1
    table.merge([{"id": 1, "seq": 4, "a": 4, "b": "newer"}])
    assert everywhere(table, tmp_path)[0] == {"id": 1, "seq": 5, "a": 5, "b": "newer"}
