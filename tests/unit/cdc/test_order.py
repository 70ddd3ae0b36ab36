"""One final change per key: what wins, what is lost, and what is said about it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lakehouse.cdc.changes import OP, ORDINAL, ChangeBatch, absence
from lakehouse.cdc.content_hash import canonical_text, content_rank
from lakehouse.cdc.order import Collapsed, collapse


def batch_of(
    rows: list[tuple[Any, ...]],
    columns: list[str],
    *,
    key: tuple[str, ...] = ("id",),
    sequence: tuple[str, ...] = ("at",),
    types: dict[str, Any] | None = None,
) -> ChangeBatch:
    """Rows start with their operation: ``+``, ``-`` or ``0`` (a truncate)."""
    frame = pl.DataFrame([row[1:] for row in rows], schema=columns, orient="row", schema_overrides=types)
    ops = [{"+": 0, "-": 1, "0": 2}[row[0]] for row in rows]
    frame = frame.with_columns(
        pl.Series(OP, ops, dtype=pl.Int8), pl.Series(ORDINAL, range(len(rows)), dtype=pl.Int64)
    )
    return ChangeBatch(frame=frame, key=key, sequence=sequence, total=len(rows))


def counts(collapsed: Collapsed) -> tuple[int, int, int]:
    return collapsed.stale, collapsed.duplicate, collapsed.conflicting


def lost(collapsed: Collapsed) -> list[tuple[int, str]]:
    return [(ordinal, str(outcome)) for ordinal, outcome in collapsed.lost.rows()]


COLUMNS = ["id", "at", "v"]


def test_unique_keys_come_through_untouched() -> None:
    batch = batch_of([("+", 1, 5, "a"), ("-", 2, 4, None)], COLUMNS)
    collapsed = collapse(batch)
    assert collapsed.frame.equals(batch.frame)
    assert counts(collapsed) == (0, 0, 0)
    assert collapsed.truncate is None
    assert not collapsed.partial


def test_an_empty_batch_stays_empty() -> None:
    assert collapse(batch_of([], COLUMNS)).frame.is_empty()


def test_the_newest_sequence_wins_whatever_came_last() -> None:
    collapsed = collapse(batch_of([("+", 1, 9, "new"), ("+", 2, 1, "b"), ("+", 1, 3, "old")], COLUMNS))
    assert collapsed.frame.select(COLUMNS).rows() == [(1, 9, "new"), (2, 1, "b")]
    assert lost(collapsed) == [(2, "stale")]


@pytest.mark.parametrize(
    ("older", "newer", "dtype"),
    [
        ("0009", "0010", pl.String()),
        (date(2026, 1, 1), date(2026, 1, 2), pl.Date()),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 1, tzinfo=UTC), pl.Datetime("us", "UTC")),
        (Decimal("9.50"), Decimal("10.25"), pl.Decimal(10, 2)),
        (-1.5, 0.25, pl.Float64()),
    ],
)
def test_sequences_of_any_type(older: Any, newer: Any, dtype: pl.DataType) -> None:
    rows = [("+", 1, newer, "new"), ("+", 1, older, "old"), ("0", None, older, None)]
    collapsed = collapse(batch_of(rows, COLUMNS, types={"at": dtype}))
    assert collapsed.frame["v"].to_list() == ["new"]
    assert collapsed.truncate is not None
    assert collapsed.truncate.sequence["at"].to_list() == [older]
    assert collapsed.truncate.sequence["at"].dtype == dtype


def test_composite_keys_and_sequences_are_compared_column_by_column() -> None:
    rows = [
        ("+", 1, "x", 2, 1, "a"),
        ("+", 1, "x", 1, 9, "b"),
        ("+", 1, "y", 1, 1, "c"),
        ("+", 1, "x", 2, 3, "d"),
    ]
    batch = batch_of(rows, ["k", "l", "s", "t", "v"], key=("k", "l"), sequence=("s", "t"))
    assert collapse(batch).frame["v"].to_list() == ["c", "d"]


def test_a_sequence_may_be_part_of_the_key() -> None:
    rows = [("+", 1, 1, "a"), ("+", 1, 2, "b"), ("+", 1, 2, "b")]
    collapsed = collapse(batch_of(rows, COLUMNS, key=("id", "at")))
    assert collapsed.frame["v"].to_list() == ["a", "b"]
    assert counts(collapsed) == (0, 1, 0)


def test_without_a_sequence_the_last_to_arrive_wins_and_nothing_is_a_copy() -> None:
    rows = [("+", 1, 9, "a"), ("+", 1, 9, "a"), ("-", 2, 1, None), ("+", 2, 1, "b")]
    collapsed = collapse(batch_of(rows, COLUMNS, sequence=()))
    assert collapsed.frame[ORDINAL].to_list() == [1, 3]
    assert lost(collapsed) == [(0, "stale"), (2, "stale")]


# Copies and contradictions


def test_redelivery_is_counted_as_duplicate_and_the_first_copy_stays() -> None:
    rows = [("+", 1, 5, "a"), ("-", 2, 5, None)]
    collapsed = collapse(batch_of(rows * 3, COLUMNS))
    assert collapsed.frame[ORDINAL].to_list() == [0, 1]
    assert counts(collapsed) == (0, 4, 0)


def test_deletes_are_copies_whatever_values_they_carry() -> None:
    collapsed = collapse(batch_of([("-", 1, 5, "before"), ("-", 1, 5, None)], COLUMNS))
    assert counts(collapsed) == (0, 1, 0)


def test_null_and_nan_are_equal_to_themselves() -> None:
    rows = [("+", 1, 5, None, float("nan"), [1]), ("+", 1, 5, None, float("nan"), [1])]
    assert counts(collapse(batch_of(rows, [*COLUMNS, "f", "l"]))) == (0, 1, 0)


def test_a_delete_beats_an_upsert_of_the_same_sequence() -> None:
    rows = [("-", 1, 5, None), ("+", 1, 5, "a")]
    for arrival in (rows, rows[::-1]):
        collapsed = collapse(batch_of(arrival, COLUMNS))
        assert collapsed.frame[OP].to_list() == [1]
        assert counts(collapsed) == (0, 0, 1)


def test_contradicting_upserts_are_settled_by_content_and_not_by_arrival() -> None:
    rows = [("+", 1, 5, "a"), ("+", 1, 5, "b"), ("+", 1, 5, "c"), ("+", 1, 5, "b")]
    ranks = content_rank(pl.DataFrame({"v": ["a", "b", "c"]}), ["v"]).to_list()
    winner = "abc"[ranks.index(max(ranks))]
    for start in range(4):
        collapsed = collapse(batch_of([*rows[start:], *rows[:start]], COLUMNS))
        assert collapsed.frame["v"].to_list() == [winner]
        assert counts(collapsed) == (0, 1, 2)


def test_the_winner_is_the_same_in_every_process_and_release() -> None:
    frame = pl.DataFrame(
        {
            "i": [1],
            "l": [[1, None]],
            "o": [{"x": 1}],
            "s": ["ä"],
            "f": [0.5],
            "d": [Decimal("1.50")],
            "b": [b"\x00\xff"],
            "t": [date(2026, 1, 1)],
        }
    ).with_columns(n=None, z=True)
    text = "1:b=00ff;1:d=1.5;1:f=4602678819172646912;1:i=1;1:l=7:[1:1;~];1:o=10:{1:x=1:1;};1:s=2:ä;"
    assert canonical_text(frame, frame.columns).to_list() == [f"{text}1:t=1767225600000000;1:z=true;"]
    assert content_rank(frame, frame.columns).to_list() == [PINNED]
    code = (
        "import polars as pl; from lakehouse.cdc.content_hash import content_rank;"
        "print(content_rank(pl.DataFrame({'s': ['ä']}), ['s'])[0])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(printed) == content_rank(pl.DataFrame({"s": ["ä"]}), ["s"])[0]


PINNED = 3_422_293_763_193_996_463


def test_equal_values_rank_equally_in_wider_types_and_other_column_orders() -> None:
    narrow = pl.DataFrame({"a": [1], "b": [date(2026, 1, 1)], "c": [Decimal("1.5")], "d": [0.5], "e": ["x"]})
    wide = narrow.select(
        "e",
        pl.col("d").cast(pl.Float32),
        pl.col("c").cast(pl.Decimal(38, 9)),
        pl.col("b").cast(pl.Datetime("us")),
        pl.col("a").cast(pl.Int128),
        pl.lit(None, dtype=pl.String).alias("new"),
    )
    assert content_rank(narrow, narrow.columns).to_list() == content_rank(wide, wide.columns).to_list()


def test_texts_that_run_into_each_other_are_told_apart() -> None:
    frame = pl.DataFrame({"a": ["x;1:b=1:y", "x"], "b": [None, "y"]})
    assert content_rank(frame, ["a", "b"]).n_unique() == 2
    lists = pl.DataFrame({"l": [[None], ["~"], ["null"], [""], [], ["a", "b"], ["a;1:b"]]})
    assert content_rank(lists, ["l"]).n_unique() == 7


# Truncates


def test_a_truncate_ends_everything_that_is_not_newer() -> None:
    rows = [
        ("+", 1, 4, "older"),
        ("0", None, 5, None),
        ("+", 2, 5, "equal"),
        ("+", 3, 6, "newer"),
        ("-", 4, 3, None),
        ("0", None, 2, None),
        ("0", None, 5, None),
    ]
    collapsed = collapse(batch_of(rows, COLUMNS))
    assert collapsed.frame["v"].to_list() == ["newer"]
    assert collapsed.truncate is not None
    assert (collapsed.truncate.ordinal, collapsed.truncate.sequence.rows()) == (1, [(5,)])
    assert lost(collapsed) == [(0, "stale"), (2, "stale"), (4, "stale"), (5, "stale"), (6, "duplicate")]


def test_without_a_sequence_a_truncate_ends_what_arrived_before() -> None:
    rows = [
        ("+", 1, 9, "a"),
        ("0", None, None, None),
        ("+", 1, 1, "b"),
        ("0", None, None, None),
        ("+", 2, 1, "c"),
    ]
    collapsed = collapse(batch_of(rows, COLUMNS, sequence=()))
    assert collapsed.frame["v"].to_list() == ["c"]
    assert collapsed.truncate is not None
    assert (collapsed.truncate.ordinal, collapsed.truncate.sequence.shape) == (3, (0, 0))
    assert counts(collapsed) == (3, 0, 0)


# Partial changes

PARTIAL = ["id", "at", "a", "b", absence("a"), absence("b")]


def shown(collapsed: Collapsed) -> list[dict[str, Any]]:
    return collapsed.frame.drop(OP, ORDINAL).to_dicts()


def test_cells_are_folded_by_sequence() -> None:
    rows = [
        ("+", 1, 3, "a3", None, False, True),
        ("+", 1, 1, "a1", "b1", False, False),
        ("+", 1, 2, None, "b2", True, False),
    ]
    for arrival in (rows, rows[::-1]):
        collapsed = collapse(batch_of(arrival, PARTIAL))
        (row,) = shown(collapsed)
        (entry,) = row.pop("_cells")
        assert row == {"id": 1, "at": 3, "a": "a3", "b": "b2"}
        assert (entry["columns"], entry["at"]) == ("b", {"at": 2})
        assert entry["rank"] == content_rank(pl.DataFrame({"b": ["b2"]}), ["b"])[0]
        assert counts(collapsed) == (2, 0, 0)
        assert collapsed.partial


def test_cells_that_nobody_stated_stay_absent() -> None:
    rows = [("+", 1, 3, "a", None, False, True), ("+", 2, 3, "a", "b", False, False)]
    collapsed = collapse(batch_of(rows, PARTIAL))
    never = [{"columns": "b", "at": {"at": None}, "rank": None}]
    assert shown(collapsed) == [
        {"id": 1, "at": 3, "a": "a", "b": None, absence("b"): True, "_cells": never},
        {"id": 2, "at": 3, "a": "a", "b": "b", absence("b"): False, "_cells": None},
    ]


def test_nothing_from_before_a_delete_comes_back() -> None:
    rows = [
        ("+", 1, 1, "a1", "b1", False, False),
        ("-", 1, 2, None, None, False, False),
        ("+", 1, 3, "a3", None, False, True),
    ]
    (row,) = shown(collapse(batch_of(rows, PARTIAL)))
    assert row == {
        "id": 1,
        "at": 3,
        "a": "a3",
        "b": None,
        absence("b"): True,
        "__base": False,
        "__floor": {"at": 2},
        "_cells": [{"columns": "b", "at": {"at": 2}, "rank": 2**63 - 1}],
    }


def test_nothing_from_before_a_truncate_comes_back() -> None:
    rows = [
        ("+", 1, 1, "a1", "b1", False, False),
        ("0", None, 2, None, None, False, False),
        ("+", 1, 3, "a3", None, False, True),
    ]
    (row,) = shown(collapse(batch_of(rows, PARTIAL)))
    assert (row["__base"], row["__floor"], row["b"]) == (False, {"at": 2}, None)
    assert row["_cells"] == [{"columns": "b", "at": {"at": 2}, "rank": 2**63 - 1}]


def test_without_a_sequence_cells_are_folded_by_arrival_and_have_no_age() -> None:
    rows = [
        ("+", 1, 9, "a1", "b1", False, False),
        ("+", 1, 8, None, "b2", True, False),
        ("-", 2, 7, None, None, False, False),
        ("+", 2, 6, None, "b3", True, False),
        ("+", 3, 5, "a4", None, False, True),
    ]
    collapsed = collapse(batch_of(rows, PARTIAL, sequence=()))
    assert collapsed.frame.select("id", "a", "b", absence("a"), absence("b"), "__base").rows() == [
        (1, "a1", "b2", False, False, True),
        (2, None, "b3", True, False, False),
        (3, "a4", None, False, True, True),
    ]
    assert "_cells" not in collapsed.frame.columns


def test_absence_that_says_nothing_is_dropped() -> None:
    rows = [("+", 1, 3, "a", "b", False, False), ("-", 2, 3, None, None, True, True)]
    collapsed = collapse(batch_of(rows, PARTIAL))
    assert collapsed.frame.columns == ["id", "at", "a", "b", OP, ORDINAL]
    assert not collapsed.partial


def test_partial_changes_of_the_same_sequence_that_differ_are_conflicting_and_both_count() -> None:
    rows = [("+", 1, 3, "a", None, False, True), ("+", 1, 3, None, "b", True, False)]
    for arrival in (rows, rows[::-1]):
        collapsed = collapse(batch_of(arrival, PARTIAL))
        assert collapsed.frame.select("a", "b").rows() == [("a", "b")]
        assert counts(collapsed) == (0, 0, 1)


def test_a_stated_null_is_no_absent_cell() -> None:
    rows = [("+", 1, 3, None, None, False, True), ("+", 1, 2, "a", "b", False, False)]
    assert collapse(batch_of(rows, PARTIAL)).frame.select("a", "b").rows() == [(None, "b")]
