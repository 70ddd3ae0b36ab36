"""Commands as a person types them: shown with a prompt, run in this process, their output told too."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Final

import click

from lakehouse.cli.entry import INTERRUPTED, main
from lakehouse.cli.grid import Grid
from lakehouse.cli.output import in_colour, on_terminal, terminal_width
from lakehouse.errors import LakehouseError

_NAME: Final = "lakehouse"
_SPECIAL: Final = frozenset(" \"'<>|&;()#!$`\\")


class Teller:
    """Tells the story and types the commands in it.

    Args:
        echo: Takes each piece of the story.
        config: The config file that the commands are for, as the user would name it.
    """

    def __init__(self, echo: Callable[[str], None], *, config: Path) -> None:
        self._echo = echo
        self._config = config
        self._colour = in_colour(sys.stdout)
        self._terminal = on_terminal(sys.stdout)
        self._chapter = 0

    def chapter(self, title: str) -> None:
        """Begins a chapter."""
        self._chapter += 1
        head = f"── {self._chapter}  {title} "
        line = head + "─" * max(0, 78 - len(head))
        self._echo("")
        self._echo(click.style(line, bold=True) if self._colour else line)

    def say(self, *lines: str) -> None:
        """Says something, below an empty line."""
        self._echo("")
        for line in lines:
            self._echo(line)

    def show(self, *lines: str) -> None:
        """Shows a text as it is, indented."""
        for line in lines:
            self._echo(click.style(f"  {line}".rstrip(), fg="cyan") if self._colour else f"  {line}".rstrip())

    def grid(self, grid: Grid) -> None:
        """Shows a table as the verbs show theirs."""
        for line in grid.lines(width=terminal_width() if self._terminal else None, colour=self._colour):
            self._echo(line)

    def type(self, *words: str, code: int = 0) -> None:
        """Types a command: shows it with a prompt, runs it, and shows what it answers.

        Args:
            *words: What stands after ``lakehouse``; a ``*`` is for the shell to fill in.
            code: The exit code that it has to answer with.

        Raises:
            LakehouseError: It answered with another one.
        """
        line = f"$ {_NAME} {' '.join(map(quoted, words))}"
        self._echo("")
        self._echo(click.style(line, fg="green") if self._colour else line)
        expanded = [each for word in words for each in _expanded(word)]
        answer, answered = self._run(["-q", "-c", str(self._config), *expanded])
        if answer:
            self._echo(answer)
        if answered == INTERRUPTED:
            raise KeyboardInterrupt
        if answered != code:
            raise LakehouseError(
                f"the demo stopped: `{line.removeprefix('$ ')}` answered with exit code {answered}",
                advice="its own error stands above; the demo can be run again",
            )

    def _run(self, words: list[str]) -> tuple[str, int]:
        out, err = _Screen(terminal=self._terminal), _Screen(terminal=False)
        with redirect_stdout(out), redirect_stderr(err):
            code = main(words)
        return (out.text() + err.text()).rstrip("\n"), code


class _Screen(io.TextIOWrapper):
    """Keeps what is written to it; says that it is a terminal where the real one is, for the colours."""

    def __init__(self, *, terminal: bool) -> None:
        self._bytes = io.BytesIO()
        self._terminal = terminal
        super().__init__(self._bytes, encoding="utf-8", newline="\n", write_through=True)

    def isatty(self) -> bool:
        return self._terminal

    def text(self) -> str:
        self.flush()
        return self._bytes.getvalue().decode()


def _expanded(word: str) -> list[str]:
    """What a shell makes of ``folder/*.jsonl``."""
    path = Path(word)
    return sorted(map(str, path.parent.glob(path.name))) if path.name.startswith("*") else [word]


def quoted(word: str) -> str:
    """A word as a person puts it into quotes for a shell; only where it needs them."""
    if word and not _SPECIAL & set(word):
        return word
    return shlex.quote(word) if set('"$`\\!') & set(word) else f'"{word}"'


def command_name() -> str:
    """How the user calls the command line from where they are.

    Returns:
        ``lakehouse`` where that finds the program that runs; else its path; else ``python -m lakehouse`` with
        the path of the interpreter.
    """
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return f"{quoted(_from_here(Path(sys.executable)))} -m {_NAME}"
    if program.stem != _NAME or not program.exists():
        return _NAME
    found = shutil.which(_NAME)
    if found is not None and Path(found).samefile(program):
        return _NAME
    return quoted(_from_here(program))


def _from_here(path: Path) -> str:
    """A path below the current folder, relative to it; any other as it is."""
    here = Path.cwd()
    if path.is_absolute() and path.is_relative_to(here):
        path = path.relative_to(here)
    text = str(path)
    return text if os.sep in text else os.path.join(os.curdir, text)  # noqa: PTH118 -- Path drops the `./`
