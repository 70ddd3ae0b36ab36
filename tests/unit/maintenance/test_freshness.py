"""How old the newest data may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lakehouse.table import Table
from tests.properties.tables import open_table


def late(root: Path, hours: float, **expectation: Any) -> Table:
    return open_table(
        root,
        clock=lambda: datetime.now(UTC) + timedelta(hours=hours),
        expect=[{"name": "fresh", "freshness": "1h", **expectation}],
    )


def test_fresh_data_is_well(tmp_path: Path) -> None:
    open_table(tmp_path).merge([{"id": 1}])
    report = late(tmp_path, 0.5, on_fail="fail").verify()
    assert report.ok
    assert [each.ok for each in report.freshness] == [True]


def test_stale_data_is_a_finding_or_a_warning(tmp_path: Path) -> None:
    open_table(tmp_path).merge([{"id": 1}])
    failed = late(tmp_path, 2, on_fail="fail").verify()
    assert [finding.kind for finding in failed.findings] == ["stale_data"]
    assert "fresh" in failed.findings[0].detail
    warned = late(tmp_path, 2).verify()
    assert warned.ok
    assert [each.ok for each in warned.freshness] == [False]
    assert late(tmp_path, 2, on_fail="fail").verify(version=0).ok


def test_commits_that_leave_the_rows_alone_do_not_count(tmp_path: Path) -> None:
    open_table(tmp_path).merge([{"id": 1}])
    open_table(tmp_path).merge([{"id": 2}])
    table = late(tmp_path, 0)
    before = table.verify().freshness[0].newest
    table.merge([], source="shop", offset=1)
    assert table.compact().version is not None
    assert table.verify().freshness[0].newest == before
    table.merge([{"id": 1, "_op": "delete"}])
    assert table.verify().freshness[0].newest > before
