"""The verb ``status``: the whole lake on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.cells import Cell, amount, cell, said, size
from lakehouse.cli.grid import Grid
from lakehouse.cli.job_views import daemon_documents, daemon_lines, time
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, Fields, plural
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.jobs.views import JobView
    from lakehouse.overview import LakeStatus, TableStatus


@verb("status", examples=["lakehouse status", "lakehouse status --json"], python="lake.status()")
@click.pass_obj
def status(session: Session) -> int:
    """Show the whole lake at a glance, with what needs attention on top.

    Daemons, jobs, requests, holds, incidents, alerts; of each table its version, age, rows and size, and how
    many records wait in quarantine. Read from the tables' logs and the state database alone: no data file is
    opened. Exit code 1 if one of them can't be read.
    """
    found = session.lake.status()
    session.out.emit(_document(found), *_blocks(found))
    damaged = [each for each in found.tables if each.problem]
    if damaged or found.state_problem:
        if not session.as_json:
            for each in damaged:
                click.echo(f"error: {each.table}: {each.problem}", err=True)
            if found.state_problem:
                click.echo(f"error: {found.state_problem}", err=True)
        return 1
    missing = [each.table for each in found.tables if each.version is None]
    if any(session.lake.table(name).config.column_schema for name in missing):
        session.out.next_steps(("lakehouse apply", "make the tables that are not there yet"))
    elif missing:
        session.out.next_steps((f"lakehouse merge {missing[0]} FILE", "the first merge makes it"))
    return 0


def _document(found: LakeStatus) -> dict[str, Any]:
    return {
        "lake": found.lake,
        "root": found.root,
        "attention": [
            {"about": each.about, "subject": each.subject, "text": each.text} for each in found.attention
        ],
        "state": {"database": found.state, "bytes": found.state_bytes, "problem": found.state_problem},
        "jobs": [{**each.to_dict(), "late": found.late.get(each.name)} for each in found.jobs],
        "requests": {
            "open": len(found.requests),
            "overdue": len(found.overdue),
            "next_due": found.requests[0].due if found.requests else None,
        },
        "holds": found.holds,
        "incidents": list(found.incidents),
        "daemons": daemon_documents(found.daemons),
        "alerts": [each.to_dict() for each in found.targets],
        "tables": [_table_document(each) for each in found.tables],
    }


def _table_document(each: TableStatus) -> dict[str, Any]:
    return {
        "table": each.table,
        "exists": each.version is not None or bool(each.problem),
        "version": each.version,
        "changed": each.changed,
        "rows": each.rows,
        "files": each.files,
        "bytes": each.bytes,
        "hidden_rows": each.hidden_rows,
        "tags": list(each.tags),
        "quarantined": each.quarantined,
        "owner": each.owner,
        "description": each.description,
        "stale": each.stale,
        "problem": each.problem,
    }


def _blocks(found: LakeStatus) -> list[Block]:
    """What a person sees; what there is nothing of is left out."""
    jobs = f", {plural(len(found.jobs), 'job')}" if found.jobs else ""
    blocks: list[Block] = [f"{found.lake} in {found.root}: {plural(len(found.tables), 'table')}{jobs}"]
    blocks += daemon_lines([each for each in found.daemons if each.alive])
    # Damaged tables and databases are told as errors anyway.
    urgent = [each for each in found.attention if not each.unreadable]
    if urgent:
        blocks += ["", "needs attention:", *(f"  {each.text}" for each in urgent)]
    facts = _facts(found)
    if facts.pairs:
        blocks += ["", facts]
    if found.jobs:
        grid = Grid(["job", "does", "next", "last", "status"], [_job_row(each) for each in found.jobs])
        blocks += ["", grid.without_empty("next", "last", "status")]
    if found.tables:
        columns = [
            "table",
            "version",
            "changed",
            "rows",
            "deleted",
            "quarantined",
            "files",
            "size",
            "tags",
            "owner",
        ]
        grid = Grid(columns, [_table_row(each) for each in found.tables])
        blocks += ["", grid.without_empty("deleted", "quarantined", "tags", "owner")]
    return blocks


def _facts(found: LakeStatus) -> Fields:
    due = found.requests[0].due if found.requests else None
    overdue = f", {len(found.overdue):,} overdue" if found.overdue else ""
    asked = f"{len(found.requests):,} open{overdue}; the first is due {time(due)}" if found.requests else None
    reached = ", ".join(f"{each.name} (failing)" if each.failing else each.name for each in found.targets)
    return Fields(
        ("requests", asked if found.requests else None),
        ("holds", f"{found.holds:,} active" if found.holds else None),
        ("incidents", f"{len(found.incidents):,} open" if found.incidents else None),
        ("alerts to", reached or None),
        ("state", f"{found.state} ({size(found.state_bytes)})" if found.jobs and found.state else None),
    )


def _job_row(each: JobView) -> list[Cell]:
    last = each.last
    return [
        said(each.name),
        said(each.do),
        said("paused" if each.paused else time(each.next)),
        said("" if last is None else time(last.fire_time)),
        said("" if last is None else last.status),
    ]


def _table_row(each: TableStatus) -> list[Cell]:
    if each.version is None or each.changed is None:
        what = "damaged" if each.problem else "none"
        nothing = said("")
        return [
            said(each.table),
            Cell(what, "null"),
            *(nothing for _ in range(3)),
            amount(each.quarantined) if each.quarantined else nothing,
            *(nothing for _ in range(3)),
            said(each.owner),
        ]
    return [
        said(each.table),
        amount(each.version),
        cell(each.changed.replace(microsecond=0)),
        amount(each.rows),
        amount(each.hidden_rows) if each.hidden_rows else said(""),
        amount(each.quarantined) if each.quarantined else said(""),
        amount(each.files),
        said(size(each.bytes)),
        said(", ".join(each.tags)),
        said(each.owner),
    ]
