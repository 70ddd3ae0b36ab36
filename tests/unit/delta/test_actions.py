from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest

from lakehouse.delta import paths, z85
from lakehouse.delta.actions import (
    Action,
    AddCdcFile,
    AddFile,
    CheckpointMetadata,
    CommitInfo,
    DeletionVector,
    DomainMetadata,
    FileStatistics,
    Metadata,
    Protocol,
    RemoveFile,
    SetTransaction,
    Sidecar,
    parse_action,
    serialize,
    serialize_all,
)
from lakehouse.errors import CorruptTableError

VECTOR = DeletionVector("u", "ab^-aqEH.-t@S}K{vb[*k^", 40, 6, 4)
ADD = AddFile(
    path="d=1/a%20b.parquet",
    partition_values={"d": "1", "e": None},
    size=10,
    modification_time=20,
    data_change=False,
    stats='{"numRecords":9}',
    tags={"k": "v"},
    deletion_vector=VECTOR,
    base_row_id=3,
    default_row_commit_version=4,
    clustering_provider="liquid",
)

EVERY_ACTION: list[Action] = [
    Protocol(1, 2),
    Protocol(3, 7, ("deletionVectors",), ("appendOnly", "deletionVectors")),
    Metadata(
        "id", '{"type":"struct","fields":[]}', ("d",), {"a": "b"}, "n", "about", "parquet", {"x": "y"}, 7
    ),
    ADD,
    AddFile("plain.parquet", {}, 1, 2),
    ADD.remove(at_ms=99),
    RemoveFile("old.parquet"),
    AddCdcFile("_change_data/c.parquet", {"d": "1"}, 5, {"t": "u"}),
    SetTransaction("app", 12, 34),
    CommitInfo(
        timestamp=1,
        operation="MERGE",
        operation_parameters={"mode": "Append"},
        operation_metrics={"rows": 3},
        engine_info="someone/1",
        txn_id="t",
        is_blind_append=False,
        read_version=0,
        in_commit_timestamp=2,
        extra={"userName": "x", "notebook": {"id": 1}},
    ),
    DomainMetadata("a.b", "{}", removed=True),
    CheckpointMetadata(5, {"k": "v"}),
    Sidecar("x.parquet", 1, 2, {"k": "v"}),
]


@pytest.mark.parametrize("action", EVERY_ACTION, ids=lambda action: type(action).__name__)
def test_an_action_survives_being_written_and_read(action: Action) -> None:
    line = serialize(action)
    assert b"\n" not in line
    assert parse_action(orjson.loads(line)) == action


def test_a_commit_file_has_one_line_for_each_action() -> None:
    data = serialize_all(EVERY_ACTION)
    assert data.endswith(b"\n")
    assert [parse_action(orjson.loads(line)) for line in data.splitlines()] == EVERY_ACTION


def test_optional_fields_without_a_value_are_left_out() -> None:
    line = orjson.loads(serialize(AddFile("a", {"d": None}, 1, 2)))
    assert line == {
        "add": {
            "path": "a",
            "partitionValues": {"d": None},
            "size": 1,
            "modificationTime": 2,
            "dataChange": True,
        }
    }


def test_change_files_never_count_as_data_change() -> None:
    assert orjson.loads(serialize(AddCdcFile("c", {}, 1)))["cdc"]["dataChange"] is False


@pytest.mark.parametrize("line", [{}, {"newAction": {"x": 1}}, {"add": None}])
def test_what_is_not_known_is_ignored(line: Mapping[str, Any]) -> None:
    assert parse_action(line) is None


def test_unknown_fields_are_ignored_and_optional_ones_may_be_null() -> None:
    line = {
        "add": {
            "path": "a",
            "partitionValues": None,
            "size": 1,
            "modificationTime": None,
            "new": 1,
            "stats": None,
        }
    }
    assert parse_action(line) == AddFile("a", {}, 1, 0)


@pytest.mark.parametrize(
    "line",
    [
        {"add": {"size": 1}},
        {"add": {"path": 3, "size": 1}},
        {"add": {"path": "a", "size": "1"}},
        {"add": {"path": "a", "size": True}},
        {"add": []},
        {"protocol": {"minReaderVersion": 1}},
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2, "writerFeatures": [1]}},
        {"metaData": {"id": "x"}},
        {"txn": {"appId": "a"}},
        {"add": {"path": "a", "size": 1, "deletionVector": {"storageType": "u"}}},
    ],
)
def test_a_broken_action_is_a_corrupt_table(line: Mapping[str, Any]) -> None:
    with pytest.raises(CorruptTableError, match=repr(next(iter(line)))):
        parse_action(line)


def test_strange_commit_info_is_no_error() -> None:
    found = parse_action({"commitInfo": {"timestamp": "yesterday", "operationParameters": [], "x": 1}})
    assert found == CommitInfo(extra={"x": 1})


def test_features_are_sorted_so_that_protocols_compare() -> None:
    line = {
        "protocol": {
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": ["b", "a"],
            "writerFeatures": [],
        }
    }
    assert parse_action(line) == Protocol(3, 7, ("a", "b"), ())


