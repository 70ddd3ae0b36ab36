"""Tables that other writers made: features are kept, rules hold, odd rows are no trap."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from deltalake import DeltaTable, Field, Schema, write_deltalake
from deltalake.schema import PrimitiveType

from lakehouse.errors import RefusedError, UnsupportedFeatureError
from lakehouse.table import Table
from tests.properties.tables import NAME, delta, everywhere, files_below, open_table


def foreign(root: Path, frame: pl.DataFrame, **options: Any) -> DeltaTable:
    write_deltalake(str(root / NAME), frame, **options)
    return DeltaTable(str(root / NAME))


def last_commit(root: Path) -> list[dict[str, Any]]:
    newest = max((root / NAME / "_delta_log").glob("*.json"))
    return [orjson.loads(line) for line in newest.read_bytes().splitlines()]


def rewrite_log(root: Path, kind: str, change: dict[str, Any]) -> None:
    """Changes every action of a kind in the newest commit."""
    newest = max((root / NAME / "_delta_log").glob("*.json"))
    actions = [
        {name: body | change if name == kind else body} for a in last_commit(root) for name, body in a.items()
    ]
    newest.write_bytes(b"\n".join(map(orjson.dumps, actions)))


def kinds(root: Path) -> set[str]:
    return {next(iter(action)) for action in last_commit(root)}


THREE = pl.DataFrame({"id": [1, 2, 3], "v": ["a", "b", "c"]})


def test_on_read_switches_vectors_on_and_keeps_every_feature(tmp_path: Path) -> None:
    frame = THREE.with_columns(at=pl.lit(datetime(2024, 1, 1)))
    foreign(tmp_path, frame, configuration={"delta.appendOnly": "false"})
    assert delta(tmp_path).protocol().reader_features == ["timestampNtz"]
    table = open_table(tmp_path, merge="on_read")
    result = table.merge([{"id": 1, "v": "x"}])
    assert (result.updated, result.vectors_written) == (1, 1)
    protocol = delta(tmp_path).protocol()
    assert set(protocol.reader_features or ()) == {"timestampNtz", "deletionVectors"}
    assert set(protocol.writer_features or ()) >= {"timestampNtz", "deletionVectors"}
    assert kinds(tmp_path) == {"commitInfo", "protocol", "metaData", "add", "remove"}
    assert len(everywhere(table, tmp_path)) == 3
    table.merge([{"id": 2, "v": "y"}])
    assert kinds(tmp_path) == {"commitInfo", "add", "remove"}


def test_on_read_switches_vectors_on_only_when_it_needs_them(tmp_path: Path) -> None:
    foreign(tmp_path, THREE)
    open_table(tmp_path, merge="on_read").merge([{"id": 4, "v": "x"}])
    assert delta(tmp_path).protocol().min_reader_version == 1


def test_old_versions_become_named_features(tmp_path: Path) -> None:
    made = foreign(tmp_path, THREE)
    made.alter.add_constraint({"other": "v <> 'zzz'"})
    assert made.protocol().min_writer_version == 3
    table = open_table(tmp_path, merge="on_read")
    table.merge([{"id": 1, "v": "x"}])
    features = set(delta(tmp_path).protocol().writer_features or ())
    assert features >= {"appendOnly", "invariants", "checkConstraints", "deletionVectors"}


def test_auto_leaves_a_foreign_table_to_its_readers(tmp_path: Path) -> None:
    foreign(tmp_path, THREE)
    table = open_table(tmp_path, merge="auto")
    result = table.merge([{"id": 1, "v": "x"}, {"id": 2, "_op": "delete"}])
    assert (result.updated, result.deleted, result.vectors_written) == (1, 1, 0)
    assert (result.files_removed, result.files_added) == (1, 2)
    assert delta(tmp_path).protocol().min_reader_version == 1
    assert kinds(tmp_path) == {"commitInfo", "add", "remove"}
    assert everywhere(table, tmp_path) == [{"id": 1, "v": "x"}, {"id": 3, "v": "c"}]


def test_auto_uses_vectors_where_they_are_on(tmp_path: Path) -> None:
    foreign(tmp_path, THREE, configuration={"delta.enableDeletionVectors": "true"})
    table = open_table(tmp_path, merge="auto")
    assert table.merge([{"id": 1, "v": "x"}]).vectors_written == 1
    assert len(everywhere(table, tmp_path)) == 3


class TestAppendOnly:
    @pytest.fixture
    def table(self, tmp_path: Path) -> Table:
        foreign(tmp_path, THREE, configuration={"delta.appendOnly": "true"})
        return open_table(tmp_path)

    def test_new_keys_come_in(self, table: Table, tmp_path: Path) -> None:
        assert table.merge([{"id": 4, "v": "d"}, {"id": 9, "_op": "delete"}]).inserted == 1
        assert len(everywhere(table, tmp_path)) == 4

    @pytest.mark.parametrize(
        "record", [{"id": 1, "v": "x"}, {"id": 1, "_op": "delete"}, {"_op": "truncate"}], ids=repr
    )
    def test_rows_do_not_go(self, table: Table, tmp_path: Path, record: dict[str, object]) -> None:
        before = files_below(tmp_path)
        with pytest.raises(RefusedError, match="append-only"):
            table.merge([record, {"id": 5, "v": "e"}])
        assert files_below(tmp_path) == before


class TestRules:
    @pytest.fixture
    def table(self, tmp_path: Path, mode: str) -> Table:
        schema = Schema(
            [
                Field("id", PrimitiveType("long"), nullable=False),
                Field("name", PrimitiveType("string"), nullable=False),
                Field("age", PrimitiveType("integer")),
                Field("city", PrimitiveType("string")),
            ]
        )
        made = DeltaTable.create(str(tmp_path / NAME), schema)
        made.alter.add_constraint({"adult": "age >= 18", "somewhere": "city <> ''"})
        return open_table(tmp_path, merge=mode)

    def test_the_rows_that_break_them_are_rejected_one_by_one(self, table: Table, tmp_path: Path) -> None:
        result = table.merge(
            [
                {"id": 1, "name": "a", "age": 18, "city": "x"},
                {"id": 2, "name": None, "age": 30, "city": "x"},
                {"id": 3, "name": "c", "age": 17, "city": "x"},
                {"id": 4, "name": "d", "age": 40, "city": ""},
                {"id": 5, "name": None, "age": 1, "city": ""},
                {"id": 6, "_op": "delete"},
            ]
        )
        assert (result.inserted, result.rejected, result.unchanged, result.total) == (1, 4, 1, 6)
        assert [(problem.position, problem.reason) for problem in result.problems] == [
            (1, "not_null"),
            (2, "constraint"),
            (3, "constraint"),
            (4, "not_null"),
        ]
        assert "adult" in result.problems[1].detail
        assert "somewhere" in result.problems[2].detail
        assert [row["id"] for row in everywhere(table, tmp_path)] == [1]

    def test_null_does_not_satisfy_a_condition(self, table: Table, tmp_path: Path) -> None:
        """Delta protocol, "CHECK Constraints": the expressions must return true for each row."""
        result = table.merge([{"id": 1, "name": "a", "age": None, "city": "x"}])
        assert (result.rejected, result.inserted) == (1, 0)
        assert everywhere(table, tmp_path) == []

    def test_a_partial_row_is_judged_with_what_is_stored(self, table: Table, tmp_path: Path) -> None:
        good = {"name": "a", "age": 30, "city": "x"}
        table.merge([{"id": key, **good} for key in (1, 2, 3)])
        result = table.merge(
            [
                {"id": 1, "city": "y"},
                {"id": 2, "age": 3},
                {"id": 3, "name": None},
                {"id": 4, "name": "new", "age": 20},
                {"id": 5, "age": 20, "city": "z"},
                {"id": 6, **good},
            ]
        )
        assert (result.updated, result.inserted, result.rejected, result.total) == (1, 1, 4, 6)
        assert [(problem.position, problem.reason) for problem in result.problems] == [
            (1, "constraint"),
            (2, "not_null"),
            (3, "constraint"),
            (4, "not_null"),
        ]
        assert [(row["id"], row["age"], row["city"]) for row in everywhere(table, tmp_path)] == [
            (1, 30, "y"),
            (2, 30, "x"),
            (3, 30, "x"),
            (6, 30, "x"),
        ]

    def test_a_batch_that_lacks_a_column_that_a_rule_needs(self, table: Table, tmp_path: Path) -> None:
        table.merge([{"id": 1, "name": "a", "age": 30, "city": "x"}])
        result = table.merge([{"id": 1, "age": 31}, {"id": 2, "age": 32}])
        assert (result.updated, result.rejected) == (1, 1)
        assert [(row["id"], row["age"]) for row in everywhere(table, tmp_path)] == [(1, 31)]

    def test_an_earlier_record_stands_where_the_last_one_breaks_a_rule(
        self, table: Table, tmp_path: Path
    ) -> None:
        result = table.merge(
            [
                {"id": 1, "name": "a", "age": 30, "city": "x"},
                {"id": 1, "city": "y"},
                {"id": 1, "age": 5},
            ]
        )
        assert (result.inserted, result.stale, result.rejected) == (1, 1, 1)
        assert [(row["age"], row["city"]) for row in everywhere(table, tmp_path)] == [(30, "y")]


@pytest.mark.parametrize("text", ["other <> 'zzz'", "nobody_knows(v)", "1 < 2", "v >", "v + 1"])
def test_a_rule_that_can_not_be_evaluated_is_refused(tmp_path: Path, text: str) -> None:
    foreign(tmp_path, THREE).alter.add_constraint({"odd": "v <> 'zzz'"})
    rewrite_log(tmp_path, "metaData", {"configuration": {"delta.constraints.odd": text}})
    before = files_below(tmp_path)
    table = open_table(tmp_path)
    with pytest.raises(UnsupportedFeatureError, match="odd"):
        table.merge([{"id": 1, "v": "zzz"}])
    assert files_below(tmp_path) == before


def test_a_key_that_is_stored_twice(tmp_path: Path, mode: str) -> None:
    foreign(tmp_path, pl.DataFrame({"id": [1, 1, 2], "seq": [1, 3, 1], "v": ["a", "b", "c"]}))
    foreign(tmp_path, pl.DataFrame({"id": [1, 3], "seq": [2, 1], "v": ["d", "e"]}), mode="append")
    table = open_table(tmp_path, merge=mode, changes={"sequence": "seq"})
    late = table.merge([{"id": 1, "seq": 2, "v": "late"}])
    assert (late.stale, late.committed) == (1, False)
    result = table.merge([{"id": 1, "seq": 4, "v": "new"}, {"id": 2, "seq": 2, "_op": "delete"}])
    assert (result.updated, result.deleted, result.rows_removed) == (1, 1, 4)
    assert everywhere(table, tmp_path) == [{"id": 1, "seq": 4, "v": "new"}, {"id": 3, "seq": 1, "v": "e"}]


def test_partial_rows_build_on_the_newest_of_several(tmp_path: Path, mode: str) -> None:
    foreign(tmp_path, pl.DataFrame({"id": [1, 1], "seq": [3, 1], "v": ["b", "a"], "w": [7, 8]}))
    table = open_table(tmp_path, merge=mode, changes={"sequence": "seq"})
    table.merge([{"id": 1, "seq": 9, "v": "new"}])
    assert everywhere(table, tmp_path) == [{"id": 1, "seq": 9, "v": "new", "w": 7}]


def test_rows_without_a_sequence_are_older_than_anything(tmp_path: Path, mode: str) -> None:
    foreign(tmp_path, pl.DataFrame({"id": [1, 2, 3], "seq": [None, None, 5], "v": ["a", "b", "c"]}))
    table = open_table(tmp_path, merge=mode, changes={"sequence": "seq"})
    result = table.merge(
        [
            {"id": 1, "seq": -9, "v": "x"},
            {"id": 2, "seq": -9, "_op": "delete"},
            {"id": 3, "seq": 4, "v": "late"},
        ]
    )
    assert (result.updated, result.deleted, result.stale) == (1, 1, 1)
    assert everywhere(table, tmp_path) == [{"id": 1, "seq": -9, "v": "x"}, {"id": 3, "seq": 5, "v": "c"}]


def test_keys_that_are_null_match_nothing(tmp_path: Path, mode: str) -> None:
    foreign(tmp_path, pl.DataFrame({"id": [1, None], "v": ["a", "b"]}))
    table = open_table(tmp_path, merge=mode)
    assert table.merge([{"id": 1, "v": "x"}]).updated == 1
    assert everywhere(table, tmp_path) == [{"id": 1, "v": "x"}, {"id": None, "v": "b"}]


@pytest.mark.parametrize("stats", [None, "{}", '{"minValues":{"id":1},"maxValues":{"id":3}}'])
def test_files_whose_statistics_are_missing(tmp_path: Path, mode: str, stats: str | None) -> None:
    foreign(tmp_path, THREE)
    rewrite_log(tmp_path, "add", {"stats": stats})
    table = open_table(tmp_path, merge=mode)
    result = table.merge([{"id": 1, "v": "x"}, {"id": 9, "v": "new"}])
    assert (result.updated, result.inserted) == (1, 1)
    assert len(everywhere(table, tmp_path)) == 4
    for add in table.snapshot().files.values():
        assert add.deletion_vector is None or add.physical_records == 3
    assert table.merge([{"id": key, "_op": "delete"} for key in (1, 2, 3, 9)]).deleted == 4
    assert everywhere(table, tmp_path) == []
    assert table.snapshot().files == {}


@pytest.mark.parametrize("told", [0, 2, 9])
def test_a_log_that_miscounts_the_rows_of_a_file_loses_none(tmp_path: Path, mode: str, told: int) -> None:
    foreign(tmp_path, pl.DataFrame({"id": [1, 2, 3, 4], "seq": [1, 1, 1, 9], "v": ["a", "b", "c", "d"]}))
    stats = {"numRecords": told, "minValues": {"id": 1, "seq": 1}, "maxValues": {"id": 4, "seq": 9}}
    rewrite_log(tmp_path, "add", {"stats": orjson.dumps(stats).decode()})
    table = open_table(tmp_path, merge=mode, changes={"sequence": "seq"})
    result = table.merge([{"id": 1, "seq": 2, "v": "x"}, {"id": 2, "seq": 2, "_op": "delete"}])
    assert (result.updated, result.deleted) == (1, 1)
    assert [row["id"] for row in everywhere(table, tmp_path)] == [1, 3, 4]
    table.merge([{"seq": 5, "_op": "truncate"}])
    assert everywhere(table, tmp_path) == [{"id": 4, "seq": 9, "v": "d"}]


def test_columns_that_were_added_later(tmp_path: Path, mode: str) -> None:
    foreign(tmp_path, THREE)
    foreign(tmp_path, pl.DataFrame({"id": [4], "v": ["d"], "w": [4]}), mode="append", schema_mode="merge")
    table = open_table(tmp_path, merge=mode)
    table.merge([{"id": 1, "v": "x"}, {"id": 4, "v": "y"}])
    rows = everywhere(table, tmp_path)
    assert [(row["id"], row["v"], row["w"]) for row in rows] == [
        (1, "x", None),
        (2, "b", None),
        (3, "c", None),
        (4, "y", 4),
    ]


def test_delta_rs_goes_on_with_the_table(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema={"id": "long", "v": "string"})
    table.merge([{"id": key, "v": "a"} for key in range(6)])
    table.merge([{"id": 0, "v": "b"}, {"id": 1, "_op": "delete"}])
    delta(tmp_path).delete("id = 2")
    delta(tmp_path).update(predicate="id = 3", updates={"v": "'c'"})
    foreign(tmp_path, pl.DataFrame({"id": [7], "v": ["d"]}), mode="append")
    source = pl.DataFrame({"id": [4, 8], "v": ["e", "e"]})
    merger = delta(tmp_path).merge(source, "s.id = t.id", source_alias="s", target_alias="t")
    merger.when_matched_update_all().when_not_matched_insert_all().execute()
    delta(tmp_path).optimize.compact()
    result = table.merge([{"id": key, "v": "last"} for key in (0, 3, 4, 9)] + [{"id": 7, "_op": "delete"}])
    assert (result.updated, result.inserted, result.deleted) == (3, 1, 1)
    assert [(row["id"], row["v"]) for row in everywhere(table, tmp_path)] == [
        (0, "last"),
        (3, "last"),
        (4, "last"),
        (5, "a"),
        (8, "e"),
        (9, "last"),
    ]
    delta(tmp_path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    assert table.verify().ok
    assert table.merge([{"id": 5, "v": "z"}]).updated == 1


def test_vacuum_of_delta_rs_leaves_the_memory_of_deletes(tmp_path: Path) -> None:
    table = open_table(tmp_path, schema={"id": "long", "seq": "long"}, changes={"sequence": "seq"})
    table.merge([{"id": 1, "seq": 1}, {"id": 2, "seq": 1}])
    table.merge([{"id": 1, "seq": 5, "_op": "delete"}])
    delta(tmp_path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert table.merge([{"id": 1, "seq": 4}]).stale == 1


def test_a_table_of_old_versions_with_generated_columns(tmp_path: Path) -> None:
    schema = {
        "type": "struct",
        "fields": [
            {"name": "id", "type": "long", "nullable": True, "metadata": {}},
            {
                "name": "twice",
                "type": "long",
                "nullable": True,
                "metadata": {"delta.generationExpression": "id * 2"},
            },
        ],
    }
    log = tmp_path / NAME / "_delta_log"
    log.mkdir(parents=True)
    actions = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 4}},
        {
            "metaData": {
                "id": "2f4a1a0e-3d9b-4a56-9d0e-0b6a2d8f7a11",
                "format": {"provider": "parquet", "options": {}},
                "schemaString": orjson.dumps(schema).decode(),
                "partitionColumns": [],
                "configuration": {},
                "createdTime": 0,
            }
        },
    ]
    (log / f"{0:020}.json").write_bytes(b"\n".join(orjson.dumps(action) for action in actions))
    table = open_table(tmp_path)
    assert table.merge([{"id": 3}, {"id": 4, "twice": 9}]).rejected == 1
    assert everywhere(table, tmp_path) == [{"id": 3, "twice": 6}]
