"""The text that stands for a change's place in its source's log: its order is the order of the changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.cdc.formats.debezium.sequence import postgres_sequence, sequence_of


def place(op: str = "u", order: int | None = None, **source: Any) -> str:
    found = sequence_of(source, op=op, total_order=order)
    assert found is not None
    return found


def test_postgres() -> None:
    assert (
        place(sequence='["95820792","95830480"]', order=3) == "0000000005b61bf8.0000000005b641d0.0000000003"
    )
    assert (
        place(sequence='["16", "32"]')
        == place(sequence="[16,32]")
        == "0000000000000010.0000000000000020.0000000000"
    )


def test_rows_of_a_postgres_snapshot_come_before_all_streamed_changes() -> None:
    snapshot = place("r", sequence='[null,"95726520"]', snapshot="last")
    first_transaction = place("c", sequence='[null,"95726616"]', snapshot="false", order=1)
    open_before_the_snapshot = place("u", sequence='[null,"95726000"]', snapshot="false", order=1)
    next_transaction = place("u", sequence='["95727192","95726700"]', snapshot="false", order=1)

    assert snapshot == "0000000000000000.0000000005b4abb8.0000000000"
    assert snapshot < open_before_the_snapshot < first_transaction < next_transaction


def test_a_later_postgres_snapshot_comes_after_an_earlier_one() -> None:
    assert place("r", sequence='[null,"9"]', snapshot="true") < place(
        "r", sequence='[null,"10"]', snapshot="true"
    )


def test_rows_of_an_incremental_snapshot_stand_where_they_were_read() -> None:
    assert place("r", sequence='["16","32"]', snapshot="incremental") == place("u", sequence='["16","32"]')


def test_rows_of_an_incremental_snapshot_come_after_the_commit_that_it_tells() -> None:
    before = place("u", sequence='["15","14"]', snapshot="false")
    read = place("r", sequence='["16",null]', snapshot="incremental")
    after = place("u", sequence='["16","12"]', snapshot="false")

    assert before < read < after


def test_postgres_flattened_with_its_lsn_alone() -> None:
    assert place(lsn=100) < place(lsn=101) < place(lsn=101, order=2)
    assert place("r", lsn=100) < place(lsn=1)


@given(
    st.lists(
        st.tuples(st.integers(1, 2**64 - 1), st.integers(1, 2**64 - 1), st.integers(0, 10**10 - 1)),
        min_size=2,
        max_size=6,
    )
)
def test_postgres_text_sorts_as_its_numbers(places: list[tuple[int, int, int]]) -> None:
    texts = [place(sequence=f'["{commit}","{lsn}"]', order=order) for commit, lsn, order in places]

    assert [texts[index] for index in sorted(range(len(texts)), key=places.__getitem__)] == sorted(texts)
    assert len(set(texts)) == len(set(places))
    assert {len(text) for text in texts} == {44}


@given(st.integers(1, 2**64 - 1), st.integers(1, 2**64 - 1), st.integers(0, 10**9))
def test_both_ways_of_postgres_agree(commit: int, lsn: int, order: int) -> None:
    assert postgres_sequence(commit, lsn, order, snapshot=False) == place(
        sequence=f'["{commit}","{lsn}"]', order=order
    )


@given(
    st.lists(
        st.tuples(st.integers(1, 10**9), st.integers(0, 2**63), st.integers(0, 10**9)), min_size=2, max_size=6
    )
)
def test_mysql_sorts_by_file_position_and_row(places: list[tuple[int, int, int]]) -> None:
    texts = [
        place(file=f"mysql-bin.{number:06d}", pos=position, row=row, ts_ms=1)
        for number, position, row in places
    ]

    assert [texts[index] for index in sorted(range(len(texts)), key=places.__getitem__)] == sorted(texts)


def test_the_files_of_mysql_are_compared_as_numbers() -> None:
    assert place(file="binlog.999999", pos=5) < place(file="binlog.1000000", pos=4)


def test_sql_server() -> None:
    first = place(commit_lsn="00000027:00000758:0005", change_lsn="00000027:00000758:0003", event_serial_no=1)
    second = place(
        commit_lsn="00000027:00000758:0005", change_lsn="00000027:00000758:0003", event_serial_no=2
    )
    later = place(commit_lsn="00000027:00000ac0:0002", change_lsn="00000027:00000a00:0001", event_serial_no=1)
    snapshot = place("r", commit_lsn="00000027:00000758:0005", change_lsn=None, snapshot="true")

    assert snapshot < first < second < later
    assert len({len(text) for text in (snapshot, first, second, later)}) == 1


def test_oracle() -> None:
    snapshot = place("r", scn="2000", snapshot="true")
    first = place(scn="1999", commit_scn="2100", ssn=1)
    second = place(scn="2099", commit_scn="2100,2050", ssn=2)
    later = place(scn="900", commit_scn="12000")

    assert snapshot < first < second < later


def test_other_connectors_by_their_clock_and_the_transactions_order() -> None:
    assert place(ts_ms=1795341564200) < place(ts_ms=1795341564200, order=1) < place(ts_ms=1795341564201)


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"sequence": "nonsense"},
        {"sequence": "[1]"},
        {"sequence": '["x","y"]'},
        {"ts_ms": "noon"},
        {"file": "binlog", "pos": 4},
        {"lsn": {}},
    ],
)
def test_a_place_that_can_not_be_read_is_none(source: dict[str, Any]) -> None:
    assert sequence_of(source, op="u", total_order=None) is None
