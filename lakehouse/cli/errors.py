"""Exceptions to what a person or a script sees: lines on standard error, or a JSON document, and exit codes.

Errors that Lakehouse raises on purpose carry their message, advice and exit code. Anything else is a fault of
the program: only its type and place are shown, since its message could carry values of rows.
"""

from __future__ import annotations

import re
import sys
import traceback
from pathlib import Path
from typing import Any, Final

import click

from lakehouse.cli.documents import encode
from lakehouse.errors import ConfigError, LakehouseError

_PACKAGE = Path(__file__).parent.parent


_ARGUMENTS: Final = re.compile(r"^(Got unexpected extra arguments?) \(.*\)$", re.DOTALL)
"""Click repeats what it can't use, which can be an identifier of a person."""


def report(error: Exception, *, as_json: bool, debug: bool) -> int:
    """Writes an error to standard error.

    Args:
        error: What was raised.
        as_json: Whether to write it as a JSON document.
        debug: Whether to write the traceback before it.

    Returns:
        The exit code.
    """
    if debug and not isinstance(error, click.ClickException):
        click.echo("".join(traceback.format_exception(error)).rstrip(), err=True)
    document = describe(error)
    try:
        if as_json:
            click.echo(encode({"error": document}).decode(), err=True)
        else:
            _write_lines(error, document)
    except OSError:
        # Nobody reads standard error any more: the exit code still tells.
        pass
    return int(document["exit_code"])


def describe(error: Exception) -> dict[str, Any]:
    """Says what happened as a document.

    Returns:
        ``type``, ``message``, ``advice``, ``exit_code``, and ``problems`` for a broken config.
    """
    if isinstance(error, LakehouseError):
        document = _document(type(error).__name__, error.message, error.advice, error.exit_code)
        if isinstance(error, ConfigError):
            document["problems"] = [
                {
                    "file": each.file,
                    "line": each.line,
                    "column": each.column,
                    "path": each.path,
                    "message": each.message,
                }
                for each in error.problems
            ]
        return document
    if isinstance(error, click.ClickException):
        message = _ARGUMENTS.sub(r"\1", error.format_message())
        return _document("UsageError", message, _usage_advice(error), error.exit_code)
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if isinstance(error.filename, str) else ""
        return _document(type(error).__name__, f"{error.strerror}{where}", "", 1)
    if isinstance(error, ModuleNotFoundError):
        return _document(
            type(error).__name__,
            f"the Python module {error.name} is not installed",
            "install lakehouse again with pip, so that all that it needs comes with it",
            1,
        )
    return _document(
        type(error).__name__,
        f"internal error: {type(error).__name__} at {_place(error)}",
        "this is a fault of Lakehouse, not of yours; --debug shows the traceback",
        1,
    )


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Writes a warning as one line; takes the place of ``warnings.showwarning``."""
    click.echo(f"warning: {message}", err=True)


def _document(kind: str, message: str, advice: str, exit_code: int) -> dict[str, Any]:
    return {"type": kind, "message": message, "advice": advice, "exit_code": exit_code}


def _usage_advice(error: click.ClickException) -> str:
    advice = getattr(error, "advice", "")
    context = getattr(error, "ctx", None)
    if advice or context is None:
        return str(advice)
    return f"`{context.command_path} --help` explains it"


def _place(error: Exception) -> str:
    """File and line of the innermost frame that is ours; the innermost of all if none is."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    if not frames:
        return "an unknown place"
    frame = (ours or frames)[-1]
    path = Path(frame.filename)
    name = path.relative_to(_PACKAGE.parent) if ours else Path(path.name)
    return f"{name.as_posix()}:{frame.lineno}"


def _write_lines(error: Exception, document: dict[str, Any]) -> None:
    from lakehouse.cli.output import in_colour

    colour = in_colour(sys.stderr)
    message = str(document["message"])
    internal = message.startswith("internal error: ")
    if isinstance(error, click.UsageError) and isinstance(error, _help_is_the_answer()):
        click.echo(message, err=True, color=colour)
        return
    problems = document.get("problems")
    if problems and len(problems) > 1:
        files = sorted({each["file"] for each in problems})
        message = f"{len(problems)} problems in {', '.join(files)}\n{message}"
    if not internal:
        message = click.style("error:", fg="red", bold=True) + " " + message
    click.echo(message, err=True, color=colour)
    if document["advice"]:
        click.echo(click.style("hint:", dim=True) + f" {document['advice']}", err=True, color=colour)


def _help_is_the_answer() -> tuple[type[Exception], ...]:
    """What click raises where a group was named without a verb; older releases print the help themselves."""
    kind = getattr(click.exceptions, "NoArgsIsHelpError", None)
    return (kind,) if kind is not None else ()
