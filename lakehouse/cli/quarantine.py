"""The verbs about records that could not be merged: ``quarantine list``, ``retry`` and ``drop``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.cells import Cell, amount, cell, said
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import VerbGroup, verb
from lakehouse.cli.output import Block, Fields, plural
from lakehouse.cli.parameters import Whole, confirm_options, table_argument, words
from lakehouse.cli.progress import progress
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.quarantine import RetryResult

_LIMIT = 100
_SHOWN = 20


@click.group(cls=VerbGroup, subcommand_metavar="VERB [ARGS]...")
def quarantine() -> None:
    """List and merge again the records that could not be merged."""


@verb(
    "list",
    examples=[
        "lakehouse quarantine list",
        "lakehouse quarantine list orders --reason bad_value",
        "lakehouse quarantine list orders --raw > to-mend.jsonl   # as they came, personal data and all",
    ],
    python="lake.table(...).quarantine.list(reason=None, limit=None)",
)
@table_argument(many=True)
@click.option("--reason", metavar="REASON", help="Only those rejected for this, as bad_value.")
@click.option(
    "-n",
    "--limit",
    type=Whole(min=0),
    metavar="N",
    help=f"At most N records of each table. Without it: {_LIMIT}; all with --raw.",
)
@click.option("--raw", is_flag=True, help="Print the records as they came, one a line, and nothing else.")
@click.pass_obj
def list_(
    session: Session, *, tables: tuple[str, ...], reason: str | None, limit: int | None, raw: bool
) -> None:
    """List the records that wait in quarantine, newest first.

    All tables if none is named. What the records say is shown with --raw only: it can be personal.
    """
    from lakehouse.quarantine import raw_lines

    names = tables or session.lake.tables
    found = [session.lake.table(name) for name in dict.fromkeys(names)]
    most = limit if limit is not None or raw else _LIMIT
    rows: list[dict[str, Any]] = []
    waiting: dict[str, int] = {}
    for table in found:
        frame = table.quarantine.list(reason=reason, limit=most, raw=raw)
        waiting[table.name] = table.quarantine.count()
        if raw and not session.as_json:
            session.out.write_bytes(b"".join(line + b"\n" for line in raw_lines(frame)))
        for row in frame.iter_rows(named=True):
            content = row.pop("raw", None)
            if raw:
                row["raw"] = None if content is None else content.decode("utf-8", errors="replace")
            rows.append({"table": table.name, **row})
    if raw and not session.as_json:
        return
    total = sum(waiting.values())
    blocks: list[Block] = ["nothing waits in quarantine" if not total else _grid(rows)]
    session.out.emit({"waiting": waiting, "records": rows}, *blocks)
    if total > len(rows):
        session.out.note(f"{len(rows):,} of {plural(total, 'record')} in quarantine")
    named = next((name for name, number in waiting.items() if number), None)
    if named is not None:
        session.out.next_steps((f"lakehouse quarantine retry {named}", "merge them again, after a fix"))


def _grid(rows: list[dict[str, Any]]) -> Grid:
    columns = ["table", "id", "rejected for", "detail", "source", "offset", "line", "tries", "time"]
    cells: list[list[Cell]] = [
        [
            said(row["table"]),
            said(row["id"][:12]),
            said(row["reason"]),
            said(row["detail"]),
            said(row["source"] or ""),
            amount(row["offset"]) if row["offset"] is not None else said(""),
            amount(row["line"]) if row["line"] is not None else said(""),
            amount(row["tries"]) if row["tries"] else said(""),
            cell(row["quarantined_at"].replace(microsecond=0)),
        ]
        for row in rows
    ]
    return Grid(columns, cells).without_empty("source", "offset", "line", "tries")


def _choice(function: Any) -> Any:
    function = click.option("--id", "ids", metavar="ID", multiple=True, help="Only this one; can repeat.")(
        function
    )
    return click.option("--reason", metavar="REASON", help="Only those rejected for this, as bad_value.")(
        function
    )


@verb(
    "retry",
    examples=[
        "lakehouse quarantine retry orders --dry-run",
        "lakehouse quarantine retry orders --reason constraint",
    ],
    python='lake.table(...).quarantine.retry(reason="constraint", dry_run=False)',
)
@table_argument()
@_choice
@click.option("--dry-run", is_flag=True, help="Count what would happen; write nothing.")
@click.pass_obj
def retry(session: Session, *, table: str, ids: tuple[str, ...], reason: str | None, dry_run: bool) -> int:
    """Merge the records in quarantine again, after a fix.

    Those that go in leave the quarantine; those that still do not fit stay, with the reason of today. Exit
    code 1 if any stays.
    """
    place = session.lake.table(table).quarantine
    with progress(session, f"merging into {table}"):
        chosen = _full_ids(session, table, ids)
        done = place.retry(ids=chosen, reason=reason, dry_run=dry_run)
    session.out.emit(_retry_document(done), *_retry_story(done))
    if not done.waiting:
        return 0
    if not session.as_json:
        why = f", refused together: {done.refused}" if done.refused else ""
        what = f"{done.waiting:,} of {plural(done.tried, 'record')}"
        verb_ = "would stay" if dry_run else ("stays" if done.waiting == 1 else "stay")
        click.echo(f"error: {what} {verb_} in quarantine{why}", err=True)
        if done.refused:
            click.echo("hint: --id and --reason merge those that fit without the others", err=True)
    return 1


def _retry_document(done: RetryResult) -> dict[str, Any]:
    return {
        "table": done.table,
        "version": done.version,
        "dry_run": done.dry_run,
        "tried": done.tried,
        "merged": done.merged,
        "dropped": done.dropped,
        "waiting": done.waiting,
        **done.counts,
        "refused": done.refused,
        "problems": [
            {"position": each.position, "reason": each.reason, "detail": each.detail}
            for each in done.problems
        ],
    }


def _retry_story(done: RetryResult) -> list[Block]:
    if not done.tried:
        return [f"{done.table}: no such record waits in quarantine"]
    would = "would be merged; nothing was written" if done.dry_run else f"merged (version {done.version})"
    if not done.merged:
        would = "could be merged" if not done.dry_run else "would be merged"
    head = f"{done.table}: {done.merged:,} of {plural(done.tried, 'record')} in quarantine {would}"
    counts = [(name, f"{number:,}") for name, number in done.counts.items() if number]
    story: list[Block] = [head, Fields(*((f"  {name}", number) for name, number in counts))]
    if done.problems:
        rows = [[each.position + 1, each.reason, each.detail] for each in done.problems[:_SHOWN]]
        story += ["", Grid(["record", "rejected for", "detail"], rows)]
    if len(done.problems) > _SHOWN:
        story.append(f"… and {len(done.problems) - _SHOWN:,} more; --json lists all")
    return story


@verb(
    "drop",
    examples=[
        "lakehouse quarantine drop orders --reason bad_json --dry-run",
        "lakehouse quarantine drop orders --yes   # all of them",
    ],
    python="lake.table(...).quarantine.drop(everything=True, dry_run=False)",
)
@table_argument()
@_choice
@confirm_options
@click.pass_obj
def drop(
    session: Session, *, table: str, ids: tuple[str, ...], reason: str | None, dry_run: bool, yes: bool
) -> None:
    """Throw records in quarantine away; all of the table's, unless told which.

    Shows how many and asks; without a terminal it needs --yes.
    """
    place = session.lake.table(table).quarantine
    chosen = _full_ids(session, table, ids)
    everything = chosen is None and reason is None
    found = place.drop(ids=chosen, reason=reason, everything=everything, dry_run=True).dropped
    document = {"table": table, "dry_run": dry_run, "dropped": found}
    if dry_run or not found:
        would = f"{plural(found, 'record')} would be thrown away" if found else "no such record waits"
        session.out.emit(document, f"{table}: {would}; nothing was written")
        return
    if not session.go_ahead(f"Throw {plural(found, 'record')} of {table} away?", yes=yes):
        session.out.note("nothing was done")
        return
    gone = place.drop(ids=chosen, reason=reason, everything=everything).dropped
    session.out.emit(
        {**document, "dropped": gone}, f"{table}: {plural(gone, 'record')} thrown out of the quarantine"
    )


def _full_ids(session: Session, table: str, ids: tuple[str, ...]) -> list[str] | None:
    """The ids that were meant: as `list` shows them, their beginning is enough."""
    named = words(ids)
    if named is None:
        return None
    known = session.lake.table(table).quarantine.list()["id"]
    return [id_ for id_ in known if any(id_.startswith(each) for each in named)]


for _command in (list_, retry, drop):
    quarantine.add_command(_command)
