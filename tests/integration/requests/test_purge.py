"""After a purge a person is in nothing that is left of a table, whichever way its history goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakehouse import Lakehouse
from lakehouse.requests.purge import PurgedFile
from tests.fixtures.erasing import TABLES, erased, fill, hits, opened, people, planned, purged


@pytest.fixture
def lake(tmp_path: Path) -> Lakehouse:
    return opened(tmp_path / "lake")


@pytest.mark.parametrize("name", TABLES)
def test_history_is_cut(tmp_path: Path, name: str) -> None:
    lake = opened(tmp_path / "lake", {name: TABLES[name]})
    fill(lake, name)
    table, who = lake.table(name).opened, people(lake)
    before = lake.table(name).read().sort("id", "seq")
    assert hits(lake)
    done = erased(lake, table, who)
    told: list[PurgedFile] = []
    result = purged(lake, table, who, "cut", note=told.extend)
    assert hits(lake) == ()
    assert result.complete
    assert result.removed == len(told) > 0
    assert lake.table(name).read().sort("id", "seq").equals(before.filter(before["id"] != 4711))
    assert DeltaTable(str(tmp_path / "lake" / name)).version() == done.version
    assert planned(lake, table, who, "cut").changes_nothing
    assert lake.table(name).verify().ok
