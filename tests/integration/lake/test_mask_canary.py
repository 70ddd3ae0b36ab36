"""A marked person is in no byte of a masked copy, nor of a table that was masked in place and vacuumed."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse.table import Table
from tests.properties.tables import by_delta_rs, by_polars, records
from tests.unit.pii.mask_lakes import MaskLake, holding

CANARY = "canary-7d21"
ROW = {"id": 7, "name": f"{CANARY} Doe", "email": f"{CANARY}@x.example", "phone": f"{CANARY}-12", "n": 1}
SECTION: dict[str, Any] = {
    "changes": {"sequence": "n"},
    "merge": "on_read",
    "retention": [{"name": "history", "versions": {"last": 1}}],
}
CASES = [
    {"mask_at": "merge"},
    {"mask_at": "merge", "key": ["email"]},
    {"mask_at": "merge", "history": "full"},
    {"mask_at": "merge", "change_feed": True},
]


def live(lake: MaskLake) -> None:
    """The person comes, changes in parts, goes and comes back, among others; long enough for checkpoints."""

    def row(n: int, **more: Any) -> dict[str, Any]:
        return {**ROW, "n": n, **more}

    others = [{"id": n, "name": "Al", "email": f"al{n}@x.example", "phone": "1", "n": 1} for n in (1, 20)]
    key = {name: ROW[name] for name in lake.t.config.key}
    lake.t.merge([row(1), *others])
    lake.t.merge([{**key, "phone": f"{CANARY}-13", "n": 2}])
    lake.t.merge([{"_op": "delete", **key, "n": 3}])
    for n in range(4, 12):
        lake.t.merge([row(n)])
    lake.t.compact()
    lake.t.merge([{"_op": "delete", **key, "id": 20, "email": "al20@x.example", "n": 50}, row(12)])


def later(lake: MaskLake) -> Table:
    config = lake.lake.table("t").config
    clock = datetime.now(UTC) + timedelta(days=60)
    storage = lake.lake.storage
    return Table(name="t", config=config, storage=storage.child("t"), lake=storage, clock=lambda: clock)


@pytest.mark.parametrize("section", CASES, ids=str)
def test_nothing_clear_is_left(
    tmp_path: Path, section: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    lake = MaskLake(
        tmp_path / "lake", more={"state": f"sqlite:///{tmp_path}/state.db"}, **{**SECTION, **section}
    )
    live(lake)
    results = [lake.pii.mask("t", to="t_masked")]
    lake.t.merge([{**ROW, "n": 20}])
    results.append(lake.pii.mask("t", to="t_masked"))
    assert [each.action for each in results] == ["anew", "follow"]
    for version in range(12):
        lake.t.merge([{"id": 1, "email": "al1@x.example", "n": 100 + version}])
        lake.pii.mask("t", to="t_masked")
    assert list((tmp_path / "lake/t_masked/_delta_log").glob("*.checkpoint.parquet"))
    assert holding(tmp_path / "lake/t", CANARY)
    assert holding(tmp_path / "lake/t_masked", CANARY) == []

    plan = lake.pii.mask("t", in_place=True, dry_run=True)
    done = lake.pii.mask("t", in_place=True, plan=plan)
    assert done.version is not None
    table = later(lake)
    while not table.vacuum(dry_run=True, grace="0s").changes_nothing:
        table.vacuum(grace="0s")
    assert holding(tmp_path, CANARY) == []
    assert table.verify(full=True).findings == ()
    visible = lake.t.read()
    assert visible.height > 1
    theirs = by_delta_rs(tmp_path / "lake").select(visible.columns)
    assert (
        records(theirs) == records(by_polars(tmp_path / "lake").select(visible.columns)) == records(visible)
    )
    assert lake.pii.mask("t", to="t_masked").action == "anew"
    assert holding(tmp_path, CANARY) == []
    said = f"{plan.to_dict()} {plan!r} {results!r} {lake.lake._records.list()!r} {caplog.text}"
    assert CANARY not in said
