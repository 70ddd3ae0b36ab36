"""A merge whose version is vacuumed under its hands goes on with the newest one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import LakehouseError
from lakehouse.merge.decide import decide
from tests.properties.tables import NAME, open_table

SECTION: dict[str, Any] = {
    "changes": {"sequence": "seq"},
    "retention": [{"name": "history", "versions": {"last": 1}}],
    "merge": "on_write",
}


def changes(seq: int) -> list[dict[str, Any]]:
    return [{"id": key, "seq": seq, "v": f"v{seq}"} for key in range(4)]


@pytest.mark.parametrize("late", [2, 0], ids=["newer", "older"])
def test_a_merge_goes_on_where_a_vacuum_took_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: int
) -> None:
    table, other = open_table(tmp_path, **SECTION), open_table(tmp_path, **SECTION)
    table.merge(changes(0))
    table.read()
    times = 0

    def meanwhile(*given: Any, **named: Any) -> Any:
        nonlocal times
        times += 1
        if times == 1:
            other.merge(changes(1))
            other.vacuum(grace="0s")
        return decide(*given, **named)

    monkeypatch.setattr("lakehouse.merge.run.decide", meanwhile)
    result = table.merge([{"id": 1, "seq": late, "v": "mine"}])
    assert result.attempts == 2
    assert table.read(where="id = 1")["v"].to_list() == ["mine" if late else "v1"]
    assert table.read().height == 4
    assert table.verify().ok


def test_a_file_of_the_newest_version_that_is_gone_is_told_at_once(tmp_path: Path) -> None:
    table = open_table(tmp_path, **SECTION)
    table.merge(changes(0))
    (data,) = (path for path in (tmp_path / NAME).glob("*.parquet"))
    data.unlink()
    with pytest.raises(LakehouseError, match="the newest, can't be read"):
        table.merge(changes(1))
