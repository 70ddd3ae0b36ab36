"""The verbs about rows past their time: ``retention plan``, ``apply``, ``archives``, ``restore-archive``."""

from __future__ import annotations

import shlex
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.archives import archives, restore_archive
from lakehouse.cli.cells import amount, said, size
from lakehouse.cli.errors import report
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import VerbGroup, verb
from lakehouse.cli.output import Block, plural
from lakehouse.cli.parameters import Moment, TableName, Whole, confirm_options, table_argument
from lakehouse.cli.progress import progress
from lakehouse.cli.retention_story import result_document, result_lines, story
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.retention.plan import RetentionPlan
    from lakehouse.retention.results import RetentionResult


@click.group(cls=VerbGroup, subcommand_metavar="VERB [ARGS]...")
def retention() -> None:
    """Delete, archive or anonymize rows that are past their time."""


def _limits(function: Any) -> Any:
    for option in (
        click.option("--allow-empty", is_flag=True, help="A table may end up without rows."),
        click.option(
            "--max-fraction",
            type=click.FloatRange(0, 1, min_open=True),
            metavar="SHARE",
            help="The share of a table that may go, as 0.8; in place of the rules' own.",
        ),
        click.option("--now", type=Moment(), metavar="TIME", help="Count back from this moment."),
    ):
        function = option(function)
    return function


@verb(
    "plan",
    examples=[
        "lakehouse retention plan",
        "lakehouse retention plan orders --now 2027-01-01T00:00:00Z   # what will go by then",
        "lakehouse retention plan --output plan.json                  # to apply exactly that later",
    ],
    python="lake.retention.plan(tables=None, now=None)",
)
@table_argument(many=True)
@_limits
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False), help="Also write the plan to a file."
)
@click.pass_obj
def plan(
    session: Session,
    *,
    tables: tuple[str, ...],
    now: datetime | None,
    max_fraction: float | None,
    allow_empty: bool,
    output: str | None,
) -> None:
    """Show which rows are past their time, by which rule, and what holds keep back.

    All tables with rules for rows if none is named. Nothing is changed.
    """
    with progress(session, "planning"):
        found = session.lake.retention.plan(
            tables=tables or None, now=now, max_fraction=max_fraction, allow_empty=allow_empty
        )
    if output is not None:
        Path(output).write_text(found.to_json() + "\n", encoding="utf-8")
    session.out.emit(found.to_dict(), *story(found))
    if not found.changes_nothing and not found.brakes:
        words = [*tables, *_written(now, max_fraction, allow_empty=allow_empty)]
        if output is not None:
            words = ["--plan", output]
        session.out.next_steps((shlex.join(["lakehouse", "retention", "apply", *words]), "carry it out"))


def _written(now: datetime | None, max_fraction: float | None, *, allow_empty: bool) -> list[str]:
    """The options as they are typed."""
    from lakehouse.config.moments import iso

    found = [] if now is None else ["--now", iso(now)]
    found += [] if max_fraction is None else ["--max-fraction", f"{max_fraction:g}"]
    return [*found, "--allow-empty"] if allow_empty else found


@verb(
    "apply",
    examples=[
        "lakehouse retention apply --dry-run",
        "lakehouse retention apply orders --yes",
        "lakehouse retention apply --plan plan.json --yes   # exactly that, or nothing",
    ],
    python="lake.retention.apply(plan=None, tables=None, dry_run=False)",
)
@table_argument(many=True)
@_limits
@click.option(
    "--plan",
    "file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Carry out exactly this plan, which `retention plan` wrote.",
)
@confirm_options
@click.pass_obj
def apply(
    session: Session,
    *,
    tables: tuple[str, ...],
    now: datetime | None,
    max_fraction: float | None,
    allow_empty: bool,
    file: str | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Delete, archive or anonymize rows past their time: one commit a table.

    Shows the plan and asks; without a terminal it needs --yes. What was shown is what is done: if a table
    changes in between in a way that touches it, that table is left as it is (exit code 4). With --yes and
    without --plan such a table is planned again. A table with a brake is refused (exit code 3), the others
    are done.
    """
    place = session.lake.retention
    if file is None:
        with progress(session, "planning"):
            found = place.plan(
                tables=tables or None, now=now, max_fraction=max_fraction, allow_empty=allow_empty
            )
    else:
        found = _read(file, tables, given=now is not None or max_fraction is not None or allow_empty)
    if dry_run:
        session.out.emit({"dry_run": True, **found.to_dict()}, *story(found))
        return 0
    if not session.as_json:
        for block in story(found):
            session.out.show(block)
    going = sum(each.rows_going for each in found.tables if not each.brakes)
    if going and not session.go_ahead(f"Carry it out ({plural(going, 'row')})?", yes=yes):
        session.out.note("nothing was done")
        return 0
    names = tuple(each.table for each in found.tables)
    with session.lake.jobs.alone(*names, waiting=session.out.note), progress(session, "working"):
        # With --yes nobody decides by the plan, so it may be made again where other writers are in between.
        done = place.apply(found, strict=False, exact=file is not None or not yes)
    return _told(session, done)


def _read(file: str, tables: tuple[str, ...], *, given: bool) -> RetentionPlan:
    from lakehouse.retention.plan import RetentionPlan

    if given:
        raise click.UsageError(
            "a plan has its own moment and limits: leave --now, --max-fraction and --allow-empty out",
            click.get_current_context(),
        )
    found = RetentionPlan.from_json(Path(file).read_bytes())
    return found.only(tables) if tables else found


def _told(session: Session, done: RetentionResult) -> int:
    """Says what was done, and which tables were not; the exit code of the first of those."""
    session.out.emit(result_document(done), *result_lines(done))
    if not session.as_json:
        for error in done.errors:
            report(error, as_json=False, debug=session.debug)
    return done.errors[0].exit_code if done.errors else 0


@verb(
    "history",
    examples=["lakehouse retention history", "lakehouse retention history orders --limit 5 --json"],
    python="lake.retention.history(table=None, limit=None)",
)
@click.argument("table", metavar="[TABLE]", type=TableName(), required=False)
@click.option("--limit", type=Whole(min=1), default=50, show_default=True, help="At most so many entries.")
@click.pass_obj
def history(session: Session, *, table: str | None, limit: int) -> None:
    """Show what was taken away, when and by which rule.

    By retention and by vacuum, the latest first; the state database remembers it.
    """
    found = session.lake.retention.history(table, limit=limit)
    document = [
        {
            "time": each.at,
            "table": each.table,
            "verb": each.kind,
            "rule": each.rule,
            "action": each.action,
            "rows": each.rows,
            "files": each.files,
            "bytes": each.bytes,
            "held_back": each.held_back,
            "version": each.version_after,
            "author": each.author,
            **each.detail,
        }
        for each in found
    ]
    rows = [
        [
            each.at.replace(microsecond=0),
            said(each.table),
            said(each.kind),
            said(each.rule),
            said(each.action),
            amount(each.rows) if each.rows is not None else said(""),
            amount(each.files),
            said(size(each.bytes)),
            amount(each.held_back) if each.held_back else said(""),
            said(each.author),
        ]
        for each in found
    ]
    columns = ["time", "table", "verb", "rule", "action", "rows", "files", "size", "held back", "author"]
    blocks: list[Block] = (
        [Grid(columns, rows).without_empty("rule", "rows", "held back")]
        if rows
        else ["nothing has been taken away yet"]
    )
    session.out.emit({"records": document}, *blocks)


for _command in (plan, apply, history, archives, restore_archive):
    retention.add_command(_command)
