"""The one seam between verbs and what is printed.

A verb hands over a document and the blocks that show the same to a person. With ``--json`` the document is
written, once, to standard output; without it the blocks are. Hints, questions and progress are no results:
they go to standard error.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any, TypeAlias

import click

from lakehouse.cli.cells import cell
from lakehouse.cli.documents import encode
from lakehouse.cli.grid import Grid

_LINES = 1000


class Fields:
    """Labels and values, one pair a line, the values in one column.

    Args:
        *pairs: Label and value; pairs whose value is None are left out.
    """

    def __init__(self, *pairs: tuple[str, object]) -> None:
        self.pairs = [(label, value) for label, value in pairs if value is not None]

    def lines(self, *, colour: bool) -> list[str]:
        """The lines to print."""
        widest = max((len(label) for label, _ in self.pairs), default=0)
        return [
            f"{click.style(label.ljust(widest), dim=True) if colour else label.ljust(widest)}  "
            f"{value if isinstance(value, str) else cell(value).text}"
            for label, value in self.pairs
        ]


Block: TypeAlias = str | Fields | Grid
"""What a person is shown: a line or more of text, labels with values, or a table."""


class Output:
    """Where one invocation's result, hints and questions go.

    Args:
        as_json: Whether the result is one JSON document.
        quiet: Whether hints are left out.
    """

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json = as_json
        self.quiet = quiet

    def emit(self, document: object, *blocks: Block) -> None:
        """Writes a result.

        Args:
            document: What ``--json`` prints: made of dicts, lists and plain values.
            *blocks: What a person sees: text, fields, grids; an empty string is an empty line.
        """
        if self.as_json:
            self.emit_json(document)
            return
        for block in blocks:
            self.show(block)

    def emit_json(self, document: object) -> None:
        """Writes one JSON document; indented on a terminal, on one line elsewhere."""
        self.write_bytes(encode(document, indent=on_terminal(sys.stdout)) + b"\n")

    def show(self, block: Block) -> None:
        """Writes one block for people to standard output."""
        colour = in_colour(sys.stdout)
        if isinstance(block, str):
            click.echo(block, color=colour)
        elif isinstance(block, Fields):
            for line in block.lines(colour=colour):
                click.echo(line, color=colour)
        else:
            width = terminal_width() if on_terminal(sys.stdout) else None
            lines = block.lines(width=width, colour=colour)
            # Each call of echo flushes, so lines go out by the thousand.
            while part := list(islice(lines, _LINES)):
                click.echo("\n".join(part), color=colour)

    def write_bytes(self, data: bytes) -> None:
        """Writes bytes of the result as they are."""
        with binary_stdout() as stream:
            stream.write(data)

    def note(self, text: str) -> None:
        """Writes a hint to standard error, unless quiet or in JSON."""
        if not self.quiet and not self.as_json:
            click.echo(click.style(text, dim=True), err=True, color=in_colour(sys.stderr))

    def next_steps(self, *commands: tuple[str, str]) -> None:
        """Writes the commands to type next, each with what it does, to standard error."""
        if not commands:
            return
        widest = max(len(command) for command, _ in commands)
        self.note("next:")
        for command, why in commands:
            self.note(f"  {command.ljust(widest)}   # {why}")

    def ask(self, question: str) -> bool:
        """Asks a person for yes or no, on standard error; no is the default."""
        # Polars has signals restart what they interrupt: Ctrl-C would wait for the next key.
        signal.siginterrupt(signal.SIGINT, True)
        return click.confirm(question, default=False, err=True)


@contextmanager
def binary_stdout() -> Iterator[IO[bytes]]:
    """Standard output for bytes, after the text that was written before.

    With ``PYTHONUNBUFFERED`` it is a raw stream, whose ``write`` may write only a part and say so by its
    result, which nobody looks at: a buffer in between writes all or raises.
    """
    sys.stdout.flush()
    stream = sys.stdout.buffer
    if not isinstance(stream, io.RawIOBase):
        yield stream
        return
    buffered = io.BufferedWriter(stream)
    try:
        yield buffered
    finally:
        buffered.detach()


def in_colour(stream: IO[Any]) -> bool:
    """Tells whether to colour: on a terminal that can, unless ``NO_COLOR`` says otherwise."""
    return on_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def on_terminal(stream: IO[Any]) -> bool:
    """Tells whether a person is looking at the stream."""
    return not stream.closed and stream.isatty()


def terminal_width() -> int:
    """Columns of the terminal; ``COLUMNS`` counts where it is set."""
    return max(shutil.get_terminal_size((100, 24)).columns, 20)


def plural(number: int, noun: str, nouns: str = "") -> str:
    """``1 row``, ``2 rows``, ``1,234 rows``."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def listing(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
