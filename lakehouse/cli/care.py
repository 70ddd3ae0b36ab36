"""The verbs that keep tables healthy: ``compact`` and ``verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lakehouse.cli.cells import said, size
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, plural
from lakehouse.cli.parameters import table_argument
from lakehouse.cli.progress import progress
from lakehouse.cli.session import Session
from lakehouse.errors import CorruptTableError

if TYPE_CHECKING:
    from lakehouse.maintenance.compact_plan import CompactPlan
    from lakehouse.maintenance.verify import VerifyReport
    from lakehouse.table import Table

_FOUND = 5


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

    All tables if none is named. The rows stay the same, and older versions stay readable: their files are
    only taken away by `vacuum`.
    """
    done: list[CompactPlan] = []
    with progress(session, "compacting") as step:
        picked = chosen(session, tables)
        for number, table in enumerate(picked):
            step(table.name, number, len(picked))
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


@verb(
    "verify",
    examples=["lakehouse verify", "lakehouse verify orders --json"],
    python="lake.table(...).verify()",
)
@table_argument(many=True)
@click.pass_obj
def verify(session: Session, *, tables: tuple[str, ...]) -> int:
    """Check that every file of a table is there, whole and true to the log.

    All tables if none is named. Opens every file of the newest version: size, footer, number of rows,
    deletion vectors. The log must be readable, and its newest checkpoint must agree with it. Data must be as
    fresh as the config expects: with `on_fail: warn` it is only said. Exit code 5 if anything is wrong.
    """
    reports: list[VerifyReport] = []
    with progress(session, "checking") as step:
        picked = chosen(session, tables)
        for number, table in enumerate(picked):
            step(table.name, number, len(picked))
            reports.append(table.verify())
    findings = [(each.table, finding) for each in reports for finding in each.findings]
    grid = Grid(
        ["table", "finding", "file", "detail"],
        [[said(name), said(each.kind), said(each.path), said(each.detail)] for name, each in findings],
    )
    blocks: list[Block] = [_verify_line(each) for each in reports]
    blocks += [
        f"warning: {report.table}: {each.detail}"
        for report in reports
        for each in report.freshness
        if not each.ok and each.on_fail == "warn"
    ]
    if findings:
        blocks += ["", grid]
    session.out.emit(
        {
            "ok": not findings,
            "tables": [
                {
                    "table": each.table,
                    "version": each.version,
                    "ok": each.ok,
                    "files": each.files,
                    "vectors": each.vectors,
                    "bytes": each.bytes,
                    "findings": [
                        {"kind": finding.kind, "path": finding.path, "detail": finding.detail}
                        for finding in each.findings
                    ],
                    "freshness": [
                        {
                            "name": fresh.name,
                            "on_fail": fresh.on_fail,
                            "ok": fresh.ok,
                            "newest": fresh.newest,
                            "age": fresh.age,
                            "allowed": fresh.allowed,
                        }
                        for fresh in each.freshness
                    ],
                }
                for each in reports
            ],
        },
        *blocks,
    )
    return _FOUND if findings else 0


def _verify_line(report: VerifyReport) -> str:
    if report.version is None:
        return f"{report.table}: {plural(len(report.findings), 'finding')} (its log can't be read)"
    checked = f"version {report.version}, {plural(report.files, 'file')} ({size(report.bytes)})"
    if report.vectors:
        checked += f", {plural(report.vectors, 'deletion vector')}"
    verdict = "all well" if report.ok else plural(len(report.findings), "finding")
    return f"{report.table}: {verdict} ({checked})"


def chosen(session: Session, names: tuple[str, ...]) -> list[Table]:
    """The tables that were named; else all that have been made."""
    if names:
        return [session.lake.table(name) for name in dict.fromkeys(names)]
    made = [table for table in map(session.lake.table, session.lake.tables) if _is_made(table)]
    if not made:
        session.out.note("no table of the config has been made yet")
    return made


def _is_made(table: Table) -> bool:

    try:
        return table.exists()
    except CorruptTableError:
        # There is a log, though not a whole one.
        return True
