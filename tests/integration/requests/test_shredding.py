"""Columns under a key of each person: clear for the owner, nothing for anybody once it is destroyed."""

from __future__ import annotations

import sqlite3
import zipfile
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse import Lakehouse, RefusedError
from lakehouse.errors import KeysError, UsageError
from lakehouse.requests.identity import Person, digests_of
from lakehouse.table import Table

ANN, BOB = "ann-canary-4b8@shop.example", "bob-canary-4b8@shop.example"
CANARY = b"canary-4b8"
_SHRED = {"entity": "EMAIL_ADDRESS", "shred": "customer"}

KINDS = [
    "sqlite",
    pytest.param("postgres", marks=[pytest.mark.server, pytest.mark.xdist_group("postgres")]),
]


@pytest.fixture(params=KINDS)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A state database of each kind, not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state.db"
    return str(request.getfixturevalue("postgres"))


def opened(root: Path, *, customers: dict[str, Any] | None = None, **more: Any) -> Lakehouse:
    """A lake with two tables that shred; with its keys."""
    tables = {
        "customers": {
            "key": ["id"],
            "changes": {"sequence": "seq"},
            "pii": {"email": _SHRED, "nick": {"entity": "PERSON", "shred": "customer"}},
            **(customers or {}),
        },
        "orders": {"key": ["oid"], "pii": {"ship_to": _SHRED}},
    }
    rows = [{"table": "orders", "where": {"who": "id"}, "do": "anonymize", "columns": ["ship_to"]}]
    lake = Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "keys": {"path": str(root / "keys")},
            "tables": tables,
            "subjects": {"customer": {"identifiers": {"id": "customers.id"}, "rows": rows}},
            "pii": {"nlp": {"engine": "none"}, "operators": {"EMAIL_ADDRESS": {"operator": "tokenize"}}},
            "roles": {"analyst": {"tables": "all"}},
            **more,
        }
    )
    for purpose in ("shred", "suppress", "mask"):
        if not lake.keys.versions(purpose):
            lake.keys.create(purpose)
    return lake


def rows(*, seq: int = 1, **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": 1, "email": ANN, "nick": "ann canary-4b8", "seq": seq, **more},
        {"id": 2, "email": BOB, "nick": None, "seq": seq, **more},
    ]


def emails(table: Table, **how: Any) -> dict[int, str | None]:
    frame = table.read(columns=["id", "email"], **how)
    return dict(frame.select("id", "email").iter_rows())


def destroy(lake: Lakehouse, *ids: str) -> int:
    return lake.subject_keys.destroy("customer", lake.subject_keys.digests_of("customer", ids))


def bytes_below(root: Path) -> bytes:
    """Every byte of every file, Parquet decoded too, since its pages are compressed."""
    found = b""
    for file in sorted(root.rglob("*")):
        if file.is_file():
            found += file.read_bytes()
            if file.suffix == ".parquet":
                found += repr(pl.read_parquet(file).rows()).encode()
    return found


def test_a_person_is_gone_at_once_from_all_versions_and_tables(tmp_path: Path, state: str) -> None:
    lake = opened(tmp_path, state=state)
    customers, orders = lake.table("customers"), lake.table("orders")
    customers.merge(rows())
    customers.merge([{"id": 1, "email": f"new-{ANN}", "nick": "", "seq": 2}])
    orders.merge([{"oid": 7, "who": "1", "ship_to": ANN}, {"oid": 8, "who": "2", "ship_to": BOB}])
    customers.compact()
    assert emails(customers) == {1: f"new-{ANN}", 2: BOB}
    assert emails(customers, version=1) == {1: ANN, 2: BOB}
    assert CANARY not in bytes_below(tmp_path / "lake")
    lazy = customers.scan()

    assert destroy(lake, "1") == 1
    assert destroy(lake, "1", "nobody") == 0
    assert emails(customers) == {1: None, 2: BOB}
    assert emails(customers, version=1) == {1: None, 2: BOB}
    assert orders.read().sort("oid")["ship_to"].to_list() == [None, BOB]
    assert lazy.filter(pl.col("id") == 1).collect()["email"].to_list() == [None]
    assert lake.sql("SELECT count(email) AS n FROM customers")["n"].item() == 1
    # Another process, which had read before, has nothing left either.
    assert emails(opened(tmp_path, state=state).table("customers"))[1] is None
    assert [(each.keys, each.destroyed) for each in lake.subject_keys.count()] == [(1, 1)]

    # Whoever brings the person again stores nothing, until the person is let in again.
    customers.merge(rows(seq=3))
    assert emails(customers) == {1: None, 2: BOB}
    assert lake.subject_keys.readmit("customer", lake.subject_keys.digests_of("customer", ["1"])) == 1
    customers.merge(rows(seq=4))
    assert emails(customers) == {1: ANN, 2: BOB}
    assert emails(customers, version=1)[1] is None
    assert destroy(lake, "1") == 1
    assert emails(customers)[1] is None


