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
