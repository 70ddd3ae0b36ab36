"""Arguments that can't be meant: an error that says so, a table as before. Copies, and tables made anew."""

from __future__ import annotations

import copy
import pickle
import shutil
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse
from lakehouse.errors import LakehouseError, TableNotFoundError, UsageError
from lakehouse.table import Table

ROWS = [{"id": number, "v": "a", "at": 1} for number in range(5)]


def open_lake(root: Path) -> Lakehouse:
    return Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root), "options": {"fsync": "false"}},
            "tables": {"t": {"key": ["id"], "changes": {"sequence": "at"}}},
        }
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lakehouse:
    lake = open_lake(tmp_path)
    lake.table("t").merge(ROWS)
    return lake


CALLS: dict[str, Callable[[Any, Any], object]] = {
    "source": lambda lake, table: table.merge(ROWS, source=1, offset=1),
    "offset text": lambda lake, table: table.merge(ROWS, source="a", offset="1"),
    "offset flag": lambda lake, table: table.merge(ROWS, source="a", offset=True),
    "offset fraction": lambda lake, table: table.merge(ROWS, source="a", offset=1.5),
    "version text": lambda lake, table: table.read(version="1"),
    "version flag": lambda lake, table: table.read(version=True),
    "version fraction": lambda lake, table: table.read(version=1.0),
    "snapshot": lambda lake, table: table.snapshot(version="1"),
    "verify": lambda lake, table: table.verify(version=True),
    "diff": lambda lake, table: table.diff([1]),
    "restore": lambda lake, table: table.restore(version=True),
    "tag of a flag": lambda lake, table: table.tag("x", version=True),
    "tag number": lambda lake, table: table.tag(3),
    "tag bytes": lambda lake, table: table.tag(b"x"),
    "untag": lambda lake, table: table.untag(None),
    "read by a tag": lambda lake, table: table.read(tag=3),
    "timestamp": lambda lake, table: table.read(timestamp=3),
    "day": lambda lake, table: table.read(timestamp=date(2026, 1, 1)),
    "where": lambda lake, table: table.read(where=True),
    "columns": lambda lake, table: table.read(columns="id"),
    "column": lambda lake, table: table.read(columns=[3]),
    "file": lambda lake, table: table.merge_files("changes.jsonl"),
    "table": lambda lake, table: lake.table(None),
    "query": lambda lake, table: lake.sql(3),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_an_argument_that_can_not_be_meant(lake: Lakehouse, call: Callable[[Any, Any], object]) -> None:
    table = lake.table("t")
    with pytest.raises(UsageError):
        call(lake, table)
    assert table.snapshot().version == 1
    assert table.tags() == ()
    assert open_lake(Path(lake.storage.url)).table("t").read().height == len(ROWS)


@pytest.mark.parametrize("name", ["", "../t", "t/..", "a/b", "T", "t\0", "\N{LATIN SMALL LETTER T}\u0301"])
def test_a_table_that_is_not_there(lake: Lakehouse, name: str) -> None:
    with pytest.raises(TableNotFoundError):
        lake.table(name)


@pytest.mark.parametrize(
    "query",
    ["delete from t", "DROP TABLE t", " (truncate table t)", "-- x\n/* y */ create table u as select 1"],
)
def test_sql_that_would_change_something_is_not_pretended(lake: Lakehouse, query: str) -> None:
    with pytest.raises(UsageError, match="SQL only reads"):
        lake.sql(query)


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    table = open_lake(tmp_path / "lake").table("t")
    assert table.merge(ROWS, dry_run=True).inserted == len(ROWS)
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copies_are_tables_of_their_own(lake: Lakehouse, copied: Callable[[Any], Any]) -> None:
    table = lake.table("t")
    other: Table = copied(table)
    other.merge([{"id": 9, "v": "b", "at": 1}])
    assert table.read().height == other.read().height == len(ROWS) + 1
    assert copied(lake).table("t").read().height == len(ROWS) + 1


@pytest.mark.parametrize("versions", [1, 2, 5])
def test_a_table_that_was_made_anew_under_an_open_handle(lake: Lakehouse, versions: int) -> None:
    table = lake.table("t")
    table.merge([{"id": 5, "v": "a", "at": 1}])
    shutil.rmtree(table.storage.url)
    assert not table.exists()
    other = open_lake(Path(lake.storage.url)).table("t")
    for number in range(versions):
        other.merge([{"id": 100 + number, "v": "new", "at": 1}])
    assert table.read()["id"].sort().to_list() == list(range(100, 100 + versions))
    assert table.merge([{"id": 500, "v": "x", "at": 1}]).version == versions + 1
    assert table.snapshot().version == other.snapshot().version == versions + 1
    assert other.read().height == versions + 1
    assert table.verify().ok


def test_one_table_in_eight_threads(lake: Lakehouse) -> None:
    table = lake.table("t")
    failed: list[LakehouseError | AssertionError] = []

    def work(worker: int) -> None:
        try:
            for turn in range(4):
                own = {"id": 1000 + 10 * worker + turn, "v": str(worker), "at": 1}
                shared = {"id": 500, "v": f"{worker}.{turn}", "at": 10 * turn + worker}
                table.merge([own, shared])
                seen = table.read()
                assert seen["id"].n_unique() == seen.height
        except (LakehouseError, AssertionError) as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert table.read().height == len(ROWS) + 32 + 1
    assert table.read(where="id = 500")["v"].to_list() == ["7.3"]
    assert table.verify().ok
