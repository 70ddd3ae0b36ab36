"""Holds on a real lake: what they keep, what they refuse, and what happens when they can't be read."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import time_machine

from lakehouse import Lakehouse
from lakehouse.config.secrets import SecretUrl
from lakehouse.errors import (
    LakehouseError,
    NotFoundError,
    ProtectedError,
    RefusedError,
    StorageError,
    TableNotFoundError,
    UsageError,
)

CANARY = "canary-7f3a@shop.example"


def config(tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "shop",
        "storage": {"root": str(tmp_path / "lake")},
        "tables": {
            "customers": {"key": ["id"], "schema": {"id": "long", "email": "string"}},
            "orders": {"key": ["id"], "schema": {"id": "long", "customer": "long", "note": "string"}},
            "events": {"key": ["id"]},
        },
        "subjects": {
            "customer": {
                "identifiers": {"id": "customers.id", "email": "customers.email"},
                "rows": [{"table": "orders", "where": {"customer": "id"}, "do": "delete"}],
            }
        },
        **more,
    }


@pytest.fixture
def lake(tmp_path: Path) -> Lakehouse:
    lake = Lakehouse.open(config(tmp_path))
    lake.apply()
    lake.table("orders").merge([order(1, 7, "a"), order(2, 8, "b")])
    return lake


def order(number: int, customer: int | None, note: str | None, **more: object) -> dict[str, object]:
    return {"id": number, "customer": customer, "note": note, **more}


def database(tmp_path: Path) -> Path:
    return tmp_path / "lake" / "_lakehouse" / "state.db"


def test_a_table_that_is_held_is_not_restored_until_the_hold_is_released(lake: Lakehouse) -> None:
    orders = lake.table("orders")
    orders.merge([order(1, 7, "changed")])
    hold = lake.holds.add(table="orders", reason="case 12/2026", author="counsel")
    assert lake.holds.list() == [hold]
    for dry_run in (True, False):
        with pytest.raises(ProtectedError, match=rf"{hold.id} \(case 12/2026\)"):
            orders.restore(version=1, dry_run=dry_run)
    assert orders.snapshot().version == 2
    done = lake.holds.release(hold.id, author="judge", reason="closed")
    assert (done.released_by, done.release_reason) == ("judge", "closed")
    assert lake.holds.list() == []
    assert [each.id for each in lake.holds.list(all=True)] == [hold.id]
    assert orders.restore(version=1).version == 3


def test_a_hold_on_one_table_is_none_on_another(lake: Lakehouse) -> None:
    lake.holds.add(table="customers", reason="r")
    lake.table("orders").merge([order(1, 7, "changed")])
    assert lake.table("orders").restore(version=1).version == 3


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ([order(2, 8, "changed")], True),
        ([order(3, 9, "new")], True),
        ([order(2, None, None, _op="delete")], True),
        ([order(1, 7, "changed")], False),
        # Held by what it says now, and the older version says otherwise.
        ([order(2, 7, "b")], False),
        ([order(3, 7, "new")], False),
    ],
)
def test_a_restore_goes_on_where_no_held_row_is_lost_or_changed(
    lake: Lakehouse, change: list[dict[str, object]], allowed: bool
) -> None:
    orders = lake.table("orders")
    orders.merge(change)
    lake.holds.add(table="orders", where="customer = 7", reason="case 12")
    if allowed:
        assert orders.restore(version=1).version == 3
        return
    with pytest.raises(ProtectedError, match="version 1 of table orders lacks rows, or has other ones"):
        orders.restore(version=1)
    assert orders.snapshot().version == 2


def test_a_held_row_may_lie_in_another_file(lake: Lakehouse) -> None:
    orders = lake.table("orders")
    orders.merge([order(3, 9, "x")])
    assert orders.compact().version == 3
    lake.holds.add(table="orders", where="customer = 7", reason="r")
    assert orders.restore(version=2).version == 4, "the same rows in other files"


def test_a_merge_goes_on_and_the_old_version_still_has_the_row(lake: Lakehouse) -> None:
    orders = lake.table("orders")
    lake.holds.add(table="orders", where="customer = 7", reason="r")
    assert orders.merge([order(1, None, None, _op="delete")]).deleted == 1
    assert orders.read(version=1, where="customer = 7").height == 1
    # The row is back, and nothing that is held now is lost.
    assert orders.restore(version=1).version == 3


def test_a_column_that_came_since_is_lost_only_where_it_says_something(lake: Lakehouse) -> None:
    orders = lake.table("orders")
    orders.merge([order(2, 8, "b", extra="x")])
    lake.holds.add(table="orders", where="customer = 7", reason="r")
    assert orders.restore(version=1, dry_run=True).schema_changes
    orders.merge([order(1, 7, "a", extra="x")])
    with pytest.raises(ProtectedError):
        orders.restore(version=1)


def test_a_person_is_held_in_all_tables(lake: Lakehouse) -> None:
    lake.table("customers").merge([{"id": 7, "email": CANARY}])
    hold = lake.holds.add(subject="customer", identifiers={"id": 7, "email": [CANARY, "b@x"]}, reason="r")
    assert lake.holds.count(hold) == {"customers": 1, "orders": 1}
    assert lake.holds.protection("events").holds == ()
    lake.table("orders").merge([order(1, 7, "changed")])
    with pytest.raises(ProtectedError) as caught:
        lake.table("orders").restore(version=1)
    assert CANARY not in f"{caught.value}{hold!r}{lake.holds.protection('customers')!r}"


def test_a_person_who_can_not_be_found_everywhere_is_not_held_halfway(lake: Lakehouse) -> None:
    with pytest.raises(UsageError, match=r"needs more to find all rows: id \(for table orders\)"):
        lake.holds.add(subject="customer", identifiers={"email": CANARY}, reason="r")
    with pytest.raises(UsageError, match="does not fit the columns of table customers") as caught:
        lake.holds.add(subject="customer", identifiers={"id": CANARY}, reason="r")
    assert CANARY not in str(caught.value)
    assert lake.holds.list() == []


def test_a_person_stays_held_in_a_table_that_leaves_the_config(lake: Lakehouse, tmp_path: Path) -> None:
    lake.holds.add(subject="customer", identifiers={"id": 7}, reason="r")
    without = Lakehouse.open(config(tmp_path, subjects={}))
    assert without.holds.protection("orders").conditions
    rows = [{"table": "events", "where": {"who": "email"}, "do": "delete"}]
    identifiers = {"id": "customers.id", "email": "customers.email"}
    subjects = {"customer": {"identifiers": identifiers, "rows": rows}}
    more = Lakehouse.open(config(tmp_path, subjects=subjects))
    assert more.holds.protection("orders").conditions
    # A table that came since and can't be searched with what is known is held whole.
    assert more.holds.protection("events").whole


def test_a_hold_ends_by_itself(lake: Lakehouse) -> None:
    with time_machine.travel(datetime(2026, 10, 24, 22, tzinfo=UTC), tick=False) as traveller:
        hold = lake.holds.add(table="orders", reason="r", until="2026-10-25 Europe/Berlin")
        # That day has 25 hours.
        traveller.move_to(hold.placed + timedelta(hours=24, minutes=59))
        assert lake.holds.list() == [hold]
        assert lake.holds.protection("orders").whole
        traveller.move_to(hold.placed + timedelta(hours=25))
        assert lake.holds.list() == []
        assert not lake.holds.protection("orders").whole
        assert lake.holds.list(all=True)[0].status(datetime.now(UTC)) == "ended"
        # A clock that jumps back finds it again.
        traveller.move_to(hold.placed + timedelta(hours=1))
        assert lake.holds.protection("orders").whole
        traveller.move_to(hold.placed + timedelta(days=9))
        assert lake.holds.release(hold.id).released is not None


def test_what_does_not_fit_is_refused_and_nothing_is_placed(lake: Lakehouse) -> None:
    lake.table("orders").merge([order(5, 5, "no number")])
    refused: list[tuple[type[LakehouseError], str, dict[str, Any]]] = [
        (TableNotFoundError, "did you mean orders", {"table": "ordrs"}),
        (NotFoundError, "did you mean customer", {"subject": "custmer", "identifiers": {"id": "1"}}),
        (NotFoundError, "did you mean email", {"subject": "customer", "identifiers": {"emial": "1"}}),
        (UsageError, "which", {"subject": "customer"}),
        (UsageError, "a table or on a subject", {}),
        (UsageError, "a table or on a subject", {"table": "orders", "subject": "customer"}),
        (UsageError, "belongs to a hold on a table", {"subject": "customer", "where": "id = 1"}),
        (UsageError, "belong to a hold on a subject", {"table": "orders", "identifiers": {"id": "1"}}),
        (UsageError, "has no columns yet", {"table": "events", "where": "id = 1"}),
        (UsageError, "does not fit the values", {"table": "orders", "where": "CAST(note AS INT) = 1"}),
        (UsageError, "null character", {"table": "orders", "where": "note = 'a\0b'"}),
        (UsageError, "no Unicode", {"table": "orders", "where": "note = '\ud800'"}),
        (UsageError, "is empty", {"table": "orders", "where": " "}),
        (UsageError, "is empty", {"table": "orders", "author": ""}),
        (UsageError, "no timezone", {"table": "orders", "until": "2030-01-01"}),
        (UsageError, "is a text", {"table": "orders", "where": 7}),
    ]
    for kind, said, words in refused:
        with pytest.raises(kind, match=said):
            lake.holds.add(reason="r", **words)
    for reason in ("", "  ", "x" * 1001, "a\0b"):
        with pytest.raises(UsageError, match="the reason"):
            lake.holds.add(table="orders", reason=reason)
    assert lake.holds.list(all=True) == []


def test_nothing_is_made_to_look_for_holds(lake: Lakehouse, tmp_path: Path) -> None:
    lake.table("orders").restore(version=0)
    assert lake.holds.list() == []
    assert sorted(each.name for each in database(tmp_path).parent.iterdir()) == ["put-if-absent"]


def test_rejected_records_of_a_held_table_are_not_thrown_away(lake: Lakehouse) -> None:
    orders = lake.table("orders")
    orders.merge([order(9, 9, "x") | {"id": None}])
    hold = lake.holds.add(table="orders", where="customer = 7", reason="r")
    with pytest.raises(ProtectedError, match=hold.id):
        orders.quarantine.drop(everything=True)
    lake.holds.release(hold.id)
    assert orders.quarantine.drop(everything=True).dropped == 1


def lost(tmp_path: Path) -> None:
    database(tmp_path).unlink()


def emptied(tmp_path: Path) -> None:
    database(tmp_path).write_bytes(b"")


def damaged(tmp_path: Path) -> None:
    database(tmp_path).write_bytes(b"x" * 10_000)


def another(tmp_path: Path) -> None:
    other = Lakehouse.open(config(tmp_path / "other"))
    other.holds.add(table="orders", reason="of another lake")
    database(tmp_path).write_bytes(database(tmp_path / "other").read_bytes())


@pytest.mark.parametrize(
    ("happens", "kind", "said"),
    [
        (lost, RefusedError, "there is no state database at .*, and this lake has had one since 20"),
        (emptied, RefusedError, "there is no state database"),
        (damaged, StorageError, "is damaged"),
        (another, RefusedError, "is not the one of this lake"),
    ],
)
def test_nothing_is_taken_away_while_the_holds_can_not_be_read(
    lake: Lakehouse,
    tmp_path: Path,
    happens: Callable[[Path], None],
    kind: type[LakehouseError],
    said: str,
) -> None:
    lake.table("orders").merge([order(1, 7, "changed")])
    lake.holds.add(table="customers", reason="r")
    happens(tmp_path)
    for each in (lake, Lakehouse.open(config(tmp_path))):
        uses: list[Callable[[], object]] = [
            partial(each.table("orders").restore, version=1),
            each.holds.list,
            partial(each.holds.add, table="orders", reason="r"),
            partial(each.holds.protection, "events"),
        ]
        for use in uses:
            with pytest.raises(LakehouseError):
                use()
    with pytest.raises(kind, match=said):
        Lakehouse.open(config(tmp_path)).table("orders").restore(version=1)
    # Who was erased is in there too, and must not come back; a table in which nobody is needs none of it.
    with pytest.raises(LakehouseError):
        lake.table("orders").merge([order(4, 4, "x")])
    assert lake.table("orders").read().height == 2
    assert lake.table("events").merge([{"id": 1}]).inserted == 1


def test_a_database_that_is_not_there_is_looked_for_before_it_is_given_up(
    lake: Lakehouse, tmp_path: Path
) -> None:
    lake.holds.add(table="customers", reason="r")
    # The config names another file, which never was there.
    moved = Lakehouse.open(config(tmp_path, state=f"sqlite:///{tmp_path}/elsewhere.db"))
    with pytest.raises(RefusedError) as caught:
        moved.holds.list()
    assert caught.value.exit_code == 3
    assert "gone" not in caught.value.message
    advice = caught.value.advice
    assert advice.index("`state` names the right one") < advice.index("from a backup")
    assert advice.index("from a backup") < advice.index("_lakehouse/state.json")
    assert "forgets that anything was ever held" in advice


def test_a_server_that_can_not_be_reached_refuses_and_hides_its_password(tmp_path: Path) -> None:
    secret = "canary-7f3a-password"
    url = f"postgresql://lake:{secret}@127.0.0.1:1/lake"
    lake = Lakehouse.open(config(tmp_path, state="sqlite://"))
    lake.apply()
    far = Lakehouse(lake.config.model_copy(update={"state": SecretUrl(url)}))
    far.table("orders").merge([order(1, 7, "a")])
    for use in (
        lambda: far.table("orders").restore(version=0),
        far.holds.list,
        lambda: far.holds.add(table="orders", reason="r"),
    ):
        with pytest.raises(StorageError, match="can't be reached") as caught:
            use()
        assert secret not in str(caught.value)
        assert caught.value.exit_code == 1


@pytest.mark.server
@pytest.mark.xdist_group("postgres")
def test_two_hosts_share_the_holds_of_one_postgres(tmp_path: Path, postgres: str) -> None:
    lake = Lakehouse.open(config(tmp_path, state=postgres))
    lake.apply()
    hold = lake.holds.add(table="orders", where="customer = 7", reason="r")
    other = Lakehouse.open(config(tmp_path, state=postgres))
    assert other.holds.list() == [hold]
    assert not database(tmp_path).exists()
    # Without it the other host would see no holds.
    with pytest.raises(RefusedError, match="there is no state database"):
        Lakehouse.open(config(tmp_path)).holds.list()


def test_retention_reads_a_condition_as_all_others_do(tmp_path: Path) -> None:
    rule = {"name": "old", "column": "at", "keep": "30d", "action": "delete", "max_fraction": 1}
    table = {"key": ["id"], "schema": {"id": "long", "at": "date"}, "retention": [rule]}
    lake = Lakehouse.open({"version": 1, "storage": {"root": str(tmp_path)}, "tables": {"t": table}})
    lake.table("t").merge([{"id": number, "at": "2020-01-01"} for number in (1, 2)])
    lake.holds.add(table="t", where="id = 1 -- of the case", reason="case")
    (done,) = lake.retention.apply().tables
    assert (done.status, done.rows_deleted) == ("done", 1)
    assert lake.table("t").read()["id"].to_list() == [1]


def test_a_database_is_for_one_lake(tmp_path: Path) -> None:
    state = f"sqlite:///{tmp_path / 'state.db'}"
    tables = {"t": {"key": ["id"], "schema": {"id": "long"}}}
    first, second = (
        Lakehouse.open(
            {"version": 1, "storage": {"root": str(tmp_path / name)}, "state": state, "tables": tables}
        )
        for name in ("first", "second")
    )
    first.holds.add(table="t", reason="case")
    with pytest.raises(RefusedError, match="is that of another lake"):
        second.holds.add(table="t", reason="case")
    assert len(first.holds.list()) == 1
    # Moved with all that is in it, it is the same lake.
    (tmp_path / "first").rename(tmp_path / "moved")
    third = {"version": 1, "storage": {"root": str(tmp_path / "moved")}, "state": state, "tables": tables}
    assert len(Lakehouse.open(third).holds.list()) == 1


def test_a_lake_in_memory_has_holds_too() -> None:
    lake = Lakehouse.open({"version": 1, "storage": {"root": "memory://x"}, "tables": {"t": {"key": ["id"]}}})
    lake.table("t").merge([{"id": 1}])
    lake.table("t").merge([{"id": 2}])
    lake.holds.add(table="t", where="id = 2", reason="r")
    with pytest.raises(ProtectedError):
        lake.table("t").restore(version=0)


def test_a_lake_and_its_tables_can_go_to_another_process(lake: Lakehouse) -> None:
    hold = lake.holds.add(table="orders", reason="r")
    assert pickle.loads(pickle.dumps(lake)).holds.list() == [hold]
    with pytest.raises(ProtectedError):
        pickle.loads(pickle.dumps(lake.table("orders"))).restore(version=0)


def test_conditions_and_identifiers_are_in_the_state_database_alone(
    lake: Lakehouse, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    lake.holds.add(table="customers", where=f"email = '{CANARY}'", reason="r")
    lake.holds.add(subject="customer", identifiers={"id": 7, "email": CANARY}, reason="r")
    lake.table("orders").merge([order(1, 7, "changed")])
    with pytest.raises(ProtectedError):
        lake.table("orders").restore(version=1)
    found = [each for each in tmp_path.rglob("*") if each.is_file() and CANARY.encode() in each.read_bytes()]
    assert {each.name for each in found} <= {"state.db", "state.db-wal"}
    assert found
    assert CANARY not in caplog.text
    for hold in lake.holds.list():
        lake.holds.release(hold.id)
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert not [each for each in files if CANARY.encode() in each.read_bytes()]


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """What a process has imported that merged, read and looked."""
    script = """
        import sys
        from lakehouse import Lakehouse
        config = {"version": 1, "storage": {"root": "memory://x"}, "tables": {"t": {"key": ["id"]}}}
        lake = Lakehouse.open(config)
        lake.table("t").merge([{"id": 1}])
        lake.table("t").read(); lake.table("t").compact(); lake.status()
        print(" ".join(sys.modules))
    """
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True, cwd=root
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("library", ["sqlalchemy", "alembic", "psycopg", "sqlite3"])
def test_merges_and_reads_do_without_the_database(imported: set[str], library: str) -> None:
    assert library not in imported


def test_a_condition_with_a_comment_at_its_end_keeps_no_more_in_a_vacuum(tmp_path: Path) -> None:
    rules = [{"name": "last", "versions": {"last": 1}}]
    lake = Lakehouse.open(config(tmp_path, retention=rules))
    orders = lake.table("orders")
    lake.apply()
    orders.merge([order(1, 7, "a")])
    for note in ("b", "c"):
        orders.merge([order(2, 8, note)])
    orders.compact()
    lake.holds.add(table="orders", where="customer = 7 -- see the letter", reason="case 12")
    plan = orders.vacuum(grace="0s")
    assert plan.files, "no other row is held"
    assert plan.kept
    assert orders.read(where="customer = 7")["note"].to_list() == ["a"]
