"""The verbs about archived rows: ``retention archives``, ``retention restore-archive``."""

from __future__ import annotations

import click

from lakehouse.cli.cells import amount, said, size
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, Fields, plural
from lakehouse.cli.parameters import TableName, table_argument
from lakehouse.cli.progress import progress
from lakehouse.cli.retention_story import short
from lakehouse.cli.session import Session


@verb(
    "archives",
    examples=["lakehouse retention archives", "lakehouse retention archives orders --json"],
    python="lake.retention.archives(table=None)",
)
@click.argument("table", metavar="[TABLE]", type=TableName(), required=False)
@click.option("--place", metavar="FOLDER", help="Where they are. Without it: where the rules archive to.")
@click.pass_obj
def archives(session: Session, *, table: str | None, place: str | None) -> None:
    """List the archives of a table, or of all, the oldest first.

    What an interrupted run left is finished or thrown away, as the table's log tells.
    """
    found = session.lake.retention.archives(table, place=place)
    document = [
        {
            "id": each.manifest.id,
            "table": each.manifest.table,
            "state": each.state,
            "url": each.url,
            "rule": each.manifest.rule,
            "rows": each.manifest.rows,
            "oldest": each.manifest.oldest,
            "newest": each.manifest.newest,
            "files": len(each.manifest.files),
            "bytes": sum(file.size for file in each.manifest.files),
            "time": each.manifest.created,
            "version": each.manifest.version,
        }
        for each in found
    ]
    rows = [
        [
            said(each.manifest.table),
            said(each.manifest.id),
            said(each.manifest.rule),
            amount(each.manifest.rows),
            said(short(each.manifest.oldest)),
            said(short(each.manifest.newest)),
            said(size(sum(file.size for file in each.manifest.files))),
            said("" if each.state == "complete" else each.state),
        ]
        for each in found
    ]
    grid = Grid(["table", "archive", "rule", "rows", "oldest", "newest", "size", "state"], rows)
    none = "no table has archives" if table is None else f"{table} has no archives"
    blocks: list[Block] = [grid.without_empty("state")] if rows else [none]
    session.out.emit({"table": table, "archives": document}, *blocks)


@verb(
    "restore-archive",
    examples=[
        "lakehouse retention restore-archive orders --from 2024-01-01 --to 2024-02-01 --dry-run",
        "lakehouse retention restore-archive orders --archive 20260101T030000Z",
    ],
    python='lake.retention.restore_archive(table, since="2024-01-01", until="2024-02-01")',
)
@table_argument()
@click.option("--archive", metavar="ID", help="Only this one; the beginning of its id is enough.")
@click.option("--from", "since", metavar="DATE", help="Only rows with this date or a later one.")
@click.option("--to", "until", metavar="DATE", help="Only rows before this date.")
@click.option("--place", metavar="FOLDER", help="Where they are. Without it: where the rules archive to.")
@click.option("--dry-run", is_flag=True, help="Count what would happen; write nothing.")
@click.pass_obj
def restore_archive(
    session: Session,
    *,
    table: str,
    archive: str | None,
    since: str | None,
    until: str | None,
    place: str | None,
    dry_run: bool,
) -> None:
    """Bring archived rows back into their table, by a merge.

    Rows that the table has newer stay as they are, and people who were erased stay away (`suppressed`). The
    archive stays too. The next `retention apply` takes the rows out again, unless the rules change.
    """
    with progress(session, f"merging into {table}"):
        done = session.lake.retention.restore_archive(
            table, archive=archive, since=since, until=until, place=place, dry_run=dry_run
        )
    document = {
        "table": table,
        "dry_run": dry_run,
        "archives": list(done.archives),
        "rows": done.rows,
        "version": done.version,
        "counts": done.counts,
    }
    what = f"{plural(done.rows, 'row')} of {plural(len(done.archives), 'archive')}"
    head = f"{table}: {what} {'would be merged' if dry_run else 'merged'}"
    if not done.rows:
        where = f"`lakehouse retention archives {table}` shows where they lie"
        head = f"{table}: no archived row lies in that range ({where})"
    elif done.version is not None:
        head += f" (version {done.version})"
    elif not dry_run:
        head = f"{table}: {what} looked at; nothing changed"
    counts = Fields(*((f"  {name}", f"{number:,}") for name, number in done.counts.items()))
    session.out.emit(document, head, counts)