def test_other_engines_see_ciphertexts(tmp_path: Path) -> None:
    lake = opened(tmp_path, customers={"change_feed": True})
    lake.table("customers").merge(rows())
    table = DeltaTable(tmp_path / "lake" / "customers")
    seen = pl.scan_delta(table).collect()
    assert seen["email"].str.starts_with("shred:v1:").all()
    assert seen["email"].n_unique() == 2
    assert seen["nick"].null_count() == 1
    assert table.metadata().configuration["lakehouse.shredded"] == '{"email":"customer","nick":"customer"}'


def test_requests_name_people_as_the_keys_do(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("customers").merge(rows())
    lake.keys.rotate("suppress")
    # The key was made under the first version; the request comes when there is a second one.
    lake.table("customers").merge([{"id": 3, "email": "c@shop.example", "seq": 1}])
    person = Person("customer", (("id", " 3 "),))
    assert lake.subject_keys.destroy("customer", digests_of(person, ring=lake.keys)) == 1
    assert emails(lake.table("customers")) == {1: ANN, 2: BOB, 3: None}
    # One person has one key, whichever version named them.
    lake.table("orders").merge([{"oid": 1, "who": "1", "ship_to": ANN}])
    assert destroy(lake, "1") == 1
    assert lake.table("orders").read()["ship_to"].to_list() == [None]


def test_the_wrapped_key_is_gone_from_the_database_file(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("customers").merge(rows())
    file = tmp_path / "lake" / "_lakehouse" / "state.db"
    with closing(sqlite3.connect(file)) as connection:
        wrapped = [row[0] for row in connection.execute("SELECT wrapped FROM lakehouse_subject_keys")]
    assert len(wrapped) == 2

    def lying_there() -> int:
        told = b"".join(each.read_bytes() for each in file.parent.iterdir() if each.is_file())
        return sum(each in told for each in wrapped)

    assert lying_there() == 2
    assert destroy(lake, "1") == 1
    assert lying_there() == 1
    lake.keys.rotate("shred")
    assert lake.subject_keys.rewrap() == 1
    assert lake.subject_keys.rewrap() == 0
    assert lying_there() == 0


def test_after_a_rotation_the_old_key_is_not_needed(tmp_path: Path, state: str) -> None:
    lake = opened(tmp_path, state=state)
    lake.table("customers").merge(rows())
    lake.keys.rotate("shred")
    lake.table("customers").merge([{"id": 3, "email": "c@shop.example", "seq": 1}])
    assert destroy(lake, "2") == 1
    assert lake.subject_keys.rewrap() == 1
    (old,) = [file for file in (tmp_path / "keys").iterdir() if "shred" in file.name and "1" in file.name]
    old.unlink()
    assert emails(opened(tmp_path, state=state).table("customers")) == {1: ANN, 2: None, 3: "c@shop.example"}


def test_two_merges_that_make_keys_for_the_same_people_at_once(tmp_path: Path, state: str) -> None:
    people = 3_000
    opened(tmp_path, state=state).table("customers").merge([{"id": 0, "email": "x", "seq": 1}])
    start = Barrier(2)

    def merge(name: str) -> None:
        table = opened(tmp_path, state=state).table(name)
        ids = range(1, people + 1)
        batch = (
            [{"id": n, "email": f"{n}@shop.example", "seq": 1} for n in ids]
            if name == "customers"
            else [{"oid": n, "who": n, "ship_to": f"{n}@shop.example"} for n in reversed(ids)]
        )
        start.wait()
        table.merge(batch)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(merge, ["customers", "orders"]))
    lake = opened(tmp_path, state=state)
    assert [each.keys for each in lake.subject_keys.count()] == [people + 1]
    for name, who, what in (("customers", "id", "email"), ("orders", "who", "ship_to")):
        found = lake.table(name).read().filter(pl.col(who) != 0)
        assert (found[what] == found.select(pl.format("{}@shop.example", who)).to_series()).all()
    assert destroy(lake, *(str(n) for n in range(1, people + 1))) == people
    assert lake.table("orders").read()["ship_to"].null_count() == people


def test_what_did_not_change_is_known(tmp_path: Path) -> None:
    lake = opened(tmp_path, customers={"changes": {"format": "snapshot"}})
    customers = lake.table("customers")
    assert customers.merge(rows()).inserted == 2
    assert not customers.merge(rows()).committed
    again = customers.merge([rows()[0], {**rows()[1], "email": "other@shop.example"}])
    assert (again.unchanged, again.updated) == (1, 1)
    shown = customers.diff(1).sort("_change")
    assert shown["email"].to_list() == ["other@shop.example", BOB]


def test_rows_are_read_wherever_they_go(tmp_path: Path) -> None:
    lake = opened(tmp_path, customers={"history": "full"})
    orders, customers = lake.table("orders"), lake.table("customers")
    orders.merge([{"oid": 7, "who": 1, "ship_to": ANN}])
    # The order is another person's from now on; what is stored in it is not.
    orders.merge([{"oid": 7, "who": 2}])
    assert orders.read().row(0, named=True) == {"oid": 7, "who": 2, "ship_to": ANN}
    assert destroy(lake, "2") == 0
    assert destroy(lake, "1") == 1
    assert orders.read()["ship_to"].to_list() == [None]
    orders.merge([{"oid": 9, "who": 3, "ship_to": BOB}])
    assert orders.read(where=f"ship_to = '{BOB}'")["oid"].to_list() == [9]
    orders.restore(version=1)
    orders.merge([{"oid": 9, "who": 3, "ship_to": BOB}])
    assert orders.read().sort("oid")["ship_to"].to_list() == [None, BOB]
    customers.merge(rows(seq=1) + rows(seq=3))
    customers.merge([{"id": 2, "email": "between@shop.example", "seq": 2}])
    assert customers.read().sort("seq").filter(pl.col("id") == 2)["email"].to_list() == [
        BOB,
        "between@shop.example",
        BOB,
    ]
    assert CANARY not in bytes_below(tmp_path / "lake")


def test_rows_come_back_from_archives_as_they_were(tmp_path: Path) -> None:
    rule = {"name": "old", "column": "day", "keep": "30d", "action": "archive", "to": "archive/customers"}
    schema = {"id": "long", "seq": "long", "email": "string", "nick": "string", "day": "date"}
    lake = opened(tmp_path, customers={"schema": schema, "retention": [{**rule, "max_fraction": 1.0}]})
    customers = lake.table("customers")
    customers.merge(rows(day="2020-01-01"))
    lake.retention.apply(allow_empty=True)
    assert customers.read().is_empty()
    assert CANARY not in bytes_below(tmp_path / "lake")
    assert destroy(lake, "1") == 1
    lake.retention.restore_archive("customers")
    assert emails(customers) == {1: None, 2: BOB}


def test_roles_and_copies_see_masks_of_clear_values(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    customers = lake.table("customers")
    customers.merge(rows())
    told = customers.read(role="analyst").sort("id")
    assert told["email"].str.starts_with("tok_").all()
    lake.pii.mask("customers", to="masked")
    assert lake.table("masked").read().sort("id")["email"].to_list() == told["email"].to_list()
    assert destroy(lake, "1") == 1
    assert customers.read(role="analyst").sort("id")["email"].to_list() == [None, told["email"][1]]
    # A copy holds masks: it forgets with its next full run, or by the erasure itself.
    lake.pii.mask("customers", to="masked", anew=True)
    assert lake.table("masked").read().sort("id")["email"].to_list() == [None, told["email"][1]]


def test_columns_beside_are_masked_and_expectations_see_clear_values(tmp_path: Path) -> None:
    pii = {"email": _SHRED, "nick": "PERSON"}
    expect = [{"name": "mail", "check": "email LIKE '%@%'", "on_fail": "quarantine"}]
    lake = opened(tmp_path, customers={"pii": pii, "mask_at": "merge", "expect": expect})
    customers = lake.table("customers")
    done = customers.merge([*rows(), {"id": 3, "email": "no-mail-canary-4b8", "seq": 1}])
    assert (done.inserted, done.rejected) == (2, 1)
    assert customers.read().sort("id").select("email", "nick").rows() == [(ANN, ""), (BOB, None)]
    assert CANARY not in bytes_below(tmp_path / "lake")


def test_what_nobody_can_be_told_of_waits_sealed(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    orders = lake.table("orders")
    done = orders.merge([{"oid": 1, "who": None, "ship_to": ANN}, {"oid": 2, "who": None, "ship_to": None}])
    assert (done.inserted, done.rejected) == (1, 1)
    assert done.problems[0].reason == "no_person"
    assert CANARY not in bytes_below(tmp_path / "lake")
    (waiting,) = orders.quarantine.list().iter_rows(named=True)
    assert CANARY in waiting["raw"]


def test_a_dry_run_makes_no_keys(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("customers").merge(rows())
    assert lake.table("customers").merge([{"id": 3, "email": "c", "seq": 1}], dry_run=True).inserted == 1
    assert [each.keys for each in lake.subject_keys.count()] == [2]


def test_lost_keys_are_said_and_not_taken_for_destroyed(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("customers").merge([rows()[0]])
    file = tmp_path / "lake" / "_lakehouse" / "state.db"
    with closing(sqlite3.connect(file)) as now, closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
        now.backup(backup)
    lake.table("customers").merge([rows()[1]])
    with closing(sqlite3.connect(tmp_path / "backup.db")) as backup, closing(sqlite3.connect(file)) as now:
        backup.backup(now)
    customers = opened(tmp_path).table("customers")
    with pytest.raises(KeysError, match="column email: keys of people are not in the state database") as told:
        customers.read()
    assert "This error occurred" not in str(told.value)
    with pytest.raises(KeysError, match="not in the state database"):
        lake.sql("SELECT email FROM customers")
    assert customers.read(columns=["id"])["id"].sort().to_list() == [1, 2]
    assert emails(customers, where="id = 1") == {1: ANN}


def test_clear_rows_and_ciphertexts_never_stand_in_one_column(tmp_path: Path) -> None:
    plain = {"pii": {"email": "EMAIL_ADDRESS"}}
    opened(tmp_path, customers=plain).table("customers").merge(rows())
    with pytest.raises(RefusedError, match="email, nick are stored clear"):
        opened(tmp_path).table("customers").merge(rows(seq=2))
    orders = opened(tmp_path).table("orders")
    orders.merge([{"oid": 1, "who": 1, "ship_to": ANN}])
    config = opened(tmp_path).config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    config["tables"] = {"orders": {"key": ["oid"]}, "customers": {"key": ["id"]}}
    without = Lakehouse.open({**config, "keys": {"path": str(tmp_path / "keys")}}).table("orders")
    assert without.read()["ship_to"].to_list() == [ANN]
    with pytest.raises(RefusedError, match="its config does not say so any more"):
        without.merge([{"oid": 2, "who": 1, "ship_to": ANN}])


def test_a_cell_that_was_moved_does_not_open(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("customers").merge(rows())
    path = tmp_path / "lake" / "customers"
    (file,) = path.glob("*.parquet")
    stored = pl.read_parquet(file).with_columns(nick=pl.col("email"))
    write_deltalake(path, stored.with_columns(id=pl.col("id") + 10).to_arrow(), mode="append")
    with pytest.raises(KeysError, match="moved here from another column"):
        lake.table("customers").read()


def test_columns_that_are_no_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="only texts can be shredded"):
        opened(tmp_path).table("customers").merge([{"id": 1, "email": 7, "seq": 1}])
    with pytest.raises(RefusedError, match="only texts can be shredded"):
        opened(tmp_path).table("orders").merge(pl.DataFrame({"oid": [1], "who": [1.5], "ship_to": [2]}))


def test_rejected_people_are_told_apart_however_they_are_written(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("orders").merge(
        [{"oid": 1, "who": " É1 ", "ship_to": ANN}, {"oid": 2, "who": "e\u03011", "ship_to": BOB}]
    )
    assert [each.keys for each in lake.subject_keys.count()] == [1]
    assert lake.table("orders").read().sort("oid")["ship_to"].to_list() == [ANN, BOB]


def test_a_missing_key_of_the_lake_is_said(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("customers").merge(rows())
    for file in (tmp_path / "keys").iterdir():
        if "shred" in file.name:
            file.unlink()
    again = Lakehouse.open(lake.config.model_dump(mode="json", by_alias=True, exclude_unset=True))
    with pytest.raises(KeysError):
        again.table("customers").read()
    assert again.table("customers").read(columns=["id"]).height == 2


def test_conditions_that_no_ciphertext_meets_are_refused(tmp_path: Path) -> None:
    rule = {"name": "old", "column": "day", "keep": "30d", "action": "delete", "where": "email LIKE '%@%'"}
    schema = {"id": "long", "seq": "long", "email": "string", "nick": "string", "day": "date"}
    lake = opened(tmp_path, customers={"schema": schema, "retention": [rule]})
    lake.table("customers").merge(rows(day="2020-01-01"))
    with pytest.raises(RefusedError, match="asks for email, which is stored under keys of people"):
        lake.retention.apply()
    with pytest.raises(UsageError, match="email of table customers is stored under keys of people"):
        lake.holds.add(table="customers", where=f"email = '{ANN}'", reason="case 1")
    assert lake.holds.list() == []


def test_anonymizing_empties_the_cells(tmp_path: Path) -> None:
    rule = {"name": "old", "column": "day", "keep": "30d", "action": "anonymize"}
    schema = {"id": "long", "seq": "long", "email": "string", "nick": "string", "day": "date"}
    lake = opened(tmp_path, customers={"schema": schema, "retention": [{**rule, "max_fraction": 1.0}]})
    lake.table("customers").merge(rows(day="2020-01-01"))
    lake.retention.apply()
    assert lake.table("customers").read().sort("id").select("email", "nick").rows() == [("", ""), ("", "")]


def test_a_cell_says_nothing_that_a_certificate_shows(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("customers").merge(rows())
    stored = bytes_below(tmp_path / "lake" / "customers").decode(errors="replace")
    for each in lake.subject_keys.digests_of("customer", ["1", "2"]):
        assert each.digest[:16] not in stored
        assert urlsafe_b64encode(bytes.fromhex(each.digest))[:12].decode() not in stored


def test_a_request_destroys_the_key_unless_it_is_held(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    for purpose in ("requests", "sign"):
        lake.keys.create(purpose)
    customers, orders = lake.table("customers"), lake.table("orders")
    customers.merge(rows())
    orders.merge([{"oid": 7, "who": "1", "ship_to": ANN}, {"oid": 8, "who": "2", "ship_to": BOB}])
    hold = lake.holds.add(table="orders", reason="case 1")
    for who in ("1", "2"):
        lake.requests.submit("erasure", subject="customer", id=who)
    assert {each.status for each in lake.requests.run().outcomes} == {"held"}
    assert [(each.keys, each.destroyed) for each in lake.subject_keys.count()] == [(2, 0)]
    lake.holds.release(hold.id)
    report = lake.requests.run()
    assert {each.status for each in report.outcomes} == {"completed"}, report
    assert [(each.keys, each.destroyed) for each in lake.subject_keys.count()] == [(0, 2)]
    assert set(emails(customers).values()) == {None}
    assert CANARY not in bytes_below(tmp_path / "lake")
    # With a new consent the person has a key again.
    assert lake.requests.readmit("customer", id="1", reason="new consent") > 0
    customers.merge(rows(seq=9))
    assert emails(customers)[1] == ANN
    assert emails(customers).get(2) is None


def test_what_a_person_is_told_is_clear(tmp_path: Path) -> None:
    rule = {"name": "old", "column": "day", "keep": "30d", "action": "archive", "to": "archive/customers"}
    schema = {"id": "long", "seq": "long", "email": "string", "nick": "string", "day": "date"}
    lake = opened(tmp_path, customers={"schema": schema, "retention": [{**rule, "max_fraction": 1.0}]})
    for purpose in ("requests", "sign"):
        lake.keys.create(purpose)
    lake.table("orders").merge([{"oid": 7, "who": "1", "ship_to": ANN}])
    lake.table("customers").merge([{"id": 1, "seq": 1, "nick": "archived canary-4b8", "day": "2020-01-01"}])
    lake.retention.apply(allow_empty=True)
    asked = lake.requests.submit("access", subject="customer", id="1")
    lake.requests.answer(asked.id, to=tmp_path / "told.zip")
    with zipfile.ZipFile(tmp_path / "told.zip") as bundle:
        told = b"".join(bundle.read(name) for name in bundle.namelist())
    assert ANN.encode() in told
    assert b"shred:v1:" not in told
