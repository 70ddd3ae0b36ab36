from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from lakehouse.config import (
    json_schema,
    reference_markdown,
    reference_path,
    schema_path,
    schema_text,
    starter_text,
)
from lakehouse.config.generate import generated_schema
from lakehouse.config.markdown import keys_of_schema
from lakehouse.config.schema import main

_FILES = [reference_path(), *sorted((reference_path().parent / "examples").glob("*.yaml"))]


def _errors(text: str) -> list[str]:
    data = YAML(typ="safe", pure=True).load(text)
    return [error.json_path for error in Draft202012Validator(json_schema()).iter_errors(data)]


def test_the_committed_schema_is_the_generated_one() -> None:
    committed = schema_path().read_text(encoding="utf-8")
    assert committed == schema_text(), (
        "run: python -m lakehouse.config.schema --write config/lakehouse.schema.json"
    )


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_good_files_fit_the_schema(path: Path) -> None:
    assert _errors(path.read_text(encoding="utf-8")) == []


def test_the_starter_fits_the_schema() -> None:
    assert _errors(starter_text()) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name: x", "$"),
        ("version: 2", "$.version"),
        ("version: 1\nnmae: x", "$"),
        ("version: 1\ntables: {t: {kye: a}}", "$.tables.t"),
        ("version: 1\ntables: {t: {change_feed: 5}}", "$.tables.t.change_feed"),
        ("version: 1\ntables: {t: {merge: onread}}", "$.tables.t.merge"),
        ("version: 1\ntables: {t: {changes: {tombstones: 7 days}}}", "$.tables.t.changes.tombstones"),
        ("version: 1\ntables: {t: {history: {mood: full}}}", "$.tables.t.history"),
        ("version: 1\njobs: {j: {schedule: every 1h}}", "$.jobs.j"),
        ("version: 1\nalerts: [{to: x, on: []}]", "$.alerts[0].on"),
        ("version: 1\npii: {min_score: 2}", "$.pii.min_score"),
    ],
)
def test_editors_see_mistakes(text: str, place: str) -> None:
    assert _errors(text) == [place]


def test_variables_are_fine_wherever_a_value_stands() -> None:
    text = """
    version: 1
    tables: {t: {change_feed: "${A}", merge: "${B:-auto}", changes: {tombstones: "${C}d"}}}
    pii: {min_score: "${D}"}
    """
    assert _errors(text) == []


def _properties(schema: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    if isinstance(schema, dict):
        for name, value in schema.get("properties", {}).items():
            yield f"{path}.{name}", value
        for key, value in schema.items():
            yield from _properties(value, f"{path}.{key}")
    elif isinstance(schema, list):
        for each in schema:
            yield from _properties(each, path)


def test_every_key_has_a_description() -> None:
    schema = json_schema()
    definitions = schema["$defs"]
    missing = []
    for path, value in _properties(schema):
        target = definitions[value["$ref"].rpartition("/")[2]] if "$ref" in value else value
        if not (value.get("description") or target.get("description")):
            missing.append(path)
    assert missing == []


def test_the_written_reference_has_every_key_with_its_default() -> None:
    text = reference_markdown()
    rows = {line.split("|")[1].strip(" `"): line for line in text.splitlines() if line.startswith("| `")}
    assert set(rows) == {key.path for key in keys_of_schema(generated_schema())}
    assert "| `7d` |" in rows["tables.<name>.changes.tombstones"]
    assert "| required |" in rows["tables.<name>.retention[].name"]
    assert "`rows`, `debezium`, `dms`, `maxwell`, `snapshot`" in rows["tables.<name>.changes.format"]
    assert "| `30d` |" in rows["requests.due"]
    assert "history.track_except" in text
    assert all(line.count(" | ") >= 3 for line in rows.values())


def test_the_command_writes_the_schema_and_prints_the_reference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "schema.json"
    assert main(["--write", str(target)]) == 0
    assert json.loads(target.read_text(encoding="utf-8")) == json_schema()
    assert main([]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()
    assert main(["--markdown"]) == 0
    assert capsys.readouterr().out == reference_markdown()


def test_the_module_runs_without_a_warning_and_needs_nothing_heavy() -> None:
    code = (
        "import runpy, sys; sys.argv = ['x', '--markdown']\n"
        "try: runpy.run_module('lakehouse.config.schema', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'polars', 'pyarrow', 'deltalake', 'obstore', 'click', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, cwd=root
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == reference_markdown()
