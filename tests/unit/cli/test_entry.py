from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from lakehouse.cli import look
from lakehouse.cli.app import HEADINGS, OTHER_WORDS, root
from lakehouse.cli.entry import given
from lakehouse.cli.lazy import Verb
from lakehouse.cli.reference import command_reference_markdown
from lakehouse.cli.session import Session

HEAVY = {
    "polars",
    "pyarrow",
    "pydantic",
    "deltalake",
    "rich",
    "obstore",
    "pandas",
    "numpy",
    "ruamel",
    "orjson",
}
Run = Callable[..., Any]
VERBS = [verb for verbs in HEADINGS.values() for verb in verbs]


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[3],
    )


def test_help_imports_nothing_heavy() -> None:
    done = python(
        "import sys; from lakehouse.cli import main; main(['--help']); print('\\n'.join(sys.modules))"
    )
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stdout.split("\n")}
    assert "click" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("words", [["--help"], ["-h"]])
def test_help_groups_the_verbs(run: Run, words: list[str]) -> None:
    answer = run(*words)
    assert answer.code == 0
    places = [answer.out.index(f"\n{heading}:\n") for heading in HEADINGS]
    assert places == sorted(places)
    for verb in VERBS:
        assert re.search(rf"^  {verb} +[A-Z]", answer.out, re.MULTILINE)


def commands() -> list[tuple[str, click.Command]]:
    context = click.Context(root)
    found: list[tuple[str, click.Command]] = []
    for name in VERBS:
        command = root.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                each = command.get_command(context, inner)
                assert each is not None
                found.append((f"{name} {inner}", each))
        else:
            found.append((name, command))
    return found


@pytest.mark.parametrize(("name", "command"), commands())
def test_every_help_page_has_examples_options_and_the_api_call(run: Run, name: str, command: Verb) -> None:
    answer = run(*name.split(), "--help")
    assert answer.code == 0
    assert f"Usage: lakehouse {name}" in answer.out
    assert "\nExamples:\n  " in answer.out
    assert "\nPython:\n  " in answer.out
    assert "--json" in answer.out
    assert command.examples
    assert all(f"lakehouse {name}" in re.sub(r" -c \S+", "", example) for example in command.examples)
    assert all(
        option.help or option.name == "help"
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    )
    summary = (command.help or "").splitlines()[0]
    assert summary.endswith((".", "?"))
    assert len(summary) <= 80


def test_the_verb_that_was_probably_meant(run: Run) -> None:
    answer = run("reed")
    assert answer.code == 2
    assert answer.err.splitlines() == [
        "error: there is no verb 'reed'",
        "hint: did you mean `lakehouse read`? `lakehouse --help` lists the verbs",
    ]
    assert "did you mean `lakehouse history`?" in run("log").err
    assert "did you mean `lakehouse config show`?" in run("config", "shw").err
    assert "did you mean" not in run("xyzzyx").err


def test_other_words_lead_to_verbs() -> None:
    assert {word.split()[0] for word in OTHER_WORDS.values()} <= set(VERBS)
    assert not set(OTHER_WORDS) & set(VERBS)


def test_wrong_usage_in_json(run: Run) -> None:
    for words in (["--json", "reed"], ["read", "--colums", "x", "--json"], ["--json", "read"]):
        answer = run(*words)
        assert answer.code == 2
        assert answer.out == ""
        assert answer.error["type"] == "UsageError"
        assert answer.error["exit_code"] == 2
        assert answer.error["advice"]


def test_no_verb_shows_the_help(run: Run) -> None:
    answer = run()
    assert answer.code == 2
    assert "Time travel:" in answer.err + answer.out


def test_version(run: Run) -> None:
    answer = run("--version")
    assert answer.code == 0
    assert answer.out.startswith("lakehouse ")


def test_flags_are_found_before_the_end_of_options() -> None:
    assert given("--json", ["read", "a", "--json"])
    assert not given("--json", ["sql", "--", "--json"])
    assert not given("--json", [])


def test_completion_of_verbs() -> None:
    done = python(
        "from lakehouse.cli import main; main()",
        _LAKEHOUSE_COMPLETE="bash_complete",
        COMP_WORDS="lakehouse re",
        COMP_CWORD="1",
    )
    assert done.stdout.split() == ["plain,read", "plain,restore", "plain,request", "plain,retention"]


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(look.tables, "callback", fail)


def test_an_interrupt_stops_quietly(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    answer = run("tables")
    assert (answer.code, answer.out, answer.err) == (130, "", "stopped\n")


def test_a_fault_of_the_program_is_one_line_unless_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ValueError("ada@shop.example"))
    answer = run("tables")
    assert answer.code == 1
    assert answer.err.startswith("internal error: ValueError at ")
    assert "Traceback" not in answer.err
    assert "ada@shop.example" not in answer.err
    assert "Traceback" in run("--debug", "tables").err
    assert "Traceback" in run("tables", "--debug").err


def test_options_of_every_verb_stand_before_or_after_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, bool, str | None]] = []

    def note(session: Session) -> None:
        seen.append((session.as_json, session.quiet, session.config))

    monkeypatch.setattr(look.tables, "callback", click.pass_obj(note))
    run("--json", "-q", "-c", "a.yaml", "tables")
    run("tables", "--json", "-q", "-c", "a.yaml")
    run("tables")
    assert seen == [(True, True, "a.yaml"), (True, True, "a.yaml"), (False, False, None)]


def test_the_reference_has_every_page_and_is_the_same_on_every_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = command_reference_markdown()
    for verb in VERBS:
        assert f"### lakehouse {verb}\n" in page
    assert "### lakehouse config show\n" in page
    monkeypatch.setenv("COLUMNS", "40")
    assert command_reference_markdown() == page


def test_the_demo_tells_its_story_on_standard_output(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(directory: Path, echo: Callable[[str], None]) -> None:
        echo(f"in {directory}")

    demo = types.ModuleType("lakehouse.demo")
    demo.__dict__["run"] = tell
    monkeypatch.setitem(sys.modules, "lakehouse.demo", demo)
    assert run("demo").out == "in demo-lake\n"
    assert run("demo", "--dir", "elsewhere").out == "in elsewhere\n"
    answer = run("demo", "--json")
    assert answer.document == {"directory": "demo-lake"}
    assert answer.err == "in demo-lake\n"
