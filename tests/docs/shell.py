"""Types what a page says: `lakehouse` commands in this process, everything else in a real shell."""

from __future__ import annotations

import io
import os
import re
import shlex
import stat
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from lakehouse.cli import main
from tests.docs.pages import ROOT

_CONTENT = re.compile(r'"\$\(cat ([\w.-]+)\)"')
_MEANS_SOMETHING = re.compile(r"[$`\\~]")
_OPERATORS = frozenset("|<>;&()")


class Answer(NamedTuple):
    """What came of a block: the last exit code, what a pipe would see, and what a terminal would show."""

    code: int
    out: str
    shown: str


class Shell:
    """A folder that a reader of one page sits in.

    Args:
        folder: An empty folder.
        real: Types everything into a real shell.
    """

    def __init__(self, folder: Path, *, real: bool = False) -> None:
        self.home = folder / "work"
        self.home.mkdir()
        self.here = self.home
        self.real = real
        self._names: dict[str, object] = {"__name__": "__main__"}
        self._programs = folder / "programs"
        self._programs.mkdir()
        program = self._programs / "lakehouse"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lakehouse "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def write(self, name: str, text: str) -> None:
        """Writes a file of the page."""
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")

    def bash(self, text: str) -> Answer:
        """Types commands, one after the other, until one fails."""
        commands = None if self.real else _simple(_CONTENT.sub(self._content, text))
        if commands is None:
            return self._in_bash(text)
        out, shown, code = "", "", 0
        for words in commands:
            code, said, complained = self._lakehouse(words)
            out, shown = out + said, shown + said + complained
            if code:
                break
        return Answer(code, out, shown)

    def python(self, text: str, *, place: str) -> Answer:
        """Runs code; names stay for the page's next block."""
        stream = io.StringIO()
        before = Path.cwd()
        os.chdir(self.here)
        try:
            with redirect_stdout(stream):
                exec(compile(text, place, "exec"), self._names)
        finally:
            os.chdir(before)
        return Answer(0, stream.getvalue(), stream.getvalue())

    def _content(self, found: re.Match[str]) -> str:
        """What `$(cat FILE)` stands for, where the file is there and has one word."""
        file = self.here / found[1]
        words = file.read_text().split() if file.is_file() else []
        return words[0] if len(words) == 1 else found[0]

    def _lakehouse(self, words: list[str]) -> tuple[int, str, str]:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
        before = Path.cwd()
        os.chdir(self.here)
        try:
            with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
                code = main(words)
        finally:
            os.chdir(before)
        out, err = (stream.buffer.getvalue().decode() for stream in streams)
        return code, out, err

    def _in_bash(self, text: str) -> Answer:
        where = self.home.parent / "where"
        environment = {
            **os.environ,
            "PATH": f"{self._programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        # The same commands once for a pipe's view; a terminal shows both streams, as they come.
        script = f'set -euo pipefail\n{text}\npwd > "{where}"\n'
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.here,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if where.exists():
            self.here = Path(where.read_text().strip())
        return Answer(done.returncode, done.stdout, done.stdout + done.stderr)


def _simple(text: str) -> list[list[str]] | None:
    """The words of each line, where all lines are plain calls of `lakehouse`; else None."""
    found: list[list[str]] = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="".join(_OPERATORS))
        lexer.whitespace_split = True
        words = list(lexer)
        if not words:
            continue
        if words[0] != "lakehouse" or _MEANS_SOMETHING.search(line) or "*" in line:
            return None
        if any(set(word) <= _OPERATORS for word in words):
            return None
        found.append(words[1:])
    return found


_CHANGING = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"), "TIME"),
    (re.compile(r"\b\d[\d,]*(\.\d+)? (B|kB|MB)\b"), "SIZE"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s)\b"), "SPAN"),
    (re.compile(r"\b(req|hold|plan|run|inc)-[0-9a-z]{6}\b"), r"\1-ID"),
    (re.compile(r"lakehouse/[\w.]+"), "lakehouse/VERSION"),
    (re.compile(r"(/[\w.-]+)+/lake\b"), "/FOLDER/lake"),
    (re.compile(r"─+"), "─"),
    (re.compile(r"[ \t]+"), " "),
)
"""What differs from run to run, or with a library's release: times, sizes, durations, widths of columns."""


def steady(text: str) -> list[str]:
    """The lines of an answer without what changes from run to run."""
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return [line.strip() for line in text.strip().splitlines()]


def agrees(expected: str, *answers: str) -> bool:
    """Whether one of the answers is the expected one."""
    pattern = "\n".join(
        r"(?s:.*)" if line == "…" else re.escape(line).replace("…", ".*") for line in steady(expected)
    )
    return any(re.fullmatch(pattern, "\n".join(steady(answer))) for answer in answers)
