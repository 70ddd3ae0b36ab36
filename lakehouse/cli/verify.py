"""The verb that checks tables, and mends them: ``verify``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.care import chosen_tables
from lakehouse.cli.cells import said, size
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, plural
from lakehouse.cli.parameters import Whole, confirm_options, table_argument
from lakehouse.cli.progress import progress
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.maintenance.verify import Repair, VerifyReport
    from lakehouse.table import Table

_FOUND = 5
_SHOWN = 100


@verb(
    "verify",
    examples=[
        "lakehouse verify",
        "lakehouse verify orders --full --json",
        "lakehouse verify orders --repair --dry-run",
        "lakehouse verify orders --repair --yes",
    ],
    python="lake.table(...).verify(full=False, repair=False, dry_run=False)",
)
@table_argument(many=True)
@click.option("--full", is_flag=True, help="Decode every page of every file; check every checkpoint.")
@click.option("--seed", type=Whole(min=0), metavar="N", help="Which sample is read, without --full.")
@click.option("--repair", is_flag=True, help="Mend what can be mended without losing anything.")
@confirm_options
@click.pass_obj
def verify(
    session: Session,
    *,
    tables: tuple[str, ...],
    full: bool,
    seed: int | None,
    repair: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Check tables as a file system is checked.

    All tables if none is named. Every file of the newest version must be there: size, footer, number of rows,
    deletion vector, partition values. The rows of a sample of files (--full: of all) are decoded and compared
    with their statistics and the table's rules. The log must be whole, and agree with its checkpoints. Data
    must be as fresh as the config expects. Exit code 5 if anything is wrong.

    --repair mends checkpoints and the hint at them, and what the log says of a file's size and statistics: it
    shows the plan and asks. Lost data files and deletion vectors can't be mended.
    """
    if (dry_run or yes) and not repair:
        raise click.UsageError("--dry-run and --yes belong to --repair", click.get_current_context())
    chosen = chosen_tables(session, tables)
    reports = _check(session, chosen, lambda table, step: table.verify(full=full, seed=seed, progress=step))
    planned = [each for each in reports if each.plan]
    if not repair or dry_run or not planned:
        _show(session, reports, dry_run=dry_run, planned=repair)
        return _code(reports)
    if not session.as_json:
        for block in [*_story(reports), *_plan(reports)]:
            session.out.show(block)
    count = sum(len(each.plan) for each in planned)
    if not session.go_ahead(f"Mend {plural(count, 'thing')}?", yes=yes):
        session.out.note("nothing was done")
        return _code(reports)
    known = {each.table: each for each in planned}
    mended = _check(
        session,
        [table for table in chosen if table.name in known],
        lambda table, step: table.verify(
            full=full, seed=seed, repair=True, found=known[table.name], progress=step
        ),
    )
    after = {each.table: each for each in mended}
    reports = [after.get(each.table, each) for each in reports]
    if not session.as_json:
        session.out.show("")
    _show(session, reports, dry_run=False, planned=False)
    return _code(reports)


def _check(
    session: Session, tables: Sequence[Table], one: Callable[[Table, Any], VerifyReport]
) -> list[VerifyReport]:
    with progress(session, "checking") as step:

        def of(table: Table) -> Callable[[str, int, int], None]:
            return lambda what, done, total: step(f"{table.name}, {what}", done, total)

        return [one(table, of(table)) for table in tables]


def _code(reports: Sequence[VerifyReport]) -> int:
    return 0 if all(each.ok for each in reports) else _FOUND


def _show(session: Session, reports: Sequence[VerifyReport], *, dry_run: bool, planned: bool) -> None:
    blocks = [*_story(reports), *(_plan(reports) if planned else [])]
    session.out.emit(_document(reports, dry_run=dry_run), *blocks)


def _story(reports: Sequence[VerifyReport]) -> list[Block]:
    """What was checked, what is wrong, and what to do about it."""
    blocks: list[Block] = []
    for each in reports:
        blocks += [f"{each.table}: {item.path}: {item.detail}" for item in each.repaired]
        blocks.append(_line(each))
        blocks += [f"note: {each.table}: {text}" for text in _notes(each)]
        blocks += [
            f"warning: {each.table}: {fresh.detail}"
            for fresh in each.freshness
            if not fresh.ok and fresh.on_fail == "warn"
        ]
    findings = [(each.table, finding) for each in reports for finding in each.findings]
    if not findings:
        return blocks
    rows = [
        [said(name), said(each.kind), said(each.path), said(each.detail)] for name, each in findings[:_SHOWN]
    ]
    blocks += ["", Grid(["table", "finding", "file", "detail"], rows)]
    if len(findings) > _SHOWN:
        blocks.append(f"… and {len(findings) - _SHOWN:,} more; --json lists all")
    advice = {(each.kind, each.advice): None for _, each in findings}
    return [*blocks, "", *(f"{kind}: {text}" for kind, text in advice)]


def _line(report: VerifyReport) -> str:
    if report.version is None:
        return f"{report.table}: {plural(len(report.findings), 'finding')} (its log can't be read)"
    checked = f"version {report.version}, {plural(report.files, 'file')} ({size(report.bytes)})"
    if report.vectors:
        checked += f", {plural(report.vectors, 'deletion vector')}"
    if report.files_read < report.files:
        checked += f"; the rows of {report.files_read:,} were read"
    verdict = "all well" if report.ok else plural(len(report.findings), "finding")
    return f"{report.table}: {verdict} ({checked})"


def _notes(report: VerifyReport) -> list[str]:
    return [
        f"{plural(each.count, 'orphan')} ({size(each.bytes)}) {each.detail}"
        if each.kind == "orphans"
        else each.detail
        for each in report.notices
    ]


def _plan(reports: Sequence[VerifyReport]) -> list[Block]:
    plan: list[tuple[str, Repair]] = [(each.table, item) for each in reports for item in each.plan]
    if not plan:
        return ["", "there is nothing that can be mended"]
    rows = [[said(name), said(item.path), said(item.detail)] for name, item in plan]
    return ["", "What can be mended without losing anything:", "", Grid(["table", "file", "how"], rows)]


def _document(reports: Sequence[VerifyReport], *, dry_run: bool) -> dict[str, Any]:
    return {
        "ok": all(each.ok for each in reports),
        "dry_run": dry_run,
        "tables": [_table_document(each) for each in reports],
    }


def _table_document(report: VerifyReport) -> dict[str, Any]:
    return {
        "table": report.table,
        "version": report.version,
        "ok": report.ok,
        "full": report.full,
        "files": report.files,
        "files_read": report.files_read,
        "rows_read": report.rows_read,
        "vectors": report.vectors,
        "bytes": report.bytes,
        "findings": [
            {
                "kind": each.kind,
                "path": each.path,
                "detail": each.detail,
                "repairable": each.repairable,
                "advice": each.advice,
            }
            for each in report.findings
        ],
        "notices": [
            {"kind": each.kind, "detail": each.detail, "count": each.count, "bytes": each.bytes}
            for each in report.notices
        ],
        "plan": _repairs(report.plan),
        "repaired": _repairs(report.repaired),
        "freshness": [
            {
                "name": each.name,
                "on_fail": each.on_fail,
                "ok": each.ok,
                "newest": each.newest,
                "age": each.age,
                "allowed": each.allowed,
            }
            for each in report.freshness
        ],
    }


def _repairs(repairs: Sequence[Repair]) -> list[dict[str, Any]]:
    return [{"kind": each.kind, "path": each.path, "detail": each.detail} for each in repairs]
