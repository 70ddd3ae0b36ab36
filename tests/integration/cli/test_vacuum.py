"""The verb ``vacuum``: what is shown, what is asked, what goes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import CONFIG

Run = Callable[..., Any]


@pytest.fixture
def kept(shop: Run) -> Run:
    """Customers in four versions, of which a rule keeps one."""
    Path("lakehouse.yaml").write_text(
        CONFIG.replace(
            "    changes: {format: rows",
            "    retention: [{name: few, versions: {last: 1}}]\n    changes: {format: rows",
        )
    )
    return shop


def files() -> set[str]:
    return {path.name for path in Path("lake/customers").glob("*")}


def test_a_dry_run_shows_what_would_go(kept: Run) -> None:
    before = files()
    answer = kept("vacuum", "customers", "--dry-run", "--grace", "0s", "--versions", "--files")
    assert answer.code == 0
    assert "can't be read afterwards: version" in answer.out
    assert "newest, last 1 of 1" in answer.out
    assert "not kept by rule few" in answer.out
    assert "would go" in answer.out
    assert files() == before


def test_nothing_goes_without_a_yes(kept: Run) -> None:
    before = files()
    answer = kept("vacuum", "--grace", "0s")
    assert answer.code == 2
    assert "--yes" in answer.err
    assert files() == before


def test_what_went_is_told_and_the_rest_is_read_as_before(kept: Run) -> None:
    rows = kept("--json", "read", "customers").document["rows"]
    shown = kept("vacuum", "--dry-run", "--grace", "0s", "--json").document["tables"][0]
    assert shown["run"] is None
    done = kept("vacuum", "--grace", "0s", "--yes", "--json").document
    assert (done["dry_run"], done["grace"]) == (False, "0s")
    (table,) = done["tables"]
    assert table["run"]
    assert {each["path"] for each in table["files"]} == {each["path"] for each in shown["files"]}
    assert not files() & {each["path"] for each in table["files"]}
    assert sum(each["files"] for each in table["kinds"].values()) == len(table["files"])
    assert [each["keep"] for each in table["versions"]] == [False, False, False, True]
    assert kept("--json", "read", "customers").document["rows"] == rows
    lost = kept("--json", "read", "customers", "--version", "1")
    assert lost.code == 6
    assert "the vacuum of" in lost.error["advice"]
    history = kept("--json", "history", "customers").document["history"]
    assert [each["readable"] for each in history] == [True, False, False, True]
    assert "gone" in kept("history", "customers").out
    again = kept("vacuum", "--grace", "0s")
    assert again.code == 0
    assert again.out.startswith("customers: nothing to take away (version 3)")


def test_one_version_stays_and_several_stay(kept: Run) -> None:
    assert "1 of 4 versions stays for sure" in kept("vacuum", "--dry-run", "--grace", "0s").out
    Path("lakehouse.yaml").write_text(Path("lakehouse.yaml").read_text().replace("last: 1", "last: 2"))
    assert "2 of 4 versions stay for sure" in kept("vacuum", "--dry-run", "--grace", "0s").out


def test_who_reads_has_an_hour(kept: Run) -> None:
    assert kept("vacuum").out.startswith("customers: nothing to take away")
    assert kept("vacuum", "--grace", "soon").code == 2


def test_without_rules_seven_days(shop: Run) -> None:
    assert shop("vacuum", "customers").out.startswith("customers: nothing to take away")
    then = time.time() - 8 * 86_400
    for path in Path("lake/customers/_delta_log").glob("*"):
        os.utime(path, (then, then))
    document = shop("vacuum", "customers", "--dry-run", "--json").document["tables"][0]
    assert document["files"]
    assert "delta.deletedFileRetentionDuration" in document["versions"][1]["why_not"]


def test_tables_that_are_not_there(run: Run) -> None:
    assert run("vacuum").code == 0
    assert run("vacuum", "customers").code == 6
    assert run("vacuum", "nobody").code == 6
