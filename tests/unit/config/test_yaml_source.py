from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config.document import Document, Place, show_path
from lakehouse.config.yaml_source import place_in, read_yaml

from .conftest import Load, Problems

_TEXT = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=12)
_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT
)
_DATA = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=15,
)


def _read(text: str) -> Document:
    document = Document(name="c.yaml", source="c.yaml", base_dir=Path("/"))
    read_yaml(text, document)
    return document


@given(st.dictionaries(_TEXT, _DATA, min_size=1, max_size=4))
def test_json_is_read_as_it_is_meant(data: dict[str, Any]) -> None:
    # JSON is a part of YAML 1.2: another program's writer says what is meant.
    document = _read(json.dumps(data, ensure_ascii=False))
    assert document.problems == []
    assert document.data == data


def test_places_of_values_and_keys() -> None:
    document = _read("a: 1\nb:\n  - x\n  - c: {d: e}\n")
    assert document.data == {"a": 1, "b": ["x", {"c": {"d": "e"}}]}
    assert document.keys["b",] == Place(2, 1)
    assert document.values["b", 0] == Place(3, 5)
    assert document.keys["b", 1, "c"] == Place(4, 5)
    assert document.values["b", 1, "c", "d"] == Place(4, 12)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("012", 12),
        ("0x1f", 31),
        ("1_000", 1000),
        ("2026-01-31", "2026-01-31"),
        ("12:30", "12:30"),
        ("~", None),
        ("null", None),
        ("True", True),
        ("1e3", 1000.0),
        ("'1'", "1"),
        ("!!str 5", "5"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert _read(f"a: {text}\n").data == {"a": value}


def test_keys_are_texts_whatever_they_look_like() -> None:
    assert _read("{1: a, true: b, 2026-01-01: c}").data == {"1": "a", "true": "b", "2026-01-01": "c"}


def test_merge_keys(load: Load) -> None:
    config = load(
        """
        version: 1
        tables:
          a: &base {key: id, owner: one, changes: &changes {format: debezium, tombstones: 1d}}
          b: {<<: *base, owner: two}
          c:
            <<: [{owner: three}, *base]
            changes: {<<: *changes, tombstones: 2d}
        """
    )
    assert config.tables["b"].key == ("id",)
    assert [config.tables[name].owner for name in "abc"] == ["one", "two", "three"]
    assert config.tables["c"].changes.format == "debezium"
    assert config.tables["c"].changes.tombstones.days == 2
    assert config.tables["b"].changes.tombstones.days == 1


def test_an_anchor_may_be_set_again(load: Load) -> None:
    assert (
        load("version: 1\nname: &x a\ntables: {t: {owner: &x b, description: *x}}\n").tables["t"].description
        == "b"
    )


def test_a_yaml_1_1_file_can_still_say_on(load: Load) -> None:
    text = "%YAML 1.1\n---\nversion: 1\nalerts: [{to: 'json://x', on: [late]}]\n"
    assert load(text).alerts[0].on == ("late",)


def test_messages_never_show_the_line(problems: Problems) -> None:
    (problem,) = problems("version: 1\nstorage: {options: {secret_access_key: 'canary\n")
    assert "canary" not in str(problem)


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ((), ""),
        (("tables", "t", "key"), "tables.t.key"),
        (("tables", "a b", "retention", 0, "keep"), 'tables."a b".retention[0].keep'),
        (("alerts", 3), "alerts[3]"),
    ],
)
def test_paths(steps: tuple[str | int, ...], path: str) -> None:
    assert show_path(steps) == path


def test_lines_and_columns() -> None:
    assert place_in("ab\ncd", 0) == Place(1, 1)
    assert place_in("ab\ncd", 4) == Place(2, 2)
