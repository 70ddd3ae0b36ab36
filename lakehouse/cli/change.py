"""The verb that changes tables: ``merge``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.cells import amount, said, size, span
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, Fields, listing, plural
from lakehouse.cli.parameters import Whole, table_argument
from lakehouse.cli.progress import progress
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.cdc.sources import FileKind
    from lakehouse.merge.result import MergeResult

_SHOWN = 20


@verb(
    "merge",
    examples=[
        "lakehouse merge customers changes.jsonl",
        "lakehouse merge orders events-*.jsonl --source-table shop.orders",
        "lakehouse merge customers day-42.parquet --source shop --offset 42   # counts once",
        "produce-changes | lakehouse merge customers -",
        "zcat old.csv.gz | lakehouse merge customers - --file-type csv",
    ],
    python='lake.table(...).merge_files(files, source="shop", offset=42), .merge(changes)',
)
@table_argument()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(allow_dash=True, path_type=Path)
)
@click.option(
    "--file-type",
    type=click.Choice(["jsonl", "json", "csv", "parquet", "arrow"]),
    help="What is in the files, where their names do not tell; also for standard input.",
)
@click.option(
    "--source", metavar="NAME", help="Whose changes these are; with --offset each batch counts once."
)
@click.option("--offset", type=Whole(min=0), metavar="N", help="Which batch of the source this is.")
@click.option(
    "--source-table", metavar="NAME", help="Only events of this table of the source, as shop.orders."
)
@click.option(
    "--allow-deletes", is_flag=True, help="A full picture (format snapshot) may lack any number of rows."
)
@click.option("--dry-run", is_flag=True, help="Count what would happen; write nothing.")
@click.pass_obj
def merge(
    session: Session,
    *,
    table: str,
    files: tuple[Path, ...],
    file_type: FileKind | None,
    source: str | None,
    offset: int | None,
    source_table: str | None,
    allow_deletes: bool,
    dry_run: bool,
) -> int:
    """Merge files of changes into a table, in one commit.

    JSON Lines, CSV, Parquet and Arrow files (- is JSON Lines from standard input), all of them in one commit.
    Inserts, updates and deletes are ordered by the table's sequence, not by arrival; merging a file again
    changes nothing. Records that can't be used are listed by line and reason and kept in the table's
    quarantine (`lakehouse quarantine`), the others are merged, and the exit code is 1. So it is where an
    expectation of the config quarantines rows; where one only drops them, it is 0.
    """
    place = session.lake.table(table)
    with progress(session, f"merging into {table}"):
        result = place.merge_files(
            files,
            kind=file_type,
            source=source,
            offset=offset,
            source_table=source_table,
            allow_deletes=allow_deletes,
            dry_run=dry_run,
        )
    session.out.emit(_document(result, dry_run=dry_run), *_story(result, dry_run=dry_run))
    if result.conflicting and not session.as_json:
        click.echo(_contradiction(result), err=True)
    if not result.quarantined:
        return 0
    if not session.as_json:
        click.echo(_rejection(result, dry_run=dry_run), err=True)
    return 1


def _story(result: MergeResult, *, dry_run: bool) -> list[Block]:
    """What a merge did, for people: where it went, the counts, what it cost, what was rejected."""
    counts = [(name, f"{number:,}") for name, number in result.counts.items() if number]
    if result.dropped:
        counts = [
            (name, f"{number}, of them {result.dropped:,} dropped" if name == "rejected" else number)
            for name, number in counts
        ]
    story: list[Block] = [_head(result, dry_run=dry_run)]
    story.append(Fields(*((f"  {name}", number) for name, number in counts)))
    story += [f"  {note}" for note in _notes(result)]
    if result.problems:
        story += ["", _rejected(result)]
    if len(result.problems) > _SHOWN:
        story.append(f"… and {len(result.problems) - _SHOWN:,} more; --json lists all")
    if result.expectations:
        story += ["", _expectations(result)]
    return story


def _head(result: MergeResult, *, dry_run: bool) -> str:
    """What became of the batch as a whole."""
    seconds = sum(result.seconds.values())
    records = plural(result.total, "record")
    if not result.total and not result.committed:
        return f"{result.table}: there are no records to merge; nothing was written"
    if dry_run:
        return f"{result.table}: {records} would be merged; nothing was written"
    if result.committed:
        left_out = result.rejected + result.suppressed
        some = f"{result.total - left_out:,} of " if left_out else ""
        return f"{result.table}: {some}{records} merged into version {result.version} in {span(seconds)}"
    if result.rejected + result.suppressed == result.total > 0:
        return f"{result.table}: none of {records} could be merged, nothing was written"
    return f"{result.table}: {records} changed nothing, version {result.version} stays ({span(seconds)})"


def _notes(result: MergeResult) -> list[str]:
    """What was written, and what became of the columns."""
    written = [
        plural(result.files_added, "file") + " added" if result.files_added else "",
        plural(result.files_removed, "file") + " removed" if result.files_removed else "",
        plural(result.vectors_written, "deletion vector") if result.vectors_written else "",
        size(result.bytes_written) if result.bytes_written else "",
    ]
    compacted = (
        f"{plural(result.files_compacted, 'small file')} put together" if result.files_compacted else ""
    )
    columns = {
        "new columns": result.new_columns,
        "wider types": result.widened,
        "columns left out": result.discarded,
    }
    notes = [", ".join(part for part in written if part), compacted]
    notes += [f"{what}: {listing(names)}" for what, names in columns.items() if names]
    return [note for note in notes if note]


def _contradiction(result: MergeResult) -> str:
    some = plural(result.conflicting, "change")
    said_ = "contradicts another one" if result.conflicting == 1 else "contradict others"
    return (
        f"warning: {some} {said_} of the same key and sequence; a delete wins, then the content's hash, "
        "whatever comes first"
    )


def _expectations(result: MergeResult) -> Grid:
    rows = [
        [said(each.name), amount(each.checked), amount(each.failed), said(each.on_fail)]
        for each in result.expectations
    ]
    return Grid(["expectation", "checked", "failed", "on fail"], rows)


def _rejected(result: MergeResult) -> Grid:
    rows = [
        [each.line if each.line is not None else each.position + 1, each.reason, each.detail]
        for each in result.problems[:_SHOWN]
    ]
    lines = all(each.line is not None for each in result.problems)
    return Grid(["line" if lines else "record", "rejected for", "detail"], rows)


def _rejection(result: MergeResult, *, dry_run: bool) -> str:
    others = result.total - result.rejected
    verb_ = "would be" if dry_run else ("was" if result.quarantined == 1 else "were")
    good = "one" if others == 1 else f"{others:,}"
    did = "would be" if dry_run else ("is" if others == 1 else "are")
    rest = f"; the other {good} {did} merged" if others else ""
    what = f"{result.quarantined:,} of {plural(result.total, 'record')}"
    where = f"{'' if dry_run else ' and kept in ' + result.quarantine}"
    return f"error: {what} {verb_} rejected{where}{rest}"


def _document(result: MergeResult, *, dry_run: bool) -> dict[str, Any]:
    return {
        "table": result.table,
        "version": result.version,
        "committed": result.committed,
        "dry_run": dry_run,
        "total": result.total,
        **result.counts,
        "dropped": result.dropped,
        "quarantined": result.quarantined,
        "quarantine": result.quarantine,
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
        "expectations": [
            {"name": each.name, "on_fail": each.on_fail, "checked": each.checked, "failed": each.failed}
            for each in result.expectations
        ],
        "problems": [
            {"position": each.position, "line": each.line, "reason": each.reason, "detail": each.detail}
            for each in result.problems
        ],
    }
