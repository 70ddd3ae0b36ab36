"""The verbs about versions: ``history``, ``diff``, ``tag``, ``restore``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.cells import said
from lakehouse.cli.frames import asked, write_frame
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, Fields, plural
from lakehouse.cli.parameters import (
    Whole,
    at,
    at_options,
    confirm_options,
    frame_options,
    table_argument,
    words,
)
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.timetravel.history import HistoryEntry
    from lakehouse.timetravel.restore import RestorePlan

CHANGES: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "_change": {
        "insert": {"fg": "green"},
        "delete": {"fg": "red"},
        "update_before": {"fg": "yellow", "dim": True},
        "update_after": {"fg": "yellow"},
    }
}


@verb(
    "history",
    examples=["lakehouse history customers", "lakehouse history customers --limit 3 --json"],
    python="lake.table(...).history(limit=...)",
)
@table_argument()
@click.option("-n", "--limit", type=Whole(min=1), default=20, show_default=True, help="The newest N.")
@click.pass_obj
def history(session: Session, *, table: str, limit: int) -> None:
    """List the versions of a table: when, what, by whom, how many rows.

    The newest first. A version that can't be read any more says so.
    """
    entries = session.lake.table(table).history(limit=limit)
    document = [
        {
            "version": each.version,
            "time": each.timestamp,
            "operation": each.operation,
            "client": each.client,
            "author": each.user,
            "counts": dict(each.counts),
            "parameters": dict(each.parameters),
            "tags": list(each.tags),
            "readable": each.readable,
            "gone": each.gone,
        }
        for each in entries
    ]
    rows = [
        [
            each.version,
            each.timestamp.replace(microsecond=0),
            said(each.operation),
            said(_counted(each)),
            said(", ".join(each.tags)),
            said("" if each.readable else "gone"),
            said(each.client),
            said(each.user),
        ]
        for each in entries
    ]
    grid = Grid(["version", "time", "operation", "changed", "tags", "files", "client", "author"], rows)
    session.out.emit({"table": table, "history": document}, grid.without_empty("tags", "files", "author"))
    if len(entries) == limit and entries[-1].version > 0:
        session.out.note(f"the newest {plural(limit, 'version')}; more with --limit N")


def _counted(each: HistoryEntry) -> str:
    """What became of rows; of files where no rows changed, as in a compaction."""
    counts = {name: number for name, number in each.counts.items() if number}
    rows = [f"{number:,} {name}" for name, number in counts.items() if not name.startswith("files_")]
    files = [
        f"{plural(number, 'file')} {name.removeprefix('files_')}"
        for name, number in counts.items()
        if name.startswith("files_")
    ]
    return ", ".join(rows or files)


@verb(
    "diff",
    examples=[
        "lakehouse diff customers 3 7",
        "lakehouse diff customers before-move              # from a tag to the newest version",
        "lakehouse diff customers 7 3 --output undo.csv",
        "lakehouse diff customers 3 7 --role analyst       # what changed of what a role sees",
    ],
    python="lake.table(...).diff(3, 7, columns=..., role=...)",
)
@table_argument()
@click.argument("from_", metavar="FROM")
@click.argument("to", metavar="[TO]", required=False)
@click.option(
    "--columns", multiple=True, metavar="A,B", help="Compare and show only these columns and the key."
)
@click.option("--role", metavar="ROLE", help="Compare what somebody in this role sees: its rows, masked.")
@frame_options
@click.pass_obj
def diff(
    session: Session,
    *,
    table: str,
    from_: str,
    to: str | None,
    columns: tuple[str, ...],
    role: str | None,
    limit: int | None,
    everything: bool,
    format_: str | None,
    output: str | None,
) -> None:
    """Show the rows that differ between two versions.

    FROM and TO are versions or tags; TO is the newest version if left out, and may be older than FROM.
    `_change` tells what happened to a row on the way: insert, delete, update_before and update_after.
    """
    how = asked(session, format_=format_, output=output, limit=limit, everything=everything)
    frame = session.lake.table(table).diff(
        _point(from_), None if to is None else _point(to), columns=words(columns), role=role
    )
    kinds = frame["_change"]
    inserted, updated, deleted = (int((kinds == kind).sum()) for kind in ("insert", "update_after", "delete"))
    about = {
        "table": table,
        "from": from_,
        "to": to,
        "inserted": inserted,
        "updated": updated,
        "deleted": deleted,
    }
    summary = f"{inserted:,} inserted, {updated:,} updated, {deleted:,} deleted"
    write_frame(session, frame, asked=how, about=about, styles=CHANGES, summary=summary)


def _point(text: str) -> int | str:
    """A version's number, or the name of a tag."""
    return int(text) if text.isascii() and text.isdecimal() else text


