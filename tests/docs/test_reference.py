"""Nothing that somebody can type is left out of the reference, and the reference is that of now."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module

import click
import pytest

import lakehouse
from docs.build import outdated
from lakehouse.cli.app import root
from lakehouse.cli.lazy import Verb
from lakehouse.config.generate import generated_schema
from lakehouse.config.markdown import keys_of_schema
from tests.docs.pages import ROOT, text_of

CLI = text_of("docs/reference/cli.md")
CONFIG = text_of("docs/reference/config.md")
REJECTED = text_of("docs/how-to/rejected-records.md")


def commands(group: click.Group = root, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every verb with its words, as ``config check``."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        words = (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, words)
        else:
            yield " ".join(words), command


VERBS = dict(commands())


def section(verb: str) -> str:
    """The part of the page on one verb."""
    found = re.search(rf"^### lakehouse {verb}\n(.*?)(?=^##|\Z)", CLI, re.DOTALL | re.MULTILINE)
    assert found is not None, f"docs/reference/cli.md has no section on {verb}"
    return found[1]


def test_the_generated_pages_are_those_of_now() -> None:
    assert outdated() == [], "run: make docs"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_option_is_in_the_reference(verb: str) -> None:
    text = section(verb)
    for parameter in VERBS[verb].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{verb} {parameter.opts}: no help"
            for name in parameter.opts:
                assert re.search(rf"(?<![\w-]){name}(?![\w-])", text), f"{verb} {name}"
        elif isinstance(parameter, click.Argument):
            assert str(parameter.make_metavar(click.Context(VERBS[verb]))) in text


def test_the_options_before_every_verb_are_in_the_reference() -> None:
    for parameter in root.params:
        for name in parameter.opts:
            assert f" {name}" in CLI


@pytest.mark.parametrize("key", [each.path for each in keys_of_schema(generated_schema())])
def test_every_key_of_the_config_is_in_the_reference(key: str) -> None:
    rows = [line for line in CONFIG.splitlines() if line.startswith(f"| `{key}` |")]
    assert len(rows) == 1, f"{key} stands {len(rows)} times in docs/reference/config.md"
    assert rows[0].rstrip(" |").rpartition("|")[2].strip(), f"{key} has no meaning in the reference"


@pytest.mark.parametrize("verb", VERBS)
def test_every_help_page_names_a_python_call_that_is_there(verb: str) -> None:
    command = VERBS[verb]
    assert isinstance(command, Verb)
    assert command.python in section(verb)
    found = list(named(command.python))
    assert found, f"{verb} names no call: {command.python}"
    for kind, name in found:
        assert hasattr(kind, name), f"{verb} names {name}, which {kind} does not have"


def named(text: str) -> Iterator[tuple[object, str]]:
    """What a help page's line on Python names: the thing and its attribute."""
    calls = (
        (r"lake\.table\(\.\.\.\)\.(\w+)|[,;] \.(\w+)", lakehouse.Table),
        (r"\blake\.(\w+)", lakehouse.Lakehouse),
        (r"\bLakehouse\.(\w+)", lakehouse.Lakehouse),
    )
    for pattern, kind in calls:
        for match in re.finditer(pattern, text):
            name = next(filter(None, match.groups()))
            if name != "config":  # set when the object is made
                yield kind, name
    for match in re.finditer(r"\blakehouse((?:\.\w+)+)\.(\w+)\(", text):
        yield import_module("lakehouse" + match[1]), match[2]


def test_every_exit_code_of_an_error_is_explained() -> None:
    codes = {
        kind.exit_code
        for kind in map(lakehouse.__dict__.get, lakehouse.__all__)
        if isinstance(kind, type) and issubclass(kind, lakehouse.LakehouseError)
    }
    codes |= {getattr(lakehouse, name).exit_code for name in lakehouse.__all__ if name.endswith("Error")}
    for code in sorted(codes | {0, 5}):
        assert f"\n| {code} | " in CLI


def reasons() -> set[str]:
    """Every reason that a record can be rejected for, from the source."""
    constants: dict[str, str] = {}
    used: list[ast.expr] = []
    for room in ("cdc", "merge"):
        for path in sorted((ROOT / "lakehouse" / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                        constants[node.target.id] = node.value.value
                elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    place = {"Misfit": 0, "Rejected": 2}.get(node.func.id)
                    if place is not None and len(node.args) > place:
                        used.append(node.args[place])
    named = {constants[each.id] for each in used if isinstance(each, ast.Name) and each.id in constants}
    written = {str(each.value) for each in used if isinstance(each, ast.Constant)}
    # Values that can't be decoded hand their reason on.
    return named | written | {constants["BAD_VALUE"], constants["OUT_OF_RANGE"]}


def test_every_reason_of_a_rejection_is_explained() -> None:
    found = reasons()
    assert {"bad_json", "null_key", "not_null"} <= found
    explained = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", REJECTED, re.MULTILINE))))
    assert found <= explained, f"missing in docs/how-to/rejected-records.md: {sorted(found - explained)}"
