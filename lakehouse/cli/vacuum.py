"""The verb that takes old files away: ``vacuum``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.care import chosen_tables
from lakehouse.cli.cells import amount, said, size
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, plural
from lakehouse.cli.parameters import confirm_options, table_argument
from lakehouse.cli.progress import progress
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.maintenance.vacuum import VacuumPlan

_KINDS = {
    "data": "data",
    "vector": "deletion vectors",
    "change_data": "change data",
    "tombstones": "tombstones",
    "leftover": "leftovers of writers",
    "temporary": "unfinished files",
    "commit": "commits",
    "checkpoint": "checkpoints",
    "sidecar": "sidecars of checkpoints",
    "compaction": "compacted commits",
    "checksum": "checksums of the log",
}
_WHYS = 8


@verb(
    "vacuum",
    examples=[
        "lakehouse vacuum --dry-run",
        "lakehouse vacuum orders --versions            # what becomes of each version, and why",
        "lakehouse vacuum --yes                        # from cron",
    ],
    python='lake.table(...).vacuum(dry_run=False, grace="1h")',
)
@table_argument(many=True)
@confirm_options
@click.option(
    "--grace",
    metavar="TIME",
    default="1h",
    show_default=True,
    help="With rules: how long a version stays after another one took its place.",
)
@click.option("--versions", is_flag=True, help="List every version with the reasons why it stays.")
@click.option("--files", is_flag=True, help="List every file that goes, with its reason.")
@click.pass_obj
def vacuum(
    session: Session,
    *,
    tables: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    grace: str,
    versions: bool,
    files: bool,
) -> None:
    """Take away files that no version needs any more.

    All tables if none is named. Which versions stay readable say the config's rules with `versions`; without
    one those of the last 7 days do (delta.deletedFileRetentionDuration). Tags and holds always count. Shows
    what would go and asks; without a terminal it needs --yes.
    """
    from lakehouse.maintenance.vacuum.rules import grace_of

    wait = grace_of(grace)
    with progress(session, "looking") as step:
        plans = [
            (table, table.vacuum(dry_run=True, grace=wait, step=step))
            for table in chosen_tables(session, tables)
        ]
    story = [block for _, plan in plans for block in _story(plan, versions=versions, files=files)]
    found = [(table, plan) for table, plan in plans if not plan.changes_nothing]
    if dry_run or not found:
        session.out.emit(_document([plan for _, plan in plans], dry_run=dry_run, grace=grace), *story)
        return
    if not session.as_json:
        for block in story:
            session.out.show(block)
    total = sum(len(plan.files) for _, plan in found)
    question = f"Take away {plural(total, 'file')} of {plural(len(found), 'table')} for good?"
    if not session.go_ahead(question, yes=yes):
        session.out.note("nothing was done")
        return
    names = tuple(table.name for table, _ in found)
    alone = session.lake.jobs.alone(*names, waiting=session.out.note)
    with alone, progress(session, "vacuuming") as step:
        done = [table.vacuum(plan=plan, grace=wait, step=step) for table, plan in found]
    untouched = [plan for _, plan in plans if plan.changes_nothing]
    session.out.emit(
        _document([*untouched, *done], dry_run=False, grace=grace), *(_line(plan, done=True) for plan in done)
    )


def _line(plan: VacuumPlan, *, done: bool) -> str:
    if plan.changes_nothing:
        return f"{plan.table}: nothing to take away (version {plan.version})"
    parts = [plural(len(plan.files), "file")]
    if plan.object_versions.files:
        parts.append(plural(plan.object_versions.files, "older object version"))
    if plan.uploads:
        parts.append(plural(plan.uploads, "unfinished upload"))
    return f"{plan.table}: {', '.join(parts)} ({size(plan.bytes)}) {'went' if done else 'would go'}"


def _story(plan: VacuumPlan, *, versions: bool, files: bool) -> list[Block]:
    story: list[Block] = [_line(plan, done=False)]
    story += [f"  {remark}" for remark in _remarks(plan)]
    if versions and plan.versions:
        rows = [
            [
                each.version,
                each.made.replace(microsecond=0),
                said("keep" if each.keep else "go"),
                said(", ".join(each.reasons) or each.why_not),
            ]
            for each in plan.versions
        ]
        story += ["", Grid(["version", "time", "verdict", "why"], rows)]
    if files and plan.files:
        listed = [[said(each.path), amount(each.bytes), said(each.reason)] for each in plan.files]
        story += ["", Grid(["file that goes", "bytes", "why"], listed)]
    if plan.files:
        kinds = [
            [said(_KINDS[kind]), amount(found.files), said(size(found.bytes))]
            for kind, found in plan.kinds.items()
        ]
        story += ["", Grid(["what goes", "files", "size"], kinds)]
    if plan.kept:
        kept = list(plan.kept.items())
        rows = [[said(why), amount(found.files), said(size(found.bytes))] for why, found in kept[:_WHYS]]
        story += ["", Grid(["what stays", "files", "size"], rows)]
    if len(plan.kept) > _WHYS:
        story.append(f"… and for {len(plan.kept) - _WHYS} more reasons; --json lists all")
    return [*story, ""]


def _remarks(plan: VacuumPlan) -> list[str]:
    stay = sum(each.keep for each in plan.versions)
    found = []
    if plan.versions:
        number = "stays" if stay == 1 else "stay"
        found.append(f"{stay} of {plural(len(plan.versions), 'version')} {number} for sure")
    if plan.pruned:
        found.append(f"can't be read afterwards: {_spans(plan.pruned)}")
    if plan.log_before is not None:
        found.append(f"the log begins with version {plan.log_before} afterwards")
    if plan.checkpoint_at is not None:
        found.append(
            f"a checkpoint at version {plan.checkpoint_at} is written, so that the log before it can go"
        )
    found += [f"hold {name}: {reason}" for name, reason in plan.holds.items()]
    found += [f"finishes the vacuum {run}, which was killed" for run in plan.unfinished]
    return [*found, *plan.notes]


def _spans(spans: tuple[tuple[int, int], ...]) -> str:
    spoken = ", ".join(f"{first} to {last}" if last > first else str(first) for first, last in spans)
    return f"{'version' if spoken.isdecimal() else 'versions'} {spoken}"


def _document(plans: list[VacuumPlan], *, dry_run: bool, grace: str) -> dict[str, Any]:
    return {"dry_run": dry_run, "grace": grace, "tables": [_table(plan) for plan in plans]}


def _table(plan: VacuumPlan) -> dict[str, Any]:
    return {
        "table": plan.table,
        "version": plan.version,
        "run": plan.run,
        "changes_nothing": plan.changes_nothing,
        "bytes": plan.bytes,
        "kinds": {kind: {"files": each.files, "bytes": each.bytes} for kind, each in plan.kinds.items()},
        "files": [
            {"path": each.path, "kind": each.kind, "bytes": each.bytes, "reason": each.reason}
            for each in plan.files
        ],
        "kept": {why: {"files": each.files, "bytes": each.bytes} for why, each in plan.kept.items()},
        "versions": [
            {
                "version": each.version,
                "time": each.made,
                "keep": each.keep,
                "reasons": list(each.reasons),
                "why_not": each.why_not,
            }
            for each in plan.versions
        ],
        "pruned": [list(each) for each in plan.pruned],
        "log_before": plan.log_before,
        "checkpoint_at": plan.checkpoint_at,
        "holds": dict(plan.holds),
        "object_versions": {"files": plan.object_versions.files, "bytes": plan.object_versions.bytes},
        "uploads": plan.uploads,
        "unfinished": list(plan.unfinished),
        "notes": list(plan.notes),
    }
