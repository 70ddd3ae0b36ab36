"""Merges into a table that is not there yet, and dry runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.errors import DataError, LakehouseError, UsageError
from tests.properties.tables import delta, everywhere, files_below, open_table

BY_SEQUENCE = {"sequence": "seq"}


def test_the_first_batch_makes_the_table(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, description="people", changes=BY_SEQUENCE)
    result = table.merge([{"id": 1, "seq": 1, "v": "a"}])
    assert result.version == 1
    assert [entry.operation for entry in table.history()] == ["MERGE", "CREATE TABLE"]
    assert delta(tmp_path).metadata().description == "people"
    assert everywhere(table, tmp_path) == [{"id": 1, "seq": 1, "v": "a"}]
    features = delta(tmp_path).protocol().reader_features
    assert features == (None if mode == "on_write" else ["deletionVectors"])


def test_declared_columns_come_first_and_keep_their_types(tmp_path: Path) -> None:
    table = open_table(tmp_path, schema={"v": "integer", "id": "short"})
    table.merge([{"more": 1.5, "id": 1, "v": 7}])
    types = {field.name: str(field.type) for field in delta(tmp_path).schema().fields}
    assert list(types) == ["v", "id", "more"]
    assert [text.split('"')[1] for text in types.values()] == ["integer", "short", "double"]


def test_a_dry_run_writes_nothing(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, changes=BY_SEQUENCE)
    batch = [{"id": 1, "seq": 1, "v": "a"}, {"id": 2, "seq": 1, "_op": "delete"}, {"id": None, "seq": 1}]
    planned = table.merge(batch, dry_run=True)
    assert (planned.inserted, planned.unchanged, planned.rejected, planned.version) == (1, 1, 1, None)
    assert not planned.committed
    assert list(tmp_path.iterdir()) == []

    table.merge([{"id": key, "seq": 5, "v": "a"} for key in range(1, 5)])
    before = files_below(tmp_path)
    batch = [
        {"id": 1, "seq": 6, "v": "b"},
        {"id": 2, "seq": 6, "_op": "delete"},
        {"id": 3, "seq": 4, "v": "late"},
        {"id": 9, "seq": 4, "v": "new"},
        {"seq": 3, "_op": "truncate"},
    ]
    planned = table.merge(batch, source="s", offset=7, dry_run=True)
    assert files_below(tmp_path) == before
    assert (planned.version, planned.committed) == (1, False)
    done = table.merge(batch, source="s", offset=7)
    assert done.counts == planned.counts
    assert done.version == 2
    assert (done.inserted, done.updated, done.deleted, done.stale) == (1, 1, 2, 1)


@pytest.mark.parametrize(
    ("batch", "counts"),
    [
        pytest.param([{"id": 1, "seq": 1, "_op": "delete"}], {"unchanged": 1}, id="deletes only"),
        pytest.param([{"seq": 1, "_op": "truncate"}], {"deleted": 1}, id="truncates only"),
        pytest.param(
            [{"id": 1, "seq": 2, "_op": "delete"}, {"seq": 1, "_op": "truncate"}],
            {"unchanged": 1, "deleted": 1},
            id="both",
        ),
    ],
)
def test_what_removes_from_a_table_that_is_not_there_is_remembered(
    tmp_path: Path, mode: str, batch: list[dict[str, object]], counts: dict[str, int]
) -> None:
    schema = {"id": "long", "seq": "long", "v": "string"}
    table = open_table(tmp_path, merge=mode, changes=BY_SEQUENCE, schema=schema)
    result = table.merge(batch)
    assert {name: number for name, number in result.counts.items() if number} == counts
    late = table.merge([{"id": 1, "seq": 1, "v": "late"}, {"id": 2, "seq": 3, "v": "new"}])
    assert (late.inserted, late.stale + late.conflicting) == (1, 1)
    assert everywhere(table, tmp_path) == [{"id": 2, "seq": 3, "v": "new"}]


def test_only_deletes_and_no_schema(tmp_path: Path) -> None:
    table = open_table(tmp_path, changes=BY_SEQUENCE)
    assert table.merge([{"id": 1, "seq": 5, "_op": "delete"}]).unchanged == 1
    assert table.merge([{"id": 1, "seq": 4, "v": "late"}, {"id": 2, "seq": 4, "v": "x"}]).stale == 1
    assert table.read().to_dicts() == [{"id": 2, "seq": 4, "v": "x"}]


def test_only_truncates_and_no_schema_can_not_make_a_table(tmp_path: Path) -> None:
    """Nothing tells the type of the key then."""
    table = open_table(tmp_path, changes=BY_SEQUENCE)
    with pytest.raises(LakehouseError) as caught:
        table.merge([{"seq": 5, "_op": "truncate"}])
    assert "id" in str(caught.value)
    assert not table.exists()


def test_a_partition_column_that_no_record_has(tmp_path: Path) -> None:
    table = open_table(tmp_path, partition_by=["day"])
    with pytest.raises(LakehouseError, match="day"):
        table.merge([{"id": 1, "v": "a"}])
    assert not table.exists()


def test_changes_without_the_key(tmp_path: Path) -> None:
    table = open_table(tmp_path)
    with pytest.raises(DataError, match="no key column id"):
        table.merge([{"v": "a"}])
    assert not table.exists()


def test_a_table_without_a_key_takes_no_changes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without a key"):
        open_table(tmp_path, key=[]).merge([{"id": 1}])


def test_a_table_that_shreds_is_not_merged_into_without_keys_of_people(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="opened without them"):
        open_table(tmp_path, pii={"name": {"entity": "PERSON", "shred": "customer"}}).merge([{"id": 1}])
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_masks_is_not_merged_into_without_its_masks(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="without its masks"):
        open_table(tmp_path, pii={"name": "PERSON"}, mask_at="merge").merge([{"id": 1, "name": "Ada"}])
    assert list(tmp_path.iterdir()) == []


def test_source_and_offset_belong_together(tmp_path: Path) -> None:
    table = open_table(tmp_path)
    with pytest.raises(UsageError, match="belong together"):
        table.merge([{"id": 1}], source="s")
    with pytest.raises(UsageError, match="belong together"):
        table.merge([{"id": 1}], offset=1)
