"""What a plan shows: rows, files and dates by rule, what is held back, and what stands in the way."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse.errors import RefusedError, UsageError
from lakehouse.retention.plan import RetentionPlan, RulePlan
from tests.unit.merge.test_mapped_tables import mapped
from tests.unit.retention.lakes import NOW, OLD, Lake, fill, one_table


def days(*ages: float) -> list[datetime | None]:
    return [NOW - timedelta(days=age) for age in ages]


def plan_of(lake: Lake, **more: Any) -> RulePlan:
    (rule,) = lake.retention.plan(**more).tables[0].rules
    return rule


def kinds(lake: Lake, **more: Any) -> list[str]:
    return [brake.kind for brake in lake.retention.plan(**more).tables[0].brakes]


def test_a_plan_tells_rows_files_and_dates(tmp_path: Path) -> None:
    lake = one_table(tmp_path, {**OLD, "max_fraction": 0.9})
    fill(lake, days(100, 90), days(40, 20), days(5, 1))
    plan = lake.retention.plan()
    (rule,) = plan.tables[0].rules
    assert (rule.rows, rule.files, rule.files_dropped) == (3, 2, 1)
    assert rule.share == 0.5
    assert rule.oldest == "2026-02-21T12:00:00Z"
    assert rule.newest == "2026-04-22T12:00:00Z"
    assert rule.cutoff == "2026-05-02T12:00:00Z"
    assert 0 < rule.bytes < sum(add.size for add in lake.table("t").snapshot().files.values())
    cost = plan.tables[0].cost
    assert (cost.files_dropped, cost.vectors, cost.files_rewritten, cost.rows_written) == (1, 1, 0, 0)
    assert plan.brakes == ()
    # Nothing happened.
    assert lake.ids() == [0, 1, 2, 3, 4, 5]


def test_a_plan_is_written_and_read_back(tmp_path: Path) -> None:
    lake = one_table(tmp_path, {**OLD, "where": "id > 0"})
    fill(lake, days(100, 90), days(40, 20), days(5, 1))
    lake.hold("t", "id = 1")
    plan = lake.retention.plan(max_fraction=0.7, allow_empty=True)
    assert RetentionPlan.from_json(plan.to_json()) == plan
    assert plan.table("t").rules[0].held[0].reason == "case 12"
    for text in ("{", "{}", "[]", '{"format": 1, "now": "x"}'):
        with pytest.raises(UsageError, match="no retention plan"):
            RetentionPlan.from_json(text)
    with pytest.raises(UsageError, match="another release"):
        RetentionPlan.from_json('{"format": 99}')


def test_rows_without_a_date_stay_and_are_counted(tmp_path: Path) -> None:
    lake = one_table(tmp_path, {**OLD, "max_fraction": 1.0})
    fill(lake, [None, *days(90)], [None, None], days(1, 2))
    rule = plan_of(lake)
    assert (rule.rows, rule.undated, rule.undated_exact) == (1, 3, True)
    lake.retention.apply()
    assert lake.ids() == [0, 2, 3, 4, 5]


def test_hidden_rows_without_a_date_are_not_counted(tmp_path: Path) -> None:
    lake = one_table(tmp_path)
    nothing = pl.Series([None, None], dtype=pl.Datetime("us", "UTC"))
    lake.table("t").merge(pl.DataFrame({"id": [0, 1], "at": nothing}))
    lake.table("t").merge(pl.DataFrame({"id": [0], "at": days(1)}))
    rule = plan_of(lake)
    assert (rule.undated, rule.undated_exact) == (1, True)


@pytest.mark.parametrize("kind", ["timestamp", "date", "seconds", "text"])
def test_a_table_partitioned_by_its_date(tmp_path: Path, kind: str) -> None:
    ages = [100, 100, 40, 5]
    values: list[Any] = [NOW - timedelta(days=age) for age in ages]
    more: dict[str, Any] = {}
    if kind == "date":
        values = [value.date() for value in values]
    elif kind == "seconds":
        values, more = [int(value.timestamp()) for value in values], {"unit": "seconds"}
    elif kind == "text":
        values = [value.isoformat() for value in values]
    lake = one_table(tmp_path, {**OLD, "max_fraction": 0.9, **more}, partition_by=["at"])
    fill(lake, values)
    if kind == "text":
        assert kinds(lake) == ["wrong_type"]
        return
    rule = plan_of(lake)
    assert (rule.rows, rule.files, rule.files_dropped) == (3, 2, 2)
    lake.retention.apply()
    assert lake.ids() == [3]


def test_a_rule_for_some_rows_only(tmp_path: Path) -> None:
    lake = one_table(tmp_path, {**OLD, "where": "country = 'DE' AND id <> 2"})
    fill(lake, days(100, 90, 80, 70), days(1), country=lambda i: ["DE", "FR"][i % 2] if i else None)
    rule = plan_of(lake)
    assert (rule.rows, rule.files_dropped) == (0, 0)
    lake = one_table(tmp_path, {**OLD, "where": "country = 'FR'"})
    assert plan_of(lake).rows == 2
    lake.retention.apply()
    assert lake.ids() == [0, 2, 4]


def test_a_rule_where_times_are_written_as_text(tmp_path: Path) -> None:
    lake = one_table(tmp_path, {**OLD, "where": "at < '2026-03-01'"})
    fill(lake, days(100, 90, 40), days(1))
    lake.retention.apply(max_fraction=1)
    assert lake.ids() == [1, 2, 3]


def test_conditions_that_look_like_more_than_one_row_and_are_not(tmp_path: Path) -> None:
    wheres = ["name <> 'Len'", "length(name) > 0", "name LIKE '%Agg%' OR name IN ('0', 'Over')", "1 = 1"]
    for where in wheres:
        lake = one_table(tmp_path / str(wheres.index(where)), {**OLD, "where": where})
        fill(lake, days(100), days(1, 2, 3), name=str)
        assert plan_of(lake).rows == 1, where


def test_files_without_statistics_are_looked_into(tmp_path: Path) -> None:
    lake = one_table(tmp_path, {**OLD, "max_fraction": 0.9})
    frame = pl.DataFrame({"id": [1, 2, 3], "at": days(90, 50, 1)})
    settings = {"delta.dataSkippingNumIndexedCols": "0"}
    write_deltalake(str(tmp_path / "t"), frame, configuration=settings)
    rule = plan_of(lake)
    assert (rule.rows, rule.files_dropped) == (2, 0)
    lake.retention.apply()
    assert lake.ids() == [3]


def test_a_time_just_below_what_statistics_round_to_keeps_its_file(tmp_path: Path) -> None:
    edge = NOW - timedelta(days=30)
    lake = one_table(tmp_path)
    fill(lake, [edge - timedelta(microseconds=300), edge + timedelta(microseconds=300)], days(1, 2))
    assert plan_of(lake).rows == 1
    lake.retention.apply()
    assert lake.ids() == [1, 2, 3]


def test_columns_that_are_called_otherwise_in_files_are_found(tmp_path: Path) -> None:
    mapped(tmp_path, "name")
    rule = {"name": "old", "column": "v", "unit": "days", "keep": "30d", "action": "delete"}
    lake = one_table(tmp_path, {**rule, "max_fraction": 0.9})
    today = (NOW.date() - date(1970, 1, 1)).days
    fill(lake, [today - 90, today - 80], [today - 70, today], column="v")
    assert lake.table("t").snapshot().schema.field("v").physical_name != "v"
    found = plan_of(lake)
    assert (found.rows, found.files_dropped, found.undated) == (3, 1, 0)
    lake.retention.apply()
    assert lake.table("t").read()["id"].to_list() == [3]


def test_holds_keep_rows_and_say_so(tmp_path: Path) -> None:
    lake = one_table(tmp_path)
    fill(lake, days(100, 90, 80), days(*range(1, 8)))
    lake.hold("t", "id = 1", id="h-1")
    lake.hold("t", "id <= 1", id="h-2")
    rule = plan_of(lake)
    assert (rule.rows, rule.held_rows, rule.files_dropped) == (1, 2, 0)
    assert {each.hold: each.rows for each in rule.held} == {"h-1": 1, "h-2": 2}
    lake.retention.apply()
    assert lake.ids() == [0, 1, *range(3, 10)]


def test_a_hold_on_the_table_keeps_all_of_it(tmp_path: Path) -> None:
    lake = one_table(tmp_path)
    fill(lake, days(100, 90), days(80, 1), days(1, 2, 3, 4, 5, 6))
    lake.hold("t")
    plan = lake.retention.plan()
    (rule,) = plan.tables[0].rules
    assert (rule.rows, rule.held_rows, plan.changes_nothing) == (0, 3, True)
    assert lake.retention.apply().tables[0].status == "nothing"
    assert lake.ids() == list(range(10))


def test_a_hold_that_cant_be_read_stops_everything_and_shows_nothing(tmp_path: Path) -> None:
    lake = one_table(tmp_path)
    fill(lake, days(100), days(1, 2, 3))
    for where in ("name = 'Erika Mustermann'", "id = = 'Erika Mustermann'", "id + 1"):
        lake.holds.clear()
        lake.hold("t", where)
        plan = lake.retention.plan()
        assert [brake.kind for brake in plan.tables[0].brakes] == ["condition"]
        assert plan.changes_nothing
        assert "Mustermann" not in plan.to_json()
        with pytest.raises(RefusedError, match="hold h-1") as caught:
            lake.retention.apply()
        assert "Mustermann" not in str(caught.value)
    assert lake.ids() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"column": "nowhere"}, "missing_column"),
        ({"column": "name"}, "wrong_type"),
        ({"column": "id"}, "wrong_type"),
        ({"where": "nowhere = 1"}, "condition"),
        ({"where": "at <"}, "condition"),
        ({"where": "id + 1"}, "condition"),
        ({"where": "at < max(at)"}, "condition"),
        ({"where": "row_number() OVER (ORDER BY at) < 3"}, "condition"),
        ({"where": "count(*) > 1"}, "condition"),
        ({"action": "anonymize", "columns": ["nowhere"]}, "wrong_type"),
        ({"action": "archive", "to": "."}, "archive"),
        ({"action": "archive", "to": "../elsewhere"}, "archive"),
        ({"action": "archive", "to": "_lakehouse/x"}, "archive"),
        ({"max_fraction": 0.1}, "max_fraction"),
        ({"keep": "12h", "max_fraction": 1.0}, "empty"),
    ],
)
def test_what_cant_be_meant_is_refused_with_advice(tmp_path: Path, rule: dict[str, Any], kind: str) -> None:
    lake = one_table(tmp_path, {**OLD, **rule})
    fill(lake, days(100, 90), days(2, 1.5), name=str)
    assert kinds(lake) == [kind]
    (brake,) = lake.retention.plan().tables[0].brakes
    assert brake.advice
    with pytest.raises(RefusedError, match="nothing was done") as caught:
        lake.retention.apply()
    assert caught.value.exit_code == 3
    assert lake.ids() == [0, 1, 2, 3]


def test_brakes_can_be_let_off_for_one_run(tmp_path: Path) -> None:
    lake = one_table(tmp_path)
    fill(lake, days(100, 90), days(80))
    assert kinds(lake) == ["max_fraction", "empty"]
    assert kinds(lake, max_fraction=1) == ["empty"]
    assert kinds(lake, max_fraction=1, allow_empty=True) == []
    lake.retention.apply(max_fraction=1, allow_empty=True)
    assert lake.ids() == []
    for share in (0, -1, 1.1):
        with pytest.raises(UsageError, match="max_fraction"):
            lake.retention.plan(max_fraction=share)


def test_an_archive_inside_a_table_is_refused(tmp_path: Path) -> None:
    for to in (f"{tmp_path}/t", f"{tmp_path}/t/deep", str(tmp_path), f"file://{tmp_path}/t"):
        lake = one_table(tmp_path, {**OLD, "action": "archive", "to": to})
        fill(lake, days(100), days(1, 2))
        (brake,) = lake.retention.plan().tables[0].brakes
        assert "in a table's folder" in brake.message, to


def test_a_table_that_only_grows_is_refused(tmp_path: Path) -> None:
    lake = one_table(tmp_path)
    fill(lake, days(100), days(1, 2))
    DeltaTable(str(tmp_path / "t")).alter.set_table_properties({"delta.appendOnly": "true"})
    assert kinds(lake) == ["append_only"]


def test_dates_in_the_future_stay_and_are_told(tmp_path: Path) -> None:
    lake = one_table(tmp_path)
    fill(lake, days(100), days(-400, 1, 2))
    (warning,) = lake.retention.plan().tables[0].warnings
    assert "a day ahead" in warning
    lake.retention.apply()
    assert lake.ids() == [1, 2, 3]
    lake = one_table(tmp_path / "n", {**OLD, "unit": "seconds"})
    fill(lake, [int(each.timestamp() * 1000) for each in days(1, 2) if each])
    assert "is `unit` right?" in lake.retention.plan().tables[0].warnings[0]


def test_a_rule_that_deletes_what_another_should_archive(tmp_path: Path) -> None:
    archive = {"name": "cold", "column": "at", "keep": "60d", "action": "archive", "to": "archive"}
    lake = one_table(tmp_path, OLD, archive)
    fill(lake, days(100), days(50), days(1, 2, 3))
    (brake,) = lake.retention.plan(max_fraction=1).tables[0].brakes
    assert (brake.kind, brake.rule) == ("contradiction", "cold")
    assert "never archives" in brake.message
    # By its rows too, where the rules alone don't show it.
    lake = one_table(tmp_path, {**OLD, "where": "id < 5"}, archive)
    (brake,) = lake.retention.plan(max_fraction=1).tables[0].brakes
    assert (brake.kind, brake.rule) == ("contradiction", "cold")
    assert "1 rows that rule cold should archive" in brake.message
    # The other way round it is what people do.
    lake = one_table(tmp_path, archive, OLD)
    plan = lake.retention.plan(max_fraction=1).tables[0]
    assert plan.brakes == ()
    assert [each.rows for each in plan.rules] == [1, 1]


def test_a_row_goes_by_one_rule_a_run(tmp_path: Path) -> None:
    older = {"name": "older", "column": "at", "keep": "60d", "action": "delete", "where": "id >= 0"}
    lake = one_table(tmp_path, OLD, older)
    fill(lake, days(100, 40, 3), days(1, 2))
    first, second = lake.retention.plan(max_fraction=1).tables[0].rules
    assert (first.rows, second.rows, second.taken) == (2, 0, {"old": 1})


def test_defaults_are_for_tables_that_have_the_column(tmp_path: Path) -> None:
    tables = {
        "t": {"key": ["id"]},
        "own": {"key": ["id"], "retention": [{**OLD, "keep": "90d"}]},
        "none": {"key": ["id"], "retention": []},
        "other": {"key": ["id"]},
    }
    lake = Lake(tmp_path, tables, retention=[OLD, {"name": "leftovers", "orphans": "7d"}])
    for name in tables:
        column = "seen" if name == "other" else "at"
        lake.table(name).merge(pl.DataFrame({"id": [1, 2, 3], column: days(50, 1, 1)}))
    plan = lake.retention.plan()
    assert [each.table for each in plan.tables] == ["t", "own", "other"]
    assert {each.table: [rule.rows for rule in each.rules] for each in plan.tables} == {
        "t": [1],
        "own": [0],
        "other": [],
    }
    assert plan.brakes == ()


def test_another_moment(tmp_path: Path) -> None:
    lake = one_table(tmp_path)
    fill(lake, days(29), days(1, 2, 3))
    assert plan_of(lake).rows == 0
    assert plan_of(lake, now=NOW + timedelta(days=2)).rows == 1
    with pytest.raises(UsageError, match="timezone"):
        lake.retention.plan(now=datetime(2026, 1, 1))
    with pytest.raises(UsageError, match="list of names"):
        lake.retention.plan(tables="t")


def test_a_table_that_has_not_been_made(tmp_path: Path) -> None:
    lake = one_table(tmp_path)
    plan = lake.retention.plan()
    assert plan.tables[0].version is None
    assert lake.retention.apply().tables[0].status == "nothing"


def test_a_date_column(tmp_path: Path) -> None:
    lake = one_table(tmp_path, {**OLD, "keep": "1d", "timezone": "Pacific/Auckland", "max_fraction": 1.0})
    fill(lake, [date(2026, 5, 30), date(2026, 5, 31), date(2026, 6, 1)])
    rule = plan_of(lake)
    assert (rule.rows, rule.newest) == (2, "2026-05-31")
    assert datetime.fromisoformat(rule.cutoff) == datetime(2026, 5, 31, 12, tzinfo=UTC)
