"""Batches that don't fit into memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.cdc.room import OVERRIDE, ensure_room, free_memory, size_of
from lakehouse.errors import RefusedError
from tests.properties.tables import open_table

MB = 1_000_000


def test_a_batch_that_does_not_fit_is_refused_with_advice() -> None:
    with pytest.raises(RefusedError) as caught:
        ensure_room(3_000 * MB, times=4, table="orders", free=8_000 * MB)
    assert "table orders has 3,000 MB and would need about 12,000 MB of memory; 8,000 MB are free" in str(
        caught.value
    )
    assert "merge it in parts" in caught.value.advice


@pytest.mark.parametrize("free", [None, 13_000 * MB])
def test_a_batch_that_fits_or_can_not_be_judged_passes(free: int | None) -> None:
    ensure_room(3_000 * MB, times=4, table="orders", free=free)


def test_small_batches_always_pass_and_large_ones_if_they_must(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_room(1 * MB, times=4, table="orders", free=0)
    monkeypatch.setenv(OVERRIDE, "1")
    ensure_room(3_000 * MB, times=4, table="orders", free=0)


def test_files_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.verbs.merging.free_memory", lambda: 100 * MB)
    file = tmp_path / "changes.jsonl"
    with file.open("wb") as opened:
        opened.truncate(200 * MB)
    table = open_table(tmp_path / "lake")
    with pytest.raises(RefusedError, match="would need about 1,200 MB"):
        table.merge_files([file])
    assert not table.exists()
    assert size_of([file, "-", tmp_path / "missing"]) == 200 * MB


def test_the_machine_says_what_is_free() -> None:
    free = free_memory()
    assert free is None or free > 0
