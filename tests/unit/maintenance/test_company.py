"""Compactions in company: what others commit while files are put together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import ConflictError
from lakehouse.storage import open_storage
from lakehouse.table import Table
from tests.fixtures.meanwhile import Deed, Meanwhile
from tests.properties.tables import NAME, everywhere, files_below, open_table


def filled(root: Path, *, files: int = 4, rows: int = 10, **section: Any) -> Table:
    table = open_table(root, **{"merge": "on_read", **section})
    for number in range(files):
        table.merge([{"id": key, "v": "a"} for key in range(number * rows, (number + 1) * rows)])
    return table


def in_company(root: Path, *deeds: Deed) -> Table:
    storage = Meanwhile(open_storage(root, options={"fsync": "false"}), deeds)
    return open_table(root, storage=storage, merge="on_read")


def deletes(*keys: int) -> list[dict[str, object]]:
    return [{"id": key, "_op": "delete"} for key in keys]


def ids(table: Table, root: Path) -> list[int]:
    return sorted(row["id"] for row in everywhere(table, root))


def test_rows_that_a_merge_takes_meanwhile_stay_away(tmp_path: Path) -> None:
    other = filled(tmp_path)
    other.merge(deletes(3, 17, 18))
    deeds: list[Deed] = [
        lambda: other.merge(deletes(2, 16, 39)),
        lambda: other.merge([{"id": 20, "v": "new"}, {"id": 500, "v": "new"}]),
    ]
    result = in_company(tmp_path, *deeds).compact()
    assert (result.version, result.files_removed, result.files_added) == (8, 4, 1)
    rows = {row["id"]: row["v"] for row in everywhere(other, tmp_path)}
    assert set(rows) == {*range(40), 500} - {2, 3, 16, 17, 18, 39}
    assert (rows[20], rows[500], rows[21]) == ("new", "new", "a")
    assert other.verify().ok
    again = other.merge([{"id": 2, "v": "back"}, {"id": 21, "v": "x"}])
    assert (again.inserted, again.updated) == (1, 1)


def test_an_old_file_that_another_rewrote_is_left_to_it(tmp_path: Path) -> None:
    other = filled(tmp_path, merge="on_write")
    before = set(files_below(tmp_path / NAME))
    result = in_company(tmp_path, lambda: other.merge(deletes(2))).compact()
    assert (result.version, result.files_added) == (6, 1)
    assert ids(other, tmp_path) == sorted({*range(40)} - {2})
    new = [path for path in set(files_below(tmp_path / NAME)) - before if path.endswith(".parquet")]
    assert len(new) == 2 + (1 if any("checkpoint" in path for path in new) else 0)


def test_two_compactions_at_once_double_nothing(tmp_path: Path) -> None:
    other = filled(tmp_path)
    result = in_company(tmp_path, other.compact).compact()
    assert (result.version, result.changes_nothing) == (None, True)
    assert ids(other, tmp_path) == list(range(40))


def test_a_restore_brings_rows_back_for_the_compaction_too(tmp_path: Path) -> None:
    other = filled(tmp_path)
    other.merge(deletes(*range(5)))
    in_company(tmp_path, lambda: other.restore(version=4)).compact()
    assert ids(other, tmp_path) == list(range(40))


def test_where_every_row_dies_meanwhile_nothing_is_added(tmp_path: Path) -> None:
    other = filled(tmp_path, files=2, rows=4)
    other.merge([{"id": 100, "v": "a"}])
    result = in_company(tmp_path, lambda: other.merge(deletes(*range(8)))).compact()
    assert ids(other, tmp_path) == [100]
    assert result.version is None or result.files_added <= 1


def test_it_gives_up_where_others_take_its_files_again_and_again(tmp_path: Path) -> None:
    other = filled(tmp_path, merge="on_write")
    keys = iter(range(40))
    deeds: list[Deed] = [lambda: other.merge([{"id": next(keys), "v": "new"}])] * 12
    with pytest.raises(ConflictError, match="could not be compacted"):
        in_company(tmp_path, *deeds).compact()
    assert ids(other, tmp_path) == list(range(40))
    assert other.verify().ok
