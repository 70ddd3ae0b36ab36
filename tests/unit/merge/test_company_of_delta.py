"""Merges that are overtaken, in the scenarios of Delta Lake's own suites, with delta-rs as the other writer.

After delta-io/delta: ``FeatureEnablementConcurrencySuite`` (features and properties that are switched on or
off meanwhile), ``OptimizeConflictSuite``, ``TypeWideningMergeIntoSchemaEvolutionSuite`` and
``IdentityColumnConflictSuite``; after delta-io/delta-rs: the tests of ``conflict_checker.rs`` and the
concurrent ones of ``command_merge.rs``. Delta refuses some of these commits; a merge of ours knows its rows
by key and works them out anew on what the table has become.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import Field, write_deltalake
from deltalake.schema import PrimitiveType

from lakehouse.delta.actions import Action, CommitInfo
from lakehouse.delta.datatypes import COLUMN_ID, PHYSICAL_NAME
from lakehouse.delta.log import commits
from lakehouse.delta.protocols import with_features, with_properties
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.delta.transaction import Committed, commit
from lakehouse.errors import RefusedError, UnsupportedFeatureError
from lakehouse.merge.feed import CHANGE_TYPE
from lakehouse.storage import open_storage
from lakehouse.table import Table
from tests.fixtures.meanwhile import Meanwhile
from tests.properties.tables import NAME, delta, everywhere, open_table, ours, records

ROWS = 8
BATCH: list[dict[str, Any]] = [
    {"id": 1, "p": "a", "v": 10},
    {"id": 2, "_op": "delete"},
    {"id": 100, "p": "a", "v": 10},
]
Plain = dict[int, int]
ALL: Plain = dict.fromkeys(range(ROWS), 0)
"""What the table has; keys up to the middle lie in the first file, where those of the batch are."""

DONE: Plain = {key: value for key, value in {**ALL, 1: 10, 100: 10}.items() if key != 2}
"""What the batch makes of it."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.merge.run.pause", lambda _: 0.0)


def frame(keys: range | list[int], v: int = 0, p: str = "a") -> pl.DataFrame:
    return pl.DataFrame(
        {"id": list(keys), "p": [p] * len(keys), "v": pl.Series([v] * len(keys), dtype=pl.Int32)}
    )


def append(root: Path, rows: pl.DataFrame, **options: Any) -> None:
    write_deltalake(str(root / NAME), rows, mode="append", **options)


