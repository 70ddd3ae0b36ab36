"""Archives of tables to which columns came, and where archives may lie."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse
from lakehouse.errors import ConfigError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD = datetime(2024, 6, 1, tzinfo=UTC)


def config(tmp_path: Path, *, to: str) -> dict[str, Any]:
    rule = {"name": "old", "column": "at", "keep": "90d", "action": "archive", "to": to, "max_fraction": 1}
    schema = {"id": "long", "seq": "long", "at": "timestamp"}
    table = {"key": ["id"], "schema": schema, "changes": {"sequence": "seq"}, "retention": [rule]}
    root = str(tmp_path / "lake")
    return {"version": 1, "name": "shop", "storage": {"root": root}, "tables": {"orders": table}}


def test_rows_come_back_to_a_table_to_which_columns_came(tmp_path: Path) -> None:
    lake = Lakehouse.open(config(tmp_path, to="archive"))
    orders = lake.table("orders")
    orders.merge([{"id": 1, "seq": 1, "at": OLD}, {"id": 2, "seq": 1, "at": NOW}])
    orders.merge([{"id": 3, "seq": 1, "at": OLD, "note": "later"}])
    before = orders.read().sort("id")
    lake.retention.apply(now=NOW)
    assert orders.read()["id"].to_list() == [2]
    assert lake.retention.restore_archive("orders").rows == 2
    assert orders.read().sort("id").equals(before)
    assert orders.verify(full=True).ok


def test_an_archive_is_not_where_a_vacuum_of_the_quarantine_would_take_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="inside the table `orders__quarantine`"):
        Lakehouse.open(config(tmp_path, to="orders__quarantine/old"))


def known_to_rows(lake: Lakehouse) -> None:
    """Rows that did and did not know the columns `note` and `odd`, of which the latter still has no type."""
    orders = lake.table("orders")
    orders.merge([{"id": 1, "seq": 5, "at": OLD}, {"id": 2, "seq": 5, "at": NOW}])
    orders.merge(
        [{"id": 3, "seq": 5, "at": OLD, "note": "later"}, {"id": 4, "seq": 5, "at": OLD, "note": None}]
    )
    orders.merge([{"id": 5, "seq": 5, "at": OLD, "odd": None}])


def late_changes(lake: Lakehouse) -> None:
    lake.table("orders").merge([{"id": i, "seq": 3, "note": "late", "odd": f"{i}"} for i in range(1, 6)])


def test_what_archived_rows_knew_of_columns_comes_back_with_them(tmp_path: Path) -> None:
    away = Lakehouse.open(config(tmp_path / "away", to="archive"))
    stayed = Lakehouse.open(config(tmp_path / "stayed", to="archive"))
    known_to_rows(away)
    known_to_rows(stayed)
    away.retention.apply(now=NOW)
    assert away.retention.restore_archive("orders").counts == {"inserted": 4}
    late_changes(away)
    late_changes(stayed)
    expected = stayed.table("orders").read().sort("id")
    assert expected["note"].to_list() == ["late", "late", "later", None, "late"]
    assert expected["odd"].to_list() == ["1", "2", "3", "4", None]
    assert away.table("orders").read().sort("id").equals(expected)


def test_columns_that_came_after_the_archive_are_not_said_to_be_null(tmp_path: Path) -> None:
    lake = Lakehouse.open(config(tmp_path, to="archive"))
    orders = lake.table("orders")
    orders.merge([{"id": 1, "seq": 5, "at": OLD}, {"id": 2, "seq": 5, "at": NOW}])
    lake.retention.apply(now=NOW)
    orders.merge([{"id": 2, "seq": 6, "note": "new"}])
    lake.retention.restore_archive("orders")
    late_changes(lake)
    assert orders.read(where="id = 1")["note"].to_list() == ["late"]


def test_cells_that_were_never_set_come_back_so(tmp_path: Path) -> None:
    away = Lakehouse.open(config(tmp_path / "away", to="archive"))
    stayed = Lakehouse.open(config(tmp_path / "stayed", to="archive"))
    for lake in (away, stayed):
        orders = lake.table("orders")
        orders.merge([{"id": 0, "seq": 1, "at": NOW, "note": "first", "more": "x"}])
        orders.merge(
            [{"id": 1, "seq": 5, "at": OLD, "note": "stated"}, {"id": 2, "seq": 5, "at": OLD, "more": "y"}]
        )
    away.retention.apply(now=NOW)
    away.retention.restore_archive("orders")
    for lake in (away, stayed):
        lake.table("orders").merge([{"id": i, "seq": 3, "note": "late", "more": "late"} for i in (1, 2)])
    expected = stayed.table("orders").read().sort("id")
    assert expected["more"].to_list() == ["x", "late", "y"]
    assert away.table("orders").read().sort("id").equals(expected)
