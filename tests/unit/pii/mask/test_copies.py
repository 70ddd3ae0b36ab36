"""Masked copies: they hold the mask of their source, follow what changed, and say why where they don't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse.copies import application, find_copy
from lakehouse.errors import LakehouseError, NotFoundError, ProtectedError, RefusedError, UsageError
from lakehouse.pii.keys.ring import Key
from lakehouse.pii.mask import changes, rows
from lakehouse.pii.mask.copy_plan import CopyResult
from lakehouse.pii.mask.mark import marks_of
from tests.fixtures.meanwhile import Meanwhile
from tests.unit.pii.mask_lakes import OPERATORS, MaskLake, people
from tests.unit.pii.rings import Ring


def run(lake: MaskLake, **more: Any) -> CopyResult:
    return lake.pii.mask("t", to="t_masked", **more)


@pytest.fixture
def lake(tmp_path: Path) -> MaskLake:
    found = MaskLake(tmp_path)
    found.t.merge(people(*range(6)))
    return found


def test_the_first_run_copies_all_rows_masked(lake: MaskLake) -> None:
    done = run(lake)
    assert (done.action, done.inserted, done.version, done.source_version) == ("anew", 6, 0, 1)
    assert lake.copied() == lake.expected()
    assert {row["name"] for row in lake.copied()} == {""}
    assert all(row["email"].startswith("tok_1_") for row in lake.copied())
    copy = lake.lake.table("t_masked")
    assert set(marks_of(copy.snapshot().configuration)) == {"email", "phone", "name"}
    assert copy.verify(full=True).findings == ()


def test_later_runs_bring_in_what_changed(lake: MaskLake) -> None:
    run(lake)
    lake.t.merge([*people(2, n=77), *people(8, 9), {"_op": "delete", "id": 4}])
    planned = run(lake, dry_run=True)
    assert lake.copied() != lake.expected()
    done = run(lake)
    assert (done.action, done.inserted, done.updated, done.deleted) == ("follow", 2, 1, 1)
    assert (planned.inserted, planned.updated, planned.deleted) == (2, 1, 1)
    assert (done.since, done.source_version, done.version) == (1, 2, 1)
    assert lake.copied() == lake.expected()
    again = run(lake)
    assert again.changes_nothing
    assert lake.lake.table("t_masked").snapshot().version == 1


def test_what_happened_to_a_row_in_several_versions_is_one_change(lake: MaskLake) -> None:
    run(lake)
    lake.t.merge(people(20))
    lake.t.merge([{"_op": "delete", "id": 20}, {"_op": "delete", "id": 0}])
    lake.t.compact()
    lake.t.merge([*people(0, n=5), *people(21)])
    lake.t.merge(people(21, n=1))
    lake.t.compact()
    done = run(lake)
    assert (done.action, done.inserted, done.updated, done.deleted) == ("follow", 1, 1, 0)
    assert lake.copied() == lake.expected()


def test_a_compaction_of_the_source_reads_and_writes_no_row(
    lake: MaskLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(lake)
    for n in range(10, 14):
        lake.t.merge(people(n))
    run(lake)
    assert lake.t.compact().version is not None
    monkeypatch.setattr(changes, "MOST_ROWS", 0)
    done = run(lake)
    assert (done.action, done.inserted, done.files) == ("follow", 0, 0)
    assert run(lake).changes_nothing


def test_a_restored_source_is_followed_like_any_other_change(lake: MaskLake) -> None:
    run(lake)
    lake.t.merge([*people(1, n=1), *people(7)])
    run(lake)
    lake.t.restore(version=1)
    done = run(lake)
    assert (done.action, done.updated, done.deleted) == ("follow", 1, 1)
    assert lake.copied() == lake.expected()


def test_files_that_were_rewritten_are_compared_row_by_row(tmp_path: Path) -> None:
    lake = MaskLake(tmp_path, merge="on_write")
    lake.t.merge(people(*range(6)))
    run(lake)
    lake.t.merge(people(3, n=1))
    done = run(lake)
    assert (done.updated, done.inserted, done.deleted) == (1, 0, 0)
    assert lake.copied() == lake.expected()
    assert not any(add.deletion_vector for add in lake.lake.table("t_masked").snapshot().files.values())


def test_rows_that_others_appended_are_followed(lake: MaskLake) -> None:
    run(lake)
    frame = pl.DataFrame(people(50, 51)).to_arrow()
    write_deltalake(str(lake.root / "t"), frame, mode="append")
    assert run(lake).inserted == 2
    assert lake.copied() == lake.expected()


def test_a_masked_key_finds_its_rows_again(tmp_path: Path) -> None:
    lake = MaskLake(tmp_path, key=["email"])
    lake.t.merge(people(*range(5)))
    run(lake)
    lake.t.merge([*people(1, n=5), {"_op": "delete", "email": "u2@clear.example"}, *people(9)])
    done = run(lake)
    assert (done.action, done.inserted, done.updated, done.deleted) == ("follow", 1, 1, 1)
    assert lake.copied() == lake.expected()


def test_two_keys_with_one_mask_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = MaskLake(tmp_path, key=["email"], operators={"EMAIL_ADDRESS": {"operator": "tokenize"}})
    lake.t.merge(people(*range(5)))

    def alike(self: object, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(email=pl.lit("same"))

    monkeypatch.setattr("lakehouse.pii.mask.source.ReadyMasks.apply", alike)
    with pytest.raises(RefusedError, match="4 of 5 keys would have the mask of another one"):
        run(lake)
    assert not lake.lake.table("t_masked").exists()
    assert list((tmp_path / "t_masked").rglob("*.parquet")) == []


def test_a_key_that_can_not_stay_a_key_is_refused(tmp_path: Path) -> None:
    lake = MaskLake(tmp_path, key=["email"], operators={"EMAIL_ADDRESS": {"operator": "redact"}})
    lake.t.merge(people(1, 2))
    with pytest.raises(RefusedError, match="part of the key"):
        run(lake)
    assert lake.lake.copies == ()


def test_without_a_key_all_rows_are_copied_each_time_something_changed(tmp_path: Path) -> None:
    lake = MaskLake(tmp_path, key=[])
    write_deltalake(str(tmp_path / "t"), pl.DataFrame(people(1, 2)).to_arrow())
    run(lake)
    assert run(lake).changes_nothing
    write_deltalake(str(tmp_path / "t"), pl.DataFrame(people(2, 3)).to_arrow(), mode="append")
    done = run(lake)
    assert (done.action, done.inserted, done.why) == (
        "anew",
        4,
        "t has no key by which rows could be found again",
    )
    assert lake.copied() == lake.expected()


def test_columns_that_come_are_followed(lake: MaskLake) -> None:
    run(lake)
    lake.t.merge([{**people(2)[0], "city": "Ulm"}, {**people(7)[0], "city": "Kiel"}])
    done = run(lake)
    assert (done.action, done.inserted, done.updated) == ("follow", 1, 1)
    assert lake.copied() == lake.expected()
    assert "city" in lake.lake.table("t_masked").snapshot().schema


def test_a_column_of_pii_that_comes_later_is_masked_from_its_first_value(tmp_path: Path) -> None:
    lake = MaskLake(tmp_path, pii={"email": "EMAIL_ADDRESS", "street": "PERSON"})
    lake.t.merge(people(1, 2))
    run(lake)
    lake.t.merge([{**people(1)[0], "street": "Clear Street 1"}])
    assert run(lake).action == "follow"
    assert lake.copied() == lake.expected()
    assert set(marks_of(lake.lake.table("t_masked").snapshot().configuration)) == {"email", "street"}


def test_types_that_grow_are_copied_anew(tmp_path: Path) -> None:
    lake = MaskLake(
        tmp_path, schema={"id": "long", "email": "string", "n": "integer"}, pii={"email": "EMAIL_ADDRESS"}
    )
    lake.t.merge([{"id": 1, "email": "a@clear.example", "n": 1}])
    run(lake)
    config = lake.lake.config.tables["t"]
    loose = MaskLake(tmp_path, pii={"email": "EMAIL_ADDRESS"})
    assert config.column_schema is not None
    loose.t.merge([{"id": 2, "email": "b@clear.example", "n": 2**40}])
    done = run(loose)
    assert (done.action, done.why) == ("anew", "columns of t changed their types, or went")
    assert loose.copied() == loose.expected()


def test_control_columns_are_not_copied_and_what_only_they_say_is_no_change(tmp_path: Path) -> None:
    lake = MaskLake(tmp_path, changes={"sequence": "_sequence", "ignore_null_updates": True})
    lake.t.merge([{**row, "_sequence": 1} for row in people(1, 2)])
    lake.t.merge([{"id": 1, "n": 5, "_sequence": 2}])
    assert {"_sequence", "_cells"} & set(lake.t.snapshot().schema.names)
    run(lake)
    assert lake.copied() == lake.expected()
    lake.t.merge([{"id": 2, "n": 20, "_sequence": 3}])
    assert (run(lake).updated, lake.copied()) == (0, lake.expected())


def test_every_version_of_a_row_is_copied(tmp_path: Path) -> None:
    lake = MaskLake(tmp_path, history="full", changes={"sequence": "at"})
    lake.t.merge([{**row, "at": 1} for row in people(1, 2)])
    run(lake)
    lake.t.merge(
        [{**people(1, n=7)[0], "at": 5}, {"_op": "delete", "id": 2, "at": 6}, {**people(3)[0], "at": 2}]
    )
    lake.t.merge([{**people(1, n=6)[0], "at": 3}])
    done = run(lake)
    assert done.action == "follow"
    assert lake.copied() == lake.expected()
    assert {"_valid_from", "_valid_to"} <= set(lake.lake.table("t_masked").snapshot().schema.names)
    assert "_events" not in lake.lake.table("t_masked").snapshot().schema


def test_partitions_stay_but_those_that_are_masked(tmp_path: Path) -> None:
    lake = MaskLake(
        tmp_path,
        partition_by=["country", "region"],
        pii={"email": "EMAIL_ADDRESS", "region": "LOCATION"},
        operators={"LOCATION": {"operator": "replace", "new_value": "somewhere"}},
    )
    lake.t.merge([{**row, "country": "DE", "region": "Hidden Valley"} for row in people(1, 2)])
    run(lake)
    copy = lake.lake.table("t_masked").snapshot()
    assert copy.partition_columns == ("country",)
    assert not any("Hidden" in add.path for add in copy.files.values())
    lake.t.merge([{**people(1, n=3)[0], "country": "FR", "region": "Hidden Valley"}])
    assert run(lake).updated == 1
    assert lake.copied() == lake.expected()


def test_nested_columns_and_texts_are_masked_where_they_are(tmp_path: Path) -> None:
    lake = MaskLake(
        tmp_path,
        pii={
            "contact.email": "EMAIL_ADDRESS",
            "phones[]": "PHONE_NUMBER",
            "note": {"entity": "PERSON", "text": True},
        },
    )
    rows_ = [
        {
            "id": n,
            "contact": {"email": f"u{n}@clear.example", "city": "Ulm"},
            "phones": ["030 111", "030 222"],
            "note": f"spoke with Clear{n} today",
        }
        for n in range(3)
    ]
    lake.t.merge(rows_)
    run(lake)
    assert lake.copied() == lake.expected()
    lake.t.merge([{**rows_[1], "note": "call Clear1 back"}])
    assert run(lake).updated == 1
    assert lake.copied() == lake.expected()
    (row,) = [row for row in lake.copied() if row["id"] == 1]
    assert row["contact"]["email"].startswith("tok_")
    assert row["contact"]["city"] == "Ulm"
    assert row["note"] == "call  back"


def test_masks_that_change_are_a_reason_to_copy_anew(lake: MaskLake) -> None:
    run(lake)
    other = MaskLake(lake.root, operators={**OPERATORS, "EMAIL_ADDRESS": {"operator": "hash"}})
    done = run(other)
    assert (done.action, done.why) == ("anew", "masks changed: email")
    assert other.copied() == other.expected()


def test_a_rotation_while_a_copy_is_begun_is_seen_by_the_next_run(lake: MaskLake) -> None:
    class Rotating(Ring):
        """Rotated in the moment after it was first asked."""

        asked = 0

        def _as_it_is(self) -> Ring:
            Rotating.asked += 1
            return Ring() if Rotating.asked == 1 else Ring().rotated()

        def current(self, purpose: str) -> Key:
            return self._as_it_is().current(purpose)

        def versions(self, purpose: str) -> tuple[int, ...]:
            return self._as_it_is().versions(purpose)

    lake.ring = Rotating()
    run(lake)
    lake.t.merge(people(9))
    run(lake)
    emails = [row["email"][:6] for row in lake.copied()]
    assert emails == ["tok_2_"] * 7


@pytest.mark.parametrize("path", ["phones[]", "labels{}", "payload$.mail", "contact.mail"])
def test_what_is_found_inside_of_a_column_later_is_masked_in_old_rows_too(tmp_path: Path, path: str) -> None:
    row = {
        **people(1)[0],
        "phones": ["a@clear.example"],
        "labels": {"mail": "a@clear.example"},
        "payload": '{"mail": "a@clear.example"}',
        "contact": {"mail": "a@clear.example"},
    }
    schema = dict.fromkeys(("email", "name", "phone", "payload"), "string")
    kinds = {"phones": "array<string>", "labels": "map<string,string>", "contact": "struct<mail:string>"}
    columns = {"id": "long", **schema, **kinds, "n": "long"}
    before = MaskLake(tmp_path, pii={"email": "EMAIL_ADDRESS"}, schema=columns)
    before.t.merge([row])
    run(before)
    lake = MaskLake(tmp_path, pii={"email": "EMAIL_ADDRESS", path: "EMAIL_ADDRESS"}, schema=columns)
    done = run(lake)
    assert (done.action, done.why) == ("anew", f"masks changed: {path}")
    assert "older versions of the copy, up to 0, still have it" in done.notes[0]
    copied = lake.lake.table("t_masked").read()[path.rstrip("[]{}").partition("$")[0].partition(".")[0]]
    assert "clear" not in str(copied.to_list())


def test_a_column_that_nobody_declared_is_copied_as_it_is_and_it_is_said(lake: MaskLake) -> None:
    assert run(lake).notes == ()
    lake.t.merge([{**people(1)[0], "ssn": "078-05-1120"}])
    (note,) = run(lake).notes
    assert note.startswith("ssn: new in t and not in its `pii`, so copied as it is")
    lake.t.merge(people(2, n=5))
    assert run(lake).notes == ()


def test_another_version_of_the_key_is_a_reason_to_copy_anew(lake: MaskLake) -> None:
    run(lake)
    lake.ring = Ring().rotated()
    done = run(lake)
    assert (done.action, done.why) == ("anew", "another version of the key masks: mask")
    assert lake.copied() == lake.expected()
    assert all(row["email"].startswith("tok_2_") for row in lake.copied())
    assert run(lake).changes_nothing


def test_a_source_that_was_made_anew_is_copied_anew(lake: MaskLake) -> None:
    lake.t.merge(people(7))
    run(lake)
    for path in sorted((lake.root / "t").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    lake.t.merge(people(1))
    done = run(lake)
    assert (done.action, done.why) == ("anew", "t was made anew")
    assert (lake.copied(), done.since) == (lake.expected(), 2)
    assert run(lake).changes_nothing


def test_a_version_whose_files_are_gone_can_not_be_followed_from(tmp_path: Path) -> None:
    lake = MaskLake(tmp_path, merge="on_write")
    lake.t.merge(people(*range(6)))
    run(lake)
    old = [add.path for add in lake.t.snapshot().files.values()]
    lake.t.merge(people(3, n=1))
    for path in old:
        (tmp_path / "t" / path).unlink()
    done = run(lake)
    assert done.action == "anew"
    assert "version 1 of table t can't be read any more" in done.why
    assert lake.copied() == lake.expected()


def test_too_much_to_compare_is_copied_anew(lake: MaskLake, monkeypatch: pytest.MonkeyPatch) -> None:
    run(lake)
    lake.t.merge(people(20, 21, 22))
    monkeypatch.setattr(changes, "MOST_ROWS", 2)
    done = run(lake)
    assert (done.action, done.why) == ("anew", "more than 2 rows were written since version 1")
    assert lake.copied() == lake.expected()


def test_a_copy_that_others_wrote_to_is_put_right(lake: MaskLake) -> None:
    run(lake)
    DeltaTable(str(lake.root / "t_masked")).delete("id = 3")
    lake.t.merge(people(3, n=1))
    done = run(lake)
    assert (done.action, done.why) == ("anew", "others wrote to the copy")
    assert lake.copied() == lake.expected()


@pytest.mark.parametrize("changed", [False, True])
def test_clear_rows_that_others_brought_into_a_copy_do_not_stay(lake: MaskLake, changed: bool) -> None:
    run(lake)
    where = str(lake.root / "t_masked")
    names = lake.lake.table("t_masked").snapshot().schema.names
    write_deltalake(where, pl.DataFrame(people(77)).select(names).to_arrow(), mode="append")
    lake.lake.table("t_masked").compact()
    if changed:
        lake.t.merge(people(3, n=1))
    done = run(lake)
    assert (done.action, done.why) == ("anew", "others wrote to the copy")
    assert lake.copied() == lake.expected()
    assert run(lake).changes_nothing


def test_a_copy_can_be_asked_for_anew(lake: MaskLake) -> None:
    run(lake)
    assert (run(lake, anew=True).why, lake.copied()) == ("it was asked for", lake.expected())


def test_a_large_source_is_copied_in_parts(lake: MaskLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.t.merge([*people(*range(20, 50)), {"_op": "delete", "id": 1}])
    monkeypatch.setattr(rows, "MOST_ROWS", 4)
    monkeypatch.setattr(rows, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(rows.gathered, "__kwdefaults__", {"size": 1000})
    monkeypatch.setattr(rows.parts_of, "__kwdefaults__", {"most": 4})
    done = run(lake)
    assert done.files > 1
    assert lake.copied() == lake.expected()


def test_what_is_masked_in_the_source_is_taken_as_it_is(tmp_path: Path) -> None:
    lake = MaskLake(tmp_path, mask_at="merge")
    lake.t.merge(people(*range(4)))
    run(lake)
    clear = lake.expected()
    lake.pii.mask("t", in_place=True)
    done = run(lake)
    assert done.masked_before == ("email", "phone", "name")
    assert done.columns == ()
    assert lake.copied() == clear


def test_the_next_run_goes_on_where_somebody_else_has_been(lake: MaskLake) -> None:
    run(lake)
    lake.t.merge(people(9))
    beaten = MaskLake(lake.root, storage=Meanwhile(lake.lake.storage, [lambda: run(lake)]))
    done = run(beaten)
    assert done.changes_nothing
    assert lake.copied() == lake.expected()
    assert lake.lake.table("t_masked").snapshot().version == 1


@pytest.mark.parametrize("anew", [False, True])
def test_a_run_that_was_overtaken_brings_nothing_back(lake: MaskLake, anew: bool) -> None:
    """Its version of the source is an older one: with rows, perhaps, of somebody who was erased since."""
    run(lake)
    lake.t.merge(people(9))

    def overtakes() -> None:
        lake.t.merge([{"_op": "delete", "id": 3}])
        run(lake)

    beaten = MaskLake(lake.root, storage=Meanwhile(lake.lake.storage, [overtakes]))
    done = run(beaten, anew=anew)
    assert (done.action, done.why) == ("nothing", "it has version 3 of t, which came meanwhile")
    assert lake.copied() == lake.expected()
    assert 3 not in {row["id"] for row in lake.copied()}
    assert lake.lake.table("t_masked").snapshot().version == 1
    assert lake.lake.table("t_masked").verify(full=True).findings == ()


def test_the_version_of_the_source_is_in_the_commit_of_the_rows(lake: MaskLake) -> None:
    run(lake)
    lake.t.merge(people(9))
    run(lake)
    for version, of in ((0, 1), (1, 2)):
        snapshot = lake.lake.table("t_masked").snapshot(version=version)
        assert snapshot.transactions[application("t")].version == of


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("t", RefusedError, "is a table of the config"),
        ("T", RefusedError, "is a table of the config"),
        ("t__quarantine", UsageError, "the lake's own"),
        ("_hidden", UsageError, "the lake's own"),
        ("a/b", UsageError, "can't name a table"),
        ("taken", RefusedError, "there is a table in the folder taken already"),
        ("other", RefusedError, "is a copy of orders"),
    ],
)
def test_a_name_that_is_taken_is_refused(
    tmp_path: Path, name: str, error: type[LakehouseError], match: str
) -> None:
    orders = {
        "tables": {
            "t": {"key": ["id"], "pii": {"email": "EMAIL_ADDRESS"}},
            "orders": {"key": ["id"], "pii": {"email": "EMAIL_ADDRESS"}},
        }
    }
    lake = MaskLake(tmp_path, more=orders)
    lake.t.merge(people(1))
    lake.lake.table("orders").merge(people(1))
    lake.pii.mask("orders", to="other")
    write_deltalake(str(tmp_path / "taken"), pl.DataFrame({"id": [1]}).to_arrow())
    with pytest.raises(error, match=match):
        lake.pii.mask("t", to=name)
    assert [each.name for each in lake.lake.copies] == ["other"]


def test_what_can_not_be_copied_is_refused(lake: MaskLake) -> None:
    run(lake)
    with pytest.raises(RefusedError, match="t_masked is a masked copy itself"):
        lake.pii.mask("t_masked", to="more")
    with pytest.raises(RefusedError, match="keeps records as they came"):
        lake.pii.mask("t__quarantine", to="more")
    bare = MaskLake(lake.root, pii={"street": "PERSON"})
    with pytest.raises(RefusedError, match="there is nothing to mask in table t"):
        bare.pii.mask("t", to="more")
    with pytest.raises(UsageError, match="needs to know where"):
        lake.pii.mask("t")  # type: ignore[call-overload]


def test_a_copy_is_a_table_that_only_its_source_feeds(lake: MaskLake) -> None:
    run(lake)
    copy = lake.lake.table("t_masked")
    assert copy.config.description == "Masked copy of t"
    assert lake.lake.sql("select count(*) as n from t_masked")["n"].to_list() == [6]
    assert [each.table for each in lake.lake.status().tables] == ["t", "t_masked"]
    copy.tag("first")
    lake.t.merge(people(9))
    run(lake)
    assert copy.diff("first")["_change"].to_list() == ["insert"]
    copy.compact()
    copy.vacuum()
    for refused in (
        lambda: copy.merge(people(1)),
        lambda: copy.restore(version=0),
        lambda: copy.quarantine,
        copy.create,
    ):
        with pytest.raises(RefusedError, match="only its source feeds it"):
            refused()
    assert lake.copied() == lake.expected()


def test_a_copy_follows_after_it_was_compacted(lake: MaskLake) -> None:
    run(lake)
    for n in range(30, 34):
        lake.t.merge(people(n))
        run(lake)
    assert lake.lake.table("t_masked").compact().version is not None
    lake.t.merge(people(31, n=1))
    assert run(lake).updated == 1
    assert lake.copied() == lake.expected()


def test_how_copies_stand(lake: MaskLake) -> None:
    run(lake)
    (status,) = lake.pii.copies.list()
    assert (status.name, status.source, status.version, status.has, status.up_to_date) == (
        "t_masked",
        "t",
        0,
        1,
        True,
    )
    lake.t.merge(people(9))
    (status,) = lake.pii.copies.list("t")
    assert (status.has, status.newest, status.up_to_date) == (1, 2, False)
    assert lake.pii.copies.list("orders") == ()


def test_a_copy_that_is_dropped_leaves_nothing(lake: MaskLake) -> None:
    run(lake)
    lake.lake.table("t_masked").tag("kept")
    plan = lake.pii.copies.drop("t_masked", dry_run=True)
    assert (plan.files, plan.tags, plan.version) == (2, ("kept",), 0)
    assert lake.copied() == lake.expected()
    lake.pii.copies.drop("t_masked")
    assert not list((lake.root / "t_masked").rglob("*.*"))
    assert lake.lake.copies == ()
    assert not list((lake.root / "_lakehouse" / "tags").rglob("*.json"))
    with pytest.raises(NotFoundError, match="no table t_masked"):
        lake.lake.table("t_masked")
    with pytest.raises(NotFoundError, match="no masked copy of that name"):
        lake.pii.copies.drop("t_masked")
    (record,) = lake.lake._records.list(table="t_masked")
    assert (record.kind, record.action, record.files) == ("mask", "drop", 2)
    assert run(lake).action == "anew"


def test_a_copy_that_is_held_is_not_dropped(lake: MaskLake) -> None:
    run(lake)
    lake.lake.holds.add(table="t", reason="case 12")
    lake.lake.holds.add(table="t_masked", where="id = 1", reason="case 13")
    with pytest.raises(
        ProtectedError, match=r"dropping the copy is refused: table t_masked is held by .*case 13"
    ):
        lake.pii.copies.drop("t_masked")
    assert find_copy(lake.lake.storage, "t_masked") is not None
    assert lake.copied() == lake.expected()


def test_a_copy_outlives_the_section_of_its_source(lake: MaskLake) -> None:
    run(lake)
    bare = MaskLake(lake.root, more={"tables": {}})
    assert bare.lake.table("t_masked").read().height == 6
    (status,) = bare.pii.copies.list()
    assert (status.newest, status.up_to_date) == (None, False)
