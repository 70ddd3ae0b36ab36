"""Full pictures (format ``snapshot``): differences are merged, what is missing goes, stumps are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import DataError, RefusedError
from lakehouse.table import Table
from tests.properties.tables import everywhere, open_table


def table(root: Path, **section: Any) -> Table:
    changes = {"format": "snapshot", **section.pop("changes", {})}
    return open_table(root, changes=changes, **section)


def rows(*ids: int, **cells: Any) -> list[dict[str, Any]]:
    return [{"id": number, "v": number, "tags": ["a", None], **cells} for number in ids]


@pytest.mark.parametrize("mode", ["on_read", "on_write"])
def test_the_table_becomes_the_picture(tmp_path: Path, mode: str) -> None:
    found = table(tmp_path, merge=mode)
    assert found.merge(rows(1, 2, 3, 4)).inserted == 4
    result = found.merge([*rows(1, 2, 5), {"id": 3, "v": 30, "tags": ["a", None]}])
    counts = (result.inserted, result.updated, result.deleted, result.unchanged)
    assert counts == (1, 1, 1, 2)
    assert everywhere(found, tmp_path) == [
        *rows(1, 2),
        {"id": 3, "v": 30, "tags": ["a", None]},
        *rows(5),
    ]


def test_the_same_picture_again_makes_no_version(tmp_path: Path) -> None:
    found = table(tmp_path)
    found.merge(rows(1, 2, 3))
    result = found.merge(rows(3, 2, 1))
    assert (result.committed, result.unchanged, result.version) == (False, 3, 1)


@pytest.mark.parametrize("picture", [[], rows(1)], ids=["empty", "tiny"])
def test_a_picture_that_is_cut_off_is_refused(tmp_path: Path, picture: list[dict[str, Any]]) -> None:
    found = table(tmp_path)
    found.merge(rows(*range(1, 11)))
    with pytest.raises(RefusedError, match=r"lacks (9|10) of 10 stored rows") as caught:
        found.merge(picture)
    assert caught.value.exit_code == 3
    assert found.read().height == 10
    assert found.merge(picture, allow_deletes=True).deleted == 10 - len(picture)
    assert found.read().height == len(picture)


def test_how_much_may_go_is_configured(tmp_path: Path) -> None:
    found = table(tmp_path, changes={"max_deletes": 0.1})
    found.merge(rows(*range(1, 11)))
    with pytest.raises(RefusedError, match="at most 10%"):
        found.merge(rows(*range(3, 11)))
    assert found.merge(rows(*range(2, 11))).deleted == 1


def test_a_record_that_can_not_be_used_deletes_nothing(tmp_path: Path) -> None:
    found = table(tmp_path)
    found.merge(rows(1, 2, 3))
    result = found.merge([*rows(1, v=10), b'{"id": 2, "v'])
    assert (result.updated, result.rejected, result.deleted) == (1, 1, 0)
    assert sorted(found.read()["id"]) == [1, 2, 3]


def test_columns_that_the_picture_lacks_or_brings(tmp_path: Path) -> None:
    found = table(tmp_path)
    found.merge([{"id": 1, "v": 1, "w": 1}, {"id": 2, "v": 2, "w": 2}])
    assert found.merge([{"id": 1, "v": 1}, {"id": 2, "v": 2}]).unchanged == 2
    result = found.merge([{"id": 1, "v": 1, "new": None}, {"id": 2, "v": 2, "new": "x"}])
    assert (result.unchanged, result.updated) == (1, 1)
    assert everywhere(found, tmp_path) == [
        {"id": 1, "v": 1, "w": 1, "new": None},
        {"id": 2, "v": 2, "w": 2, "new": "x"},
    ]


def test_of_rows_with_the_same_key_the_last_counts(tmp_path: Path) -> None:
    found = table(tmp_path)
    result = found.merge([*rows(1, v=1), *rows(1, v=2)])
    assert (result.inserted, result.stale) == (1, 1)
    assert found.merge([*rows(1, v=3), *rows(1, v=2)]).updated == 1
    assert found.read()["v"].to_list() == [2]


def test_pictures_and_full_history(tmp_path: Path) -> None:
    found = table(tmp_path, history="full")
    found.merge(rows(1, 2))
    found.merge([*rows(1, v=7)])
    kept = found.read().sort("id", "_valid_from")
    assert kept.select("id", "v", "_is_current").rows() == [(1, 1, False), (1, 7, True), (2, 2, False)]
    assert found.merge(rows(1, v=7)).committed is False


def test_a_picture_has_no_sequence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not ordered by v"):
        table(tmp_path, changes={"sequence": "v"}).merge(rows(1))
