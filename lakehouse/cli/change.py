"""The verb that changes tables: ``merge``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.cells import size, span
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, Fields, listing, plural
from lakehouse.cli.parameters import Whole, table_argument
from lakehouse.cli.progress import progress
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.merge.result import MergeResult

_SHOWN = 20


@verb(
    "merge",
    examples=[
        "lakehouse merge customers changes.jsonl",
        "lakehouse merge orders events-*.jsonl --source-table shop.orders",
        "lakehouse merge customers day-42.parquet --source shop --offset 42   # counts once",
        "produce-changes | lakehouse merge customers -",
    ],
    python='lake.table(...).merge_files(files, source="shop", offset=42), .merge(changes)',
)
@table_argument()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(allow_dash=True, path_type=Path)
)
@click.option(
    "--source", metavar="NAME", help="Whose changes these are; with --offset each batch counts once."
)
@click.option("--offset", type=Whole(min=0), metavar="N", help="Which batch of the source this is.")
@click.option(
    "--source-table", metavar="NAME", help="Only events of this table of the source, as shop.orders."
)
@click.option("--dry-run", is_flag=True, help="Count what would happen; write nothing.")
@click.pass_obj
def merge(
    session: Session,
    *,
    table: str,
    files: tuple[Path, ...],
    source: str | None,
    offset: int | None,
    source_table: str | None,
    dry_run: bool,
) -> int:
    """Merge files of changes into a table, in one commit.

    JSON Lines, CSV, Parquet and Arrow files (- is JSON Lines from standard input), all of them in one commit.
    Inserts, updates and deletes are ordered by the table's sequence, not by arrival; merging a file again
    changes nothing. Records that can't be used are listed by line and reason, the others are merged, and the
    exit code is 1.
    """
    place = session.lake.table(table)
    with progress(session, f"merging into {table}"):
        result = place.merge_files(
            files, source=source, offset=offset, source_table=source_table, dry_run=dry_run
        )
    session.out.emit(_document(result, dry_run=dry_run), *_story(result, dry_run=dry_run))
    if not result.rejected:
        return 0
    if not session.as_json:
        click.echo(_rejection(result, dry_run=dry_run), err=True)
    return 1


def _story(result: MergeResult, *, dry_run: bool) -> list[Block]:
    """What a merge did, for people: where it went, the counts, what it cost, what was rejected."""
    seconds = sum(result.seconds.values())
    records = plural(result.total, "record")
    if not result.total and not result.committed:
        head = f"{result.table}: there are no records to merge; nothing was written"
    elif dry_run:
        head = f"{result.table}: {records} would be merged; nothing was written"
    elif result.committed:
        some = f"{result.total - result.rejected:,} of " if result.rejected else ""
        head = f"{result.table}: {some}{records} merged into version {result.version} in {span(seconds)}"
    elif result.rejected == result.total > 0:
        head = f"{result.table}: none of {records} could be merged, nothing was written"
    else:
        head = f"{result.table}: {records} changed nothing, version {result.version} stays ({span(seconds)})"
    counts = [(name, f"{number:,}") for name, number in result.counts.items() if number]
    written = [
        plural(result.files_added, "file") + " added" if result.files_added else "",
        plural(result.files_removed, "file") + " removed" if result.files_removed else "",
        plural(result.vectors_written, "deletion vector") if result.vectors_written else "",
        size(result.bytes_written) if result.bytes_written else "",
    ]
    story: list[Block] = [head, Fields(*((f"  {name}", number) for name, number in counts))]
    if any(written):
        story.append("  " + ", ".join(part for part in written if part))
    if result.files_compacted:
        story.append(f"  {plural(result.files_compacted, 'small file')} put together")
    if result.new_columns:
        story.append(f"  new columns: {listing(result.new_columns)}")
    if result.widened:
        story.append(f"  wider types: {listing(result.widened)}")
    if result.discarded:
        story.append(f"  columns left out: {listing(result.discarded)}")
    if result.problems:
        story += ["", _rejected(result)]
    if len(result.problems) > _SHOWN:
        story.append(f"… and {len(result.problems) - _SHOWN:,} more; --json lists all")
    return story


def _rejected(result: MergeResult) -> Grid:
    rows = [
        [each.line if each.line is not None else each.position + 1, each.reason, each.detail]
        for each in result.problems[:_SHOWN]
    ]
    lines = all(each.line is not None for each in result.problems)
    return Grid(["line" if lines else "record", "rejected for", "detail"], rows)


def _rejection(result: MergeResult, *, dry_run: bool) -> str:
    others = result.total - result.rejected
    verb_ = "would be" if dry_run else ("was" if result.rejected == 1 else "were")
    good = "one" if others == 1 else f"{others:,}"
    did = "would be" if dry_run else ("is" if others == 1 else "are")
    rest = f"; the other {good} {did} merged" if others else ""
    return f"error: {result.rejected:,} of {plural(result.total, 'record')} {verb_} rejected{rest}"


def _document(result: MergeResult, *, dry_run: bool) -> dict[str, Any]:
    return {
        "table": result.table,
        "version": result.version,
        "committed": result.committed,
        "dry_run": dry_run,
        "total": result.total,
        **result.counts,
        "files_added": result.files_added,
        "files_removed": result.files_removed,
        "vectors_written": result.vectors_written,
        "bytes_written": result.bytes_written,
        "rows_removed": result.rows_removed,
        "files_compacted": result.files_compacted,
        "compacted_version": result.compacted_version,
        "new_columns": list(result.new_columns),
        "widened": list(result.widened),
        "discarded": list(result.discarded),
        "attempts": result.attempts,
        "seconds": dict(result.seconds),
        "problems": [
            {"position": each.position, "line": each.line, "reason": each.reason, "detail": each.detail}
            for each in result.problems
        ],
    }
