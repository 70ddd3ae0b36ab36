"""``config check`` on columns that can't be masked as the config says: with line, and in one go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]

CONFIG = """\
version: 1
storage: {root: ./lake}
tables:
  people:
    key: [id]
    schema: {id: string, age: string, name: string}
    pii:
      id: PERSON
      age: AGE
      name: {entity: PERSON, shred: person}
subjects:
  person: {identifiers: {id: people.id}}
pii:
  operators:
    AGE: {operator: generalize, stepp: 10}
    PERSON: {operator: mask}
"""


def test_settings_types_and_keys(run: Run) -> None:
    Path("lakehouse.yaml").write_text(CONFIG)
    answer = run("config", "check")
    assert answer.code == 2
    assert "lakehouse.yaml:15:33: pii.operators.AGE.stepp" in answer.err
    assert "did you mean `step`?" in answer.err
    Path("lakehouse.yaml").write_text(CONFIG.replace("stepp", "step"))
    answer = run("config", "check")
    assert answer.code == 2
    assert "lakehouse.yaml:8:11: tables.people.pii.id: " in answer.err
    assert "is part of the key, and the operator `mask`" in answer.err
    assert "lakehouse.yaml:9:12: tables.people.pii.age: " in answer.err
    assert "these can: " in answer.err
    assert "shred" not in answer.err


def test_what_says_whose_a_row_is_is_not_shredded(run: Run) -> None:
    fine = CONFIG.replace("stepp", "step").replace("      id: PERSON\n      age: AGE\n", "")
    for identifiers in ("id: people.id", "id: people.id, name: people.name"):
        Path("lakehouse.yaml").write_text(fine.replace("id: people.id", identifiers))
        assert run("config", "check").code == 0
    Path("lakehouse.yaml").write_text(fine.replace("id: people.id", "name: people.name"))
    answer = run("config", "check")
    assert answer.code == 2
    assert "lakehouse.yaml:8:37: tables.people.pii.name.shred: `name` can't be shredded" in answer.err
    assert "`person` has no other one" in answer.err
