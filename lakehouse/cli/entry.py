"""``main()``: runs one command and answers with its exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage or config, 3 refused, 4 conflict (try again), 5 a check found
something, 6 not found, 130 interrupted, 141 the reader of the output went away.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

import click

from lakehouse.cli import errors
from lakehouse.cli.app import root

INTERRUPTED = 130
PIPE_CLOSED = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The words after ``lakehouse``; those of the process if left out.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "_LAKEHOUSE_COMPLETE" in os.environ:
        root.main(args=words, prog_name="lakehouse")
    _never_without_streams()
    _never_fail_on_encoding()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = errors.show_warning
            code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        return PIPE_CLOSED
    except OSError as error:
        _forget_stdout()
        return errors.report(error, as_json=given("--json", words), debug=given("--debug", words))
    return code


def given(option: str, words: Sequence[str]) -> bool:
    """Tells whether a flag stands among the words, before a ``--`` that ends the options.

    The flags that say how errors look must be known even where the words can't be parsed.
    """
    end = words.index("--") if "--" in words else len(words)
    return option in words[:end]


def _run(words: list[str]) -> int:
    as_json, debug = given("--json", words), given("--debug", words)
    try:
        with root.make_context("lakehouse", words) as context:
            code = root.invoke(context)
            return code if isinstance(code, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 -- the edge of the program: nothing else would catch it
        return errors.report(error, as_json=as_json, debug=debug)


def _never_without_streams() -> None:
    """A stream that the caller has closed (``>&-``) is one that nobody reads."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 -- stays open


def _never_fail_on_encoding() -> None:
    """A name that the terminal can't show is written with escapes instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _forget_stdout() -> None:
    """Whatever is still buffered goes nowhere, so that the interpreter's exit does not stumble over it."""
    try:
        target = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), target)