@verb(
    "tag",
    examples=[
        "lakehouse tag customers model-2026-q4 --version 7",
        "lakehouse tag customers --list",
        "lakehouse tag customers model-2026-q4 --delete",
    ],
    python='lake.table(...).tag("model-2026-q4", version=7); .tags(); .untag("model-2026-q4")',
)
@table_argument()
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--version", type=Whole(min=0), metavar="N", help="Which version. Without it: the newest.")
@click.option("--delete", is_flag=True, help="Take the name away; the version stays.")
@click.option("--list", "listed", is_flag=True, help="List the tags of the table.")
@click.pass_obj
def tag(
    session: Session, *, table: str, name: str | None, version: int | None, delete: bool, listed: bool
) -> None:
    """Name a version, so that it is kept and found again.

    The files of a tagged version are not vacuumed. Tags do not move: to give a name to another version, take
    it away first.
    """
    if delete + listed + (version is not None) > 1:
        raise click.UsageError(
            "--version, --delete and --list exclude each other", click.get_current_context()
        )
    place = session.lake.table(table)
    if listed or (name is None and not delete and version is None):
        tags = place.tags()
        document = [{"name": each.name, "version": each.version, "time": each.created} for each in tags]
        rows = [[each.name, each.version, each.created.replace(microsecond=0)] for each in tags]
        blocks = [Grid(["tag", "version", "time"], rows)] if rows else [f"{table} has no tags"]
        session.out.emit({"table": table, "tags": document}, *blocks)
        return
    if name is None:
        raise click.UsageError("name the tag", click.get_current_context())
    if delete:
        gone = place.untag(name)
        session.out.emit(
            {"table": table, "deleted": gone.name, "version": gone.version},
            f"{table}: version {gone.version} is no longer called {gone.name}",
        )
        return
    made = place.tag(name, version=version)
    session.out.emit(
        {"table": table, "tag": made.name, "version": made.version},
        f"{table}: version {made.version} is now called {made.name}",
    )
    session.out.next_steps((f"lakehouse read {table} --tag {made.name}", "read it, whatever comes later"))


@verb(
    "restore",
    examples=[
        "lakehouse restore customers --version 3 --dry-run",
        "lakehouse restore customers --tag before-move --yes",
    ],
    python="lake.table(...).restore(version=3, dry_run=False)",
)
@table_argument()
@at_options
@confirm_options
@click.pass_obj
def restore(
    session: Session,
    *,
    table: str,
    version: int | None,
    timestamp: datetime | None,
    tag: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Bring back an older version of a table.

    Makes a new version with the rows of an older one; the versions between stay readable. Shows what would
    change and asks; without a terminal it needs --yes. People who were erased stay away.
    """
    target = at(version, timestamp, tag)
    if target.is_latest:
        raise click.UsageError(
            "say which version: --version, --timestamp or --tag", click.get_current_context()
        )
    place = session.lake.table(table)
    plan = place.restore(**target.words, dry_run=True)
    if dry_run or plan.changes_nothing:
        session.out.emit(_restore_document(plan, dry_run=dry_run), *_restore_story(plan))
        return
    if not session.as_json:
        for block in _restore_story(plan):
            session.out.show(block)
    if not session.go_ahead(f"Restore {table} to version {plan.target}?", yes=yes):
        session.out.note("nothing was done")
        return
    done = place.restore(**target.words)
    session.out.emit(
        _restore_document(done, dry_run=False),
        f"{table}: restored as version {done.version}"
        if done.version is not None
        else f"{table}: already what it was, nothing was done",
    )
    session.out.next_steps((f"lakehouse diff {table} {plan.current}", "see what that changed"))


def _restore_story(plan: RestorePlan) -> list[Block]:
    if plan.changes_nothing:
        return [
            f"{plan.table}: version {plan.current} is the same as version {plan.target}, nothing to restore"
        ]
    return [
        f"{plan.table}: from version {plan.current} back to what version {plan.target} was, as a new version",
        Fields(
            ("  rows", _from_to(plan.rows_before, plan.rows_after)),
            (
                "  rows of erased people",
                f"{plan.rows_suppressed:,} stay away" if plan.rows_suppressed else None,
            ),
            ("  files that come back", f"{plan.files_added:,}"),
            ("  files that go", f"{plan.files_removed:,}"),
            ("  columns", "change too" if plan.schema_changes else None),
        ),
    ]


def _from_to(before: int | None, after: int | None) -> str:
    old, new = ("?" if number is None else f"{number:,}" for number in (before, after))
    return f"{old} → {new}"


def _restore_document(plan: RestorePlan, *, dry_run: bool) -> dict[str, Any]:
    return {
        "table": plan.table,
        "dry_run": dry_run,
        "from_version": plan.current,
        "to_version": plan.target,
        "version": plan.version,
        "changes_nothing": plan.changes_nothing,
        "rows_before": plan.rows_before,
        "rows_after": plan.rows_after,
        "rows_suppressed": plan.rows_suppressed,
        "files_added": plan.files_added,
        "files_removed": plan.files_removed,
        "schema_changes": plan.schema_changes,
    }
