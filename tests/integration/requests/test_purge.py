"""After a purge a person is in nothing that is left of a table, whichever way its history goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, QueryBuilder

from lakehouse import Lakehouse
from lakehouse.requests.purge import PurgedFile
from tests.fixtures.erasing import ID, TABLES, erased, fill, hits, opened, people, planned, purged


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


def rows_of(lake: Lakehouse, name: str, version: int) -> list[dict[str, Any]]:
    """Rows as we read them, the others' alone."""
    found = lake.table(name).read(version=version)
    return sorted(found.filter(pl.col("id").is_in([ID]).not_().fill_null(False)).to_dicts(), key=repr)


@pytest.mark.parametrize("name", TABLES)
def test_history_stays_without_the_person(tmp_path: Path, name: str) -> None:
    lake = opened(tmp_path / "lake", {name: TABLES[name]})
    fill(lake, name)
    path, table, who = tmp_path / "lake" / name, lake.table(name).opened, people(lake)
    lake.table(name).tag("then", version=3)
    done = erased(lake, table, who)
    versions = range(1, done.version + 1)
    before = {version: rows_of(lake, name, version) for version in versions}
    counts = {version: lake.table(name).read(version=version).height for version in versions}
    told: list[PurgedFile] = []
    result = purged(lake, table, who, "redact", note=told.extend)
    assert hits(lake) == ()
    assert result.complete
    assert (result.closed_versions, result.dropped_tags, result.fallbacks) == ((), (), ())
    assert {each.action for each in told} >= {"redacted"}
    for version in versions:
        assert rows_of(lake, name, version) == before[version]
        assert lake.table(name).read(version=version).height == counts[version]
        there = QueryBuilder().register("t", DeltaTable(path, version=version))
        assert len(pl.DataFrame(there.execute("select * from t").read_all())) == counts[version]
        assert pl.scan_delta(str(path), version=version).collect().height == counts[version]
    assert planned(lake, table, who, "redact").changes_nothing
    assert lake.table(name).verify().ok
