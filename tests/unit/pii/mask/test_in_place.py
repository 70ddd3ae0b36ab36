"""Masks in place: nothing clear is left in the newest version, and nothing is masked that must not be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from deltalake.schema import Field, PrimitiveType, Schema

from lakehouse.delta import data
from lakehouse.errors import ConflictError, LakehouseError, ProtectedError, RefusedError
from lakehouse.pii.mask.in_place_plan import InPlacePlan
from lakehouse.pii.mask.mark import marks_of
from lakehouse.protection import TableHold
from tests.fixtures.meanwhile import Meanwhile
from tests.properties.tables import by_delta_rs, records
from tests.unit.merge.test_mapped_tables import SCHEMA, mapped
from tests.unit.pii.mask_lakes import OPERATORS, PII, MaskLake, people
from tests.unit.pii.operators import operator
from tests.unit.pii.rings import Ring

WORDS: dict[str, Any] = {
    "PERSON": {"operator": "replace", "new_value": "somebody"},
    "PHONE_NUMBER": {"operator": "mask", "keep_last": 2},
    "EMAIL_ADDRESS": {"operator": "tokenize"},
}


def in_place(lake: MaskLake, **more: Any) -> InPlacePlan:
    return lake.pii.mask("t", in_place=True, **more)


def masked(root: Path, **section: Any) -> MaskLake:
    return MaskLake(root, **{"mask_at": "merge", "merge": "on_read", **section})


@pytest.fixture
def lake(tmp_path: Path) -> MaskLake:
    found = masked(tmp_path)
    found.t.merge(people(*range(6)))
    found.t.merge([*people(2, n=1), *people(7), {"_op": "delete", "id": 4}])
    return found


def everywhere(lake: MaskLake) -> list[dict[str, Any]]:
    """The rows as all readers see them."""
    mine = records(lake.t.read())
    path = str(lake.root / "t")
    theirs = QueryBuilder().register("t", DeltaTable(path)).execute("select * from t").read_all()
    names = lake.t.read().columns
    assert records(pl.DataFrame(theirs).select(names)) == mine
    assert records(pl.scan_delta(path).select(names).collect()) == mine
    return mine


def clear_in_newest(lake: MaskLake) -> bool:
    """Whether a clear value is in a file, statistic or path of the newest version."""
    snapshot = lake.t.snapshot()
    texts = [f"{add.path} {add.stats} {dict(add.partition_values)}" for add in snapshot.files.values()]
    for add in snapshot.files.values():
        path = lake.root / "t" / str(add.relative_path(str(lake.root / "t")))
        texts += [
            path.read_bytes().decode("latin-1"),
            str(pl.read_parquet(path, hive_partitioning=False).to_dicts()),
        ]
    commit = lake.root / "t" / "_delta_log" / f"{snapshot.version:020}.json"
    return "clear" in "".join([*texts, commit.read_text(), str(snapshot.metadata)])


def test_all_rows_of_the_newest_version_are_masked(lake: MaskLake) -> None:
    expected = lake.expected()
    assert clear_in_newest(lake)
    done = in_place(lake)
    assert (done.version, done.rows, done.files) == (3, 6, 2)
    assert everywhere(lake) == expected
    assert not clear_in_newest(lake)
    assert lake.t.verify(full=True).findings == ()
    assert set(marks_of(lake.t.snapshot().configuration)) == {"email", "phone", "name"}


def test_a_second_run_finds_nothing_to_do(lake: MaskLake) -> None:
    in_place(lake)
    rows = everywhere(lake)
    again = in_place(lake)
    assert again.changes_nothing
    assert again.columns == ()
    assert (lake.t.snapshot().version, everywhere(lake)) == (3, rows)


def test_the_plan_says_what_becomes_of_what_and_writes_nothing(lake: MaskLake) -> None:
    lake.t.tag("before")
    lake.t.merge([{"id": "no number"}])
    plan = in_place(lake, dry_run=True)
    assert clear_in_newest(lake)
    assert (plan.rows, plan.files, plan.older, plan.tags) == (6, 2, (0, 2), ("before",))
    assert [(each.path, each.operators, each.reversible) for each in plan.columns] == [
        ("email", ("tokenize",), True),
        ("phone", ("mask",), False),
        ("name", ("redact",), False),
    ]
    assert plan.quarantined == 1
    assert "clear" not in json.dumps(plan.to_dict())


def test_only_what_was_shown_is_done(lake: MaskLake) -> None:
    plan = in_place(lake, dry_run=True)
    other = masked(lake.root, operators={**OPERATORS, "PERSON": {"operator": "nullify"}})
    with pytest.raises(ConflictError, match="not what the plan of version 2 says"):
        in_place(other, plan=plan)
    lake.t.merge(people(9))
    assert in_place(lake, plan=plan).version == 4
    assert not clear_in_newest(lake)


def test_what_was_done_is_recorded_without_values(lake: MaskLake) -> None:
    in_place(lake)
    (record,) = lake.lake._records.list(table="t")
    assert (record.kind, record.action, record.rows, record.files) == ("mask", "mask", 6, 2)
    assert record.detail["columns"] == {"email": ["tokenize"], "phone": ["mask"], "name": ["redact"]}
    assert record.plan is not None


def test_rows_that_come_back_from_before_are_not_taken_for_masked(lake: MaskLake) -> None:
    in_place(lake)
    lake.t.restore(version=2)
    assert marks_of(lake.t.snapshot().configuration) == {}
    assert clear_in_newest(lake)
    assert in_place(lake).version == 5
    assert not clear_in_newest(lake)


def test_an_empty_table_is_marked(tmp_path: Path) -> None:
    lake = masked(tmp_path, schema={"id": "long", "email": "string"}, pii={"email": "EMAIL_ADDRESS"})
    lake.t.create()
    assert in_place(lake).version == 1
    assert set(marks_of(lake.t.snapshot().configuration)) == {"email"}


def test_rows_that_others_bring_meanwhile_are_masked_too(lake: MaskLake) -> None:
    deeds: list[Callable[[], object]] = [
        lambda: lake.t.merge(people(20, 21)),
        lambda: lake.t.merge([{"_op": "delete", "id": 20}, *people(0, n=5)]),
        lake.t.compact,
    ]
    rushed = masked(lake.root, storage=Meanwhile(lake.lake.storage, deeds))
    done = in_place(rushed)
    assert done.version == 6
    assert {row["id"] for row in everywhere(lake)} == {0, 1, 2, 3, 5, 7, 21}
    assert not clear_in_newest(lake)
    spoken = {add.path for add in lake.t.snapshot().files.values()}
    older = {add.path for v in range(1, 6) for add in lake.t.snapshot(version=v).files.values()}
    there = {path.name for path in (lake.root / "t").glob("*.parquet")}
    assert there == spoken | older


def test_columns_that_come_meanwhile_are_looked_at(lake: MaskLake) -> None:
    deeds = [lambda: lake.t.merge([{**people(9)[0], "city": "Ulm"}])]
    done = in_place(masked(lake.root, storage=Meanwhile(lake.lake.storage, deeds)))
    assert done.version == 4
    assert {row["city"] for row in everywhere(lake)} == {"Ulm", None}
    assert not clear_in_newest(lake)


def test_a_masked_key_stays_a_key_and_deletes_are_remembered_under_it(tmp_path: Path) -> None:
    lake = masked(tmp_path, key=["email"], changes={"sequence": "n"})
    lake.t.merge(people(*range(4)))
    lake.t.merge([{"_op": "delete", "email": "u1@clear.example", "n": 500}])
    expected = lake.expected()
    (token,) = [row["email"] for row in lake.expected(version=1) if row["id"] == 1]
    in_place(lake)
    assert everywhere(lake) == expected
    log = [
        json.loads(line)
        for line in (tmp_path / "t/_delta_log/00000000000000000003.json").read_text().splitlines()
    ]
    (pointer,) = [line["txn"]["version"] for line in log if "txn" in line]
    manifest = json.loads((tmp_path / "t/_lakehouse/tombstones" / f"{pointer}.json").read_text())
    kept = pl.read_parquet(tmp_path / "t" / manifest["files"][0]["path"])
    assert kept["email"].to_list() == [token]
    late = lake.stored.merge([{**people(1)[0], "email": token, "n": 400}])
    assert (late.stale, late.inserted) == (1, 0)


def test_keys_that_would_fall_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = masked(tmp_path, key=["email"])
    lake.t.merge(people(*range(4)))

    def alike(self: object, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(email=pl.lit("same"))

    monkeypatch.setattr("lakehouse.pii.mask.source.ReadyMasks.apply", alike)
    with pytest.raises(RefusedError, match="3 of 4 keys would have the mask of another one"):
        in_place(lake)
    assert lake.t.snapshot().version == 1
    assert len(list((tmp_path / "t").glob("*.parquet"))) == 1


def test_masked_partitions_move_to_other_folders(tmp_path: Path) -> None:
    lake = masked(tmp_path, partition_by=["name"], operators=WORDS)
    lake.t.merge([{**row, "name": f"clear{row['id']}"} for row in people(1, 2)])
    plan = in_place(lake)
    assert any("stands in the names of folders" in note for note in plan.notes)
    assert {dict(add.partition_values)["name"] for add in lake.t.snapshot().files.values()} == {"somebody"}
    assert {row["name"] for row in everywhere(lake)} == {"somebody"}
    assert lake.t.verify(full=True).findings == ()


def test_a_partition_is_not_made_null(tmp_path: Path) -> None:
    lake = masked(tmp_path, partition_by=["name"])
    lake.t.merge(people(1))
    with pytest.raises(RefusedError, match="partition column name would become empty"):
        in_place(lake)
    assert lake.t.snapshot().version == 1


def test_the_change_feed_gets_no_copy_of_what_was_clear(tmp_path: Path) -> None:
    lake = masked(tmp_path, change_feed=True)
    lake.t.merge(people(1, 2))
    lake.t.merge(people(1, n=5))
    before = set((tmp_path / "t").rglob("_change_data/*"))
    plan = in_place(lake)
    assert any("change feed" in note for note in plan.notes)
    assert set((tmp_path / "t").rglob("_change_data/*")) == before
    feed = pl.DataFrame(DeltaTable(str(tmp_path / "t")).load_cdf(starting_version=3).read_all())
    assert sorted(feed["_change_type"].to_list()) == ["delete", "delete", "insert", "insert"]
    came = feed.filter(pl.col("_change_type") == "insert")
    assert records(came.select(lake.t.read().columns)) == everywhere(lake)


def with_computed(root: Path) -> None:
    formula = {"delta.generationExpression": "upper(email)"}
    text = PrimitiveType("string")
    fields = [
        Field("id", PrimitiveType("long")),
        Field("email", text),
        Field("upper", text, metadata=formula),
    ]
    DeltaTable.create(str(root / "t"), Schema(fields))


def with_rule(root: Path, condition: str) -> MaskLake:
    lake = masked(root, operators=WORDS)
    frame = pl.DataFrame(people(1, 2))
    write_deltalake(str(root / "t"), frame.to_arrow())
    DeltaTable(str(root / "t")).alter.add_constraint({"rule": condition})
    return lake


def test_a_rule_of_the_table_that_masks_would_break_is_refused(tmp_path: Path) -> None:
    lake = with_rule(tmp_path, "email LIKE '%@%'")
    with pytest.raises(RefusedError, match=r"would break a rule of the table \(the table's constraint rule"):
        in_place(lake)
    assert len(list((tmp_path / "t").glob("*.parquet"))) == 1
    assert lake.t.snapshot().version == 1


def test_a_rule_that_holds_for_masks_too_is_none(tmp_path: Path) -> None:
    lake = with_rule(tmp_path, "email <> ''")
    assert in_place(lake).version == 2
    assert not clear_in_newest(lake)


def test_columns_that_are_computed_from_masked_ones_are_computed_anew(tmp_path: Path) -> None:
    lake = masked(tmp_path, operators=WORDS)
    with_computed(tmp_path)
    lake.t.merge([{"id": 1, "email": "a@clear.example"}])
    assert lake.t.read()["upper"].to_list() == ["A@CLEAR.EXAMPLE"]
    plan = in_place(lake)
    (row,) = everywhere(lake)
    assert plan.computed == ("upper",)
    assert row["upper"] == row["email"].upper()
    copy = lake.pii.mask("t", to="t_masked")
    assert (copy.action, lake.copied()) == ("anew", [row])


def test_a_copy_does_not_tell_by_a_computed_column(tmp_path: Path) -> None:
    lake = MaskLake(tmp_path, operators=WORDS)
    with_computed(tmp_path)
    lake.t.merge([{"id": 1, "email": "a@clear.example"}])
    lake.pii.mask("t", to="t_masked")
    (row,) = lake.copied()
    assert row["upper"] == row["email"].upper()
    assert "CLEAR" not in row["upper"]


def test_history_is_masked_in_every_version_of_a_row(tmp_path: Path) -> None:
    lake = masked(tmp_path, history="full", changes={"sequence": "at"})
    lake.t.merge([{**row, "at": 1} for row in people(1, 2)])
    lake.t.merge([{**people(1, n=7)[0], "at": 5}, {"_op": "delete", "id": 2, "at": 6}])
    expected = lake.expected()
    in_place(lake)
    assert records(lake.t.read()) == expected
    assert not clear_in_newest(lake)
    late = [
        {**row, "at": 3}
        for row in lake.t.read()
        .filter(pl.col("id") == 1)
        .head(1)
        .select("id", "email", "phone", "name", "n")
        .to_dicts()
    ]
    lake.stored.merge([{**late[0], "n": 6}])
    assert lake.t.read().filter(pl.col("id") == 1).height == 3


def test_history_that_keeps_former_values_elsewhere_is_refused(tmp_path: Path) -> None:
    lake = masked(tmp_path, history={"mode": "full", "track": ["n"]}, changes={"sequence": "at"})
    lake.t.merge([{**row, "at": 1} for row in people(1, 2)])
    lake.t.merge([{**people(1)[0], "email": "x@clear.example", "at": 5}])
    with pytest.raises(RefusedError, match="keeps former values of email, phone, name in its column _events"):
        in_place(lake)


def test_masks_on_masks(lake: MaskLake) -> None:
    in_place(lake)
    other = masked(lake.root, operators={**OPERATORS, "PHONE_NUMBER": {"operator": "nullify"}})
    plan = in_place(other)
    assert (plan.again, [each.path for each in plan.columns]) == (("phone",), ["phone"])
    assert any("the values are gone" in note for note in plan.notes)
    assert {row["phone"] for row in everywhere(other)} == {None}


@pytest.mark.parametrize("name", ["tokenize", "fpe", "encrypt"])
def test_another_version_of_the_key_masks_anew_what_its_masks_stand_for(tmp_path: Path, name: str) -> None:
    lake = masked(tmp_path, operators={**OPERATORS, "PHONE_NUMBER": {"operator": name}})
    lake.t.merge(people(*range(6)))
    clear = {row["id"]: row["phone"] for row in everywhere(lake)}
    in_place(lake)
    before = {row["id"]: row["phone"] for row in everywhere(lake)}
    section = {"operator": name, "version": 2}
    other = masked(tmp_path, operators={**OPERATORS, "PHONE_NUMBER": section}, ring=Ring().rotated())
    plan = in_place(other)
    assert (plan.again, [each.path for each in plan.columns]) == ((), ["phone"])
    assert any("another version of the key" in note for note in plan.notes)
    after = {row["id"]: row["phone"] for row in everywhere(other)}
    assert all(after[at] != before[at] for at in clear)
    second = operator(name, ring=Ring().rotated(), version=2)
    back = second.reveal(pl.Series(list(after.values())), entity="PHONE_NUMBER").to_list()
    assert dict(zip(after, back, strict=True)) == clear
    assert in_place(other).changes_nothing


def test_a_key_is_masked_anew_under_another_version(tmp_path: Path) -> None:
    lake = masked(tmp_path, key=["email"])
    lake.t.merge(people(1, 2))
    in_place(lake)
    section = {"operator": "tokenize", "version": 2}
    other = masked(
        tmp_path, key=["email"], operators={**OPERATORS, "EMAIL_ADDRESS": section}, ring=Ring().rotated()
    )
    in_place(other)
    assert {row["email"][:6] for row in everywhere(other)} == {"tok_2_"}


def test_to_say_what_counts_anyway_is_no_other_mask(lake: MaskLake) -> None:
    in_place(lake)
    said = {
        "EMAIL_ADDRESS": {"operator": "tokenize", "key": "mask"},
        "PHONE_NUMBER": {"operator": "mask", "keep_last": 2, "keep_first": 0, "char": "*"},
    }
    assert in_place(masked(lake.root, operators=said)).changes_nothing


def test_a_key_is_not_masked_twice(tmp_path: Path) -> None:
    lake = masked(tmp_path, key=["email"])
    lake.t.merge(people(1, 2))
    in_place(lake)
    other = masked(tmp_path, key=["email"], operators={**OPERATORS, "EMAIL_ADDRESS": {"operator": "hash"}})
    with pytest.raises(RefusedError, match="key column email is masked already, in another way"):
        in_place(other)


@pytest.mark.parametrize(
    ("where", "match"),
    [
        (None, "masking in place is refused: table t is held by h-1"),
        ("id = 2", "rows of table t must stay as they are, which are held by h-1"),
        ("email = 'nobody'", "asks for a column that would be masked, which is held by h-1"),
        ("gone = 1", "table t is held by h-1"),
    ],
)
def test_what_is_held_is_not_masked(lake: MaskLake, where: str | None, match: str) -> None:
    rows = everywhere(lake)
    lake.hold(where)
    with pytest.raises(ProtectedError, match=match) as caught:
        in_place(lake)
    assert "nobody" not in str(caught.value)
    assert (lake.t.snapshot().version, everywhere(lake)) == (2, rows)


def test_a_hold_on_other_rows_does_not_stand_in_the_way(lake: MaskLake) -> None:
    lake.hold("id = 4711")
    assert in_place(lake).version == 3


def test_a_hold_that_comes_while_files_are_written_counts(
    lake: MaskLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = data.write_files

    def and_a_hold(*arguments: Any, **more: Any) -> Any:
        lake.holds[:] = [TableHold(id="h-9", reason="case 9")]
        return found(*arguments, **more)

    monkeypatch.setattr("lakehouse.pii.mask.in_place.write_files", and_a_hold)
    with pytest.raises(ProtectedError, match="h-9"):
        in_place(lake)
    assert lake.t.snapshot().version == 2
    assert len(list((lake.root / "t").glob("*.parquet"))) == 2


def refused(root: Path, case: str) -> MaskLake:
    match case:
        case "at read":
            lake = masked(root, mask_at=None)
        case "nothing personal":
            lake = masked(root, pii={"street": "PERSON"})
        case "orders changes":
            lake = masked(
                root,
                pii={**PII, "n": "AGE"},
                changes={"sequence": "n"},
                operators={**OPERATORS, "AGE": {"operator": "nullify"}},
            )
        case "not null":
            lake = masked(root, schema={"id": "long", "email": "string"}, pii={"email": "EMAIL_ADDRESS"})
        case _:
            lake = masked(root)
    lake.t.merge(
        [{"id": 1, "email": "a@clear.example", "n": 1}]
        if case != "not null"
        else [{"id": 1, "email": "a@clear.example"}]
    )
    if case == "append only":
        DeltaTable(str(root / "t")).alter.set_table_properties({"delta.appendOnly": "true"})
    return lake


@pytest.mark.parametrize(
    ("case", "match"),
    [
        ("at read", "the next merge would bring clear values beside masks"),
        ("nothing personal", "there is nothing to mask"),
        ("orders changes", "it orders the changes of a row"),
        ("append only", "only takes new rows"),
    ],
)
def test_what_can_not_be_masked_is_refused(tmp_path: Path, case: str, match: str) -> None:
    lake = refused(tmp_path, case)
    version = lake.t.snapshot().version
    with pytest.raises(LakehouseError, match=match):
        in_place(lake)
    assert lake.t.snapshot().version == version


def test_quarantines_and_copies_are_not_masked_in_place(lake: MaskLake) -> None:
    lake.pii.mask("t", to="t_masked")
    lake.pii._table = lake.lake.table
    with pytest.raises(RefusedError, match="is masked already"):
        lake.pii.mask("t_masked", in_place=True)


@pytest.mark.parametrize("kind", ["name", "id"])
def test_tables_with_mapped_columns_are_masked(tmp_path: Path, kind: str) -> None:
    table = mapped(tmp_path, kind)
    table.merge([{"id": 1, "v": 77, "a": {"x": 88}}, {"id": 2, "v": None, "a": {"x": 1}}])
    pii = {"v": "AGE", "a.x": "AGE"}
    nullify = {"AGE": {"operator": "nullify"}}
    lake = masked(tmp_path, schema=SCHEMA, pii=pii, operators=nullify)
    lake.pii.mask("t", to="t_masked")
    expected = [{"id": n, "v": None, "a": {"x": None}, "l": None} for n in (1, 2)]
    assert lake.copied() == expected
    in_place(lake)
    assert records(lake.t.read()) == expected
    assert records(by_delta_rs(tmp_path)) == expected
    assert lake.t.verify(full=True).findings == ()


def test_clear_rows_that_were_on_their_way_do_not_come_after_the_masks(tmp_path: Path) -> None:
    lake = masked(tmp_path)
    lake.t.merge(people(*range(3)))
    late = masked(tmp_path, storage=Meanwhile(lake.lake.storage, [lambda: in_place(lake)]))
    with pytest.raises(RefusedError, match="clear values would come beside masks"):
        late.t.merge(people(1, 7, n=9))
    assert everywhere(lake) == records(lake.t.read(version=2))
    assert not clear_in_newest(lake)
