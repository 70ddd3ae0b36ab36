from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lakehouse.config import Config, as_dict, load_config, reference_path, render
from lakehouse.config.variables import escape

from .conftest import Load

_EXAMPLES = sorted((reference_path().parent / "examples").glob("*.yaml"))
_ENVIRON = {
    "LAKE_BUCKET": "bucket",
    "AWS_ACCESS_KEY_ID": "AKIA-canary",
    "AWS_SECRET_ACCESS_KEY": "canary",
    "ALERT_URL": "slack://canary/b/c",
}


def _read(text: str) -> dict[str, Any]:
    data = YAML(typ="safe", pure=True).load(text)
    assert isinstance(data, dict)
    return data


def _again(config: Config) -> Config:
    """The config that the rendered text gives."""
    return load_config(_read(render(config, secrets_masked=False)), environ={})


@pytest.mark.parametrize("path", [reference_path(), *_EXAMPLES], ids=lambda path: path.stem)
def test_what_is_rendered_is_read_again_as_the_same(path: Path) -> None:
    config = load_config(path, environ=_ENVIRON)
    again = _again(config)
    assert as_dict(again, secrets_masked=False) == as_dict(config, secrets_masked=False)
    assert render(again) == render(config)


def test_defaults_are_filled_in(load: Load, tmp_path: Path) -> None:
    shown = _read(render(load("version: 1\ntables: {t: {key: id}}\n")))
    assert shown["name"] == "lake"
    assert shown["storage"] == {"root": str(tmp_path / "lake"), "options": {}}
    assert shown["tables"]["t"]["key"] == ["id"]
    assert shown["tables"]["t"]["history"] == "none"
    assert shown["tables"]["t"]["changes"]["schema"] == "evolve"
    assert shown["tables"]["t"]["changes"]["tombstones"] == "7d"
    assert shown["requests"] == {
        "due": "30d",
        "approval": "none",
        "purge_after": "0s",
        "history": "cut",
        "max_share": 0.01,
        "max_values": 20,
        "placeholders": [],
    }
    assert list(shown)[:6] == ["version", "name", "storage", "state", "keys", "tables"]


def test_keys_without_a_value_and_keys_of_others_are_left_out(load: Load) -> None:
    shown = _read(
        render(
            load(
                """
                version: 1
                tables: {t: {retention: [{name: a, versions: {last: 3}}]}}
                """
            )
        )
    )
    assert "schema" not in shown["tables"]["t"]
    assert set(shown["tables"]["t"]["retention"][0]) == {"name", "versions", "timezone"}
    assert set(shown["keys"]) == {"provider", "path"}


def test_secrets_are_masked_unless_asked_for(load: Load) -> None:
    config = load(
        'version: 1\nstorage: {options: {secret_access_key: "${S}"}}\nstate: postgresql://u:${S}@h/d\n',
        environ={"S": "canary"},
    )
    assert "canary" not in render(config)
    assert "'********'" in render(config)
    assert render(config, secrets_masked=False).count("canary") == 2


def test_texts_that_look_like_something_else_stay_texts(load: Load) -> None:
    config = load(
        """
        version: 1
        name: "1"
        tables:
          t:
            description: "$${NOT_A_VARIABLE}: 'quoted'"
            owner: "null"
            tags: ["yes", "1.5", "2026-01-01", "-"]
        """
    )
    again = _again(config)
    assert again.name == "1"
    assert again.tables["t"].description == "${NOT_A_VARIABLE}: 'quoted'"
    assert again.tables["t"].owner == "null"
    assert again.tables["t"].tags == ("yes", "1.5", "2026-01-01", "-")


def test_the_dict_is_plain_json(load: Load) -> None:
    config = load_config(reference_path(), environ={})
    assert json.loads(json.dumps(as_dict(config))) == as_dict(config)
    assert (
        as_dict(load("version: 1\njobs: {j: {do: vacuum, schedule: every 1h}}\n"))["jobs"]["j"]["schedule"]
        == "every 1h"
    )


@settings(max_examples=80, deadline=None)
@example("\x85", "\x85")
@example("a\u2028b", "\u2029")
@given(st.text(max_size=40), st.text(min_size=1, max_size=12))
def test_any_text_survives(description: str, tag: str) -> None:
    table = {"description": escape(description), "tags": [escape(tag)]}
    config = load_config({"version": 1, "tables": {"t": table}}, environ={})
    assert config.tables["t"].description == description
    assert as_dict(_again(config)) == as_dict(config)
