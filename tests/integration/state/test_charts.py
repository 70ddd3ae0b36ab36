"""Points and incidents in the state database, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.command import downgrade
from sqlalchemy import insert, update

from lakehouse.config import load_config
from lakehouse.errors import StorageError
from lakehouse.state import open_state
from lakehouse.state.chart_rows import Batch, NewPoint, Role, SeriesKey
from lakehouse.state.chart_tables import points, series
from lakehouse.state.database import State
from lakehouse.state.migrate import settings
from tests.fixtures.charted import put

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def after(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def batch(
    version: int | None,
    value: float,
    *,
    measure: str = "rows",
    column: str = "",
    role: Role = "point",
    run: str = "",
    subject: str = "orders",
    at: datetime | None = None,
) -> Batch:
    moment = at or after(version or 0)
    point = NewPoint(measure=measure, column=column, at=moment, value=value, role=role)
    scope = "job" if version is None else "table"
    return Batch(scope=scope, subject=subject, points=(point,), version=version, run=run)


def values(state: State, subject: str = "orders") -> list[tuple[float, str]]:
    heads = state.points.newest(subject=subject)
    found = state.points.last(heads, count=1000)
    return [(each.value, each.role) for head in heads for each in found[head.seq]]


def opened(state: State) -> tuple[int, str]:
    head = state.points.record([batch(1, 5.0)], keep=100)[0]
    found = state.incidents.open(series_seq=head.seq, first=NOW, rule="r", detail={"ü": 1.5}, now=NOW)
    assert found is not None
    return head.seq, found


def test_points_are_kept_in_order_and_the_newest_is_at_hand(state: State) -> None:
    for version in range(1, 4):
        wide = (
            NewPoint(measure="rows", at=after(version), value=float(version)),
            NewPoint(measure="null_share", column="é.x", at=after(version), value=0.5),
        )
        state.points.record(
            [Batch(scope="table", subject="orders", points=wide, version=version, run="run-1")], keep=100
        )
    state.points.record([batch(None, 7.5, subject="orders", run="run-9")], keep=100)
    heads = {each.key: each.newest for each in state.points.newest()}
    assert set(heads) == {
        SeriesKey("table", "orders", "rows"),
        SeriesKey("table", "orders", "null_share", "é.x"),
        SeriesKey("job", "orders", "rows"),
    }
    newest = heads[SeriesKey("table", "orders", "rows")]
    assert newest == (3, after(3), 3.0, 3, "run-1", "point")
    tables = state.points.newest(scope="table", subject="orders")
    nulls = next(each for each in tables if each.key.column)
    assert [each.value for each in state.points.last(tables, count=2)[nulls.seq]] == [0.5, 0.5]
    rows = next(each for each in tables if each.key.measure == "rows")
    assert [each.number for each in state.points.last([rows], count=2)[rows.seq]] == [2, 3]


def test_a_version_and_a_run_are_told_of_once(state: State) -> None:
    assert len(state.points.record([batch(5, 1.0)], keep=100)) == 1
    assert state.points.record([batch(5, 2.0)], keep=100) == []
    assert state.points.record([batch(4, 3.0)], keep=100) == [], "slower than somebody else"
    assert len(state.points.record([batch(0, 4.0, at=after(9))], keep=100)) == 1, "the table was made anew"
    assert values(state) == [(1.0, "point"), (4.0, "point")]
    state.points.record([batch(None, 1.0, run="run-1", subject="load")], keep=100)
    state.points.record([batch(None, 2.0, run="run-1", subject="load")], keep=100)
    assert values(state, "load") == [(1.0, "point")]


def test_what_can_still_grow_is_written_over(state: State) -> None:
    told: list[tuple[int, float, Role, float]] = [
        (1, 10, "open", 1), (1, 20, "open", 2), (2, 25, "point", 3), (2, 5, "open", 4), (2, 3, "open", 3.5),
    ]  # fmt: skip
    for version, value, role, minute in told:
        found = batch(version, value, measure="freshness", role=role, at=after(minute))
        state.points.record([found], keep=100)
    assert values(state) == [(25.0, "point"), (5.0, "open")]
    head = state.points.newest()[0]
    assert head.newest.number == 2
    assert head.age(after(5)) == timedelta(minutes=1, seconds=5)


def test_who_looked_before_the_newest_version_says_nothing_of_its_age(state: State) -> None:
    state.points.record([batch(6, 25, measure="freshness", at=after(6))], keep=100)
    slow = NewPoint(measure="freshness", at=after(7), value=99, role="open")
    for made, kept in ((after(5), 0), (after(6.5), 1)):
        found = Batch(scope="table", subject="orders", points=(slow,), version=5, made=made)
        assert len(state.points.record([found], keep=100)) == kept, "only a table that was made anew"


def test_only_so_many_points_are_kept(state: State) -> None:
    for number in range(25):
        state.points.record([batch(None, float(number), run=f"run-{number}", subject="load")], keep=5)
    found = [value for value, _ in values(state, "load")]
    assert found == [float(each) for each in range(25 - len(found), 25)]
    assert 5 <= len(found) <= 10


def test_of_many_who_keep_a_version_one_does(url: str, state: State) -> None:
    state.make()

    def go(number: int) -> int:
        other = open_state(url)
        found = other.points.record([batch(1, 1.0), batch(number, 1.0, subject="other")], keep=100)
        other.close()
        return sum(each.key.subject == "orders" for each in found)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(go, range(8))) == 1
    assert len(state.points.newest()) == 2


def test_of_a_series_one_incident_is_open(url: str, state: State) -> None:
    head = state.points.record([batch(1, 5.0)], keep=100)[0]

    def go(number: int) -> str | None:
        other = open_state(url)
        found = other.incidents.open(
            series_seq=head.seq, first=NOW, rule=f"r{number}", detail={}, now=after(number)
        )
        other.close()
        return found

    with ThreadPoolExecutor(8) as pool:
        ids = [each for each in pool.map(go, range(8)) if each is not None]
    assert len(ids) == 1
    assert state.incidents.open(series_seq=head.seq, first=NOW, rule="r", detail={}, now=NOW) is None
    assert state.incidents.add(ids[0], "resolved", unless={"resolved"}, now=NOW, ends=True)
    assert state.incidents.open(series_seq=head.seq, first=NOW, rule="r", detail={}, now=NOW) is not None
    assert [len(each) for each in state.incidents.of_series([head.seq]).values()] == [2]


def test_of_many_who_end_an_incident_one_does(url: str, state: State) -> None:
    _, incident = opened(state)

    def go(number: int) -> bool:
        other = open_state(url)
        done = other.incidents.add(
            incident,
            "recovered" if number % 2 else "resolved",
            unless={"recovered", "resolved"},
            now=after(number),
            ends=True,
        )
        other.close()
        return done

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(go, range(8))) == 1
    found = state.incidents.get(incident)
    assert found is not None
    assert [each.number for each in found[1]] == [1, 2]


def test_incidents_are_filtered_and_what_happened_is_read_on(state: State) -> None:
    seq, first = opened(state)
    state.incidents.add(first, "acknowledged", unless=(), now=after(1), author="a", reason="r")
    state.incidents.add(first, "recovered", unless=(), now=after(2), detail={"until": "x"}, ends=True)
    second = state.incidents.open(series_seq=seq, first=NOW, rule="r", detail={}, now=after(3))
    job = state.points.record([batch(None, 1.0, run="run-1", subject="load")], keep=100)[0]
    third = state.incidents.open(series_seq=job.seq, first=NOW, rule="r", detail={}, now=after(4))

    def ids(**filters: Any) -> list[str]:
        return [row.id for row, _ in state.incidents.list(**filters)]

    assert ids() == [third, second, first]
    assert ids(only_open=True) == [third, second]
    assert ids(scope="table") == ids(subject="orders") == [second, first]
    assert ids(scope="job", limit=1) == [third]
    told = state.incidents.since(0)
    assert [(event.event, row.id) for event, row in told] == [
        ("opened", first), ("acknowledged", first), ("recovered", first),
        ("opened", second), ("opened", third),
    ]  # fmt: skip
    assert told[0][1].detail == {"ü": 1.5}
    assert told[1][0].author == "a"
    assert state.incidents.since(told[3][0].seq) == told[4:]
    assert state.incidents.since(0, limit=2) == told[:2]
    assert state.incidents.get("inc-zzzzzz") is None


@pytest.mark.parametrize(("table", "column"), [("incidents", "rule"), ("incident_events", "event")])
@pytest.mark.parametrize("change", ["DELETE FROM lakehouse_{}", "UPDATE lakehouse_{0} SET {1} = {1}"])
def test_what_happened_to_incidents_can_not_be_changed(
    state: State, ask: Callable[..., Any], table: str, column: str, change: str
) -> None:
    opened(state)
    with pytest.raises(StorageError):
        ask(change.format(table, column))


def test_an_older_database_gets_the_tables(url: str, state: State) -> None:
    state.make()
    with state._database.writing() as connection:
        config = settings()
        config.attributes["connection"] = connection
        downgrade(config, "0004")
    again = open_state(url)
    assert opened(again)[1].startswith("inc-")


def test_of_many_who_judge_one_opens_the_incident(url: str, state: State, tmp_path: Path) -> None:
    config = load_config({"version": 1, "name": "shop", "storage": {"root": str(tmp_path)}})
    put(config, state, [0.05, 0.06] * 8)

    def go(version: int) -> list[str]:
        other = open_state(url)
        found = put(config, other, [0.9], first=version)
        other.close()
        return found.opened

    with ThreadPoolExecutor(6) as pool:
        opened = [each for found in pool.map(go, range(17, 23)) for each in found]
    assert len(opened) == 1
    assert [row.id for row, _ in state.incidents.list(only_open=True)] == opened


@pytest.mark.slow
def test_many_series_are_read_soon(state: State) -> None:
    names = [("rows", ""), *(("null_share", f"c{each}") for each in range(14))]

    def look(table: int, version: int) -> Batch:
        found = tuple(
            NewPoint(measure=measure, column=column, at=after(version), value=1.5)
            for measure, column in names
        )
        return Batch(scope="table", subject=f"t{table}", points=found, version=version)

    state.points.record([look(table, 1) for table in range(200)], keep=2000)
    heads = state.points.newest(subject="t7")
    old = [
        {
            "series_seq": each.seq,
            "number": number,
            "at": number,
            "value": 1.5,
            "run_id": "",
            "role": "point",
        }
        for each in heads
        for number in range(2, 1001)
    ]
    with state._database.writing() as connection:
        connection.execute(insert(points), old)
        connection.execute(update(series).where(series.c.subject == "t7").values(number=1000))
    begun = time.perf_counter()
    assert len(state.points.newest()) == 3000
    assert time.perf_counter() - begun < 1, "0.03 s on an idle machine"
    begun = time.perf_counter()
    assert all(len(each) == 40 for each in state.points.last(heads, count=40).values())
    assert time.perf_counter() - begun < 0.5, "0.003 s on an idle machine"
