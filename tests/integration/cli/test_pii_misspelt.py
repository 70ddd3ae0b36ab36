"""A column of `pii` that is misspelt would stay clear: nobody gets to see it, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Answer

CONFIG = """\
version: 1
name: shop
storage: {root: ./lake}
tables:
  people:
    key: [id]
    pii: {PATH: PERSON, city: LOCATION}
roles: {analyst: {}}
"""
Run = Callable[..., Answer]


def config(path: str, *, mask_at: str = "read") -> None:
    Path("lakehouse.yaml").write_text(
        CONFIG.replace("PATH", path).replace("roles:", f"pii: {{mask_at: {mask_at}}}\nroles:")
    )


@pytest.fixture
def filled(run: Run, write: Callable[..., str]) -> Run:
    config("full_name")
    row = {"id": 1, "full_name": "Clear Name", "city": "Ulm", "visits": 3}
    assert run("merge", "people", write("a.jsonl", row)).code == 0
    return run


def test_what_is_misspelt_is_refused_wherever_it_would_be_seen(filled: Run) -> None:
    config("full_nmae")
    for words in (
        ["pii", "mask", "people", "--to", "copy"],
        ["read", "people", "--role", "analyst"],
        ["sql", "--role", "analyst", "SELECT full_name FROM people"],
        ["pii", "risk", "people", "--quasi", "full_name", "--role", "analyst"],
    ):
        refused = filled(*words)
        assert refused.code == 3, words
        assert "has no column `full_nmae`, which its `pii` names, but `full_name`" in refused.err
        assert "Clear Name" not in refused.out + refused.err
    assert filled("pii", "mask", "--list").out == "there are no masked copies\n"
    config("full_nmae", mask_at="merge")
    assert "but `full_name`" in filled("pii", "mask", "people", "--in-place", "--yes").err


def test_nothing_clear_is_stored_where_masks_are_made_at_merge(run: Run, write: Callable[..., str]) -> None:
    config("full_nmae", mask_at="merge")
    refused = run("merge", "people", write("a.jsonl", {"id": 1, "full_name": "Clear Name", "city": "Ulm"}))
    assert refused.code == 3
    assert "but `full_name`" in refused.err
    assert not [each for each in Path("lake").rglob("*.parquet") if b"Clear Name" in each.read_bytes()]


def test_a_column_that_may_come_one_day_is_only_told_of(filled: Run) -> None:
    config("full_name2: PERSON, full_name")
    assert filled("read", "people", "--role", "analyst").code == 0
    config("full_name2")
    done = filled("pii", "mask", "people", "--to", "other", "--json").document
    assert done["notes"][0].endswith("there is no column `full_name2`; did you mean `full_name`?")
    config("full_name: PERSON, birthplace")
    done = filled("pii", "mask", "people", "--to", "copy", "--json").document
    assert done["notes"] == ["`birthplace` of `pii` masks nothing: there is no column `birthplace`"]
    again = filled("pii", "mask", "people", "--to", "copy")
    assert "note: `birthplace` of `pii` masks nothing" in again.out
    assert filled("read", "people", "--role", "analyst").code == 0
