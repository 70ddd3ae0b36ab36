"""Merges while others change what the table is: features, properties, rules, columns.

In the scenarios of Delta Lake's own suites (see ``test_company_of_delta``).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from deltalake import Field, write_deltalake
from deltalake.schema import PrimitiveType

from lakehouse.delta.datatypes import COLUMN_ID, PHYSICAL_NAME
from lakehouse.delta.log import commits
from lakehouse.delta.protocol_changes import with_features, with_properties
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.errors import RefusedError, UnsupportedFeatureError
from lakehouse.merge.feed import CHANGE_TYPE
from lakehouse.storage import open_storage
from tests.fixtures.overtaken import (
    ALL,
    BATCH,
    DONE,
    altered,
    change,
    made_by_delta_rs,
    overtaken,
    plain,
)
from tests.properties.tables import NAME, delta, everywhere, ours, records


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.merge.run.pause", lambda _: 0.0)


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
