from __future__ import annotations

import polars as pl
import pytest

from lakehouse.cdc.changes import DELETE, OP, UPSERT
from lakehouse.merge import verdicts
from lakehouse.merge.verdicts import CHANGE, FILE, POSITION, VERDICT, buried, decide, newest_per_key, stored

NAMES = {
    verdicts.INSERT: "insert",
    verdicts.UPDATE: "update",
    verdicts.DELETED: "deleted",
    verdicts.ABSENT: "absent",
    verdicts.STALE: "stale",
    verdicts.EQUAL: "equal",
    verdicts.DUPLICATE: "duplicate",
    verdicts.BEATEN: "beaten",
}


def _changes(*rows: tuple[int, int, int]) -> pl.DataFrame:
    """Key, sequence and operation of each change."""
    frame = pl.DataFrame(rows, schema={"id": pl.Int64(), "seq": pl.Int64(), OP: pl.Int8()}, orient="row")
    return frame.with_row_index(CHANGE)


def _located(*rows: tuple[int, int, int, int | None]) -> pl.DataFrame:
    """Key, file, position and stored sequence of each stored row."""
    types = {"id": pl.Int64(), FILE: pl.UInt32(), POSITION: pl.UInt32(), stored("seq"): pl.Int64()}
    return pl.DataFrame(rows, schema=types, orient="row")


def _graves(*rows: tuple[int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"id": pl.Int64(), buried("seq"): pl.Int64()}, orient="row")


def _decide(
    changes: pl.DataFrame, located: pl.DataFrame, graves: pl.DataFrame | None = None, *, sequence: bool = True
) -> list[str]:
    decided = decide(
        changes,
        key=["id"],
        sequence=["seq"] if sequence else [],
        located=located if sequence else located.drop(stored("seq")),
        tombstones=graves,
    )
    assert decided.drop(VERDICT).equals(changes)
    return [NAMES[verdict] for verdict in decided[VERDICT]]


@pytest.mark.parametrize(
    ("op", "sequence", "expected"),
    [
        pytest.param(UPSERT, 6, "update", id="newer upsert"),
        pytest.param(DELETE, 6, "deleted", id="newer delete"),
        pytest.param(UPSERT, 4, "stale", id="older upsert"),
        pytest.param(DELETE, 4, "stale", id="older delete"),
        pytest.param(UPSERT, 5, "equal", id="upsert of the same sequence"),
        pytest.param(DELETE, 5, "equal", id="delete of the same sequence"),
    ],
)
def test_a_stored_row_is_compared_by_its_sequence(op: int, sequence: int, expected: str) -> None:
    assert _decide(_changes((1, sequence, op)), _located((1, 0, 0, 5))) == [expected]


@pytest.mark.parametrize(
    ("op", "sequence", "expected"),
    [
        pytest.param(UPSERT, 6, "insert", id="newer upsert"),
        pytest.param(DELETE, 6, "absent", id="newer delete"),
        pytest.param(UPSERT, 4, "stale", id="older upsert"),
        pytest.param(DELETE, 4, "stale", id="older delete"),
        pytest.param(UPSERT, 5, "beaten", id="upsert of the same sequence"),
        pytest.param(DELETE, 5, "duplicate", id="delete of the same sequence"),
    ],
)
def test_a_tombstone_is_compared_by_its_sequence(op: int, sequence: int, expected: str) -> None:
    assert _decide(_changes((1, sequence, op)), _located(), _graves((1, 5))) == [expected]


def test_an_unknown_key_is_inserted_and_its_delete_finds_nothing() -> None:
    changes = _changes((1, 1, UPSERT), (2, 1, DELETE))
    assert _decide(changes, _located()) == ["insert", "absent"]
    assert _decide(changes, _located(), _graves((3, 9))) == ["insert", "absent"]


def test_a_stored_row_counts_before_a_tombstone() -> None:
    assert _decide(_changes((1, 6, UPSERT)), _located((1, 0, 0, 5)), _graves((1, 9))) == ["update"]


def test_a_row_without_a_sequence_is_older_than_anything() -> None:
    changes = _changes((1, -5, UPSERT), (2, -5, DELETE))
    assert _decide(changes, _located((1, 0, 0, None), (2, 0, 1, None))) == ["update", "deleted"]


def test_without_a_sequence_every_change_is_newer() -> None:
    changes = _changes((1, 0, UPSERT), (2, 0, DELETE), (3, 0, UPSERT), (4, 0, DELETE))
    verdict = _decide(changes, _located((1, 0, 0, 9), (2, 0, 1, 9)), sequence=False)
    assert verdict == ["update", "deleted", "insert", "absent"]


def test_stored_rows_that_are_known_to_be_older_need_no_sequence() -> None:
    located = _located((1, 0, 0, 9)).drop(stored("seq"))
    decided = decide(_changes((1, 1, UPSERT)), key=["id"], sequence=["seq"], located=located)
    assert decided[VERDICT].to_list() == [verdicts.UPDATE]


def test_of_a_key_that_is_stored_twice_the_newest_row_counts() -> None:
    located = _located((1, 0, 0, 3), (1, 1, 7, 8), (1, 2, 0, None))
    assert _decide(_changes((1, 5, UPSERT)), located) == ["stale"]
    assert newest_per_key(located, key=["id"], sequence=["seq"]).select(FILE, POSITION).rows() == [(1, 7)]


def test_composite_keys_and_sequences_are_compared_column_by_column() -> None:
    changes = pl.DataFrame(
        {
            "a": [1, 1, 1, 2],
            "b": ["x", "y", "z", "x"],
            "s": [2, 2, 2, 2],
            "t": [5, 5, 5, 5],
            OP: [UPSERT, UPSERT, UPSERT, UPSERT],
        },
        schema_overrides={OP: pl.Int8()},
    ).with_row_index(CHANGE)
    located = pl.DataFrame(
        {
            "a": [1, 1, 1],
            "b": ["x", "y", "z"],
            FILE: [0, 0, 0],
            POSITION: [0, 1, 2],
            stored("s"): [2, 2, 1],
            stored("t"): [4, 6, 9],
        }
    )
    decided = decide(changes, key=["a", "b"], sequence=["s", "t"], located=located)
    assert [NAMES[v] for v in decided[VERDICT]] == ["update", "stale", "update", "insert"]


def test_nothing_to_decide() -> None:
    assert _decide(_changes(), _located((1, 0, 0, 1)), _graves((1, 5))) == []
