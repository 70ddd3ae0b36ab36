"""The verb that keeps tables compact, and how its kind chooses tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lakehouse.cli.cells import size
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import plural
from lakehouse.cli.parameters import table_argument
from lakehouse.cli.progress import progress
from lakehouse.cli.session import Session
from lakehouse.errors import CorruptTableError

if TYPE_CHECKING:
    from lakehouse.maintenance.compact_plan import CompactPlan
    from lakehouse.table import Table


@verb(
    "compact",
    examples=["lakehouse compact", "lakehouse compact orders --dry-run"],
    python="lake.table(...).compact(dry_run=False)",
)
@table_argument(many=True)
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.pass_obj
def compact(session: Session, *, tables: tuple[str, ...], dry_run: bool) -> None:
    """Put small files together and leave deleted rows behind.

    All tables if none is named; each with its quarantine. The rows stay the same, and older versions stay
    readable: their files are only taken away by `vacuum`.
    """
    done: list[CompactPlan] = []
    with progress(session, "compacting") as step:
        chosen = chosen_tables(session, tables)
        for number, table in enumerate(chosen):
            step(table.name, number, len(chosen))
            with session.lake.jobs.alone(*(() if dry_run else [table.name]), waiting=session.out.note):
                done.append(table.compact(dry_run=dry_run))
    session.out.emit(
        {
            "dry_run": dry_run,
            "tables": [
                {
                    "table": each.table,
                    "changes_nothing": each.changes_nothing,
                    "version": each.version,
                    "files_before": each.files_before,
                    "files_removed": each.files_removed,
                    "files_added": each.files_added,
                    "bytes_read": each.bytes_read,
                    "bytes_written": each.bytes_written,
                }
                for each in done
            ],
        },
        *(_compact_line(each, dry_run=dry_run) for each in done),
    )


def _compact_line(plan: CompactPlan, *, dry_run: bool) -> str:
    if plan.changes_nothing:
        return f"{plan.table}: nothing to do ({plural(plan.files_before, 'file')})"
    old = f"{plural(plan.files_removed, 'file')} ({size(plan.bytes_read)})"
    if dry_run or plan.version is None:
        return f"{plan.table}: {old} of {plan.files_before:,} would be written anew"
    new = f"{plural(plan.files_added, 'file')} ({size(plan.bytes_written)})"
    return f"{plan.table}: {old} became {new}, version {plan.version}"


def chosen_tables(session: Session, names: tuple[str, ...]) -> list[Table]:
    """The tables that were named, else all that have been made; each with its quarantine, if it has one.

    Masked copies are among all.
    """
    from lakehouse.merge.result import QUARANTINE

    lake = session.lake
    chosen: dict[str, Table] = {}
    copies = [each.name for each in lake.copies if each.name not in lake.tables] if not names else []
    for name in names or (*lake.tables, *copies):
        table = lake.table(name)
        if names or _is_made(table):
            chosen[name] = table
        if name in lake.tables and _is_made(beside := lake.table(f"{name}{QUARANTINE}")):
            chosen[beside.name] = beside
    if not chosen:
        session.out.note("no table of the config has been made yet")
    return list(chosen.values())


def _is_made(table: Table) -> bool:
    try:
        return table.exists()
    except CorruptTableError:
        # There is a log, though not a whole one.
        return True
