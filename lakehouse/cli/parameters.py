"""Arguments and options that several verbs share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import click

from lakehouse.cli.session import Session
from lakehouse.errors import LakehouseError

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

FRAME_FORMATS = ("table", "json", "jsonl", "csv", "parquet")


# Generic only in newer releases of click.
class TableName(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """The name of a table in the config; shells complete it."""

    name = "table"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """The tables of the config that begin with what was typed; none where the config can't be read."""
        del param
        from lakehouse.config import load_config

        root = ctx.find_root()
        session = Session(config=root.params.get("config"), as_json=False, quiet=True, debug=False)
        try:
            names = list(load_config(session.config_path()).tables)
        except (LakehouseError, OSError):
            return []
        return [click.shell_completion.CompletionItem(name) for name in names if name.startswith(incomplete)]


class Moment(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A point in time with its zone, as ``2026-03-04T05:06:07Z`` or ``2026-03-04 06:06:07+01:00``."""

    name = "timestamp"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Reads an ISO 8601 timestamp; one without a zone could mean any of 24 hours and is refused."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no timestamp; write it as 2026-03-04T05:06:07Z", param, ctx)
        if moment.tzinfo is None:
            self.fail(
                f"{value!r} has no zone; write {moment.isoformat()}Z for UTC, or its offset as +01:00",
                param,
                ctx,
            )
        return moment


class Whole(click.IntRange):
    """A whole number from a smallest one on; what is none is told so in plain words."""

    name = "whole number"


class At(NamedTuple):
    """Which version was asked for; at most one of the three is set.

    Args:
        version: By number.
        timestamp: The newest one at this time.
        tag: By name.
    """

    version: int | None
    timestamp: datetime | None
    tag: str | None

    @property
    def is_latest(self) -> bool:
        """Whether none was named."""
        return self.version is None and self.timestamp is None and self.tag is None

    @property
    def words(self) -> dict[str, Any]:
        """The one that is set, as keyword argument of the API."""
        return {name: value for name, value in self._asdict().items() if value is not None}


def at(version: int | None, timestamp: datetime | None, tag: str | None) -> At:
    """Takes the values of the three options.

    Raises:
        click.UsageError: More than one was given.
    """
    chosen = At(version, timestamp, tag)
    if len(chosen.words) > 1:
        raise click.UsageError("--version, --timestamp and --tag exclude each other", _context())
    return chosen


def at_options(function: Function) -> Function:
    """Adds ``--version``, ``--timestamp`` and ``--tag``."""
    for option in (
        click.option("--tag", metavar="NAME", help="At the version that a tag names."),
        click.option(
            "--timestamp", type=Moment(), metavar="TIME", help="As it was at a time, as 2026-03-04T05:06:07Z."
        ),
        click.option("--version", type=Whole(min=0), metavar="N", help="At a version."),
    ):
        function = option(function)
    return function


def table_argument(*, many: bool = False) -> Callable[[Function], Function]:
    """Adds ``TABLE``, or ``[TABLE]...`` where none means all."""
    if many:
        return click.argument("tables", metavar="[TABLE]...", type=TableName(), nargs=-1)
    return click.argument("table", metavar="TABLE", type=TableName())


def confirm_options(function: Function) -> Function:
    """Adds ``--dry-run`` and ``--yes``."""
    function = click.option("-y", "--yes", is_flag=True, help="Do it without asking.")(function)
    return click.option("--dry-run", is_flag=True, help="Only show what would be done.")(function)


def frame_options(function: Function) -> Function:
    """Adds ``--limit``, ``--all``, ``--format`` and ``--output``."""
    for option in (
        click.option(
            "-o",
            "--output",
            metavar="FILE",
            type=click.Path(dir_okay=False),
            help="Write to a file; - is standard output.",
        ),
        click.option(
            "--format",
            "format_",
            type=click.Choice(FRAME_FORMATS),
            help="How to write rows. Without it: by the name of FILE; a table on standard output.",
        ),
        click.option("--all", "everything", is_flag=True, help="All rows, also on a terminal."),
        click.option(
            "-n",
            "--limit",
            type=Whole(min=0),
            metavar="N",
            help="At most N rows. Without it: 20 in a table on a terminal, else all.",
        ),
    ):
        function = option(function)
    return function


def words(values: Sequence[str]) -> list[str] | None:
    """Reads a list given as ``a,b``, by repeating the option, or both; None where it was not given."""
    found = [word.strip() for value in values for word in value.split(",") if word.strip()]
    return found or None


def pairs(given: tuple[str, ...]) -> dict[str, str | list[str]]:
    """Reads ``--id NAME=VALUE``.

    Args:
        given: As given.

    Raises:
        click.UsageError: One is no pair; it is not repeated, since it can be the value alone.
    """
    found: dict[str, list[str]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals and value):
            raise click.UsageError("write --id NAME=VALUE, as --id id=7", click.get_current_context())
        found.setdefault(name.strip(), []).append(value)
    return dict(found)


def _context() -> click.Context | None:
    return click.get_current_context(silent=True)
