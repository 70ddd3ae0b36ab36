"""Rules for all tables: which tables they are for, and names in them that point nowhere."""

from __future__ import annotations

import pytest

from .conftest import Load, Problems

_TABLES = """
tables:
  a: {schema: {id: long, at: timestamp, name: string}}
  b: {schema: {at: long}, retention: [{name: old, column: at, unit: days, keep: 1y, action: delete}]}
  c: {schema: {id: long}, retention: []}
  d: {schema: {id: long}, retention: [{name: mine, versions: {last: 3}}]}
"""


def _config(rules: str) -> str:
    return f"version: 1\n{_TABLES}\nretention:\n  {rules}\n"


def test_a_tables_own_rules_come_first_and_replace_those_of_all(load: Load) -> None:
    config = load(
        _config(
            "- {name: old, column: at, keep: 2y, action: delete}\n"
            "  - {name: kept, versions: {last: 20}}\n"
            "  - {name: leftovers, orphans: 7d}"
        )
    )
    names = {name: [rule.name for rule in config.retention_of(name)] for name in config.tables}
    assert names == {
        "a": ["old", "kept", "leftovers"],
        "b": ["old", "kept", "leftovers"],
        "c": [],
        "d": ["mine", "old", "leftovers"],
    }
    assert str(config.retention_of("a")[0].keep) == "2y"
    assert str(config.retention_of("b")[0].keep) == "1y"


@pytest.mark.parametrize(
    ("rules", "path", "message"),
    [
        ("- {name: r, column: att, keep: 1y, action: delete}", "retention[0].column", "did you mean `at`?"),
        ("- {name: r, column: name, keep: 1y, action: delete}", "retention[0].column", "(table `a`)"),
        (
            "- {name: old, column: at, keep: 1y, action: archive, to: a/x}",
            "retention[0].to",
            "inside the table `a`",
        ),
        (
            "- {name: r, orphans: 7d}\n  - {name: r, versions: {last: 1}}",
            "retention[1].name",
            "the name `r` is there twice",
        ),
        (
            "- {name: r, versions: {last: 2}}\n  - {name: s, versions: {last: 1}}",
            "retention[1].versions",
            "a second rule for versions",
        ),
        ("- {name: r}", "retention[0]", "says not what it is about"),
    ],
)
def test_one_mistake(problems: Problems, rules: str, path: str, message: str) -> None:
    (problem,) = problems(_config(rules))
    assert problem.path == path
    assert message in problem.message


def test_a_rule_must_fit_every_table_that_does_not_replace_it(problems: Problems) -> None:
    (problem,) = problems(_config("- {name: young, column: at, keep: 1y, action: delete}"))
    assert problem.path == "retention[0].column"
    assert "is a number" in problem.message
    assert "(table `b`)" in problem.message
