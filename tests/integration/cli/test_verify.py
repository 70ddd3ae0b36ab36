"""What `lakehouse verify` shows, asks and does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from tests.integration.verify.damage import edit_stats

Run = Callable[..., Any]
LOG = Path("lake/customers/_delta_log")


@pytest.fixture
def damaged(shop: Run) -> Run:
    """Customers with a damaged checkpoint and wrong statistics."""
    DeltaTable("lake/customers").create_checkpoint()
    edit_stats(Path("lake/customers"), lambda stats: stats["nullCount"].update({"name": 1}))
    checkpoint = next(LOG.glob("*.checkpoint.parquet"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    return shop


def test_a_healthy_table(shop: Run) -> None:
    answer = shop("verify", "customers", "--full")
    assert answer.code == 0
    assert answer.out.startswith("customers: all well (version ")
    (document,) = shop("--json", "verify", "customers", "--full").document["tables"]
    assert (document["full"], document["findings"], document["plan"]) == (True, [], [])
    assert document["files_read"] == document["files"]
    answer = shop("verify", "--repair", "--dry-run")
    assert answer.code == 0
    assert "nothing that can be mended" in answer.out


def test_damage_with_what_to_do(damaged: Run) -> None:
    answer = damaged("verify")
    assert answer.code == 5
    assert "bad_checkpoint" in answer.out
    assert "wrong_statistics: `lakehouse verify --repair` mends it" in answer.out
    document = damaged("--json", "verify").document
    assert document["ok"] is False
    found = document["tables"][0]["findings"]
    assert {each["kind"] for each in found} == {"bad_checkpoint", "wrong_statistics"}
    assert all(each["repairable"] for each in found)
    assert Path(found[0]["path"]).suffix


def test_a_plan_changes_nothing(damaged: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path("lake").rglob("*")}
    answer = damaged("verify", "--repair", "--dry-run")
    assert answer.code == 5
    assert "What can be mended" in answer.out
    (document,) = damaged("--json", "verify", "--repair", "--dry-run").document["tables"]
    assert {each["kind"] for each in document["plan"]} == {"checkpoint", "add"}
    assert document["repaired"] == []
    # Nobody is there to be asked.
    for words in (["verify", "--repair"], ["--json", "verify", "--repair"]):
        refused = damaged(*words)
        assert refused.code == 2
        assert "--yes" in refused.err
    assert {path: path.stat().st_mtime_ns for path in Path("lake").rglob("*")} == before


def test_a_repair(damaged: Run) -> None:
    rows = damaged("--json", "read", "customers").document
    answer = damaged("verify", "--repair", "--yes")
    assert answer.code == 0, answer.err
    assert "What can be mended" in answer.out
    assert "named again in version" in answer.out
    assert "customers: all well" in answer.out
    assert damaged("verify", "--full").code == 0
    assert damaged("--json", "read", "customers").document["rows"] == rows["rows"]
    assert "COMPUTE STATS" in damaged("history", "customers").out


def test_a_repair_that_leaves_something(damaged: Run) -> None:
    for file in Path("lake/customers").glob("*.parquet"):
        file.unlink()
    answer = damaged("--json", "verify", "--repair", "--yes")
    assert answer.code == 5
    (document,) = answer.document["tables"]
    assert {each["kind"] for each in document["findings"]} == {"missing_file"}
    assert {each["kind"] for each in document["repaired"]} == {"checkpoint"}
    assert "backup" in damaged("verify").out


@pytest.mark.parametrize("words", [["--yes"], ["--dry-run"], ["--seed", "-1"]])
def test_options_that_mean_nothing(shop: Run, words: list[str]) -> None:
    assert shop("verify", *words).code == 2


def test_orphans_are_a_note(shop: Run, tmp_path: Path) -> None:
    left = tmp_path / "lake" / "customers" / "left.parquet"
    left.write_bytes(b"x" * 2000)
    os.utime(left, (1_600_000_000, 1_600_000_000))
    answer = shop("verify", "customers")
    assert answer.code == 0
    assert "note: customers: 1 orphan (2.0 kB) that no commit names" in answer.out
