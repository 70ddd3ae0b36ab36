"""Several processes at once on one table, some of them killed: every version of it is right."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder

from lakehouse.table import Table
from tests.faults import ledger
from tests.faults.nursery import Nursery
from tests.fixtures.sail import Sail
from tests.fixtures.servers import S3Server
from tests.properties.tables import NAME

# So many steps take some seconds; a night's run can take more.
LAST = int(os.environ.get("LEDGER_STEPS", "5"))
# How long each of the longer races runs; minutes find more.
SECONDS = float(os.environ.get("RACE_SECONDS", "3"))
CLERKS = {1: "on_read", 2: "on_write", 3: "on_read"}
KILLED = 3


# Not both at once: two compactions of which one is delta-rs's double the rows (docs/how-to/compact.md).
@pytest.mark.parametrize("compactor", ["ours", "delta-rs"])
def test_a_ledger_adds_up_in_every_version(tmp_path: Path, nursery: Nursery, compactor: str) -> None:
    table = ledger.table(tmp_path)
    table.create()
    stop = tmp_path / "stop"
    there = {"root": str(tmp_path), "stop": str(stop)}
    helpers = [
        nursery.start("tests.faults.ledger:append_pairs", **there),
        nursery.start("tests.faults.ledger:compact", who=compactor, **there),
    ]
    clerks = {clerk: start(nursery, tmp_path, clerk) for clerk in CLERKS}
    for pause in (0.5, 0.7):
        time.sleep(pause)
        os.kill(clerks[KILLED], signal.SIGKILL)
        assert nursery.wait(clerks[KILLED]) in (-signal.SIGKILL, 0)
        clerks[KILLED] = start(nursery, tmp_path, KILLED)
    assert [nursery.wait(child) for child in clerks.values()] == [0, 0, 0]
    stop.touch()
    assert [nursery.wait(child) for child in helpers] == [0, 0]

    newest = table.snapshot()
    assert {name: newest.transactions[name].version for name in map(named, CLERKS)} == dict.fromkeys(
        map(named, CLERKS), LAST
    )
    for version in range(newest.version + 1):
        check(table, version)
    assert table.verify().ok
    assert as_told_by_the_feed(tmp_path) == {
        row["id"]: row["balance"] for row in table.read().iter_rows(named=True)
    }


@pytest.mark.slow
@pytest.mark.parametrize("history", ["none", "full"])
def test_a_race_in_a_folder(tmp_path: Path, nursery: Nursery, history: str) -> None:
    race(tmp_path, nursery, {"root": str(tmp_path), "history": history})


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize("history", ["none", "full"])
def test_a_race_on_s3(tmp_path: Path, nursery: Nursery, seaweedfs: S3Server, history: str) -> None:
    with seaweedfs.bucket() as bucket:
        options = {**seaweedfs.options(), "allow_http": "true"}
        race(tmp_path, nursery, {"root": f"s3://{bucket}", "history": history, "options": options})


def race(folder: Path, nursery: Nursery, where: dict[str, Any]) -> None:
    """Several clerks in both modes, two compactors, a reader, and delta-rs where rows have no history."""
    table = ledger.table(**where)
    table.create()
    stop = folder / "stop"
    pairs = where["history"] == "none"
    helpers = [
        nursery.start("tests.faults.ledger:read_on", stop=str(stop), pairs=pairs, **where),
        nursery.start("tests.faults.ledger:compact_on", stop=str(stop), **where),
        nursery.start("tests.faults.ledger:compact_on", stop=str(stop), **where),
    ]
    if pairs:
        there = {name: where[name] for name in ("root", "options") if name in where}
        helpers.append(nursery.start("tests.faults.ledger:append_pairs", stop=str(stop), **there))
    clerks = {
        clerk: nursery.start("tests.faults.ledger:race", clerk=clerk, stop=str(stop), merge=merge, **where)
        for clerk, merge in CLERKS.items()
    }
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(min(1.0, SECONDS / 3))
        os.kill(clerks[KILLED], signal.SIGKILL)
        assert nursery.wait(clerks[KILLED]) == -signal.SIGKILL
        clerks[KILLED] = nursery.start(
            "tests.faults.ledger:race", clerk=KILLED, stop=str(stop), merge=CLERKS[KILLED], **where
        )
    stop.touch()
    assert [nursery.wait(child) for child in (*helpers, *clerks.values())] == [0] * len([*helpers, *clerks])
    newest = table.snapshot().version
    for version in range(0, newest + 1, max(1, newest // 300)):
        check_books(table, version, pairs=pairs)
    check_books(table, newest, pairs=pairs)
    assert table.verify().ok
    told = Counter(entry.operation for entry in table.history())
    logging.getLogger(__name__).info("%s: %s versions, %s", where["root"], newest, dict(told))


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize("merge", ["on_read", "on_write"])
def test_a_race_with_sail(tmp_path: Path, nursery: Nursery, sail: Sail, merge: str) -> None:
    where: dict[str, Any] = {"root": str(tmp_path), "feed": False}
    table = ledger.table(**where, merge=merge)
    table.create()
    stop = tmp_path / "stop"
    children = [
        nursery.start("tests.faults.ledger:race", clerk=clerk, stop=str(stop), merge=merge, **where)
        for clerk in CLERKS
    ]
    children.append(nursery.start("tests.faults.ledger:read_on", stop=str(stop), pairs=True, **where))
    name = sail.name(tmp_path / NAME)
    end = time.monotonic() + SECONDS
    done, number = 0, 0
    while time.monotonic() < end or not done:
        number += 1
        done += moved_by(sail, name, number)
    stop.touch()
    assert [nursery.wait(child) for child in children] == [0] * len(children)
    newest = table.snapshot().version
    for version in range(0, newest + 1, max(1, newest // 300)):
        check_books(table, version, pairs=True)
    assert table.read(where="clerk = 'delta-rs'")["balance"].sort().to_list() == [-done, done]
    assert table.verify().ok
    told = Counter(f"{entry.operation} {entry.client}" for entry in table.history())
    logging.getLogger(__name__).info("%s of %s merges by Sail: %s", done, number, dict(told))


def moved_by(sail: Sail, name: str, number: int) -> bool:
    """Moves one between two accounts by a merge of Sail; whether it got through."""
    try:
        sail.sql(
            f"MERGE INTO {name} t USING (SELECT * FROM VALUES (-1L, {number}L, 'delta-rs', 1L), "
            f"(-2L, {number}L, 'delta-rs', -1L) AS v(id, seq, clerk, balance)) s ON t.id = s.id "
            "WHEN MATCHED THEN UPDATE SET seq = s.seq, balance = t.balance + s.balance "
            "WHEN NOT MATCHED THEN INSERT (id, seq, clerk, balance) "
            "VALUES (s.id, s.seq, s.clerk, s.balance)"
        )
    except Exception as error:  # noqa: BLE001 - whatever a Spark Connect client raises
        logging.getLogger(__name__).info("Sail: %s", str(error)[:150])
        return False
    return True


def check_books(table: Table, version: int, *, pairs: bool) -> None:
    """A version holds each clerk's accounts as they were at the offset that it tells."""
    rows = table.read(version=version)
    ledger.check_sums(rows, version=version, pairs=pairs)
    if "_is_current" in rows.columns:
        rows = rows.filter("_is_current")
    known = table.snapshot(version=version).transactions
    for clerk in CLERKS:
        told = known.get(named(clerk))
        found = dict(rows.filter(clerk=named(clerk)).select("id", "balance").iter_rows())
        assert found == ({} if told is None else ledger_at(clerk, told.version)), (version, clerk)