def made_by_delta_rs(root: Path, *, parts: bool = False, **properties: str) -> None:
    """Two files, the second in a partition of its own where there are some."""
    options: dict[str, Any] = {"partition_by": ["p"]} if parts else {}
    configuration = {f"delta.{name}": value for name, value in properties.items()}
    append(root, frame(range(ROWS // 2)), configuration=configuration, **options)
    append(root, frame(range(ROWS // 2, ROWS), p="b"))


def overtaken(root: Path, mode: str, *deeds: Callable[[Path], object], **section: Any) -> Table:
    storage = Meanwhile(
        open_storage(root, options={"fsync": "false"}), [partial(deed, root) for deed in deeds]
    )
    return open_table(root, storage=storage, merge=mode, **section)


def plain(table: Table, root: Path) -> Plain:
    return {row["id"]: row["v"] for row in everywhere(table, root)}


def altered(root: Path, features: tuple[str, ...], properties: Mapping[str, str | None]) -> None:
    """What ALTER TABLE of Spark does: features and properties, in a commit of its own."""
    storage = open_storage(root / NAME, options={"fsync": "false"})
    now = load_snapshot(storage)
    set_, unset = ({k: v for k, v in properties.items() if (v is None) is gone} for gone in (False, True))
    metadata = with_properties(now.metadata, {k: v for k, v in set_.items() if v is not None})
    kept = {k: v for k, v in metadata.configuration.items() if k not in unset}
    change(root, [with_features(now.protocol, features), replace(metadata, configuration=kept)])


def change(root: Path, actions: list[Action]) -> None:
    storage = open_storage(root / NAME, options={"fsync": "false"})
    now = load_snapshot(storage)
    info = CommitInfo(operation="SET TBLPROPERTIES", read_version=now.version, is_blind_append=False)
    outcome = commit(storage, version=now.version + 1, actions=actions, commit_info=info, base=now)
    assert isinstance(outcome, Committed)


# Rows that others bring, change and take


def deletes(root: Path) -> object:
    return delta(root).delete("id = 0")


def deletes_ours(root: Path) -> object:
    return delta(root).delete("id in (1, 2)")


def deletes_a_file(root: Path) -> object:
    return delta(root).delete("id < 4")


def deletes_a_part(root: Path) -> object:
    return delta(root).delete("p = 'b'")


def updates_ours(root: Path) -> object:
    return delta(root).update(predicate="id < 3", updates={"v": "99"})


def updates_elsewhere(root: Path) -> object:
    return delta(root).update(predicate="id >= 4", updates={"v": "99"})


def appends_ours(root: Path) -> None:
    append(root, frame([100], v=5))


def appends_elsewhere(root: Path) -> None:
    append(root, frame([9000], p="b"))


def overwrites_a_part(root: Path) -> object:
    return write_deltalake(delta(root), frame([1, 3], v=7, p="a"), mode="overwrite", predicate="p = 'a'")


def merges(root: Path) -> object:
    source = frame([1, 3, 200], v=50)
    merger = delta(root).merge(source, "s.id = t.id", source_alias="s", target_alias="t")
    return merger.when_matched_update_all().when_not_matched_insert_all().execute()


def optimizes(root: Path) -> object:
    return delta(root).optimize.compact()


def orders(root: Path) -> object:
    return delta(root).optimize.z_order(["v"])


def vacuums(root: Path) -> None:
    deletes(root)
    delta(root).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)


THEIRS: dict[Callable[[Path], object], Plain] = {
    deletes: {key: value for key, value in DONE.items() if key != 0},
    deletes_ours: DONE,
    deletes_a_file: {1: 10, 4: 0, 5: 0, 6: 0, 7: 0, 100: 10},
    deletes_a_part: {0: 0, 1: 10, 3: 0, 100: 10},
    updates_ours: {**DONE, 0: 99},
    updates_elsewhere: {**DONE, 4: 99, 5: 99, 6: 99, 7: 99},
    appends_ours: DONE,
    appends_elsewhere: {**DONE, 9000: 0},
    overwrites_a_part: {1: 10, 3: 7, 4: 0, 5: 0, 6: 0, 7: 0, 100: 10},
    merges: {**DONE, 3: 50, 200: 50},
    optimizes: DONE,
    orders: DONE,
    vacuums: {key: value for key, value in DONE.items() if key != 0},
}


@pytest.mark.parametrize("parts", [False, True], ids=["whole", "parts"])
@pytest.mark.parametrize("deed", THEIRS, ids=lambda deed: deed.__name__)
def test_rows_of_others(tmp_path: Path, mode: str, deed: Callable[[Path], object], *, parts: bool) -> None:
    made_by_delta_rs(tmp_path, parts=parts)
    table = overtaken(tmp_path, mode, deed)
    result = table.merge(BATCH, source="shop", offset=1)
    # Each partition has a single file, so there is nothing to put together.
    idle = deed is optimizes and parts
    assert (result.total, result.attempts) == (3, 1 if idle else 2)
    assert plain(table, tmp_path) == THEIRS[deed]
    assert table.verify().ok
    assert table.merge(BATCH, source="shop", offset=1).duplicate == 3


def test_what_others_do_elsewhere_leaves_the_plan_as_it_was(tmp_path: Path, mode: str) -> None:
    made_by_delta_rs(tmp_path, parts=True)
    table = overtaken(tmp_path, mode, updates_elsewhere, deletes_a_part)
    result = table.merge([{"id": 1, "p": "a", "v": 10}])
    assert (result.attempts, result.rebased) == (3, 2)
    assert plain(table, tmp_path) == {0: 0, 1: 10, 2: 0, 3: 0}


@pytest.mark.parametrize("deed", [deletes, updates_ours, merges, optimizes], ids=lambda deed: deed.__name__)
def test_what_our_vectors_hide_stays_hidden(tmp_path: Path, deed: Callable[[Path], object]) -> None:
    """``MergeIntoDVsSuite``: the files have vectors before, and the others rewrite them."""
    made_by_delta_rs(tmp_path)
    open_table(tmp_path, merge="on_read").merge([{"id": 3, "_op": "delete"}, {"id": 7, "_op": "delete"}])
    table = overtaken(tmp_path, "on_read", deed)
    assert table.merge(BATCH).attempts == 2
    wanted = {key: value for key, value in THEIRS[deed].items() if key not in (3, 7)}
    assert plain(table, tmp_path) == (wanted | {3: 50} if deed is merges else wanted)


@pytest.mark.parametrize(
    "deed", [deletes, deletes_ours, updates_ours, merges], ids=lambda deed: deed.__name__
)
def test_a_compaction_never_brings_back_what_others_took(
    tmp_path: Path, deed: Callable[[Path], object]
) -> None:
    """``OptimizeConflictSuite``: there the compaction fails; ours begins again."""
    made_by_delta_rs(tmp_path)
    open_table(tmp_path, merge="on_read").merge([{"id": 3, "_op": "delete"}])
    table = overtaken(tmp_path, "on_read", deed)
    table.compact()
    rows = plain(table, tmp_path)
    assert rows == {row["id"]: row["v"] for row in records(ours(table, version=3))}
    assert len(table.snapshot().files) == 1


# What a table is, changed meanwhile


def test_vectors_are_switched_on(tmp_path: Path, mode: str) -> None:
    made_by_delta_rs(tmp_path)
    on = {"delta.enableDeletionVectors": "true"}
    table = overtaken(tmp_path, mode, lambda root: altered(root, ("deletionVectors",), on))
    result = table.merge(BATCH)
    assert (result.attempts, result.vectors_written > 0) == (2, mode != "on_write")
    assert plain(table, tmp_path) == DONE


@pytest.mark.parametrize("value", ["false", None], ids=["off", "unset"])
def test_vectors_are_switched_off(tmp_path: Path, value: str | None) -> None:
    made_by_delta_rs(tmp_path)
    altered(tmp_path, ("deletionVectors",), {"delta.enableDeletionVectors": "true"})
    off = {"delta.enableDeletionVectors": value}
    table = overtaken(tmp_path, "auto", lambda root: altered(root, (), off))
    result = table.merge(BATCH)
    assert (result.attempts, result.vectors_written) == (2, 0)
    assert plain(table, tmp_path) == DONE


def test_a_change_feed_is_switched_on(tmp_path: Path, mode: str) -> None:
    made_by_delta_rs(tmp_path)
    on = {"delta.enableChangeDataFeed": "true"}
    table = overtaken(tmp_path, mode, lambda root: altered(root, ("changeDataFeed",), on))
    assert table.merge(BATCH).attempts == 2
    told = pl.DataFrame(delta(tmp_path).load_cdf(starting_version=3).read_all())
    assert sorted(told.select(CHANGE_TYPE, "id").rows()) == [
        ("delete", 2),
        ("insert", 100),
        ("update_postimage", 1),
        ("update_preimage", 1),
    ]


def test_a_change_feed_is_switched_off(tmp_path: Path, mode: str) -> None:
    made_by_delta_rs(tmp_path, enableChangeDataFeed="true")
    off = {"delta.enableChangeDataFeed": "false"}
    table = overtaken(tmp_path, mode, lambda root: altered(root, (), off))
    assert table.merge(BATCH).attempts == 2
    (newest,) = commits(table.storage, start=3, end=3)
    assert "AddCdcFile" not in {type(action).__name__ for action in newest.actions}
    assert plain(table, tmp_path) == DONE


def test_commits_get_times_of_their_own(tmp_path: Path, mode: str) -> None:
    made_by_delta_rs(tmp_path)
    ahead = 4_000_000_000_000

    def enable(root: Path) -> None:
        altered(root, ("inCommitTimestamp",), {"delta.enableInCommitTimestamps": "true"})
        log = root / NAME / "_delta_log" / f"{2:020}.json"
        lines = [json.loads(line) for line in log.read_bytes().splitlines()]
        times = {
            "inCommitTimestampEnablementVersion": "2",
            "inCommitTimestampEnablementTimestamp": str(ahead),
        }
        for line in lines:
            if "commitInfo" in line:
                line["commitInfo"]["inCommitTimestamp"] = ahead
            if "metaData" in line:
                line["metaData"]["configuration"] |= {f"delta.{name}": text for name, text in times.items()}
        lines.sort(key=lambda line: "commitInfo" not in line)
        log.write_text("\n".join(map(json.dumps, lines)))

    table = overtaken(tmp_path, mode, enable)
    assert table.merge(BATCH).attempts == 2
    (newest,) = commits(table.storage, start=3, end=3)
    assert newest.info is not None
    assert newest.info.in_commit_timestamp == ahead + 1
    assert table.snapshot().configuration["delta.inCommitTimestampEnablementTimestamp"] == str(ahead)
    assert plain(table, tmp_path) == DONE


def test_columns_get_names_of_their_own(tmp_path: Path, mode: str) -> None:
    made_by_delta_rs(tmp_path)

    def map_columns(root: Path) -> None:
        now = load_snapshot(open_storage(root / NAME, options={"fsync": "false"}))
        schema = json.loads(now.metadata.schema_string)
        for number, field in enumerate(schema["fields"], start=1):
            field["metadata"] = {COLUMN_ID: number, PHYSICAL_NAME: field["name"]}
        mapped = replace(now.metadata, schema_string=json.dumps(schema))
        on = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "3"}
        change(root, [with_features(now.protocol, ["columnMapping"]), with_properties(mapped, on)])

    table = overtaken(tmp_path, mode, map_columns)
    result = table.merge([*BATCH, {"id": 5, "w": "new"}])
    assert (result.attempts, result.new_columns) == (2, ("w",))
    assert {row["id"]: row["v"] for row in records(ours(table))} == DONE
    assert table.snapshot().configuration["delta.columnMapping.maxColumnId"] == "4"


@pytest.mark.parametrize("before", [True, False], ids=["on", "off"])
def test_wider_types_are_switched(tmp_path: Path, mode: str, *, before: bool) -> None:
    made_by_delta_rs(tmp_path)
    name = "delta.enableTypeWidening"
    if before:
        altered(tmp_path, ("typeWidening",), {name: "true"})
    now = {name: "false" if before else "true"}
    changes = {"widen": "rewrite"}
    table = overtaken(tmp_path, mode, lambda root: altered(root, ("typeWidening",), now), changes=changes)
    result = table.merge([{"id": 1, "v": 2**40}])
    assert (result.attempts, result.widened) == (2, ("v",))
    assert {row["id"]: row["v"] for row in records(ours(table))} == {**ALL, 1: 2**40}


@pytest.mark.parametrize(
    ("features", "properties"),
    [
        (("v2Checkpoint",), {"delta.checkpointPolicy": "v2"}),
        (("vacuumProtocolCheck",), {}),
        ((), {"delta.logRetentionDuration": "interval 3 days"}),
        (("rowTracking",), {}),
    ],
    ids=["checkpoints", "vacuum", "property", "suspended row ids"],
)
def test_what_asks_nothing_of_a_merge(
    tmp_path: Path, mode: str, features: tuple[str, ...], properties: dict[str, str | None]
) -> None:
    made_by_delta_rs(tmp_path)
    if "rowTracking" in features:
        properties = {"delta.rowTrackingSuspended": "true"}
    table = overtaken(tmp_path, mode, lambda root: altered(root, features, properties))
    assert table.merge(BATCH).attempts == 2
    assert {row["id"]: row["v"] for row in records(ours(table))} == DONE


@pytest.mark.parametrize("feature", ["rowTracking", "allowColumnDefaults", "somethingNew"])
def test_what_can_not_be_written_any_more_is_refused_and_leaves_nothing(
    tmp_path: Path, mode: str, feature: str
) -> None:
    made_by_delta_rs(tmp_path)

    def alter(root: Path) -> None:
        now = load_snapshot(open_storage(root / NAME, options={"fsync": "false"}))
        schema = json.loads(now.metadata.schema_string)
        if feature == "allowColumnDefaults":
            schema["fields"][2]["metadata"]["CURRENT_DEFAULT"] = "7"
        on = {"delta.enableRowTracking": "true"} if feature == "rowTracking" else {}
        metadata = with_properties(replace(now.metadata, schema_string=json.dumps(schema)), on)
        names = [feature, "domainMetadata"] if feature == "rowTracking" else [feature]
        change(root, [with_features(now.protocol, names), metadata])

    before = set(tmp_path.rglob("*"))
    with pytest.raises(UnsupportedFeatureError, match=feature):
        overtaken(tmp_path, mode, alter).merge(BATCH)
    new = set(tmp_path.rglob("*")) - before
    assert [path.name for path in new if path.is_file()] == [f"{2:020}.json"]


def test_a_table_becomes_append_only(tmp_path: Path, mode: str) -> None:
    made_by_delta_rs(tmp_path)
    only = {"delta.appendOnly": "true"}
    table = overtaken(tmp_path, mode, lambda root: altered(root, ("appendOnly",), only))
    with pytest.raises(RefusedError, match="append-only"):
        table.merge(BATCH)
    assert plain(table, tmp_path) == ALL
    assert table.merge(BATCH[2:]).inserted == 1


def test_a_rule_is_added(tmp_path: Path, mode: str) -> None:
    made_by_delta_rs(tmp_path)
    table = overtaken(tmp_path, mode, lambda root: delta(root).alter.add_constraint({"few": "v < 10"}))
    result = table.merge([*BATCH, {"id": 5, "v": 3}])
    assert (result.rejected, result.updated, result.deleted) == (2, 1, 1)
    assert plain(table, tmp_path) == {**{key: value for key, value in ALL.items() if key != 2}, 5: 3}


def test_a_rule_is_dropped(tmp_path: Path, mode: str) -> None:
    made_by_delta_rs(tmp_path)
    delta(tmp_path).alter.add_constraint({"few": "v < 10"})
    table = overtaken(tmp_path, mode, lambda root: delta(root).alter.drop_constraint("few"))
    result = table.merge([*BATCH, {"id": 5, "v": 3}])
    assert (result.rejected, result.inserted) == (0, 1)
    assert plain(table, tmp_path) == {**DONE, 5: 3}


def test_a_column_is_added(tmp_path: Path, mode: str) -> None:
    made_by_delta_rs(tmp_path)
    new = Field("w", PrimitiveType("long"))
    table = overtaken(tmp_path, mode, lambda root: delta(root).alter.add_columns([new]))
    result = table.merge([*BATCH, {"id": 5, "w": 3}])
    assert (result.attempts, result.new_columns) == (2, ())
    rows = {row["id"]: row for row in everywhere(table, tmp_path)}
    assert {key: row["v"] for key, row in rows.items()} == DONE
    assert (rows[5]["w"], rows[1]["w"]) == (3, None)


def test_the_same_column_is_added_with_another_type(tmp_path: Path, mode: str) -> None:
    made_by_delta_rs(tmp_path)
    new = Field("w", PrimitiveType("string"))
    table = overtaken(tmp_path, mode, lambda root: delta(root).alter.add_columns([new]))
    result = table.merge([*BATCH, {"id": 5, "w": 3}])
    assert (result.attempts, result.rejected, result.new_columns) == (2, 1, ())
    assert plain(table, tmp_path) == DONE


def test_two_overwrites_with_another_schema(tmp_path: Path, mode: str) -> None:
    made_by_delta_rs(tmp_path)

    def overwrite(root: Path) -> None:
        rows = pl.DataFrame({"id": [1, 2], "other": ["x", "y"]})
        write_deltalake(delta(root), rows, mode="overwrite", schema_mode="overwrite")

    table = overtaken(tmp_path, mode, overwrite, overwrite)
    result = table.merge([{"id": 1, "other": "z"}, {"id": 2, "_op": "delete"}])
    assert (result.updated, result.deleted) == (1, 1)
    rows = everywhere(table, tmp_path)
    assert rows == [{"id": 1, "other": "z"}]
