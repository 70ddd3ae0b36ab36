"""What is cut out of the files of a log, and that nothing else is."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.delta.stripping.cutting import members, replaced
from lakehouse.delta.stripping.files import stripped_checkpoint, stripped_lines, tells_values
from lakehouse.delta.stripping.log import kind_of, strip_log
from lakehouse.delta.stripping.rules import Rules
from lakehouse.errors import CorruptTableError
from lakehouse.storage import Storage, open_storage
from tests.fixtures.pages import holds

RULES = Rules([("email",), ("address", "street"), ("tags", "element")])
LOG = "_delta_log"
UUID = "80a083e8-7026-4e79-81be-64bd76c43a11"


def stats(**more: Any) -> str:
    bounds = {"id": 1, "email": "canary", "address": {"street": "canary 7", "zip": 7}, "tags": 3}
    return json.dumps(
        {"numRecords": 5, "minValues": bounds, "maxValues": bounds, "nullCount": bounds, **more}
    )


def add(**more: Any) -> dict[str, Any]:
    return {
        "add": {"path": "f", "partitionValues": {}, "size": 1, "stats": stats(), "dataChange": True, **more}
    }


def lines(*actions: dict[str, Any]) -> bytes:
    return b"".join(orjson.dumps(action) + b"\n" for action in actions)


def test_only_the_columns_go() -> None:
    left = json.loads(RULES.stats(stats(tightBounds=True)))
    bounds = {"id": 1, "address": {"zip": 7}}
    assert left == {
        "numRecords": 5,
        "minValues": bounds,
        "maxValues": bounds,
        "nullCount": bounds,
        "tightBounds": True,
    }
    assert RULES.stats(RULES.stats(stats())) == RULES.stats(stats())


def test_what_stays_keeps_its_spelling() -> None:
    text = '{ "numRecords":1,"minValues" : {"a":1.10, "email":"\\u00fc}\\"","b":1234567890123.50,"c":NaN } }'
    assert RULES.stats(text) == ('{ "numRecords":1,"minValues" : {"a":1.10,"b":1234567890123.50,"c":NaN } }')
    alone = '{"minValues":{"email":1}}'
    assert RULES.stats(alone) == '{"minValues":{}}'
    same = '{"minValues":{"EMAIL":1,"other":{"email":2}}}'
    assert RULES.stats(same) is same


def test_names_in_any_spelling_of_json() -> None:
    assert RULES.stats('{"minValues":{"\\u0065mail":"canary","id":1}}') == '{"minValues":{"id":1}}'
    assert RULES.line('{"add":{"path":"f","stats":"{\\"minValues\\":{\\"\\\\u0065mail\\":1}}"}}') == (
        '{"add":{"path":"f","stats":"{\\"minValues\\":{}}"}}'
    )


def test_statistics_that_are_no_json_go_whole() -> None:
    assert RULES.stats('{"minValues":{"email":"canary') == "{}"
    assert RULES.stats('{"minValues":{"email" "canary"}}') == "{}"


def test_a_commit() -> None:
    info = {
        "commitInfo": {
            "timestamp": 1,
            "operation": "DELETE",
            "operationParameters": {
                "predicate": "email = 'canary'",
                "mode": "x",
                "matchedPredicates": "[canary]",
            },
            "operationMetrics": {"numDeletedRows": 1},
            "userMetadata": "canary",
            "my own": {"x": "canary"},
            "inCommitTimestamp": 5,
        }
    }
    removed = {"remove": {"path": "g", "dataChange": True, "stats": stats(), "tags": {"x": "canary"}}}
    fed = {"cdc": {"path": "c", "partitionValues": {}, "size": 1, "tags": {"note": "canary"}}}
    meta = {"metaData": {"id": "1", "schemaString": "{}", "configuration": {"email": "x"}}}
    tagged = add(tags={"INSERTION_TIME": "1", "mine": "canary"}, stats=None)
    new = stripped_lines(lines(info, add(), removed, fed, meta, tagged), RULES)
    assert b"canary" not in new
    found = [orjson.loads(line) for line in new.splitlines()]
    assert found[0]["commitInfo"] == {
        "timestamp": 1,
        "operation": "DELETE",
        "operationParameters": {"mode": "x"},
        "operationMetrics": {"numDeletedRows": 1},
        "inCommitTimestamp": 5,
    }
    assert found[1]["add"] | {"stats": None} == add()["add"] | {"stats": None}
    assert found[2]["remove"]["tags"] == {}
    assert found[4] == meta
    assert found[5]["add"]["tags"] == {"INSERTION_TIME": "1"}
    assert stripped_lines(new, RULES) is new


def test_lines_without_any_of_it_keep_their_bytes() -> None:
    data = b'{ "protocol" : {"minReaderVersion":1} }\n\n{"add":{"path":"f","stats":null}}\r\n{"txn":{}}'
    assert stripped_lines(data, RULES) is data
    assert stripped_lines(data + b"\n" + lines(add()), RULES).startswith(data + b"\n")


def test_a_damaged_line_is_said_without_its_content() -> None:
    with pytest.raises(CorruptTableError, match="line 2") as failed:
        stripped_lines(lines(add()) + b'{"add":{"path":"canary"', RULES)
    assert "canary" not in str(failed.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def _cut(gone: str, key: str, _: str) -> Any:
    return None if key == gone else ...


@given(
    value=st.dictionaries(st.text(max_size=3), JSON, max_size=5), ascii_only=st.booleans(), wide=st.booleans()
)
def test_any_member_of_any_object_can_be_cut_out(value: dict[str, Any], ascii_only: bool, wide: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=1 if wide else None)
    assert [item.key for item in members(text)] == list(value)
    for gone in value:
        left = replaced(text, 0, partial(_cut, gone))
        assert json.dumps(json.loads(left)) == json.dumps({k: v for k, v in value.items() if k != gone})


def checkpoint(*, text: bool = True, parsed: bool = True) -> bytes:
    """Statistics as Spark writes them: as JSON, as columns, or as both."""
    bounds = {"id": 1, "email": "canary", "address": {"street": "canary 7", "zip": 7}}
    each: dict[str, Any] = {"path": "f", "size": 1, "tags": [("mine", "canary"), ("INSERTION_TIME", "1")]}
    if text:
        each["stats"] = stats()
    if parsed:
        each["stats_parsed"] = {
            "numRecords": 5,
            "minValues": bounds,
            "maxValues": bounds,
            "nullCount": {"email": 0},
        }
    tags = pa.map_(pa.string(), pa.string())
    kinds = {name: pa.array([value]).type for name, value in each.items() if name != "tags"} | {"tags": tags}
    kind = pa.struct(list(kinds.items()))
    rows = {
        "add": pa.array([each, None, each], kind),
        "remove": pa.array([None, each, None], kind),
        "txn": pa.array([{"appId": "app"}, None, None]),
    }
    out = io.BytesIO()
    pq.write_table(pa.table(rows), out)
    return out.getvalue()


@pytest.mark.parametrize(("text", "parsed"), [(True, False), (False, True), (True, True)])
def test_a_checkpoint_in_parquet(text: bool, parsed: bool) -> None:
    data = checkpoint(text=text, parsed=parsed)
    assert holds(data, b"canary")
    new = stripped_checkpoint(data, RULES)
    assert len(new) == len(data)
    assert not holds(new, b"canary")
    before, after = (pq.read_table(io.BytesIO(each)).to_pylist() for each in (data, new))
    for old, now in zip(before, after, strict=True):
        assert old["txn"] == now["txn"]
        for action in ("add", "remove"):
            was, left = old[action], now[action]
            if was is None:
                assert left is None
                continue
            assert (left["path"], left["size"], left["tags"]) == ("f", 1, [("INSERTION_TIME", "1")])
            if text:
                assert left["stats"] == RULES.stats(was["stats"])
            if parsed:
                part = left["stats_parsed"]
                assert part["numRecords"] == 5
                assert part["minValues"] == {"id": 1, "email": None, "address": {"street": None, "zip": 7}}
                assert part["nullCount"] == {"email": None}
    assert stripped_checkpoint(new, RULES) is new


def test_only_the_files_that_are_named() -> None:
    rules = Rules([("email",), ("address", "street")], files=["g"])
    other = add(path="g", tags={"mine": "canary"})
    found = stripped_lines(lines(add(), other), rules).splitlines()
    assert orjson.loads(found[0]) == add()
    assert b"canary" not in found[1]
    data = checkpoint()
    assert stripped_checkpoint(data, rules) is data
    rows = pq.read_table(io.BytesIO(data)).to_pylist()
    rows[2]["add"]["path"] = "g"
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(io.BytesIO(data))), out)
    new = pq.read_table(io.BytesIO(stripped_checkpoint(out.getvalue(), rules))).to_pylist()
    assert new[:2] == rows[:2]
    assert "canary" not in repr(new[2])
    assert new[2]["add"]["stats"] == rules.stats(rows[2]["add"]["stats"])


def test_checksums_of_versions() -> None:
    assert tells_values(orjson.dumps({"allFiles": [add()["add"]]}), RULES)
    assert tells_values(b"{not json", RULES)
    assert not tells_values(orjson.dumps({"tableSizeBytes": 5}), RULES)
    assert not tells_values(orjson.dumps({"allFiles": [{"path": "f", "stats": '{"numRecords":1}'}]}), RULES)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"{3:020d}.json", "commit"),
        ("_staged_commits/00000000000000000003.x.json", "commit"),
        (f"{3:020d}.{5:020d}.compacted.json", "compaction"),
        (f"{3:020d}.checkpoint.parquet", "checkpoint"),
        (f"{3:020d}.checkpoint.{1:010d}.{2:010d}.parquet", "checkpoint"),
        (f"{3:020d}.checkpoint.{UUID}.json", "checkpoint"),
        (f"_sidecars/{UUID}.parquet", "checkpoint"),
        (f"{3:020d}.crc", "checksum"),
        (f".{3:020d}.json.crc", "unknown"),
        ("_last_checkpoint", "hint"),
        ("notes.txt", "unknown"),
        ("notes.json", "unknown"),
    ],
)
def test_what_a_file_of_the_log_is(name: str, kind: str) -> None:
    assert kind_of(f"{LOG}/{name}") == kind


@pytest.fixture
def path(tmp_path: Path) -> Path:
    where = tmp_path / "t"
    for number in range(3):
        rows = pa.table({"id": [number], "email": [f"canary{number}"], "d": [f"p{number}"]})
        write_deltalake(where, rows, mode="append", partition_by=["d"])
    DeltaTable(where).create_checkpoint()
    return where


def commit_times(log: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in log.glob("0" * 19 + "?.json")}


def test_a_whole_log(path: Path) -> None:
    log = path / LOG
    commit = log / f"{1:020d}.json"
    (log / f"{0:020d}.{1:020d}.compacted.json").write_bytes(commit.read_bytes())
    (log / f"{2:020d}.crc").write_bytes(orjson.dumps({"allFiles": [add()["add"]]}))
    (log / f".{1:020d}.json.crc").write_bytes(b"crc of what was there")
    (log / "notes.txt").write_text("canary")
    v2 = log / f"{2:020d}.checkpoint.{UUID}.json"
    v2.write_bytes(lines({"checkpointMetadata": {"version": 2}}, add()))
    size, hint = v2.stat().st_size, (log / "_last_checkpoint").read_bytes()
    checkpoint_size = (log / f"{2:020d}.checkpoint.parquet").stat().st_size
    times = commit_times(log)
    storage, columns = open_storage(path), [("email",), ("address", "street"), ("d",)]
    done = strip_log(storage, columns)
    assert {(each.kind, Path(each.path).name) for each in done.files} == {
        ("commit", f"{0:020d}.json"),
        ("commit", f"{1:020d}.json"),
        ("commit", f"{2:020d}.json"),
        ("compaction", f"{0:020d}.{1:020d}.compacted.json"),
        ("checkpoint", f"{2:020d}.checkpoint.parquet"),
        ("checkpoint", v2.name),
        ("checksum", f"{2:020d}.crc"),
    }
    assert done.partitions == ("d",)
    assert done.unknown == (f"{LOG}/notes.txt",)
    assert done.retimed == ()
    assert times == commit_times(log)
    assert v2.stat().st_size == size
    assert (log / f"{2:020d}.checkpoint.parquet").stat().st_size == checkpoint_size
    assert (log / "_last_checkpoint").read_bytes() == hint
    assert not (log / f".{1:020d}.json.crc").exists()
    (log / "notes.txt").unlink()
    left = [file for file in log.rglob("*") if file.is_file()]
    assert not [file.name for file in left if file.suffix != ".parquet" and b"canary" in file.read_bytes()]
    assert not strip_log(storage, columns).changed
    # Both are made up, and say less than the table has.
    v2.unlink()
    (log / f"{0:020d}.{1:020d}.compacted.json").unlink()
    assert DeltaTable(path).to_pyarrow_table().num_rows == 3


def test_where_the_store_keeps_no_times_it_is_told_which_versions_lost_theirs() -> None:
    storage: Storage = open_storage("memory://")
    storage.put(f"{LOG}/{0:020d}.json", lines({"protocol": {}}))
    storage.put(f"{LOG}/{1:020d}.json", lines(add()))
    done = strip_log(storage, [("email",)])
    assert done.retimed == (1,)
    assert b"canary" not in storage.get(f"{LOG}/{1:020d}.json").replace(b"canary 7", b"")


def test_a_checkpoint_whose_commit_is_gone_keeps_the_time_of_its_version(path: Path) -> None:
    for number in range(3):
        (path / LOG / f"{number:020d}.json").unlink()
    file = path / LOG / f"{2:020d}.checkpoint.parquet"
    time = file.stat().st_mtime_ns
    done = strip_log(open_storage(path), [("email",), ("d",)])
    assert done.changed
    assert done.partitions == ("d",)
    assert file.stat().st_mtime_ns == time


def test_a_damaged_file_of_the_log_is_named(path: Path) -> None:
    commit = path / LOG / f"{1:020d}.json"
    commit.write_bytes(b'{"add":{"path":"canary1"')
    with pytest.raises(CorruptTableError, match=commit.name) as failed:
        strip_log(open_storage(path), [("email",)])
    assert "canary1" not in str(failed.value)
    commit.unlink()
    checkpoint_file = path / LOG / f"{2:020d}.checkpoint.parquet"
    checkpoint_file.write_bytes(b"PAR1" + bytes(50) + b"PAR1")
    with pytest.raises(CorruptTableError, match=checkpoint_file.name):
        strip_log(open_storage(path), [("email",)])
