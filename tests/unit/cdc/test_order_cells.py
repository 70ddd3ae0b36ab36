"""Cells of different age: how they are stored, and what they become when a change meets what is known."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from lakehouse.cdc.cells import CELLS, at, cells_type, empty_long, joined, never, pack, unpack
from lakehouse.cdc.changes import OP, ORDINAL, ChangeBatch, absence
from lakehouse.cdc.combine import Combined, merge_cells, truncate_cells
from lakehouse.cdc.content_hash import content_rank
from lakehouse.cdc.order import collapse
from lakehouse.errors import UsageError

SEQUENCE = {"s": pl.Int64(), "t": pl.String()}
DELETED = 2**63 - 1
SCHEMA: dict[str, pl.DataType] = {"id": pl.Int64(), "at": pl.Int64(), "a": pl.String(), "b": pl.String()}


def cell(columns: str, when: int | None, rank: int | None) -> dict[str, Any]:
    return {"columns": columns, "at": {"at": when}, "rank": rank}


def known(**row: Any) -> pl.DataFrame:
    """A stored row of key 1 (a tombstone with ``op=1``, nothing with ``op=None``)."""
    cells = row.pop("cells", None)
    op = row.pop("op", 0)
    frame = pl.DataFrame([{"id": 1, **row}], schema=SCHEMA)
    return frame.with_columns(
        pl.Series(CELLS, [cells], dtype=cells_type({"at": pl.Int64()})), pl.Series(OP, [op], dtype=pl.Int8)
    )


def change(when: int, *, delete: bool = False, **values: str | None) -> pl.DataFrame:
    """A collapsed change of key 1 that states only the values given."""
    row = {"id": 1, "at": when, "a": None, "b": None, **values}
    flags = {absence(name): not delete and name not in values for name in ("a", "b")}
    frame = pl.DataFrame([row], schema=SCHEMA).with_columns(
        pl.Series(OP, [int(delete)], dtype=pl.Int8),
        pl.Series(ORDINAL, [0], dtype=pl.Int64),
        *(pl.Series(name, [flag]) for name, flag in flags.items()),
    )
    return collapse(ChangeBatch(frame=frame, key=("id",), sequence=("at",), total=1)).frame


def combine(before: pl.DataFrame, after: pl.DataFrame) -> Combined:
    return merge_cells(before, after, key=["id"], sequence=["at"])


def outcome(combined: Combined) -> tuple[dict[str, Any], str, bool]:
    (row,) = combined.frame.drop("id").to_dicts()
    return row, combined.relation.cast(pl.String)[0], bool(combined.changed[0])


def rank(**values: str) -> int:
    return int(content_rank(pl.DataFrame(values), list(values))[0])


# Storage


def test_entries_survive_storage() -> None:
    long = pl.DataFrame(
        {
            "__row": [0, 0, 0, 2, 2],
            "__column": ["b", "a", "c", "a", "b"],
            "__at0": [1, 1, None, 2, 3],
            "__at1": ["x", "x", None, "y", "y"],
            "__rank": [7, 7, None, DELETED, 7],
        },
        schema=empty_long(SEQUENCE).schema,
    )
    packed = pack(long, height=3, sequence=SEQUENCE)
    assert packed.dtype == cells_type(SEQUENCE)
    assert packed.to_list() == [
        [
            {"columns": "c", "at": {"s": None, "t": None}, "rank": None},
            {"columns": "a\nb", "at": {"s": 1, "t": "x"}, "rank": 7},
        ],
        None,
        [
            {"columns": "a", "at": {"s": 2, "t": "y"}, "rank": DELETED},
            {"columns": "b", "at": {"s": 3, "t": "y"}, "rank": 7},
        ],
    ]
    order = ["__row", "__column"]
    assert unpack(packed, sequence=SEQUENCE).sort(order).equals(long.sort(order))
    assert at(2) == ["__at0", "__at1"]


def test_nothing_is_stored_for_nothing() -> None:
    assert pack(empty_long(SEQUENCE), height=2, sequence=SEQUENCE).to_list() == [None, None]
    assert unpack(pl.Series([None, []], dtype=cells_type(SEQUENCE)), sequence=SEQUENCE).is_empty()
    assert never(pl.Series([], dtype=pl.UInt32), ["a"], sequence=SEQUENCE).is_empty()


def test_stored_columns_are_joined_row_by_row() -> None:
    a = pl.Series(CELLS, [[1], None, [2], None])
    b = pl.Series(CELLS, [[3], [4], None, None])
    found = joined(a, b)
    assert found is not None
    assert found.to_list() == [[1, 3], [4], [2], None]
    assert joined(None, b) is b
    assert joined(a, None) is a


# Whole rows


def test_a_newer_row_replaces_and_an_older_one_is_stale() -> None:
    before = known(at=5, a="a5", b="b5")
    row = {"at": 6, "a": "a6", "b": "b6", OP: 0, CELLS: None}
    assert outcome(combine(before, change(6, a="a6", b="b6"))) == (row, "newer", True)
    kept = {"at": 5, "a": "a5", "b": "b5", OP: 0, CELLS: None}
    assert outcome(combine(before, change(4, a="a4", b="b4"))) == (kept, "stale", False)


def test_the_same_sequence_is_a_duplicate_or_a_contradiction() -> None:
    before = known(at=5, a="a5", b="b5")
    kept = {"at": 5, "a": "a5", "b": "b5", OP: 0, CELLS: None}
    assert outcome(combine(before, change(5, a="a5", b="b5"))) == (kept, "duplicate", False)
    row, relation, changed = outcome(combine(before, change(5, a="x", b="y")))
    assert relation == "conflicting"
    wins = rank(a="x", b="y") > rank(a="a5", b="b5")
    assert (row["a"], changed) == (("x", True) if wins else ("a5", False))


def test_a_delete_of_the_same_sequence_wins_from_both_sides() -> None:
    dead = {"at": 5, "a": None, "b": None, OP: 1, CELLS: None}
    assert outcome(combine(known(at=5, a="a", b="b"), change(5, delete=True))) == (dead, "conflicting", True)
    assert outcome(combine(known(at=5, op=1), change(5, a="a", b="b"))) == (dead, "conflicting", False)
    assert outcome(combine(known(at=5, op=1), change(5, delete=True))) == (dead, "duplicate", False)


def test_a_tombstone_keeps_older_changes_out() -> None:
    row, relation, changed = outcome(combine(known(at=5, op=1), change(4, a="a", b="b")))
    assert (row[OP], relation, changed) == (1, "stale", False)


def test_the_first_change_of_a_key_is_newer_than_nothing() -> None:
    row = {"at": 1, "a": "a", "b": "b", OP: 0, CELLS: None}
    assert outcome(combine(known(op=None), change(1, a="a", b="b"))) == (row, "newer", True)


# Partial changes


def test_a_partial_change_keeps_what_is_stored_and_its_age() -> None:
    combined = combine(known(at=5, a="a5", b="b5"), change(6, a="a6"))
    cells = [cell("b", 5, rank(a="a5", b="b5"))]
    assert outcome(combined) == ({"at": 6, "a": "a6", "b": "b5", OP: 0, CELLS: cells}, "newer", True)


def test_a_late_partial_change_fills_the_cell_that_is_older_still() -> None:
    before = known(at=9, a="a9", b="b5", cells=[cell("b", 5, 77)])
    filled = {"at": 9, "a": "a9", "b": "b7", OP: 0, CELLS: [cell("b", 7, rank(a="a7", b="b7"))]}
    assert outcome(combine(before, change(7, a="a7", b="b7"))) == (filled, "stale", True)
    kept = {"at": 9, "a": "a9", "b": "b5", OP: 0, CELLS: [cell("b", 5, 77)]}
    assert outcome(combine(before, change(4, b="b4"))) == (kept, "stale", False)


def test_cells_of_the_same_sequence_are_settled_by_rank() -> None:
    mine = rank(b="b5")
    for stored_rank, expected in ((mine - 1, "b5"), (mine, "old"), (mine + 1, "old")):
        before = known(at=9, a="a9", b="old", cells=[cell("b", 5, stored_rank)])
        assert outcome(combine(before, change(5, b="b5")))[0]["b"] == expected


def test_a_late_delete_empties_only_the_cells_from_before_it() -> None:
    before = known(at=9, a="a9", b="b5", cells=[cell("b", 5, 77)])
    emptied = {"at": 9, "a": "a9", "b": None, OP: 0, CELLS: [cell("b", 7, DELETED)]}
    assert outcome(combine(before, change(7, delete=True))) == (emptied, "stale", True)
    row, _, changed = outcome(combine(before, change(4, delete=True)))
    assert (row["b"], changed) == ("b5", False)


def test_a_partial_change_after_a_tombstone_brings_nothing_back() -> None:
    row = {"at": 6, "a": "a6", "b": None, OP: 0, CELLS: [cell("b", 5, DELETED)]}
    assert outcome(combine(known(at=5, op=1), change(6, a="a6"))) == (row, "newer", True)


def test_cells_that_nobody_stated_are_remembered_as_such() -> None:
    row = {"at": 6, "a": "a6", "b": None, OP: 0, CELLS: [cell("b", None, None)]}
    assert outcome(combine(known(op=None), change(6, a="a6"))) == (row, "newer", True)


def test_a_row_without_a_sequence_gives_way_but_keeps_its_cells() -> None:
    row = {"at": 6, "a": "a6", "b": "foreign", OP: 0, CELLS: [cell("b", None, None)]}
    assert outcome(combine(known(a="old", b="foreign"), change(6, a="a6"))) == (row, "newer", True)


def test_a_whole_row_forgets_the_ages_of_the_old_one() -> None:
    before = known(at=9, a="a9", b="b5", cells=[cell("b", 5, 77)])
    row = {"at": 10, "a": "a10", "b": None, OP: 0, CELLS: None}
    assert outcome(combine(before, change(10, a="a10", b=None))) == (row, "newer", True)


def test_redelivery_of_a_partial_change_is_a_duplicate() -> None:
    once = combine(known(at=5, a="a5", b="b5"), change(6, a="a6"))
    row, _, _ = outcome(once)
    assert outcome(combine(once.frame, change(6, a="a6"))) == (row, "duplicate", False)


# Columns that one side lacks


def test_a_column_that_the_batch_lacks_keeps_what_is_stored() -> None:
    after = change(6, a="a6", b="x").drop("b")
    row, _, _ = outcome(combine(known(at=5, a="a5", b="b5"), after))
    assert (row["b"], row[CELLS]) == ("b5", [cell("b", 5, rank(a="a5", b="b5"))])


def test_a_new_column_is_filled_by_a_late_change_too() -> None:
    before = known(at=5, a="a5").drop("b")
    row, relation, changed = outcome(combine(before, change(4, a="a4", b="b4")))
    assert (row["a"], row["b"], relation, changed) == ("a5", "b4", "stale", True)


def test_a_column_that_the_batch_lacks_stays_dead_after_a_delete_in_the_batch() -> None:
    rows = [{"id": 1, "at": 6, "a": None, OP: 1}, {"id": 1, "at": 7, "a": "a7", OP: 0}]
    frame = pl.DataFrame(rows, schema_overrides={"a": pl.String, OP: pl.Int8}).with_columns(
        pl.Series(ORDINAL, [0, 1], dtype=pl.Int64)
    )
    after = collapse(ChangeBatch(frame=frame, key=("id",), sequence=("at",), total=2)).frame
    row, _, _ = outcome(combine(known(at=5, a="a5", b="b5"), after))
    assert row == {"at": 7, "a": "a7", "b": None, OP: 0, CELLS: [cell("b", 6, DELETED)]}


# Truncates


def test_a_truncate_ends_rows_and_empties_older_cells() -> None:
    mark = pl.DataFrame({"at": [7]})
    before = known(at=9, a="a9", b="b5", cells=[cell("b", 5, 77)])
    row, _, changed = outcome(truncate_cells(before, mark, key=["id"]))
    assert (row, changed) == ({"at": 9, "a": "a9", "b": None, OP: 0, CELLS: [cell("b", 7, DELETED)]}, True)
    row, _, changed = outcome(truncate_cells(known(at=7, a="a", b="b"), mark, key=["id"]))
    assert (row[OP], row["at"], changed) == (1, 7, True)
    row, _, changed = outcome(truncate_cells(known(at=8, a="a", b="b"), mark, key=["id"]))
    assert (row["a"], changed) == ("a", False)


def test_cells_need_a_sequence_and_pairs() -> None:
    with pytest.raises(UsageError):
        merge_cells(known(at=1), change(1), key=["id"], sequence=[])
    with pytest.raises(UsageError):
        merge_cells(known(at=1).clear(), change(1), key=["id"], sequence=["at"])
