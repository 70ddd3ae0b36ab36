from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from lakehouse import Lakehouse
from lakehouse.table import Table

OpenTable: TypeAlias = Callable[..., Table]


@pytest.fixture
def open_table(tmp_path: Path) -> OpenTable:
    """Opens the table ``t`` of a lake with a section of the config as given; it need not be there yet."""

    def opened(*, key: Sequence[str] = ("id",), **section: Any) -> Table:
        tables: Mapping[str, Any] = {"t": {"key": list(key), **section}}
        config = {"version": 1, "name": "x", "storage": {"root": str(tmp_path / "lake")}, "tables": tables}
        return Lakehouse.open(config).table("t")

    return opened