class TestDeletionVector:
    def test_the_file_of_a_vector_is_derived_from_its_uuid(self) -> None:
        # The example of the protocol.
        assert VECTOR.relative_path() == "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"
        assert replace(VECTOR, path_or_inline_dv="^-aqEH.-t@S}K{vb[*k^").relative_path() == (
            "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"
        )

    def test_inline_and_absolute_vectors_have_no_relative_file(self) -> None:
        assert DeletionVector("i", "0000000000", 4, 1).relative_path() is None
        assert DeletionVector("p", "s3://b/x.bin", 4, 1, 1).relative_path() is None

    @pytest.mark.parametrize("text", ["short", "^-aqEH.-t@S}K{vb[*k~", "^-aqEH.-t@S}K{vb[*kü"])
    def test_a_uuid_that_cant_be_read_is_a_corrupt_table(self, text: str) -> None:
        with pytest.raises(CorruptTableError):
            DeletionVector("u", text, 40, 6).relative_path()

    def test_the_unique_id_tells_offsets_apart(self) -> None:
        assert VECTOR.unique_id == "uab^-aqEH.-t@S}K{vb[*k^@4"
        assert replace(VECTOR, offset=None).unique_id == "uab^-aqEH.-t@S}K{vb[*k^"


class TestZ85:
    def test_known_text(self) -> None:
        assert z85.encode(b"\x86\x4f\xd2\x6f\xb5\x59\xf7\x5b") == "HelloWorld"
        assert z85.decode("HelloWorld") == b"\x86\x4f\xd2\x6f\xb5\x59\xf7\x5b"

    def test_every_byte_survives(self) -> None:
        data = bytes(range(256))
        assert z85.decode(z85.encode(data)) == data

    @pytest.mark.parametrize("text", ["Hell", "Hello~orld", "#####", "Hello World"])
    def test_other_texts_are_refused(self, text: str) -> None:
        with pytest.raises(CorruptTableError):
            z85.decode(text)

    def test_only_whole_groups_can_be_spelled(self) -> None:
        with pytest.raises(ValueError, match="four"):
            z85.encode(b"abc")


class TestStatistics:
    def test_decimals_keep_all_their_digits(self) -> None:
        text = '{"maxValues":{"d":12345678901234567890.12,"n":9007199254740993},"nullCount":{"d":0}}'
        found = FileStatistics.parse(text)
        assert found.max_values == {"d": Decimal("12345678901234567890.12"), "n": 9007199254740993}
        assert found.null_count == {"d": 0}
        assert found.tight_bounds

    def test_wide_bounds_are_said(self) -> None:
        assert not FileStatistics.parse('{"numRecords":2,"tightBounds":false}').tight_bounds

    @pytest.mark.parametrize("text", [None, "", "{", "[]", '{"numRecords":"many","minValues":3}'])
    def test_statistics_that_cant_be_read_are_not_known(self, text: str | None) -> None:
        assert FileStatistics.parse(text) == FileStatistics()

    def test_rows_that_a_reader_sees(self) -> None:
        assert (ADD.physical_records, ADD.live_records) == (9, 3)
        plain = replace(ADD, deletion_vector=None)
        assert (plain.physical_records, plain.live_records) == (9, 9)
        unknown = replace(ADD, stats=None)
        assert (unknown.physical_records, unknown.live_records) == (None, None)
        # Not JSON, yet some writers leave it in the bounds of floats.
        assert replace(plain, stats='{"numRecords":5,"maxValues":{"x":NaN}}').physical_records == 5


def test_a_remove_says_all_that_the_add_said() -> None:
    removed = ADD.remove(at_ms=99, data_change=False)
    assert removed.key == ADD.key == ("d=1/a%20b.parquet", VECTOR.unique_id)
    assert removed.deletion_timestamp == 99
    assert removed.data_change is False
    assert removed.extended_file_metadata is True
    assert removed.partition_values == ADD.partition_values
    assert (removed.base_row_id, removed.default_row_commit_version) == (3, 4)


class TestPaths:
    @pytest.mark.parametrize(
        ("path", "root", "place", "below"),
        [
            ("d=1/a%20b.parquet", "/lake/t", "/lake/t/d=1/a b.parquet", "d=1/a b.parquet"),
            ("x.parquet", "s3://b/p", "s3://b/p/x.parquet", "x.parquet"),
            ("s3://b/p/x%25.parquet", "s3://b/p", "s3://b/p/x%.parquet", "x%.parquet"),
            ("s3a://b/p/x.parquet", "s3://b/p", "s3://b/p/x.parquet", "x.parquet"),
            ("s3://other/x.parquet", "s3://b/p", "s3://other/x.parquet", None),
            ("s3://b/p2/x.parquet", "s3://b/p", "s3://b/p2/x.parquet", None),
            ("file:///lake/t/x.parquet", "/lake/t", "/lake/t/x.parquet", "x.parquet"),
            ("file:/lake/t/a%20b", "/lake/t", "/lake/t/a b", "a b"),
            ("/elsewhere/x.parquet", "/lake/t", "/elsewhere/x.parquet", None),
            ("d=a%3Ab/x.parquet", "/lake/t", "/lake/t/d=a:b/x.parquet", "d=a:b/x.parquet"),
        ],
    )
    def test_where_a_file_is(self, path: str, root: str, place: str, below: str | None) -> None:
        add = AddFile(path, {}, 1, 1)
        assert add.location(root) == place
        assert add.relative_path(root) == below

    @pytest.mark.parametrize("path", ["a b/ü%41.parquet", "x:y/z.parquet", "d=1/part-0.parquet", "a#b?c"])
    def test_a_path_survives_being_encoded(self, path: str) -> None:
        encoded = paths.encode_path(path)
        assert encoded.isascii()
        assert not paths.is_absolute(encoded)
        assert paths.decode_path(encoded) == path
