"""One person in all places that belong to a table, taken out of each in turn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from lakehouse import Lakehouse
from lakehouse.copies import list_copies
from lakehouse.errors import UsageError
from lakehouse.pii.executor import Here
from lakehouse.requests.elsewhere.archives import erase_in_archive, find_in_archives
from lakehouse.requests.elsewhere.places import OtherTable, left_alone, other_tables
from lakehouse.requests.elsewhere.wanted import wanted_of
from lakehouse.requests.erase import erase
from lakehouse.requests.find import Found, find
from lakehouse.requests.identity import Person
from lakehouse.requests.past import past_of
from lakehouse.requests.people import Place, people_of
from lakehouse.requests.purge import plan_purge, purge
from lakehouse.requests.rules import rules_of
from lakehouse.requests.search import lake_places, search
from lakehouse.retention.places import ArchivePlaces
from lakehouse.storage import open_storage
from tests.fixtures.erasing import History

MAIL = "anna.canary-6e4@example.org"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
RULE = {
    "name": "cold",
    "column": "at",
    "keep": "30d",
    "action": "archive",
    "to": "archive",
    "max_fraction": 1,
}
ANNA = people_of({"req-1": Person("customer", (("email", MAIL), ("id", "4711")))})


def opened(root: Path, *, table: str = "people") -> Lakehouse:
    columns = {"id": "long", "email": "string", "name": "string", "at": "timestamp"}
    return Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "tables": {
                table: {
                    "key": ["id"],
                    "schema": columns,
                    "merge": "on_read",
                    "pii": {"email": "EMAIL_ADDRESS"},
                    "retention": [RULE],
                }
            },
            "subjects": {
                "customer": {
                    "identifiers": {"id": f"{table}.id", "email": f"{table}.email"},
                    "rows": [{"table": table, "where": {"id": "id"}, "do": "delete"}],
                }
            },
            "pii": {"nlp": {"engine": "none"}},
        }
    )


def fill(lake: Lakehouse) -> None:
    people, at = lake.table("people"), NOW - timedelta(days=1)
    old = NOW - timedelta(days=90)
    people.merge([{"id": n, "email": f"o{n}@example.net", "at": at} for n in range(5)])
    people.merge([{"id": 4711, "email": MAIL, "at": old}, {"id": 7, "email": "o7@example.net", "at": old}])
    lake.pii.mask("people", to="people_masked")
    lake.retention.apply(now=NOW)
    people.merge([{"id": 4711, "email": MAIL, "at": at}, {"id": "4711x", "email": MAIL}, {"id": "?"}])
    lake.pii.mask("people", to="people_masked")


def others(lake: Lakehouse) -> list[OtherTable]:
    return list(
        other_tables(
            "people",
            config=lake.config,
            lake=lake.storage,
            table=lake.table,
            copies=lambda: lake.pii.copies,
        )
    )


def in_table(lake: Lakehouse) -> Found:
    table = lake.table("people").opened
    place = Place(table.storage, past_of(table.storage, table.snapshot()))
    rules = rules_of(lake.config)["people"]
    return find("people", place, rules=rules, people=ANNA, protection=table.protection())


def in_other(lake: Lakehouse, other: OtherTable) -> Found:
    here = other.find(ANNA, in_table(lake))
    assert here is not None
    assert here.exact
    return here.found


def left(lake: Lakehouse, name: str = "") -> list[str]:
    """The tables (or the one) in whose folders the search still finds her."""
    needles = wanted_of(ANNA, lake.config).needles
    places = lake_places(lake.storage, tables={"people": {}}, copies={"people_masked": "people"})
    hits = search(places, needles, executor=Here()).hits
    return [hit.table for hit in hits if name in ("", hit.table)]


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_a_person_goes_from_all_that_belongs_to_a_table(tmp_path: Path, history: History) -> None:
    lake = opened(tmp_path)
    fill(lake)
    assert [(each.kind, each.table.name) for each in others(lake)] == [
        ("quarantine", "people__quarantine"),
        ("copy", "people_masked"),
    ]
    table = lake.table("people").opened
    assert erase(table, in_table(lake), again=lambda: in_table(lake), sleep=lambda _: None).deleted == 1
    archives = list(ArchivePlaces(config=lake.config, lake=lake.storage).of_table("people"))
    rules = rules_of(lake.config)["people"]
    inside = find_in_archives(table, archives, rules=rules, people=ANNA)
    assert [erase_in_archive(table, each).deleted for each in inside] == [1]
    for other in others(lake):
        other.catch_up()
        again = partial(in_other, lake, other)
        erase(other.table, again(), again=again, sleep=lambda _: None)
        assert left(lake, other.table.name)
        plan = plan_purge(other.table, again(), history=history)
        assert purge(other.table, plan, note=lambda _: None).complete
    assert set(left(lake)) == {"people"}
    plan = plan_purge(table, in_table(lake), history=history)
    assert purge(table, plan, note=lambda _: None).complete
    assert left(lake) == []
    assert sorted(lake.table("people_masked").read()["id"]) == [0, 1, 2, 3, 4]
    assert lake.table("people").quarantine.count() == 1
    assert lake.retention.restore_archive("people").rows == 1
    assert lake.pii.mask("people", to="people_masked").inserted == 1


@pytest.mark.parametrize("outside", [False, True])
def test_archives_are_searched_once_wherever_they_lie(tmp_path: Path, outside: bool) -> None:
    lake = opened(tmp_path)
    fill(lake)
    where = lake.storage.child("archive").child("people")
    if outside:
        (tmp_path / "lake" / "archive").rename(tmp_path / "archive")
        where = open_storage(tmp_path / "archive" / "people")
    needles = wanted_of(ANNA, lake.config).needles
    places = lake_places(lake.storage, tables={"people": {}}, archives={"people": [where, where]})
    report = search(places, needles, executor=Here())
    folders = (tmp_path / "lake", *([tmp_path / "archive"] if outside else []))
    assert report.total.objects == sum(1 for each in folders for file in each.rglob("*") if file.is_file())
    there = {(hit.table, hit.place) for hit in report.hits if "part-00000.parquet" in hit.path}
    assert ("people", "column id") in there
    assert {table for table, _ in there} == {"people"}


def test_a_copy_without_its_source_is_told(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    fill(lake)
    assert left_alone(config=lake.config, lake=lake.storage) == ()
    renamed = opened(tmp_path, table="persons")
    assert left_alone(config=renamed.config, lake=renamed.storage) == ("people_masked",)
    assert [each.name for each in list_copies(renamed.storage)] == ["people_masked"]


def test_a_copy_of_a_table_that_no_rule_names_is_told(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    fill(lake)
    given = lake.config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    given["tables"]["orders"] = {"key": ["nr"]}
    given["subjects"]["customer"]["rows"] = [{"table": "orders", "where": {"who": "id"}, "do": "delete"}]
    forgetful = Lakehouse.open({**given, "keys": {"path": str(tmp_path / "keys")}})
    with pytest.raises(UsageError, match="their masks in the copy people_masked") as told:
        forgetful.apply()
    assert "`subjects.customer.rows`" in str(told.value)
    lake.apply()
