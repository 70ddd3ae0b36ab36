"""Exactly once: a batch and how far its source has been read are one commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.errors import UsageError
from tests.properties.tables import delta, everywhere, open_table


def test_a_repeated_offset_does_nothing(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode)
    assert table.merge([{"id": 1, "v": "a"}], source="shop", offset=0).inserted == 1
    assert table.merge([{"id": 1, "v": "b"}], source="shop", offset=3).updated == 1
    for old in (3, 2, 0):
        again = table.merge([{"id": 1, "v": "c"}, {"id": 2, "v": "c"}], source="shop", offset=old)
        assert (again.duplicate, again.total, again.committed, again.version) == (2, 2, False, 2)
    assert everywhere(table, tmp_path) == [{"id": 1, "v": "b"}]


def test_sources_do_not_know_of_each_other(tmp_path: Path) -> None:
    table = open_table(tmp_path)
    table.merge([{"id": 1, "v": "a"}], source="shop", offset=9)
    assert table.merge([{"id": 2, "v": "a"}], source="crm", offset=1).inserted == 1
    assert delta(tmp_path).transaction_version("shop") == 9
    assert delta(tmp_path).transaction_version("crm") == 1


def test_an_offset_is_kept_also_where_the_rows_stay_the_same(tmp_path: Path) -> None:
    table = open_table(tmp_path, changes={"sequence": "seq"})
    table.merge([{"id": 1, "seq": 5, "v": "a"}], source="shop", offset=1)
    idle = table.merge([{"id": 1, "seq": 4, "v": "late"}], source="shop", offset=2)
    assert (idle.stale, idle.committed, idle.version) == (1, True, 2)
    empty = table.merge([], source="shop", offset=3)
    assert (empty.total, empty.committed, empty.version) == (0, True, 3)
    assert table.merge([{"id": 1, "seq": 6, "v": "b"}], source="shop", offset=3).duplicate == 1
    assert delta(tmp_path).transaction_version("shop") == 3


def test_another_process_sees_the_offset(tmp_path: Path) -> None:
    open_table(tmp_path).merge([{"id": 1, "v": "a"}], source="shop", offset=1)
    assert open_table(tmp_path).merge([{"id": 1, "v": "b"}], source="shop", offset=1).duplicate == 1


def test_an_offset_survives_checkpoints_restores_and_compaction(tmp_path: Path) -> None:
    table = open_table(tmp_path)
    for number in range(12):
        table.merge([{"id": number, "v": "a"}], source="shop", offset=number)
    table.compact()
    table.restore(version=3)
    assert (tmp_path / "t" / "_delta_log" / "_last_checkpoint").exists()
    assert open_table(tmp_path).merge([{"id": 99, "v": "b"}], source="shop", offset=11).duplicate == 1


def test_two_sources_raced_from_an_old_snapshot(tmp_path: Path) -> None:
    first, second = open_table(tmp_path), open_table(tmp_path)
    first.merge([{"id": 1, "v": "a"}], source="shop", offset=1)
    assert second.snapshot().version == 1
    first.merge([{"id": 1, "v": "b"}], source="shop", offset=2)
    assert second.merge([{"id": 1, "v": "c"}], source="shop", offset=2).duplicate == 1
    assert second.read().to_dicts() == [{"id": 1, "v": "b"}]


@pytest.mark.parametrize("offset", [-1, 2**63])
def test_an_offset_that_delta_can_not_hold(tmp_path: Path, offset: int) -> None:
    table = open_table(tmp_path)
    with pytest.raises(UsageError, match="offset"):
        table.merge([{"id": 1, "v": "a"}], source="shop", offset=offset)
    assert not table.exists()


def test_the_name_that_tombstones_go_by_is_no_source(tmp_path: Path) -> None:
    table = open_table(tmp_path, changes={"sequence": "seq"})
    with pytest.raises(UsageError, match="source"):
        table.merge([{"id": 1, "seq": 1, "_op": "delete"}], source="lakehouse.tombstones", offset=1)
    assert not table.exists()
