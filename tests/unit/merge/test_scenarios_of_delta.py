"""Merges in the scenarios of Delta Lake's own suites.

After delta-io/delta: ``MergeIntoSuiteBase``, ``MergeIntoSQLSuite``, ``MergeIntoDVsSuite``,
``MergeIntoSchemaEvolutionSuite``, ``MergeIntoStructEvolutionNullnessSuite``,
``MergeIntoEmptySchemaTargetSuite`` and ``MergeCDCSuite``; after delta-io/delta-rs: ``test_merge.py`` and
``command_merge.rs``. Only what has a meaning for changes that are known by a key: conditions, several clauses
and views have none. Where a key stands for "matched", the rules are ours: of several changes of a key the
last one counts (Delta fails), and a change without a key is set aside (Delta inserts it).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from tests.fixtures.foreign import Row, by_key, foreign, told
from tests.properties.tables import everywhere, open_table

# What matches, and what does not

SOME = {0: 0, 1: 10, 3: 30}
UPSERT = [{"id": 1, "v": 1}, {"id": 2, "v": 2}]
DELETES = [{"id": 1, "_op": "delete"}, {"id": 3, "_op": "delete"}]

MATCHES: dict[str, tuple[Mapping[int, int], list[Row], Mapping[int, int], list[tuple[Any, ...]]]] = {
    "insert only": (SOME, [{"id": 2, "v": 2}], {**SOME, 2: 2}, [("insert", 2, 2)]),
    "update only": (
        SOME,
        [{"id": 1, "v": 1}],
        {**SOME, 1: 1},
        [("update_postimage", 1, 1), ("update_preimage", 1, 10)],
    ),
    "delete only": (SOME, DELETES[:1], {0: 0, 3: 30}, [("delete", 1, 10)]),
    "a delete of what is not there": (SOME, [{"id": 9, "_op": "delete"}], SOME, []),
    "update, delete and insert": (
        SOME,
        [*UPSERT, {"id": 3, "_op": "delete"}],
        {0: 0, 1: 1, 2: 2},
        [("delete", 3, 30), ("insert", 2, 2), ("update_postimage", 1, 1), ("update_preimage", 1, 10)],
    ),
    "a delete twice": (SOME, DELETES[:1] * 2, {0: 0, 3: 30}, [("delete", 1, 10)]),
    "several changes of a key": (
        SOME,
        [{"id": 1, "v": 5}, {"id": 1, "v": 6}, {"id": 2, "v": 5}, {"id": 2, "v": 6}],
        {**SOME, 1: 6, 2: 6},
        [("insert", 2, 6), ("update_postimage", 1, 6), ("update_preimage", 1, 10)],
    ),
    "a delete and then an insert": (
        SOME,
        [{"id": 1, "_op": "delete"}, {"id": 1, "v": 7}],
        {**SOME, 1: 7},
        [("update_postimage", 1, 7), ("update_preimage", 1, 10)],
    ),
    "an insert and then a delete": (SOME, [{"id": 2, "v": 2}, {"id": 2, "_op": "delete"}], SOME, []),
    "all match": (
        {1: 10, 2: 20},
        UPSERT,
        {1: 1, 2: 2},
        [
            ("update_postimage", 1, 1),
            ("update_postimage", 2, 2),
            ("update_preimage", 1, 10),
            ("update_preimage", 2, 20),
        ],
    ),
    "all match and go": ({1: 10, 3: 30}, DELETES, {}, [("delete", 1, 10), ("delete", 3, 30)]),
    "none match": ({7: 70}, UPSERT, {7: 70, 1: 1, 2: 2}, [("insert", 1, 1), ("insert", 2, 2)]),
    "an empty target": ({}, UPSERT, {1: 1, 2: 2}, [("insert", 1, 1), ("insert", 2, 2)]),
    "an empty source": (SOME, [], SOME, []),
    "both are empty": ({}, [], {}, []),
    "a value becomes null": (
        SOME,
        [{"id": 1, "v": None}],
        {**SOME, 1: None},  # type: ignore[dict-item]
        [("update_postimage", 1, None), ("update_preimage", 1, 10)],
    ),
    "a key that is null": (
        SOME,
        [{"id": None, "v": 5}, {"id": 2, "v": 2}],
        {**SOME, 2: 2},
        [("insert", 2, 2)],
    ),
}


@pytest.mark.parametrize("parts", [False, True], ids=["whole", "parts"])
@pytest.mark.parametrize("scenario", MATCHES)
def test_matches(tmp_path: Path, mode: str, scenario: str, *, parts: bool) -> None:
    target, batch, wanted, feed = MATCHES[scenario]
    section: dict[str, Any] = {"partition_by": ["p"]} if parts else {}
    schema = {"id": "long", "v": "long", "p": "long"}
    table = open_table(tmp_path, merge=mode, change_feed=True, schema=schema, **section)
    table.create()
    # In each file of the target a row was hidden before (``MergeIntoDVsSuite``).
    table.merge([{"id": key, "v": v, "p": key % 2} for key, v in target.items()])
    table.merge([{"id": key, "v": -1, "p": key % 2} for key in (-1, -2)])
    table.merge([{"id": key, "_op": "delete"} for key in (-1, -2)])
    placed = [{"p": row["id"] % 2, **row} if row["id"] is not None else row for row in batch]
    version = table.snapshot().version
    result = table.merge(placed)
    assert result.total == len(batch)
    assert by_key(everywhere(table, tmp_path), "v") == wanted
    assert result.committed == bool(feed)
    if feed:
        assert told(tmp_path, version + 1) == feed
    assert table.verify().ok


@pytest.mark.parametrize("change", ["update", "delete"])
def test_null_keys_of_the_target_match_nothing_and_stay(tmp_path: Path, mode: str, change: str) -> None:
    foreign(tmp_path, pl.DataFrame({"id": [None, 1, None], "v": [0, 1, 2]}))
    table = open_table(tmp_path, merge=mode)
    row: Row = {"id": 1, "v": 9} if change == "update" else {"id": 1, "_op": "delete"}
    table.merge([row, {"id": None, "v": 7}, {"id": None, "_op": "delete"}])
    found = everywhere(table, tmp_path)
    assert sorted(row["v"] for row in found if row["id"] is None) == [0, 2]
    assert len(found) == (3 if change == "update" else 2)


def test_a_key_column_that_is_null_in_every_row_of_the_target(tmp_path: Path, mode: str) -> None:
    nulls = pl.DataFrame({"id": pl.Series([None, None], dtype=pl.Int64), "v": [1, 2]})
    foreign(tmp_path, nulls)
    table = open_table(tmp_path, merge=mode)
    assert table.merge([{"id": 1, "v": 9}]).inserted == 1
    assert len(everywhere(table, tmp_path)) == 3


def test_a_key_column_that_is_null_in_every_row_of_the_source(tmp_path: Path, mode: str) -> None:
    foreign(tmp_path, pl.DataFrame({"id": [1, 2], "v": [1, 2]}))
    table = open_table(tmp_path, merge=mode)
    result = table.merge(pa.table({"id": pa.nulls(2), "v": pa.array([7, 8])}))
    assert (result.rejected, result.committed) == (2, False)
    assert by_key(everywhere(table, tmp_path), "v") == {1: 1, 2: 2}


def test_a_table_merged_into_itself_stays(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, partition_by=["p"])
    table.merge([{"id": key, "p": key % 3, "v": key} for key in range(30)])
    table.merge([{"id": 3, "_op": "delete"}])
    result = table.merge(table.read())
    assert result.total == 29
    assert by_key(everywhere(table, tmp_path), "v") == {key: key for key in range(30) if key != 3}


# Partitions

SPECIAL = ["part%1", "a b", "x/y", "50 %", "a=b", "ü", "it's", 'say "x"', "a:b", "{x}", "null", "%20"]


def test_partitions_with_special_characters(tmp_path: Path, mode: str) -> None:
    first = pl.DataFrame({"id": range(len(SPECIAL)), "p": SPECIAL, "v": [0] * len(SPECIAL)})
    foreign(tmp_path, first, partition_by=["p"])
    table = open_table(tmp_path, merge=mode, partition_by=["p"])
    table.merge([{"id": key, "p": p, "v": 1} for key, p in enumerate(SPECIAL)])
    assert by_key(everywhere(table, tmp_path), "p", "v") == {key: (p, 1) for key, p in enumerate(SPECIAL)}
    # Each row moves into the next partition.
    moved = [*SPECIAL[1:], SPECIAL[0]]
    result = table.merge([{"id": key, "p": p, "v": 2} for key, p in enumerate(moved)])
    assert result.updated == len(SPECIAL)
    assert by_key(everywhere(table, tmp_path), "p", "v") == {key: (p, 2) for key, p in enumerate(moved)}
    table.merge([{"id": key, "_op": "delete"} for key in range(len(SPECIAL))])
    assert everywhere(table, tmp_path) == []
    assert table.snapshot().files == {}


DAY, NEXT = date(2024, 2, 28), date(2024, 2, 29)
MOMENTS = {
    "date": (DAY, NEXT),
    "timestamp": (datetime(2024, 2, 28, 1, 2, 3, 400, UTC), datetime(1969, 12, 31, 23, 59, 59, 0, UTC)),
    "timestamp_ntz": (datetime(2024, 2, 28, 1, 2, 3), datetime(2024, 2, 28)),
    "decimal(12,2)": (Decimal("1.50"), Decimal("-7.00")),
    "boolean": (True, False),
    "long": (2**40, -1),
}


@pytest.mark.parametrize("kind", MOMENTS)
def test_partitions_of_every_type(tmp_path: Path, mode: str, kind: str) -> None:
    one, two = MOMENTS[kind]
    table = open_table(
        tmp_path, merge=mode, schema={"id": "long", "p": kind, "v": "long"}, partition_by=["p"]
    )
    table.merge([{"id": 1, "p": one, "v": 1}, {"id": 2, "p": two, "v": 2}, {"id": 3, "p": None, "v": 3}])
    table.merge([{"id": 1, "p": two, "v": 9}, {"id": 2, "_op": "delete"}, {"id": 3, "v": 7}])
    table.merge([{"id": 4, "p": None, "v": 4}])
    assert by_key(everywhere(table, tmp_path), "p", "v") == {1: (two, 9), 3: (None, 7), 4: (None, 4)}


def test_partitions_by_two_columns_of_which_one_is_a_key(tmp_path: Path, mode: str) -> None:
    rows = pl.DataFrame({"id": range(5), "k": range(5), "v": range(5)})
    foreign(tmp_path, rows, partition_by=["id", "k"])
    table = open_table(tmp_path, merge=mode, partition_by=["id", "k"])
    batch = [{"id": key, "k": key + 1000, "v": key} for key in range(3)]
    assert table.merge(batch).updated == 3
    assert by_key(everywhere(table, tmp_path), "k") == {0: 1000, 1: 1001, 2: 1002, 3: 3, 4: 4}


def test_a_partitioned_table_gets_a_column(tmp_path: Path, mode: str) -> None:
    foreign(tmp_path, pl.DataFrame({"id": [1, 2], "p": ["a", "b"]}), partition_by=["p"])
    table = open_table(tmp_path, merge=mode, partition_by=["p"])
    table.merge([{"id": 1, "w": 5}, {"id": 3, "p": "b", "w": 6}])
    assert by_key(everywhere(table, tmp_path), "p", "w") == {1: ("a", 5), 2: ("b", None), 3: ("b", 6)}
