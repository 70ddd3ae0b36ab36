"""The retention whose every storage call is made to fail in turn."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from lakehouse.storage import Storage
from tests.unit.retention.lakes import NOW, Lake, fill, one_table

RULES: Final[dict[str, dict[str, Any]]] = {
    "delete": {"action": "delete"},
    "archive": {"action": "archive", "to": "archive"},
    "anonymize": {"action": "anonymize", "columns": ["name"]},
}
MANY: Final = 400
KEPT: Final = [3, 4, 5, 6, 7]


def lake(root: Path, action: str, *, storage: Storage | None = None, **section: Any) -> Lake:
    rule = {"name": "old", "column": "at", "keep": "30d", "max_fraction": 0.9, **RULES[action]}
    found = one_table(root, rule, **section)
    if storage is None:
        return found
    tables = {"t": found.config.tables["t"].model_dump(by_alias=True, exclude_unset=True)}
    return Lake(root, tables, storage=storage)


def fill_lake(root: Path, action: str, **section: Any) -> None:
    """A file that goes whole, one that goes in part, one that stays."""
    ages = ((100, 90), (40, 20, 10, 9), (5, 1))
    parts = [[NOW - timedelta(days=age) for age in part] for part in ages]
    fill(lake(root, action, **section), *parts, name=lambda i: f"person {i}")


def fill_many(root: Path, action: str) -> None:
    """Many old rows in a few files, each with some young ones."""
    found = lake(root, action)
    for part in range(4):
        ids = range(part * MANY // 4, (part + 1) * MANY // 4)
        rows = [{"id": n, "at": NOW - timedelta(days=60 if n % 3 else 1), "name": f"person {n}"} for n in ids]
        found.table("t").merge(rows)
