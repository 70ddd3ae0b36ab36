"""Carrying plans out: exactly what they say, in one commit, whoever writes meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse.errors import (
    CommitUnknownError,
    ConflictError,
    CorruptTableError,
    RefusedError,
    StorageError,
    UsageError,
)
from lakehouse.protection import TableHold
from lakehouse.retention.plan import RetentionPlan
from lakehouse.storage import open_storage
from tests.fixtures.faults import FaultyStorage
from tests.fixtures.meanwhile import Meanwhile
from tests.unit.retention.lakes import NOW, OLD, Lake, fill, one_table


def days(*ages: float) -> list[datetime]:
    return [NOW - timedelta(days=age) for age in ages]


def three_files(root: Path, **section: Any) -> Lake:
    lake = one_table(root, {**OLD, "max_fraction": 0.9}, **section)
    fill(lake, days(100, 90), days(40, 20, 10, 9), days(5, 1))
    return lake


def meanwhile(lake: Lake, *deeds: Callable[[], object]) -> Lake:
    """The same lake, in which others commit before each of our commits."""
    storage = Meanwhile(open_storage(lake.root, options={"fsync": "false"}), deeds)
    other = Lake(
        lake.root,
        {n: t.model_dump(by_alias=True, exclude_unset=True) for n, t in lake.config.tables.items()},
        storage=storage,
    )
    other.holds = lake.holds
    return other


@pytest.mark.parametrize("mode", ["on_read", "on_write"])
def test_one_commit_takes_what_is_past(tmp_path: Path, mode: str) -> None:
    lake = three_files(tmp_path, merge=mode)
    before = lake.table("t").snapshot()
    (done,) = lake.retention.apply().tables
    assert lake.ids() == [3, 4, 5, 6, 7]
    after = lake.table("t").snapshot()
    assert (done.status, done.version, done.attempts) == ("done", before.version + 1, 1)
    assert after.version == done.version
    assert done.rows_deleted == 3
    if mode == "on_read":
        assert (done.vectors, done.files_added, done.files_dropped) == (1, 0, 1)
    else:
        assert (done.vectors, done.files_added, done.files_dropped) == (0, 1, 2)
    assert lake.table("t").verify().findings == ()
    # A second run finds nothing, and makes no version.
    assert lake.retention.apply().tables[0].status == "nothing"
    assert lake.table("t").snapshot().version == done.version


def test_whole_files_go_without_being_opened(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    old = min(lake.table("t").snapshot().files.values(), key=lambda add: add.modification_time)
    (tmp_path / "t" / old.path).unlink()
    (done,) = lake.retention.apply().tables
    assert done.rows_deleted == 3
    assert lake.ids() == [3, 4, 5, 6, 7]


def test_the_log_says_which_rules_and_how_many_rows_and_no_value(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    lake.retention.apply()
    entry = lake.table("t").history()[0]
    assert entry.operation == "DELETE"
    assert entry.counts["deleted"] == 3
    assert json.loads(entry.parameters["retention"]) == [
        {"rule": "old", "action": "delete", "column": "at", "cutoff": "2026-05-02T12:00:00Z"}
    ]
    assert DeltaTable(str(tmp_path / "t")).history(1)[0]["operationMetrics"]["numDeletedRows"] == 3


def test_what_was_done_is_recorded(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    lake.hold("t", "id = 0")
    (done,) = lake.retention.apply().tables
    (record,) = lake.ledger.records
    assert (record.table, record.rule, record.rows, record.held_back) == ("t", "old", 2, 1)
    assert (record.version_after, record.detail["run"], record.at) == (done.version, done.run, NOW)
    info = lake.table("t").snapshot()
    assert info.version == record.version_after
    assert lake.retention.apply().tables[0].status == "nothing"
    assert len(lake.ledger.records) == 1


@pytest.mark.parametrize("mode", ["on_read", "on_write"])
def test_the_change_feed_tells_every_row(tmp_path: Path, mode: str) -> None:
    lake = three_files(tmp_path, change_feed=True, merge=mode)
    version = lake.retention.apply().tables[0].version
    feed = pl.DataFrame(DeltaTable(str(tmp_path / "t")).load_cdf(starting_version=version or 0).read_all())
    assert sorted(feed.select("id", "_change_type").rows()) == [(n, "delete") for n in range(3)]


def test_the_change_feed_of_whole_files_costs_nothing(tmp_path: Path) -> None:
    lake = one_table(tmp_path, change_feed=True)
    fill(lake, days(100, 90), days(5, 1, 1))
    (done,) = lake.retention.apply().tables
    assert done.bytes_written == 0
    feed = pl.DataFrame(
        DeltaTable(str(tmp_path / "t")).load_cdf(starting_version=done.version or 0).read_all()
    )
    assert sorted(feed.select("id", "_change_type").rows()) == [(0, "delete"), (1, "delete")]


def test_a_table_of_others_keeps_its_readers(tmp_path: Path) -> None:
    """Without vectors in the table, `auto` rewrites."""
    frame = pl.DataFrame({"id": range(8), "at": days(100, 90, 40, 20, 10, 9, 5, 1)})
    write_deltalake(str(tmp_path / "t"), frame)
    lake = one_table(tmp_path, merge="auto")
    (done,) = lake.retention.apply().tables
    assert (done.vectors, done.files_added) == (0, 1)
    assert lake.ids() == [3, 4, 5, 6, 7]
    assert DeltaTable(str(tmp_path / "t")).protocol().min_reader_version == 1


def test_full_history_by_its_own_columns(tmp_path: Path) -> None:
    rule = {"name": "h", "column": "_valid_to", "keep": "30d", "action": "delete", "where": "NOT _is_current"}
    lake = one_table(tmp_path, rule, history="full", changes={"sequence": "at"})
    for ages in ((100.0, 90.0, 20.0), (80.0, 70.0, 10.0), (60.0, 5.0, 5.0)):
        lake.table("t").merge(pl.DataFrame({"id": [1, 2, 3], "v": [str(a) for a in ages], "at": days(*ages)}))
    assert lake.table("t").read().height == 9
    lake.retention.apply()
    rows = lake.table("t").read().sort("id", "at")
    # Versions that ended 80 and 60 (id 1) and 70 days ago (id 2) are gone; the current ones stay.
    assert rows.select("id", "v").rows() == [
        (1, "60.0"), (2, "70.0"), (2, "5.0"), (3, "20.0"), (3, "10.0"), (3, "5.0"),
    ]  # fmt: skip


def test_young_rows_that_others_append_change_nothing(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    young = pl.DataFrame({"id": [100], "at": days(1)})
    racing = meanwhile(
        lake,
        lambda: lake.table("t").merge(young),
        lambda: lake.table("t").merge(young.with_columns(id=pl.lit(101))),
    )
    (done,) = racing.retention.apply().tables
    assert (done.status, done.attempts) == ("done", 3)
    assert lake.ids() == [3, 4, 5, 6, 7, 100, 101]


@pytest.mark.parametrize("exact", [True, False])
def test_rows_that_others_change_are_looked_at_again(tmp_path: Path, exact: bool) -> None:
    lake = three_files(tmp_path)
    # Row 2 is past; somebody sees the customer again.
    again = pl.DataFrame({"id": [2], "at": days(0.1)})
    racing = meanwhile(lake, lambda: lake.table("t").merge(again))
    if exact:
        plan = racing.retention.plan()
        with pytest.raises(ConflictError, match="rows that it takes were changed") as caught:
            racing.retention.apply(plan)
        assert caught.value.exit_code == 4
        assert lake.ids() == list(range(8))
    else:
        (done,) = racing.retention.apply().tables
        assert (done.rows_deleted, done.attempts) == (2, 2)
        assert lake.ids() == [2, 3, 4, 5, 6, 7]
    assert lake.table("t").verify().findings == ()
    # Nothing that was written in vain stays.
    here = {path.name for path in (tmp_path / "t").rglob("*.bin")}
    used = [add.deletion_vector for add in lake.table("t").snapshot().files.values() if add.deletion_vector]
    assert len(here) == len({v.relative_path() for v in used})


def test_a_plan_that_need_not_be_carried_out_exactly_is_made_again(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    plan = lake.retention.plan()
    lake.table("t").merge(pl.DataFrame({"id": [2], "at": days(0.1)}))
    (done,) = lake.retention.apply(plan, exact=False).tables
    assert (done.status, done.rows_deleted) == ("done", 2)
    assert lake.ids() == [2, 3, 4, 5, 6, 7]


def test_a_compaction_in_between(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    racing = meanwhile(lake, lambda: lake.table("t").compact())
    (done,) = racing.retention.apply().tables
    assert done.rows_deleted == 3
    assert lake.ids() == [3, 4, 5, 6, 7]


def test_an_old_plan_is_carried_out_where_its_rows_are_as_they_were(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    text = lake.retention.plan().to_json()
    lake.table("t").merge(pl.DataFrame({"id": [100, 101], "at": days(1, 2)}))
    lake.now += timedelta(days=12)  # by then row 3 would be past too
    (done,) = lake.retention.apply(RetentionPlan.from_json(text)).tables
    assert done.rows_deleted == 3
    assert lake.ids() == [3, 4, 5, 6, 7, 100, 101]
    # It is used up: nothing of it is there any more.
    with pytest.raises(ConflictError, match="does not fit"):
        lake.retention.apply(RetentionPlan.from_json(text))


def test_an_old_plan_whose_rows_moved_is_refused(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    for plan in (lake.retention.plan(), RetentionPlan.from_json(lake.retention.plan().to_json())):
        lake.table("t").merge(pl.DataFrame({"id": [1, 2], "at": days(200, 300)}))
        version = lake.table("t").snapshot().version
        with pytest.raises(ConflictError, match="plan again") as caught:
            lake.retention.apply(plan)
        assert "nothing was done" in caught.value.message
        assert lake.table("t").snapshot().version == version


def test_a_plan_of_another_rule_is_refused(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    text = lake.retention.plan().to_json()
    other = one_table(tmp_path, {**OLD, "keep": "15d", "max_fraction": 0.9})
    with pytest.raises(ConflictError):
        other.retention.apply(RetentionPlan.from_json(text))
    assert lake.ids() == list(range(8))
    with pytest.raises(UsageError, match="its own moment"):
        lake.retention.apply(lake.retention.plan(), max_fraction=0.9)


@pytest.mark.parametrize("where", [None, "id = 1"])
def test_a_hold_that_comes_after_the_plan(tmp_path: Path, where: str | None) -> None:
    lake = three_files(tmp_path)
    plan = lake.retention.plan()
    lake.hold("t", where)
    with pytest.raises(ConflictError, match="holds were placed"):
        lake.retention.apply(plan)
    assert lake.ids() == list(range(8))


def test_a_hold_that_comes_while_files_are_written(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    asked = 0

    def late(name: str) -> Any:
        nonlocal asked
        asked += 1
        if asked == 3:
            lake.hold(name, "id = 1")
        return lake.protection(name)

    lake.retention._protection = late
    (done,) = lake.retention.apply().tables
    assert asked > 3
    assert done.rows_deleted == 2
    assert lake.ids() == [1, 3, 4, 5, 6, 7]


def test_a_hold_is_released_and_rows_go(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    lake.holds["t"] = [TableHold(id="h", reason="case", where=None)]
    assert lake.retention.apply().tables[0].status == "nothing"
    lake.holds.clear()
    lake.retention.apply()
    assert lake.ids() == [3, 4, 5, 6, 7]


def test_an_answer_that_was_lost_is_looked_up(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    counting = FaultyStorage(open_storage(tmp_path, options={"fsync": "false"}))
    sections = {"t": {"key": ["id"], "merge": "on_read", "retention": [{**OLD, "max_fraction": 0.9}]}}
    Lake(tmp_path, sections, storage=counting).retention.plan()
    at = next_commit(tmp_path, sections)
    broken = FaultyStorage(
        open_storage(tmp_path, options={"fsync": "false"}), at=at, when="after", how="raise"
    )
    (done,) = Lake(tmp_path, sections, storage=broken).retention.apply().tables
    assert done.status == "done"
    assert lake.ids() == [3, 4, 5, 6, 7]


def next_commit(root: Path, sections: dict[str, Any]) -> int:
    """The number of the call that commits, tried on a copy."""
    import shutil  # noqa: PLC0415

    copy = root.parent / f"{root.name}-copy"
    shutil.copytree(root, copy)
    storage = FaultyStorage(open_storage(copy, options={"fsync": "false"}))
    Lake(copy, sections, storage=storage).retention.apply()
    calls = [method for method, _ in storage.log]
    return calls.index("put_if_absent") + 1


def test_a_commit_of_which_nobody_knows_keeps_what_it_wrote(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    sections = {"t": {"key": ["id"], "merge": "on_read", "retention": [{**OLD, "max_fraction": 0.9}]}}

    class Silent(FaultyStorage):
        silent = False

        def child(self, prefix: str) -> Silent:
            return Silent(self.inner.child(prefix), plan=self.plan)

        def put_if_absent(self, path: str, data: bytes) -> bool:
            self.inner.put_if_absent(path, data)
            Silent.silent = True
            raise StorageError("no answer")

        def get(self, path: str) -> bytes:
            if Silent.silent:
                raise StorageError("no answer")
            return super().get(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lakehouse.delta.transaction._PAUSES", ())
        with pytest.raises(CommitUnknownError):
            Lake(
                tmp_path, sections, storage=Silent(open_storage(tmp_path, options={"fsync": "false"}))
            ).retention.apply()
    assert lake.ids() == [3, 4, 5, 6, 7]
    assert lake.table("t").verify().findings == ()


def test_other_tables_are_done_where_one_is_refused(tmp_path: Path) -> None:
    tables = {
        "bad": {"key": ["id"], "retention": [{**OLD, "column": "nowhere"}]},
        "t": {"key": ["id"], "retention": [OLD]},
    }
    lake = Lake(tmp_path, tables)
    for name in tables:
        lake.table(name).merge(pl.DataFrame({"id": [1, 2, 3], "at": days(50, 1, 1)}))
    with pytest.raises(RefusedError, match="no column nowhere") as caught:
        lake.retention.apply()
    assert "done: t" in caught.value.advice
    assert lake.ids() == [2, 3]
    result = lake.retention.apply(strict=False)
    assert [each.status for each in result.tables] == ["refused", "nothing"]
    assert len(result.errors) == 1


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    result = lake.retention.apply(dry_run=True)
    assert (result.dry_run, result.tables, result.plan.tables[0].rows_going) == (True, (), 3)
    assert lake.ids() == list(range(8))


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    lake = three_files(tmp_path)
    for path in (tmp_path / "t").glob("*.parquet"):
        path.unlink()
    with pytest.raises(CorruptTableError, match="3 of its 3 files are gone"):
        lake.retention.plan()


def test_a_record_that_cant_be_kept_is_told(tmp_path: Path) -> None:
    lake = three_files(tmp_path)

    def fail(_: object) -> None:
        raise StorageError("the state database does not answer")

    lake.ledger.add = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(StorageError, match="state database"):
        lake.retention.apply()
    assert lake.ids() == [3, 4, 5, 6, 7]
    assert lake.retention.apply().tables[0].status == "nothing"
