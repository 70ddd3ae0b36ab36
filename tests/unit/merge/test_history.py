"""Full history (SCD 2): versions with their times, late events in their place, both clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse.errors import RefusedError, UsageError
from lakehouse.table import Table
from tests.fixtures.debezium_expected import DATA
from tests.properties.tables import NAME, everywhere, open_table


def day(number: int) -> datetime:
    return datetime(2026, 3, number, tzinfo=UTC)


def table(root: Path, **section: Any) -> Table:
    return open_table(root, **{"history": "full", "changes": {"sequence": "at"}, **section})


def versions(found: Table, **options: Any) -> list[tuple[Any, ...]]:
    """Key, value, first day and last day of each version."""
    rows = found.read(**options).sort("id", "_valid_from")
    days = [pl.col(name).dt.day() for name in ("_valid_from", "_valid_to")]
    return rows.select("id", "v", *days).rows()


def change(key: int, number: int, value: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": key, "at": day(number), **({} if value is None else {"v": value}), **more}


@pytest.mark.parametrize("mode", ["on_read", "on_write"])
def test_a_change_closes_one_version_and_opens_the_next(tmp_path: Path, mode: str) -> None:
    found = table(tmp_path, merge=mode)
    assert found.merge([change(1, 1, "a"), change(2, 1, "b")]).inserted == 2
    result = found.merge([change(1, 3, "c"), change(2, 4, _op="delete")])
    assert (result.updated, result.deleted) == (1, 1)
    assert versions(found) == [(1, "a", 1, 3), (1, "c", 3, None), (2, "b", 1, 4)]
    current = found.read(where="_is_current")
    assert current.select("id", "v").rows() == [(1, "c")]
    everywhere(found, tmp_path)


def test_a_late_event_goes_into_the_middle_of_the_timeline(tmp_path: Path) -> None:
    found = table(tmp_path)
    found.merge([change(1, 1, "a"), change(1, 9, "z")])
    result = found.merge([change(1, 5, "m")])
    assert (result.updated, result.stale) == (1, 0)
    assert versions(found) == [(1, "a", 1, 5), (1, "m", 5, 9), (1, "z", 9, None)]
    found.merge([change(1, 3, _op="delete")])
    assert versions(found) == [(1, "a", 1, 3), (1, "m", 5, 9), (1, "z", 9, None)]


def test_an_event_from_before_the_first(tmp_path: Path) -> None:
    found = table(tmp_path)
    found.merge([change(1, 5, "b")])
    found.merge([change(1, 2, "a")])
    assert versions(found) == [(1, "a", 2, 5), (1, "b", 5, None)]


def test_what_comes_back_after_a_delete_is_a_new_life(tmp_path: Path) -> None:
    found = table(tmp_path)
    found.merge([change(1, 1, "a", w=1), change(1, 3, _op="delete")])
    assert found.merge([change(1, 6, "b")]).inserted == 1
    assert versions(found) == [(1, "a", 1, 3), (1, "b", 6, None)]
    # What was stated before the delete does not live on.
    assert found.read(where="_is_current")["w"].to_list() == [None]


def test_a_delete_that_comes_first_is_remembered(tmp_path: Path) -> None:
    found = table(tmp_path, schema={"id": "long", "at": "timestamp", "v": "string"})
    assert found.merge([change(1, 5, _op="delete")]).unchanged == 1
    found.merge([change(1, 2, "a")])
    assert versions(found) == [(1, "a", 2, 5)]


def test_a_repeat_opens_no_version_and_still_counts(tmp_path: Path) -> None:
    found = table(tmp_path)
    found.merge([change(1, 1, "a"), change(1, 7, "a")])
    assert versions(found) == [(1, "a", 1, None)]
    # The event of day 7 said "a" again: what comes between them ends there.
    found.merge([change(1, 4, "b")])
    assert versions(found) == [(1, "a", 1, 4), (1, "b", 4, 7), (1, "a", 7, None)]


def test_the_same_events_again_change_nothing(tmp_path: Path) -> None:
    found = table(tmp_path)
    events = [change(1, 1, "a"), change(1, 2, "b"), change(1, 3, _op="delete")]
    found.merge(events)
    result = found.merge(events)
    assert (result.duplicate, result.committed) == (3, False)


def test_partial_changes_pass_on_what_they_do_not_state(tmp_path: Path) -> None:
    found = table(tmp_path)
    found.merge([change(1, 1, "a", w=1), change(1, 5, w=2)])
    found.merge([change(1, 3, "b")])
    rows = found.read().sort("_valid_from").select("v", "w").rows()
    assert rows == [("a", 1), ("b", 1), ("b", 2)]


@pytest.mark.parametrize(
    "history", [{"mode": "full", "track": ["v"]}, {"mode": "full", "track_except": ["w"]}]
)
def test_columns_that_open_no_version_are_kept_up_to_date(tmp_path: Path, history: dict[str, Any]) -> None:
    found = table(tmp_path, history=history)
    found.merge([change(1, 1, "a", w=1)])
    assert found.merge([change(1, 4, "a", w=2)]).updated == 1
    assert versions(found) == [(1, "a", 1, None)]
    assert found.read()["w"].to_list() == [2]
    found.merge([change(1, 2, "b", w=5)])
    rows = found.read().sort("_valid_from").select("v", "w").rows()
    assert rows == [("a", 1), ("b", 5), ("a", 2)]


def test_a_truncate_ends_what_holds_at_that_moment(tmp_path: Path) -> None:
    found = table(tmp_path)
    found.merge([change(1, 1, "a"), change(2, 6, "b"), change(3, 1, "c"), change(3, 2, _op="delete")])
    assert found.merge([{"at": day(4), "_op": "truncate"}]).deleted == 1
    assert versions(found) == [(1, "a", 1, 4), (2, "b", 6, None), (3, "c", 1, 2)]
    found.merge([change(4, 3, "late")])
    assert versions(found, where="id = 4") == [(4, "late", 3, 4)]


def test_both_clocks(tmp_path: Path) -> None:
    found = table(tmp_path)
    found.merge([change(1, 1, "a"), change(1, 9, "z")])
    found.merge([change(1, 5, "m")])
    read = [found.read(valid_at=day(6), version=version)["v"].to_list() for version in (1, 2)]
    assert read == [["a"], ["m"]]
    assert found.read(valid_at="2026-03-05T00:00:00Z")["v"].to_list() == ["m"]
    assert found.read(valid_at=day(1) - timedelta(microseconds=1)).is_empty()
    assert found.scan(valid_at=day(30)).collect()["v"].to_list() == ["z"]
    with pytest.raises(UsageError, match="timezone"):
        found.read(valid_at="2026-03-05T00:00:00")


def test_a_number_can_be_the_clock(tmp_path: Path) -> None:
    found = open_table(tmp_path, history="full", changes={"sequence": "n"})
    found.merge([{"id": 1, "n": 10, "v": "a"}, {"id": 1, "n": 20, "v": "b"}])
    assert found.read(valid_at=15)["v"].to_list() == ["a"]
    assert found.read(valid_at="20")["v"].to_list() == ["b"]
    with pytest.raises(UsageError, match="by numbers"):
        found.read(valid_at="yesterday")


def test_a_table_without_history_has_one_clock(tmp_path: Path) -> None:
    found = open_table(tmp_path)
    found.merge([{"id": 1}])
    with pytest.raises(UsageError, match="keeps no history"):
        found.read(valid_at=day(1))


def test_without_a_sequence_the_time_of_the_merge_counts(tmp_path: Path) -> None:
    clock = iter([day(1), day(1), day(1), day(3), day(3), day(3)] + [day(4)] * 9)
    found = open_table(tmp_path, history="full", clock=lambda: next(clock))
    found.merge([{"id": 1, "v": "a"}, {"id": 1, "v": "b"}])
    found.merge([{"id": 1, "v": "c"}])
    rows = found.read().sort("_valid_from").select("v", "_is_current").rows()
    assert rows == [("b", False), ("c", True)]


def test_a_table_that_had_no_history_goes_on_with_one(tmp_path: Path) -> None:
    plain = open_table(tmp_path, changes={"sequence": "at"})
    plain.merge([change(1, 1, "a"), change(2, 1, "b")])
    found = table(tmp_path)
    found.merge([change(1, 3, "c")])
    assert versions(found)[:2] == [(1, "a", 1, 3), (1, "c", 3, None)]
    assert everywhere(found, tmp_path)


def test_a_table_with_versions_is_not_merged_into_without_history(tmp_path: Path) -> None:
    table(tmp_path).merge([change(1, 1, "a"), change(1, 3, "b")])
    plain = open_table(tmp_path, changes={"sequence": "at"})
    with pytest.raises(RefusedError, match="has versions of its rows") as caught:
        plain.merge([change(1, 5, "c")])
    assert caught.value.exit_code == 3
    assert plain.snapshot().version == 1


def test_the_change_feed_shows_closed_versions_as_updates(tmp_path: Path) -> None:
    found = table(tmp_path, change_feed=True)
    found.merge([change(1, 1, "a")])
    found.merge([change(1, 3, "b")])
    feed = pl.DataFrame(DeltaTable(str(tmp_path / NAME)).load_cdf(starting_version=2).read_all())
    kinds = feed.sort("v", "_change_type").select("v", "_is_current", "_change_type").rows()
    assert kinds == [
        ("a", False, "update_postimage"),
        ("a", True, "update_preimage"),
        ("b", True, "insert"),
    ]


def test_differences_show_which_version_changed(tmp_path: Path) -> None:
    found = table(tmp_path)
    found.merge([change(1, 1, "a")])
    found.merge([change(1, 3, "b")])
    shown = found.diff(1, 2).select("_change", "v", "_is_current").rows()
    assert shown == [("update_before", "a", True), ("update_after", "a", False), ("insert", "b", True)]


def test_recorded_events_are_dated_by_their_source(tmp_path: Path) -> None:
    found = open_table(tmp_path, history="full", changes={"format": "debezium"})
    found.merge_files([DATA / "pg_pk_update_d_then_c.jsonl"], source_table="s.pkt")
    rows = found.read().sort("_valid_from")
    assert rows.height
    assert rows["_valid_from"].dt.year().unique().to_list() == [2026]
    assert (rows["_valid_to"].is_null() | (rows["_valid_to"] >= rows["_valid_from"])).all()
