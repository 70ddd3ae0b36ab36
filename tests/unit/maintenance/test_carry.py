"""Rows that others take away while files are put together go from the new file too."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from lakehouse.delta.log import commits
from lakehouse.storage import open_storage
from lakehouse.table import Table
from tests.fixtures.meanwhile import Deed, Meanwhile
from tests.properties.tables import NAME, everywhere, files_below, open_table

ROWS = 60
HIDDEN = frozenset({5, 6, 25, 26, 45, 46})
SEVERAL = 1400
"""A target size at which the three files become three others."""

SECTION: dict[str, Any] = {
    "merge": "on_read",
    "schema": {"id": "long", "v": "long", "file": "long"},
    "compact": {"cluster_by": ["v"]},
}


def filled(root: Path, *, target_size: int | None = None) -> Table:
    """Three files, two rows of each hidden; sorted by ``v``, their rows lie mixed in the new files."""
    table = open_table(root, **SECTION)
    for number in range(3):
        table.merge([row(key) for key in range(number * 20, number * 20 + 20)])
    table.merge(gone(*HIDDEN))
    if target_size is not None:
        DeltaTable(str(root / NAME)).alter.set_table_properties({"delta.targetFileSize": str(target_size)})
    return table


def row(key: int, v: int | None = None) -> dict[str, object]:
    return {"id": key, "v": (key * 37) % 101 if v is None else v, "file": key // 20}


def gone(*keys: int) -> list[dict[str, object]]:
    return [{"id": key, "_op": "delete"} for key in keys]


def in_company(root: Path, *deeds: Deed) -> Table:
    storage = Meanwhile(open_storage(root, options={"fsync": "false"}), deeds)
    return open_table(root, storage=storage, **SECTION)


def state(table: Table, root: Path) -> dict[int, int]:
    return {item["id"]: item["v"] for item in everywhere(table, root)}


def needless(table: Table, root: Path) -> set[str]:
    """Vectors and data files that no commit speaks of."""
    told: set[str | None] = set()
    for commit in commits(table.storage, start=0, end=table.snapshot().version):
        for action in commit.actions:
            vector = getattr(action, "deletion_vector", None)
            told |= {getattr(action, "path", None), vector.relative_path() if vector else None}
    there = {path for path in files_below(root / NAME) if path.endswith((".parquet", ".bin"))}
    return {path for path in there - told if not path.startswith("_")}


@pytest.mark.parametrize("target_size", [None, SEVERAL], ids=["one", "several"])
def test_single_rows(tmp_path: Path, target_size: int | None) -> None:
    other = filled(tmp_path, target_size=target_size)
    deeds: list[Deed] = [
        lambda: other.merge([*gone(0, 21, 22, 59), row(3, 500)]),
        lambda: other.merge([*gone(58, 1), row(20, 500)]),
    ]
    before = len(other.snapshot().files)
    result = in_company(tmp_path, *deeds).compact()
    assert (result.files_removed, result.files_added > 1) == (before, target_size is not None)
    wanted = {key: (key * 37) % 101 for key in range(ROWS) if key not in {*HIDDEN, 0, 1, 21, 22, 58, 59}}
    assert state(other, tmp_path) == {**wanted, 3: 500, 20: 500}
    compacted = [add for add in other.snapshot().files.values() if add.deletion_vector is not None]
    assert sum(add.deletion_vector.cardinality for add in compacted if add.deletion_vector) == 8
    assert needless(other, tmp_path) == set()
    assert other.verify().ok
    # The rows are found again, in what has vectors now.
    again = other.merge([row(2, 7), row(20, 8), *gone(23)])
    assert (again.updated, again.deleted) == (2, 1)
    assert other.compact().version is not None
    assert state(other, tmp_path) == {
        **{key: v for key, v in wanted.items() if key != 23}, 2: 7, 3: 500, 20: 8
    }  # fmt: skip


def test_a_whole_file(tmp_path: Path) -> None:
    other = filled(tmp_path)
    result = in_company(tmp_path, lambda: other.merge(gone(*range(20)))).compact()
    assert (result.files_removed, result.files_added) == (2, 1)
    assert set(state(other, tmp_path)) == set(range(20, ROWS)) - HIDDEN


def test_a_new_file_of_which_nothing_is_left(tmp_path: Path) -> None:
    other = filled(tmp_path, target_size=SEVERAL)
    highest = sorted({*range(ROWS)} - HIDDEN, key=lambda key: (key * 37) % 101)[36:]
    result = in_company(tmp_path, lambda: other.merge(gone(*highest))).compact()
    assert (result.files_removed, result.files_added) == (3, 2)
    assert set(state(other, tmp_path)) == set(range(ROWS)) - HIDDEN - {*highest}
    assert needless(other, tmp_path) == set()
    assert other.verify().ok


def test_rows_that_came_back(tmp_path: Path) -> None:
    other = filled(tmp_path)
    result = in_company(tmp_path, lambda: other.restore(version=2)).compact()
    assert result.version is not None
    assert set(state(other, tmp_path)) == set(range(40))
    back = filled(root := tmp_path / "back")
    in_company(root, lambda: back.restore(version=3)).compact()
    assert set(state(back, root)) == set(range(ROWS))
    assert needless(back, root) == set()


def test_origins_that_are_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.maintenance.compact.MOST_ROWS", 10)
    other = filled(tmp_path)
    result = in_company(tmp_path, lambda: other.merge(gone(0, 21))).compact()
    # All is written once more, on what the other has left.
    assert (result.files_added, len(other.snapshot().files)) == (1, 1)
    assert set(state(other, tmp_path)) == set(range(ROWS)) - HIDDEN - {0, 21}
    assert needless(other, tmp_path) == set()


@pytest.mark.parametrize("seed", range(10))
def test_any_company(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    other = filled(tmp_path, target_size=dice.choice([None, SEVERAL, 3000]))
    model = {key: (key * 37) % 101 for key in range(ROWS) if key not in HIDDEN}

    def merge() -> None:
        batch: list[dict[str, object]] = []
        for key in dice.sample(range(ROWS + 5), dice.randint(1, 12)):
            if dice.random() < 0.6:
                batch += gone(key)
                model.pop(key, None)
            else:
                model[key] = dice.randint(200, 300)
                batch.append(row(key, model[key]))
        other.merge(batch)

    choice: list[Deed] = [merge, merge, merge, other.compact]
    deeds = [dice.choice(choice) for _ in range(dice.randint(1, 4))]
    in_company(tmp_path, *deeds).compact()
    assert state(other, tmp_path) == model
    assert other.verify().ok
    assert needless(other, tmp_path) == set()
