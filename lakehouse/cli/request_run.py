"""``request run``: requests carried out, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from lakehouse.cli.cells import Cell, amount, said, size
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, plural
from lakehouse.cli.parameters import confirm_options
from lakehouse.cli.progress import progress
from lakehouse.cli.request_answer import answered
from lakehouse.cli.request_decide import author_option
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.requests.run import RequestPlan, RunReport

_FOUND_SOMETHING = 5
_REFUSED = 3
_SHOWN = 20
_NOT_DONE = frozenset({"received", "held", "rejected", "cancelled"})


@verb(
    "run",
    examples=[
        "lakehouse request run --dry-run               # what would be done, with every count",
        "lakehouse request run req-7f3k2q",
        "lakehouse request run --yes                   # all that can be carried out, from cron",
    ],
    python="lake.requests.run(*requests, dry_run=False)",
)
@click.argument("requests", nargs=-1, metavar="[REQUEST]...")
@click.option(
    "--allow-many", is_flag=True, help="Also carry out requests that find more than one person can have."
)
@click.option(
    "--to",
    type=click.Path(),
    metavar="FILE",
    help="For one request for access: where the answer goes, as `request answer` writes it.",
)
@confirm_options
@author_option
@click.pass_obj
def run(
    session: Session,
    *,
    requests: tuple[str, ...],
    to: str | None,
    allow_many: bool,
    dry_run: bool,
    yes: bool,
    author: str | None,
) -> int:
    """Carry requests out: find, erase, purge, verify, sign.

    All that are due if none is named. People are looked for in every version of every table of their
    `subjects`, erased in one commit a table, and their bytes are taken out of old files and the log. Then all
    that is left is searched; only if nothing is found a request gets its certificate. Shows what would go and
    asks; without a terminal it needs --yes. A run that was killed is gone on with by the next.
    """
    if to is not None:
        if len(requests) != 1:
            raise click.UsageError("--to answers one request: name it", click.get_current_context())
        answered(session, requests[0], to=to, author=author)
        return 0
    verbs = session.lake.requests
    with progress(session, "looking") as step:
        plan = verbs.run(*requests, dry_run=True, allow_many=allow_many, author=author, step=step)
    story = _story(plan)
    going = [
        each
        for each in plan.plans
        if each.stage not in {"wait", "access"} and not each.held_by and not each.brakes
    ]
    asks = [each.request for each in plan.plans if each.stage == "access"]
    if dry_run or not plan.plans or len(asks) == len(plan.plans):
        session.out.emit(plan.to_dict(), *story)
        _say_access(session, asks)
        return 0
    if not session.as_json:
        for block in story:
            session.out.show(block)
    if going and not session.go_ahead(
        f"Carry out {plural(len(going), 'request')}? What goes is gone for good.", yes=yes
    ):
        session.out.note("nothing was done")
        return 0
    # People are in tables of all sorts, and in their old versions.
    alone = session.lake.jobs.alone(*session.lake.tables, waiting=session.out.note)
    with alone, progress(session, "carrying out") as step:
        done = verbs.run(*requests, allow_many=allow_many, author=author, step=step)
    session.out.emit(done.to_dict(), *_done(done))
    for each in done.outcomes[:1]:
        if each.certificate is not None:
            session.out.next_steps((f"lakehouse request certificate {each.request}", "see what is proved"))
    _say_access(session, asks)
    _say_failed(session, done)
    return _code(done, named=set(requests) - set(asks))


def _code(done: RunReport, *, named: set[str]) -> int:
    if done.failed:
        return _FOUND_SOMETHING
    # Who names requests wants these; what waits among all that there are is no news, unless all of it does.
    refused = any(each.status in _NOT_DONE and each.request in named for each in done.outcomes)
    all_held = bool(done.outcomes) and all(each.status == "held" for each in done.outcomes)
    return _REFUSED if refused or all_held or any(plan.brakes for plan in done.plans) else 0


def _say_access(session: Session, requests: Sequence[str]) -> None:
    for each in requests[:1]:
        session.out.next_steps(
            (f"lakehouse request answer {each} --to FILE", "all about the person, as a ZIP")
        )


def _say_failed(session: Session, report: RunReport) -> None:
    failed = next((each.request for each in report.outcomes if each.status == "failed"), None)
    if failed is not None:
        session.out.next_steps(
            (f"lakehouse request show {failed}", "see all places where the person still is"),
            (
                "lakehouse request run",
                "again, once a rule covers them, as {table: NAME, text: COLUMN, do: anonymize} for texts",
            ),
        )


def _story(report: RunReport) -> list[Block]:
    if not report.plans:
        return ["no request waits"]
    rows: list[list[Cell]] = [_row(plan) for plan in report.plans[:_SHOWN]]
    columns = ["request", "next", "delete", "anonymize", "keep", "files", "size", "why not now"]
    grid = Grid(columns, rows).without_empty("keep", "anonymize", "why not now")
    more = len(report.plans) - _SHOWN
    return [grid, *([f"… and {more:,} more; --json lists all"] if more > 0 else []), *report.notes, ""]


def _row(plan: RequestPlan) -> list[Cell]:
    counts: dict[str, int] = {}
    for table in plan.tables:
        for what, rows in table.rows.items():
            counts[what] = counts.get(what, 0) + rows
    why = "; ".join([*(f"held by {hold}" for hold in plan.held_by), *plan.brakes]) or plan.reason
    files = sum(table.files for table in plan.tables)
    return [
        said(plan.request),
        said("wait" if plan.held_by else "refused" if plan.brakes else "" if _is_over(plan) else plan.stage),
        amount(counts.get("delete", 0)),
        amount(counts["anonymize"]) if counts.get("anonymize") else said(""),
        amount(counts["keep"]) if counts.get("keep") else said(""),
        amount(files),
        said(size(sum(table.bytes for table in plan.tables))),
        said(why),
    ]


def _is_over(plan: RequestPlan) -> bool:
    from lakehouse.requests.status import TERMINAL

    return plan.reason in {f"it is {status}" for status in TERMINAL}


def _done(report: RunReport) -> list[Block]:
    rows: list[list[Cell]] = [
        [
            said(each.request),
            said(each.status),
            said(
                ", ".join(
                    f"{each.rows[what]:,} {done}" for what, done in _DONE.items() if each.rows.get(what)
                )
            ),
            said("" if each.certificate is None else f"certificate {each.certificate}"),
            said(each.reason),
        ]
        for each in report.outcomes[:_SHOWN]
    ]
    grid = Grid(["request", "status", "rows", "proof", "why"], rows)
    blocks: list[Block] = [grid.without_empty("why", "proof", "rows")]
    more = len(report.outcomes) - _SHOWN
    blocks += [f"… and {more:,} more; --json lists all"] if more > 0 else []
    if report.search is not None:
        total = report.search.total
        blocks.append(
            f"searched {plural(total.objects, 'object')}, {size(total.bytes)}, "
            f"{plural(total.rows, 'row')}, {total.cells:,} values: "
            f"{plural(sum(hit.count for hit in report.search.hits), 'find')}"
        )
    return [*blocks, *report.notes]


_DONE = {"delete": "deleted", "anonymize": "anonymized", "keep": "kept"}
