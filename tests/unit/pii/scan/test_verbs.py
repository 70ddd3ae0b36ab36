from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse.config import load_config
from lakehouse.control import Control
from lakehouse.errors import ConflictError, TableNotFoundError, UsageError, VersionNotFoundError
from lakehouse.pii.scan.declare import plan_declaration, write_declaration
from lakehouse.pii.scan.findings import ScanResult
from lakehouse.pii.scan.verbs import ScanPlace, last_scan, scan
from lakehouse.storage import open_storage
from lakehouse.table import Table

CANARY = "zuleika"
CONFIG = """\
version: 1
name: shop
storage: {root: ./lake}
tables:
  customers:
    key: [id]   # one each
  unmade: {}
"""


@dataclass
class Lake:
    """A lake in a folder whose clock a test sets."""

    home: Path
    now: datetime = datetime(2026, 6, 1, tzinfo=UTC)
    text: str = field(default=CONFIG)

    def place(self) -> ScanPlace:
        (self.home / "lakehouse.yaml").write_text(self.text)
        config = load_config(self.home / "lakehouse.yaml")
        root = open_storage(config.storage.root, options={"fsync": "false"})

        def table(name: str) -> Table:
            if name not in config.tables:
                raise TableNotFoundError(f"no table {name}")
            return Table(name=name, config=config.tables[name], storage=root.child(name), lake=root)

        control = Control(config.state.get_secret_value(), lake=root)
        return ScanPlace(config=config, table=table, control=control, clock=lambda: self.now)

    def merge(self, rows: list[dict[str, Any]]) -> None:
        self.place().table("customers").merge(rows)

    def scan(self, **more: Any) -> ScanResult:
        self.now += timedelta(hours=1)
        return scan(self.place(), **more)


def row(number: int, **more: object) -> dict[str, object]:
    return {"id": number, "email": f"{CANARY}{number}@example.org", "points": number % 7, **more}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path)
    made.merge([row(number) for number in range(40)])
    return made


def test_tables_that_have_not_been_made_are_named_and_pass(lake: Lake) -> None:
    found = lake.scan()
    assert [(each.table, each.version) for each in found.tables] == [("customers", 1), ("unmade", None)]
    (customers, _) = found.tables
    assert [(each.path, each.names) for each in customers.columns] == [("email", ("EMAIL_ADDRESS",))]
    assert (customers.paths, customers.sampled) == (3, 40)
    assert found.undeclared == found.new == {"customers": ("email",)}


def test_the_next_scan_says_what_is_new_gone_and_different(lake: Lake) -> None:
    lake.scan()
    again = lake.scan(tables=["customers"]).tables[0].drift
    assert (again.new, again.gone, again.changed) == ((), (), ())
    assert again.since == datetime(2026, 6, 1, 1, tzinfo=UTC)
    lake.merge([row(number, ip=f"80.90.{100 + number}.{200 + number % 50}") for number in range(40)])
    drift = lake.scan(tables=["customers"]).tables[0].drift
    assert (drift.new, drift.gone, drift.changed, drift.shares) == (("ip",), (), (), ())
    lake.merge([{**row(number), "email": "none"} for number in range(20)])
    drift = lake.scan(tables=["customers"]).tables[0].drift
    assert (drift.changed, drift.shares) == ((), ("email",)), "half of them are none any more"
    lake.merge([{**row(number, ip=None), "email": "DE89370400440532013000"} for number in range(40)])
    drift = lake.scan(tables=["customers"]).tables[0].drift
    assert (drift.new, drift.gone, drift.changed) == ((), ("ip",), ("email",))


def test_what_the_config_names_is_not_new(lake: Lake) -> None:
    lake.text = CONFIG.replace("key: [id]", "key: [id]\n    pii: {email: PERSON}")
    found = lake.scan()
    assert not found.new
    assert not found.undeclared
    assert found.tables[0].columns[0].declared == ("PERSON",)


def test_what_a_part_is_in_counts_as_named(lake: Lake) -> None:
    lake.merge([row(number, who={"mail": f"{CANARY}{number}@example.org"}) for number in range(40)])
    lake.text = CONFIG.replace("key: [id]", "key: [id]\n    pii: {email: PERSON, who: PERSON}")
    assert [each.path for each in lake.scan().tables[0].columns] == ["email", "who.mail"]
    assert not lake.scan().undeclared


def test_an_older_version_can_be_looked_at(lake: Lake) -> None:
    lake.merge([row(number, ip=f"80.90.{100 + number}.200") for number in range(40)])
    paths = [each.path for each in lake.scan(tables=["customers"], version=1).tables[0].columns]
    assert paths == ["email"]
    with pytest.raises(VersionNotFoundError):
        lake.scan(tables=["customers"], version=9)


