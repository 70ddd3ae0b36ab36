"""One vocabulary over all verbs of the lifecycle: `time` and `author`, and times that end in `Z`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import CONFIG, Answer

Run = Callable[..., Answer]
RULES = """\
    retention:
      - {name: old, column: updated_at, keep: 1d, action: archive, to: archive, max_fraction: 1}
      - {name: few, versions: {last: 1}}
"""
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d")
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.fixture
def busy(shop: Run) -> Run:
    """A lake in which something of everything has happened."""
    Path("lakehouse.yaml").write_text(CONFIG.replace("  events:", RULES + "  events:"))
    for words in (
        ("tag", "customers", "first", "--version", 1),
        ("hold", "add", "--table", "events", "--reason", "r", "--until", "2090-01-31T12:00:00+01:00"),
        ("retention", "apply", "--now", "2026-06-01T00:00:00Z", "--allow-empty", "--yes"),
        ("vacuum", "customers", "--grace", "0s", "--yes"),
    ):
        answer = shop(*words)
        assert answer.code == 0, answer.err
    return shop


VERBS = [
    ("history", "customers"),
    ("tag", "customers", "--list"),
    ("hold", "list"),
    ("retention", "history"),
    ("retention", "archives"),
    ("retention", "plan", "--now", "2026-06-01T00:00:00+02:00"),
    ("vacuum", "customers", "--versions", "--dry-run"),
]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("words", VERBS, ids=lambda words: "-".join(words[:2]))
def test_every_time_is_in_utc_and_says_so(busy: Run, words: tuple[str, ...]) -> None:
    moments = [text for text in texts(busy(*words, "--json").document) if MOMENT.match(text)]
    assert moments
    assert all(ISO.fullmatch(text) for text in moments), moments
    shown = busy(*words).out
    assert MOMENT.search(shown) or "archives" in words
    assert all(re.match(r":\d\dZ", shown[found.end() :]) for found in MOMENT.finditer(shown)), shown


def test_when_and_by_whom_are_called_the_same_everywhere(busy: Run) -> None:
    def titles(*words: str) -> set[str]:
        return set(next(line for line in busy(*words).out.splitlines() if "time" in line).split())

    for words in (("history", "customers"), ("hold", "list"), ("retention", "history")):
        assert titles(*words) >= {"time"}
        (first, *_) = next(
            each for each in busy(*words, "--json").document.values() if isinstance(each, list)
        )
        assert {"time", "author"} <= first.keys()
    assert titles("hold", "list") >= {"author"}
    assert titles("retention", "history") >= {"author", "verb", "rule"}
    assert "time" in titles("tag", "customers", "--list")
    assert busy("tag", "customers", "--list", "--json").document["tags"][0].keys() >= {"time"}
    assert busy("vacuum", "--dry-run", "--json").document["tables"][0]["versions"][0].keys() >= {"time"}


def test_what_went_names_the_rules_that_said_so(busy: Run) -> None:
    found = busy("retention", "history", "--json").document["records"]
    assert [(each["verb"], each["rule"]) for each in found] == [("vacuum", "few"), ("retention", "old")]


def test_archives_of_all_tables(busy: Run) -> None:
    assert busy("retention", "archives").out == busy("retention", "archives", "customers").out
    (found,) = busy("retention", "archives", "--json").document["archives"]
    assert found["table"] == "customers"
    assert busy("retention", "archives", "events").out == "events has no archives\n"