def start(nursery: Nursery, root: Path, clerk: int) -> int:
    merge = CLERKS[clerk]
    return nursery.start(
        "tests.faults.ledger:keep_books", root=str(root), clerk=clerk, last=LAST, merge=merge
    )


def named(clerk: int) -> str:
    return f"clerk-{clerk}"


def check(table: Table, version: int) -> None:
    """A version holds each clerk's accounts as they were at the offset that it tells, and whole pairs."""
    rows = table.read(version=version)
    assert not rows["id"].is_duplicated().any(), version
    pairs = rows.filter(clerk="delta-rs")
    assert (pairs.height % 2, pairs["balance"].sum()) == (0, 0), version
    known = table.snapshot(version=version).transactions
    for clerk in CLERKS:
        told = known.get(named(clerk))
        found = dict(rows.filter(clerk=named(clerk)).select("id", "balance").iter_rows())
        wanted = {} if told is None else ledger_at(clerk, told.version)
        assert found == wanted, (version, clerk)
        assert sum(found.values()) in (0, ledger.ACCOUNTS * ledger.OPENING), version
    if version % 10 == 0:
        path = str(Path(table.storage.url))
        there = DeltaTable(path, version=version)
        theirs = (
            QueryBuilder().register("t", there).execute("select sum(balance), count(*) from t").read_all()
        )
        counted = tuple(column[0].as_py() for column in pa.table(theirs).columns)
        assert counted == (rows["balance"].sum() if rows.height else None, rows.height), version


def ledger_at(clerk: int, offset: int) -> ledger.Balances:
    return next(balances for number, _, balances in ledger.steps(clerk) if number == offset)


def as_told_by_the_feed(root: Path) -> ledger.Balances:
    """The accounts, put together from the changes alone."""
    told = pa.table(DeltaTable(str(root / NAME)).load_cdf(starting_version=0).read_all()).to_pylist()
    order = {"update_preimage": 0, "delete": 0, "insert": 1, "update_postimage": 1}
    balances: ledger.Balances = {}
    for row in sorted(told, key=lambda row: (row["_commit_version"], order[row["_change_type"]])):
        if order[row["_change_type"]]:
            assert row["id"] not in balances
            balances[row["id"]] = row["balance"]
        else:
            assert balances.pop(row["id"]) == row["balance"]
    return balances
