"""The files that come with the package say what the models say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lakehouse.config import (
    load_config,
    reference_path,
    reference_text,
    schema_path,
    starter_text,
)
from lakehouse.config.generate import generated_schema
from lakehouse.config.markdown import keys_of_schema

_EXAMPLES = sorted((reference_path().parent / "examples").glob("*.yaml"))
_ENVIRON = {
    "LAKE_BUCKET": "b",
    "AWS_ACCESS_KEY_ID": "k",
    "AWS_SECRET_ACCESS_KEY": "s",
    "ALERT_URL": "json://x",
}


def test_the_reference_is_a_config_that_needs_no_environment() -> None:
    config = load_config(reference_path(), environ={})
    assert set(config.tables) == {"customers", "orders", "tickets"}
    assert config.tables["orders"].changes.format == "debezium"
    assert config.name == "shop"


def test_the_reference_shows_every_key() -> None:
    text = reference_text()
    keys = keys_of_schema(generated_schema())
    missing = [
        key.path
        for key in keys
        if not re.search(rf"(?<![\w-]){re.escape(re.split('[.]', key.path)[-1])}:", text)
    ]
    assert missing == []


def test_the_reference_shows_every_choice() -> None:
    text = reference_text()
    choices = {
        choice
        for key in keys_of_schema(generated_schema())
        for choice in re.findall(r"`([a-z][\w-]*)`", key.type)
    }
    assert [choice for choice in sorted(choices) if not re.search(rf"\b{re.escape(choice)}\b", text)] == []


def test_the_reference_fits_a_screen() -> None:
    assert [line for line in reference_text().splitlines() if len(line) > 120] == []


def test_there_are_examples() -> None:
    assert len(_EXAMPLES) >= 3


@pytest.mark.parametrize("path", _EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_can_be_read(path: Path) -> None:
    assert load_config(path, environ=_ENVIRON).tables


@pytest.mark.parametrize("name", ["my-lake", "shop", "Müller & Söhne", 'a "b" \\ c', "yes: no", "1", "# x"])
def test_the_starter_is_a_config_of_that_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "lakehouse.yaml"
    path.write_text(starter_text(name), encoding="utf-8")
    config = load_config(path, environ={})
    assert config.name == name
    assert list(config.tables) == ["customers"]
    assert config.tables["customers"].key == ("id",)


def test_the_starter_names_the_schema_where_there_is_one(tmp_path: Path) -> None:
    hint = "# yaml-language-server: $schema=./lakehouse.schema.json"
    assert hint in starter_text(schema="./lakehouse.schema.json").splitlines()
    assert "yaml-language-server" not in starter_text()


def test_the_files_are_found_in_a_checkout() -> None:
    assert reference_path().is_file()
    assert schema_path().is_file()
    assert reference_path().parent == schema_path().parent
