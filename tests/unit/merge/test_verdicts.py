from __future__ import annotations

import polars as pl
import pytest

from lakehouse.cdc.changes import DELETE, OP, UPSERT
from lakehouse.merge import verdicts
from lakehouse.merge.verdicts import CHANGE, FILE, POSITION, buried, decide, newest_per_change, stored

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


def _changes(*rows: tuple[int, int]) -> pl.DataFrame:
    """Sequence and operation of each change."""
    return pl.DataFrame(rows, schema={"seq": pl.Int64(), OP: pl.Int8()}, orient="row")


def _located(*rows: tuple[int, int, int, int | None]) -> pl.DataFrame:
    """Number of the change, file, position and stored sequence of each stored row."""
    types = {CHANGE: pl.UInt32(), FILE: pl.UInt32(), POSITION: pl.UInt32(), stored("seq"): pl.Int64()}
    return pl.DataFrame(rows, schema=types, orient="row")


def _graves(*rows: tuple[int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={CHANGE: pl.UInt32(), buried("seq"): pl.Int64()}, orient="row")


def _decide(
    changes: pl.DataFrame, located: pl.DataFrame, graves: pl.DataFrame | None = None, *, sequence: bool = True
) -> list[str]:
    decided = decide(
        changes,
        sequence=["seq"] if sequence else [],
        located=located if sequence else located.drop(stored("seq")),
        tombstones=graves,
    )
    return [NAMES[verdict] for verdict in decided]


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
    assert _decide(_changes((sequence, op)), _located((0, 0, 0, 5))) == [expected]


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
    assert _decide(_changes((sequence, op)), _located(), _graves((0, 5))) == [expected]


def test_an_unknown_key_is_inserted_and_its_delete_finds_nothing() -> None:
    changes = _changes((1, UPSERT), (1, DELETE), (1, UPSERT))
    assert _decide(changes, _located()) == ["insert", "absent", "insert"]
    assert _decide(changes, _located(), _graves((2, 9))) == ["insert", "absent", "stale"]


def test_a_stored_row_counts_before_a_tombstone() -> None:
    assert _decide(_changes((6, UPSERT)), _located((0, 0, 0, 5)), _graves((0, 9))) == ["update"]


def test_a_row_without_a_sequence_is_older_than_anything() -> None:
    changes = _changes((-5, UPSERT), (-5, DELETE))
    assert _decide(changes, _located((0, 0, 0, None), (1, 0, 1, None))) == ["update", "deleted"]


def test_without_a_sequence_every_change_is_newer() -> None:
    changes = _changes((0, UPSERT), (0, DELETE), (0, UPSERT), (0, DELETE))
    found = _decide(changes, _located((0, 0, 0, 9), (1, 0, 1, 9)), sequence=False)
    assert found == ["update", "deleted", "insert", "absent"]


def test_stored_rows_that_are_known_to_be_older_need_no_sequence() -> None:
    located = _located((1, 0, 0, 9), (2, 0, 0, 9)).drop(stored("seq"))
    decided = decide(_changes((1, UPSERT), (1, UPSERT), (1, DELETE)), sequence=["seq"], located=located)
    assert decided.to_list() == [verdicts.INSERT, verdicts.UPDATE, verdicts.DELETED]


def test_of_a_key_that_is_stored_twice_the_newest_row_counts() -> None:
    located = _located((0, 0, 0, 3), (0, 1, 7, 8), (0, 2, 0, None))
    assert _decide(_changes((5, UPSERT)), located) == ["stale"]
    assert newest_per_change(located, sequence=["seq"]).select(FILE, POSITION).rows() == [(1, 7)]


def test_a_sequence_of_two_columns_is_compared_one_after_the_other() -> None:
    changes = pl.DataFrame(
        {"s": [2, 2, 2, 2], "t": [5, 5, 5, 5], OP: [UPSERT] * 4}, schema_overrides={OP: pl.Int8()}
    )
    located = pl.DataFrame(
        {
            CHANGE: [0, 1, 2],
            FILE: [0, 0, 0],
            POSITION: [0, 1, 2],
            stored("s"): [2, 2, 1],
            stored("t"): [4, 6, 9],
        },
        schema_overrides={CHANGE: pl.UInt32()},
    )
    decided = decide(changes, sequence=["s", "t"], located=located)
    assert [NAMES[verdict] for verdict in decided] == ["update", "stale", "update", "insert"]


def test_nothing_to_decide() -> None:
    assert _decide(_changes(), _located()) == []
    assert _decide(_changes(), _located(), _graves(), sequence=True) == []


def test_one_change_among_none_stored() -> None:
    assert _decide(_changes((1, DELETE)), _located(), _graves()) == ["absent"]
