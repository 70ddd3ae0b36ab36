"""Going back: rows and what they are understood by come back, or nothing is written at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake

from lakehouse.delta.actions import Action, CommitInfo, Protocol
from lakehouse.delta.features import column_mapping
from lakehouse.delta.schema import Json
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.delta.transaction import commit
from lakehouse.errors import ProtectedError, RefusedError, UnsupportedFeatureError, VersionNotFoundError
from lakehouse.protection import Protection, TableHold
from lakehouse.table import Table
from lakehouse.timetravel.restore import restore
from tests.fixtures.faults import FaultyStorage
from tests.unit.timetravel.conftest import OpenTable


def marked_table(open_table: OpenTable) -> tuple[Table, int]:
    """Ten rows of which one is hidden by a vector, and that version."""
    table = open_table(merge="on_read")
    table.merge([{"id": number, "a": number} for number in range(10)])
    table.merge([{"id": 1, "_op": "delete"}])
    return table, table.snapshot().version


def folder(table: Table) -> Path:
    return Path(table.storage.url)


def test_a_version_whose_vector_is_gone_is_refused_before_anything_is_written(open_table: OpenTable) -> None:
    table, marked = marked_table(open_table)
    table.merge([{"id": 2, "_op": "delete"}])
    newest = table.snapshot().version
    (vector,) = (add.deletion_vector for add in table.snapshot(version=marked).files.values())
    assert vector is not None
    path = vector.relative_path()
    assert path is not None
    table.storage.delete([path])
    for dry_run in (True, False):
        with pytest.raises(VersionNotFoundError, match=r"can't come back: 1 of its files are gone"):
            table.restore(version=marked, dry_run=dry_run)
    assert table.snapshot().version == newest
    assert table.read().height == 8


def test_a_file_elsewhere_that_is_gone_is_refused(open_table: OpenTable, tmp_path: Path) -> None:
    write_deltalake(tmp_path / "lake" / "t", pa.table({"id": [1]}))
    table = open_table()
    here = table.snapshot()
    (add,) = here.files.values()
    away = tmp_path / "a b.parquet"
    away.write_bytes(table.storage.get(add.path))
    actions: list[Action] = [add.remove(at_ms=0), replace(add, path=away.as_uri())]
    commit(table.storage, version=1, actions=actions, commit_info=CommitInfo(), base=here)
    write_deltalake(folder(table), pa.table({"id": [2]}), mode="overwrite")
    assert table.restore(version=1).version == 3
    assert table.read()["id"].to_list() == [1]
    write_deltalake(folder(table), pa.table({"id": [2]}), mode="overwrite")
    away.unlink()
    with pytest.raises(VersionNotFoundError, match="files are gone"):
        table.restore(version=1)


def test_vectors_come_back_with_their_feature(open_table: OpenTable) -> None:
    table, marked = marked_table(open_table)
    write_deltalake(folder(table), pa.table({"id": [100], "a": [1]}), mode="overwrite")
    here = table.snapshot()
    # As an engine leaves a table from which the feature was dropped.
    plain: list[Action] = [Protocol(1, 2), replace(here.metadata, configuration={})]
    commit(table.storage, version=here.version + 1, actions=plain, commit_info=CommitInfo(), base=here)
    assert table.restore(version=marked).version == here.version + 2
    assert table.snapshot().protocol == Protocol(
        3, 7, ("deletionVectors",), ("appendOnly", "deletionVectors", "invariants")
    )
    assert sorted(table.read()["id"]) == [0, *range(2, 10)]
    counted = QueryBuilder().register("t", DeltaTable(folder(table))).execute("select count(*) n from t")
    assert pa.table(counted.read_all())["n"].to_pylist() == [9]


def test_types_come_back_with_their_feature(open_table: OpenTable, tmp_path: Path) -> None:
    place = tmp_path / "lake" / "t"
    write_deltalake(place, pa.table({"id": [1], "at": pa.array([0], pa.timestamp("us"))}))
    table = open_table()
    here = table.snapshot()
    (add,) = here.files.values()
    schema = here.schema.without(["at"]).to_json()
    actions: list[Action] = [
        Protocol(1, 2),
        replace(here.metadata, schema_string=schema),
        add.remove(at_ms=0),
    ]
    commit(table.storage, version=1, actions=actions, commit_info=CommitInfo(), base=here)
    assert table.restore(version=0).version == 2
    assert "timestampNtz" in (table.snapshot().protocol.reader_features or ())
    assert table.read().schema["at"] == pl.Datetime("us")
    assert pl.read_delta(str(place)).height == 1


def test_an_append_only_table_loses_no_rows(open_table: OpenTable, tmp_path: Path) -> None:
    place = tmp_path / "lake" / "t"
    write_deltalake(place, pa.table({"id": [1]}))
    write_deltalake(place, pa.table({"id": [2]}), mode="append")
    DeltaTable(place).alter.set_table_properties({"delta.appendOnly": "true"})
    table = open_table()
    with pytest.raises(RefusedError, match=r"only takes new rows \(delta.appendOnly\)"):
        table.restore(version=0)
    assert table.snapshot().version == 2


def test_the_conditions_of_the_old_rows_come_back_and_other_properties_stay(
    open_table: OpenTable, tmp_path: Path
) -> None:
    place = tmp_path / "lake" / "t"
    write_deltalake(place, pa.table({"id": [1, 2], "a": [1, -2]}))
    DeltaTable(place).delete("a < 0")
    DeltaTable(place).alter.add_constraint({"positive": "a > 0"})
    DeltaTable(place).alter.set_table_properties({"delta.checkpointInterval": "7"})
    wider = pa.table({"id": [1], "a": [1], "b": [1]})
    write_deltalake(place, wider, mode="append", schema_mode="merge")
    table = open_table()
    constrained = table.snapshot().version
    table.restore(version=0)
    assert table.read().sort("id").rows() == [(1, 1), (2, -2)]
    assert table.snapshot().configuration == {"delta.checkpointInterval": "7"}
    table.restore(version=constrained)
    assert table.snapshot().configuration == {
        "delta.checkpointInterval": "7",
        "delta.constraints.positive": "a > 0",
    }


def test_a_table_that_could_not_be_written_afterwards_is_left_alone(
    open_table: OpenTable, tmp_path: Path
) -> None:
    write_deltalake(tmp_path / "lake" / "t", pa.table({"id": [1]}))
    table = open_table()
    here = table.snapshot()
    strange = Protocol(3, 7, ("moonPhases",), ("moonPhases",))
    commit(table.storage, version=1, actions=[strange], commit_info=CommitInfo(), base=here)
    commit(
        table.storage,
        version=2,
        actions=[here.protocol, replace(here.metadata, description="plain again")],
        commit_info=CommitInfo(),
        base=table.snapshot(),
    )
    with pytest.raises(UnsupportedFeatureError, match="moonPhases"):
        table.restore(version=1)
    assert table.snapshot().version == 2


def test_another_partitioning_comes_back(open_table: OpenTable, tmp_path: Path) -> None:
    place = tmp_path / "lake" / "t"
    write_deltalake(place, pa.table({"id": [1, 2], "a": ["x", "y"]}), partition_by=["a"])
    new = pa.table({"id": [1, 3], "a": ["x", "z"]})
    write_deltalake(place, new, mode="overwrite", partition_by=["id"], schema_mode="overwrite")
    table = open_table()
    table.restore(version=0)
    assert table.snapshot().partition_columns == ("a",)
    assert table.read().sort("id").rows() == [(1, "x"), (2, "y")]
    assert pl.read_delta(str(place)).sort("id").rows() == [(1, "x"), (2, "y")]


def test_ids_of_columns_are_given_once(open_table: OpenTable, tmp_path: Path) -> None:
    write_deltalake(tmp_path / "lake" / "t", pa.table({"id": [1]}))
    table = open_table()
    plain = table.snapshot()
    mapped = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "9"}
    carried: dict[str, Json] = {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "id"}
    (field,) = plain.schema.fields
    schema = replace(plain.schema, fields=(replace(field, metadata=carried),)).to_json()
    metadata = replace(plain.metadata, schema_string=schema, configuration=mapped)
    commit(
        table.storage,
        version=1,
        actions=[Protocol(2, 5), metadata],
        commit_info=CommitInfo(),
        base=plain,
    )
    table.restore(version=0)
    here = table.snapshot()
    assert column_mapping(here.protocol, here.metadata) == "none"
    assert here.configuration == {"delta.columnMapping.maxColumnId": "9"}
    assert table.read().rows() == [(1,)]
    table.restore(version=1)
    here = table.snapshot()
    assert column_mapping(here.protocol, here.metadata) == "name"
    assert table.read().rows() == [(1,)]


def test_a_hold_that_comes_after_the_rows_were_looked_at_is_seen(open_table: OpenTable) -> None:
    table = open_table()
    table.merge([{"id": 1}])
    table.merge([{"id": 2}])
    asked = 0

    def late() -> Protection:
        nonlocal asked
        asked += 1
        held = TableHold(id="h-1", reason="case 12", where="id = 2")
        return Protection("t", (held,) if asked > 1 else ())

    with pytest.raises(ProtectedError, match="h-1"):
        restore(
            table.storage,
            table="t",
            current=table.snapshot(),
            target=load_snapshot(table.storage, version=1),
            carried=(),
            protection=late,
            now=datetime.now(UTC),
            dry_run=False,
        )
    assert sorted(table.read()["id"]) == [1, 2]


def test_holds_are_looked_at_right_before_the_commit_is_sent(open_table: OpenTable) -> None:
    table = open_table()
    table.merge([{"id": 1}])
    table.merge([{"id": 2}])
    told: list[str] = []

    class Telling(FaultyStorage):
        def put_if_absent(self, path: str, data: bytes) -> bool:
            told.append(path.partition("/")[0])
            return super().put_if_absent(path, data)

    def protection() -> Protection:
        told.append("holds")
        return Protection("t")

    done = restore(
        Telling(table.storage),
        table="t",
        current=table.snapshot(),
        target=load_snapshot(table.storage, version=1),
        carried=(),
        protection=protection,
        now=datetime.now(UTC),
        dry_run=False,
    )
    assert done.version == 3
    assert told[told.index("_delta_log") - 1] == "holds"
