"""Checkpoints of every kind are stripped of bounds, and read as before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from deltalake import DeltaTable, QueryBuilder

from lakehouse.delta.snapshot import load_snapshot
from lakehouse.delta.stripping.log import strip_log
from lakehouse.delta.stripping.rules import Rules
from lakehouse.storage import Storage
from tests.integration.delta_log.test_checkpoint_kinds import into_parts, into_v2, with_checkpoint

RULES = Rules([("id",)])
KINDS: dict[str, Callable[[Storage], None]] = {
    "classic": lambda _: None,
    "parts": into_parts,
    "v2 json": partial(into_v2, kind="json"),
    "v2 parquet": partial(into_v2, kind="parquet"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_only_bounds_go(tmp_path: Path, kind: str) -> None:
    table = with_checkpoint(tmp_path)
    KINDS[kind](table)
    before = load_snapshot(table)
    sizes = {info.path: info.size for info in table.list("_delta_log") if "checkpoint" in info.path}
    sizes |= {info.path: info.size for info in table.list("_delta_log/_sidecars")}
    done = strip_log(table, [("id",)])
    changed = {file.path for file in done.files if file.kind == "checkpoint"}
    assert len(changed) == {"classic": 1, "parts": 3, "v2 json": 2, "v2 parquet": 2}[kind]
    after = load_snapshot(table)
    assert all('"id"' in (add.stats or "") for add in before.files.values())
    assert dict(after.files) == {
        path: replace(add, stats=RULES.stats(add.stats or "")) for path, add in before.files.items()
    }
    assert (after.protocol, after.metadata) == (before.protocol, before.metadata)
    assert all(table.head(path).size == size for path, size in sizes.items())
    there = DeltaTable(table.url)
    assert set(there.file_uris()) == {add.location(table.url) for add in before.files.values()}
    found = QueryBuilder().register("t", there).execute("select id from t").read_all()
    assert len(found) == sum(add.physical_records or 0 for add in before.files.values())
