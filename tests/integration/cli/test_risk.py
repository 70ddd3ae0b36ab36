"""Weighing how well people are hidden, from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Answer

CONFIG = """\
version: 1
storage: {root: ./lake}
tables:
  people:
    key: [id]
    schema: {id: long, zip: string, born: long, illness: string}
    pii: {zip: ZIP_CODE}
pii: {nlp: {engine: none}, operators: {ZIP_CODE: {operator: generalize, keep_first: 2}}}
roles: {analyst: {}}
"""


@pytest.fixture
def lake(run: Callable[..., Answer]) -> Callable[..., Answer]:
    Path("lakehouse.yaml").write_text(CONFIG)
    Path("people.csv").write_text(
        "id,zip,born,illness\n1,10115,1980,flu\n2,10117,1980,flu\n3,20095,1990,gout\n"
    )
    assert run("merge", "people", "people.csv").code == 0
    return run


def test_groups_are_counted_and_none_is_shown(lake: Callable[..., Answer]) -> None:
    done = lake("pii", "risk", "people", "--quasi", "zip,born", "--sensitive", "illness")
    assert done.code == 0
    assert "k = 1" in done.out
    assert not any(value in done.out for value in ("10115", "1980", "flu"))


def test_masks_of_a_role_hide_people_better(lake: Callable[..., Answer]) -> None:
    clear = lake("--json", "pii", "risk", "people", "--quasi", "zip").document
    masked = lake("--json", "pii", "risk", "people", "--quasi", "zip", "--role", "analyst").document
    assert (clear["unique"], masked["unique"]) == (3, 1)
    assert masked["uniqueness"] == pytest.approx(1 / 3)


def test_it_can_guard_a_release(lake: Callable[..., Answer]) -> None:
    assert lake("pii", "risk", "people", "--quasi", "zip", "--at-least", 2).code == 5
    assert lake("pii", "risk", "people", "--quasi", "zip", "--at-least", 1).code == 0


def test_mistakes_are_named(lake: Callable[..., Answer]) -> None:
    assert lake("pii", "risk", "people").code == 2
    unknown = lake("pii", "risk", "people", "--quasi", "post")
    assert unknown.code == 2
    assert "post" in unknown.err
    assert lake("pii", "risk", "persons", "--quasi", "zip").code == 6
