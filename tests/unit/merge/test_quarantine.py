"""Rejected records are kept, counted, merged again after a fix, and never kept twice."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import process_time
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, QueryBuilder

from lakehouse.errors import UsageError
from lakehouse.table import Table
from tests.properties.tables import files_below, open_table

SECTION: Mapping[str, Any] = {"schema": {"id": "long", "seq": "long", "n": "integer"}}
GOOD = {"id": 1, "seq": 1, "n": 1}
NO_KEY = {"id": None, "seq": 1, "n": 2}
CUT = b'{"id": 3, "se'
WRONG = {"id": 4, "seq": 1, "n": "four"}


def made(root: Path, **section: Any) -> Table:
    return open_table(root, **{**SECTION, "changes": {"sequence": "seq"}, **section})


def reasons(table: Table) -> list[str]:
    return sorted(table.quarantine.list()["reason"])


def test_what_is_rejected_waits_as_it_came(tmp_path: Path) -> None:
    table = made(tmp_path)
    result = table.merge([GOOD, NO_KEY, CUT, WRONG], source="shop", offset=4)
    assert (result.inserted, result.rejected, result.quarantined, result.dropped) == (1, 3, 3, 0)
    assert result.quarantine == "t__quarantine"
    found = table.quarantine.list()
    assert found["raw"].to_list() == [b'{"id":null,"seq":1,"n":2}', CUT, b'{"id":4,"seq":1,"n":"four"}']
    assert found.select("reason", "source", "offset", "position", "tries").rows() == [
        ("null_key", "shop", 4, 1, 0),
        ("bad_json", "shop", 4, 2, 0),
        ("bad_value", "shop", 4, 3, 0),
    ]
    assert table.quarantine.count() == 3
    assert table.quarantine.list(reason="bad_json", limit=5).height == 1
    assert table.quarantine.list(limit=0).height == 0


def test_it_is_a_delta_table_that_others_read(tmp_path: Path) -> None:
    table = made(tmp_path)
    table.merge([CUT])
    assert pl.scan_delta(str(tmp_path / "t__quarantine")).collect()["raw"].to_list() == [CUT]
    other = DeltaTable(str(tmp_path / "t__quarantine"))
    found = QueryBuilder().register("t", other).execute("select id, reason from t").read_all()
    assert pl.DataFrame(found).rows() == table.quarantine.list().select("id", "reason").rows()


def test_a_second_delivery_of_many_bad_records_costs_no_more_than_the_first(tmp_path: Path) -> None:
    table = made(tmp_path)
    batch = [{"id": None, "seq": number, "n": number} for number in range(20_000)]
    begun = process_time()
    table.merge(batch)
    first = process_time() - begun
    begun = process_time()
    table.merge(batch)
    assert process_time() - begun < 5 * first + 1
    assert table.quarantine.count() == 20_000
    assert table.quarantine.retry().waiting == 20_000
    assert table.quarantine.list()["tries"].unique().to_list() == [1]


def test_small_files_are_put_together_when_those_of_the_table_are(tmp_path: Path) -> None:
    table = made(tmp_path, compact={"after": 3})
    for number in range(6):
        table.merge([{"id": None, "seq": number, "n": number}])
    assert table.quarantine.count() == 6
    assert len(DeltaTable(str(tmp_path / "t__quarantine")).file_uris()) <= 3
    assert not table.exists()


def test_nothing_is_made_where_nothing_is_rejected(tmp_path: Path) -> None:
    table = made(tmp_path)
    table.merge([GOOD])
    assert not (tmp_path / "t__quarantine").exists()
    assert table.quarantine.count() == 0
    assert table.quarantine.list().is_empty()
    assert table.quarantine.retry().tried == 0


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    table = made(tmp_path)
    assert table.merge([GOOD, NO_KEY], dry_run=True).quarantined == 1
    assert files_below(tmp_path) == {}
    table.merge([GOOD, NO_KEY])
    before = files_below(tmp_path)
    table.merge([GOOD, CUT], dry_run=True)
    table.quarantine.retry(dry_run=True)
    table.quarantine.drop(everything=True, dry_run=True)
    assert files_below(tmp_path) == before


def test_a_table_that_is_not_there_has_a_quarantine_all_the_same(tmp_path: Path) -> None:
    table = made(tmp_path)
    result = table.merge([CUT])
    assert (result.rejected, result.version, table.exists()) == (1, None, False)
    assert reasons(table) == ["bad_json"]


@pytest.mark.parametrize("named", [True, False])
def test_a_batch_that_comes_again_is_kept_once(tmp_path: Path, named: bool) -> None:
    table = made(tmp_path)
    offset: dict[str, Any] = {"source": "shop", "offset": 1} if named else {}
    for _ in range(3):
        table.merge([GOOD, NO_KEY, CUT, CUT], **offset)
    assert reasons(table) == ["bad_json", "bad_json", "null_key"]


def test_the_same_record_in_another_batch_of_the_source_is_another_one(tmp_path: Path) -> None:
    table = made(tmp_path)
    table.merge([CUT], source="shop", offset=1)
    table.merge([CUT], source="shop", offset=2)
    table.merge([CUT], source="crm", offset=1)
    assert reasons(table) == ["bad_json"] * 3


def test_what_fits_after_a_fix_goes_in_and_leaves(tmp_path: Path) -> None:
    strict = made(tmp_path, expect=[{"name": "small", "check": "n < 5", "on_fail": "quarantine"}])
    strict.merge([GOOD, {"id": 2, "seq": 1, "n": 9}, {"id": 2, "seq": 2, "n": 8}, CUT])
    assert strict.quarantine.retry().merged == 0
    assert strict.quarantine.list()["tries"].to_list() == [1, 1, 1]
    fixed = made(tmp_path)
    done = fixed.quarantine.retry()
    assert (done.tried, done.merged, done.waiting, done.version) == (3, 2, 1, 2)
    assert (done.counts["inserted"], done.counts["stale"], done.counts["rejected"]) == (1, 1, 1)
    assert sorted(fixed.read().rows()) == [(1, 1, 1), (2, 2, 8)]
    (left,) = fixed.quarantine.list().iter_rows(named=True)
    assert (left["reason"], left["tries"]) == ("bad_json", 2)
    assert left["tried_at"] is not None
    assert left["raw"] == CUT


def test_what_stays_has_the_reason_of_today(tmp_path: Path) -> None:
    made(tmp_path, expect=[{"name": "small", "check": "n < 5", "on_fail": "quarantine"}]).merge(
        [GOOD, {"id": 2, "seq": 1, "n": 9}]
    )
    other = made(tmp_path, expect=[{"name": "odd", "check": "n = 1", "on_fail": "quarantine"}])
    done = other.quarantine.retry()
    assert [(each.reason, each.detail) for each in done.problems] == [
        ("expectation", "the expectation odd does not hold")
    ]
    assert other.quarantine.list()["detail"].to_list() == ["the expectation odd does not hold"]


def test_a_retry_can_choose(tmp_path: Path) -> None:
    strict = [{"name": "small", "check": "n < 5", "on_fail": "quarantine"}]
    made(tmp_path, expect=strict).merge([{"id": id_, "seq": 1, "n": 9} for id_ in range(4)] + [CUT])
    table = made(tmp_path)
    first = table.quarantine.list(reason="expectation")["id"][0]
    assert table.quarantine.retry(ids=[first]).merged == 1
    assert table.quarantine.retry(reason="bad_json").waiting == 1
    assert table.quarantine.retry(reason="expectation").merged == 3
    assert reasons(table) == ["bad_json"]
    assert table.quarantine.retry(ids=["no such id"]).tried == 0


def test_late_records_find_their_place(tmp_path: Path) -> None:
    strict = [{"name": "small", "check": "n < 5", "on_fail": "quarantine"}]
    made(tmp_path, expect=strict).merge([{"id": 1, "seq": 1, "n": 9}])
    table = made(tmp_path)
    table.merge([{"id": 1, "seq": 2, "n": 2}])
    done = table.quarantine.retry()
    assert (done.merged, done.counts["stale"]) == (1, 1)
    assert table.read().rows() == [(1, 2, 2)]
    assert table.quarantine.count() == 0


def test_a_batch_that_is_refused_as_a_whole_leaves_all_waiting(tmp_path: Path) -> None:
    table = made(tmp_path)
    table.merge([GOOD, {"seq": 1, "n": 1}, {"seq": 2, "n": 1}])
    done = table.quarantine.retry()
    assert (done.merged, done.waiting) == (0, 2)
    assert "no key column id" in done.refused
    assert table.quarantine.list()["tries"].to_list() == [1, 1]


def test_records_are_thrown_away_only_when_told_which(tmp_path: Path) -> None:
    table = made(tmp_path)
    table.merge([GOOD, NO_KEY, CUT, WRONG])
    with pytest.raises(UsageError, match="which records"):
        table.quarantine.drop()
    assert table.quarantine.drop(reason="bad_json").dropped == 1
    assert table.quarantine.drop(ids=table.quarantine.list(reason="null_key")["id"]).dropped == 1
    assert reasons(table) == ["bad_value"]
    assert table.quarantine.drop(everything=True).dropped == 1
    assert table.quarantine.count() == 0


def test_a_record_that_was_thrown_away_and_comes_again_waits_again(tmp_path: Path) -> None:
    table = made(tmp_path)
    table.merge([CUT])
    table.quarantine.drop(everything=True)
    table.merge([CUT])
    assert reasons(table) == ["bad_json"]


def test_lines_of_csv(tmp_path: Path) -> None:
    strict = [{"name": "small", "check": "n < 5", "on_fail": "quarantine"}]
    file = tmp_path / "a.csv"
    file.write_text("id,seq,n\n1,1,9\n2,1\n3,1,x\n")
    made(tmp_path / "lake", expect=strict).merge_files([file])
    table = made(tmp_path / "lake")
    assert table.quarantine.list()["line"].to_list() == [2, 3, 4]
    done = table.quarantine.retry()
    assert (done.merged, table.read().rows()) == (1, [(1, 1, 9)])
    assert reasons(table) == ["bad_csv", "bad_value"]


def test_rows_of_a_full_picture_do_not_stand_for_the_whole(tmp_path: Path) -> None:
    strict = [{"name": "small", "check": "n < 5", "on_fail": "quarantine"}]
    picture: dict[str, Any] = {"schema": {"id": "long", "n": "integer"}, "changes": {"format": "snapshot"}}
    rows = [{"id": 1, "n": 1}, {"id": 2, "n": 9}, {"id": 3, "n": 3}]
    open_table(tmp_path, expect=strict, **picture).merge(rows)
    table = open_table(tmp_path, **picture)
    assert table.quarantine.retry().merged == 1
    assert sorted(table.read().rows()) == [(1, 1), (2, 9), (3, 3)]


def test_another_writer_that_makes_a_record_fit_does_not_leave_it_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = made(tmp_path, changes={"sequence": "seq", "schema": "quarantine"})
    table.merge([GOOD])
    other = made(tmp_path)
    put, calls = table.storage.put_if_absent, []

    def late(path: str, data: bytes) -> bool:
        calls.append(path)
        if len(calls) == 1:
            other.merge([{"id": 5, "seq": 1, "n": 1, "x": "new"}])
        return put(path, data)

    monkeypatch.setattr(table.storage, "put_if_absent", late)
    result = table.merge([{"id": 2, "seq": 1, "n": 2}, {"id": 3, "seq": 1, "x": "fits now"}])
    assert (result.inserted, result.rejected, result.attempts) == (2, 0, 2)
    assert table.quarantine.count() == 0


def test_no_value_is_in_the_log(tmp_path: Path) -> None:
    table = made(tmp_path)
    table.merge([{"id": None, "seq": 1, "n": 424242}])
    logs = (tmp_path / "t__quarantine" / "_delta_log").glob("*.json")
    actions = [line for log in logs for line in log.read_text().splitlines() if "commitInfo" in line]
    assert actions
    assert not any("424242" in line for line in actions)


def test_types(tmp_path: Path) -> None:
    table = made(tmp_path)
    empty = table.quarantine.list().schema
    table.merge([CUT])
    assert table.quarantine.list().schema == empty
    assert empty["raw"] == pl.Binary


def test_values_survive_the_wait(tmp_path: Path) -> None:
    schema = {"id": "long", "f": "double", "d": "decimal(10,2)", "t": "timestamp", "b": "binary", "n": "long"}
    row = {
        "id": [1, 2],
        "f": [float("nan"), float("inf")],
        "d": [Decimal("1.50"), None],
        "t": [datetime(2026, 1, 1, 12, 30, 1, 123456, tzinfo=UTC)] * 2,
        "b": [bytes([0, 255]), b""],
        "n": [9, 9],
    }
    strict = [{"name": "small", "check": "n < 5", "on_fail": "quarantine"}]
    frame = pl.DataFrame(row, schema_overrides={"d": pl.Decimal(10, 2)})
    assert open_table(tmp_path, schema=schema, expect=strict).merge(frame).quarantined == 2
    table = open_table(tmp_path, schema=schema)
    assert table.quarantine.retry().merged == 2
    assert table.read().sort("id").equals(frame)


def test_events_of_debezium(tmp_path: Path) -> None:
    section: dict[str, Any] = {"schema": {"id": "long", "n": "long"}, "changes": {"format": "debezium"}}
    event = {
        "op": "c",
        "before": None,
        "after": {"id": 1, "n": 9},
        "ts_ms": 1,
        "source": {"ts_ms": 1, "lsn": 5},
    }
    strict = [{"name": "small", "check": "n < 5", "on_fail": "quarantine"}]
    made_strict = open_table(tmp_path, expect=strict, **section)
    assert made_strict.merge([event, {"op": "?", "after": {}}]).quarantined == 2
    table = open_table(tmp_path, **section)
    done = table.quarantine.retry()
    assert (done.merged, done.waiting) == (1, 1)
    assert table.read().rows() == [(1, 9)]


def test_merges_at_once_keep_each_record_once(tmp_path: Path) -> None:
    bad = [{"id": None, "seq": number, "n": 1} for number in range(5)]
    made(tmp_path).merge([GOOD])

    def one(number: int) -> None:
        made(tmp_path).merge([{"id": number, "seq": 1, "n": 1}, *bad], source=f"s{number % 2}", offset=1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
    assert made(tmp_path).quarantine.count() == 10


def test_with_full_history_the_tables_own_rules_hold_for_partial_rows(tmp_path: Path) -> None:
    schema = {"id": "long", "seq": "long", "n": "long", "m": "long"}
    table = made(tmp_path, history="full", schema=schema)
    table.merge([{"id": id_, "seq": 1, "n": 1, "m": 1} for id_ in (1, 2)])
    DeltaTable(str(tmp_path / "t")).alter.add_constraint({"sum": "n + m < 10"})
    result = table.merge([{"id": 1, "seq": 2, "n": 5}, {"id": 2, "seq": 2, "n": 9}])
    assert (result.updated, result.rejected) == (1, 1)
    assert reasons(table) == ["constraint"]