def test_nothing_of_a_value_is_kept_or_shown(lake: Lake) -> None:
    payload = json.dumps({f"{CANARY}@example.org": {"note": CANARY}})
    note = f"Spoke to Mrs. {CANARY} about the parcel that was late again, mail {CANARY}@example.org"
    lake.merge([row(number, payload=payload, note=f"{note} {number}") for number in range(40)])
    found = lake.scan()
    assert "payload${key}" in [each.path for each in found.tables[0].columns]
    assert CANARY not in repr(found)
    assert CANARY not in json.dumps(found.to_dict(), default=str)
    state = lake.home / "lake" / "_lakehouse"
    kept = [path for path in state.rglob("*") if path.is_file()]
    assert kept
    assert not [path.name for path in kept if CANARY.encode() in path.read_bytes()]
    last = last_scan(lake.place(), "customers")
    assert last is not None
    assert (last.at, last.version, last.columns["email"]) == (lake.now, 2, ("EMAIL_ADDRESS",))
    assert last_scan(lake.place(), "unmade") is None


def test_a_lake_whose_scans_are_not_kept_gets_no_state_database(lake: Lake) -> None:
    place = lake.place()
    scan(ScanPlace(config=place.config, table=place.table))
    assert not (lake.home / "lake" / "_lakehouse" / "state.db").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"sample": 0},
        {"sample": True},
        {"sample": 10**9},
        {"sample": "many"},
        {"seed": -1},
        {"tables": "customers"},
        {"version": 1},
        {"version": 1, "tables": ["customers", "unmade"]},
    ],
)
def test_wrong_usage_is_told(lake: Lake, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        lake.scan(**wrong)


def test_tables_that_are_named_must_be_there(lake: Lake) -> None:
    for name in ("unmade", "nowhere"):
        with pytest.raises(TableNotFoundError):
            lake.scan(tables=[name])


def test_a_table_without_rows_has_no_personal_data(tmp_path: Path) -> None:
    lake = Lake(tmp_path, text=CONFIG.replace("unmade: {}", "unmade: {schema: {email: string}}"))
    lake.place().table("unmade").create()
    (found,) = lake.scan(tables=["unmade"]).tables
    assert (found.version, found.sampled, found.columns) == (0, 0, ())


def test_deleted_rows_are_not_looked_at(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.merge([{"id": at, "c": "plain" if at % 2 else f"{CANARY}{at}@example.org"} for at in range(40)])
    assert lake.scan(tables=["customers"]).tables[0].columns
    lake.merge([{"id": at, "_op": "delete"} for at in range(0, 40, 2)])
    assert not lake.scan(tables=["customers"]).tables[0].columns


class TestDeclaring:
    def test_what_was_found_is_added_and_loads(self, lake: Lake) -> None:
        place = lake.place()
        plan = plan_declaration(place.config, scan(place))
        assert not plan.written
        assert (lake.home / "lakehouse.yaml").read_text() == CONFIG
        (lake.home / "lakehouse.yaml").chmod(0o640)
        done = write_declaration(plan)
        assert done.written
        assert dict(done.added["customers"]) == {"email": ("EMAIL_ADDRESS",)}
        path = lake.home / "lakehouse.yaml"
        assert path.stat().st_mode & 0o777 == 0o640
        lake.text = path.read_text()
        assert lake.text == CONFIG.replace(
            "key: [id]   # one each\n", "key: [id]   # one each\n    pii:\n      email: EMAIL_ADDRESS\n"
        )
        assert [line for line in done.diff.splitlines() if line[:2] in {"+ ", "- "}] == [
            "+    pii:", "+      email: EMAIL_ADDRESS"
        ]  # fmt: skip
        again = plan_declaration(load_config(path), lake.scan())
        assert (again.diff, dict(again.added)) == ("", {})
        assert sorted(each.name for each in lake.home.iterdir()) == ["lake", "lakehouse.yaml"]

    def test_a_file_that_was_changed_in_between_is_left_alone(self, lake: Lake) -> None:
        place = lake.place()
        plan = plan_declaration(place.config, scan(place))
        changed = CONFIG.replace("name: shop", "name: other")
        (lake.home / "lakehouse.yaml").write_text(changed)
        with pytest.raises(ConflictError):
            write_declaration(plan)
        assert (lake.home / "lakehouse.yaml").read_text() == changed

    def test_a_config_that_is_no_file_can_not_be_written(self, lake: Lake, tmp_path: Path) -> None:
        config = load_config({"version": 1, "storage": {"root": str(tmp_path)}, "tables": {"customers": {}}})
        with pytest.raises(UsageError, match="no file"):
            plan_declaration(config, lake.scan())


def test_samples_are_the_same_for_a_seed(lake: Lake) -> None:
    def shares(seed: int) -> Callable[[], list[int]]:
        return lambda: [each.distinct for each in lake.scan(sample=10, seed=seed).tables[0].columns]

    assert shares(1)() == shares(1)()


def test_columns_are_read_from_files_of_many_commits(lake: Lake) -> None:
    for at in range(5):
        lake.merge([row(1000 + at)])
    (found,) = lake.scan(tables=["customers"]).tables
    assert found.sampled == 45
    assert pl.Series([each.filled for each in found.columns]).to_list() == [45]
