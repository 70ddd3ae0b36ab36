"""The verbs about jobs: ``list``, ``run``, ``retry``, ``cancel``, ``history``, ``pause``, ``backfill``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from lakehouse.cli.cells import Cell, said
from lakehouse.cli.grid import Grid
from lakehouse.cli.job_views import daemon_documents, daemon_lines, run_grid, show_run, time
from lakehouse.cli.lazy import VerbGroup, verb
from lakehouse.cli.output import Block, plural
from lakehouse.cli.parameters import Moment, Whole, words
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.jobs.status import RunView

_LIMIT = 50


@click.group(cls=VerbGroup, subcommand_metavar="VERB [ARGS]...")
def jobs() -> None:
    """Run the jobs of the config, see what became of them, let them rest."""


@verb("list", examples=["lakehouse jobs list", "lakehouse jobs list --json"], python="lake.jobs.list()")
@click.pass_obj
def list_(session: Session) -> None:
    """List the jobs of the config: when they run next, and how the last run ended."""
    found = session.lake.jobs.list()
    rows: list[list[Cell]] = [
        [
            said(each.name),
            said(each.do),
            said(each.schedule or (f"after {', '.join(each.after)}" if each.after else "when called")),
            said("paused" if each.paused else time(each.next)),
            said("" if each.last is None else time(each.last.fire_time)),
            said("" if each.last is None else each.last.status),
            said(each.paused),
        ]
        for each in found
    ]
    grid = Grid(["job", "does", "schedule", "next", "last", "status", "paused"], rows)
    blocks: list[Block] = [grid.without_empty("next", "last", "status", "paused")] if rows else ["no jobs"]
    daemons = session.lake.jobs.daemons()
    if lines := daemon_lines(daemons):
        blocks += ["", *lines]
    document = {"jobs": [each.to_dict() for each in found], "daemons": daemon_documents(daemons)}
    session.out.emit(document, *blocks)


@verb(
    "run",
    examples=[
        "lakehouse jobs run retention",
        "lakehouse jobs run --due                      # all that is due now, from cron each minute",
        "lakehouse jobs run load --fire-time 2026-03-01T03:00:00Z",
    ],
    python="lake.jobs.run(job, fire_time=None); lake.jobs.run_due(*jobs)",
)
@click.argument("names", nargs=-1, metavar="[JOB]...")
@click.option("--due", is_flag=True, help="Run what is due by the schedules.")
@click.option("--fire-time", type=Moment(), metavar="TIME", help="The moment it is run for. Without it: now.")
@click.pass_obj
def run(session: Session, *, names: tuple[str, ...], due: bool, fire_time: datetime | None) -> None:
    """Run jobs once: now, or all that is due.

    Of a job and a moment there is one run, whoever asks, on whichever host. A run whose process was killed is
    done again by the next. The exit code is that of the first run that failed; runs that were skipped, or
    that somebody else carries out, are no failure. SIGTERM and Ctrl-C end the work between two tables.
    """
    context = click.get_current_context()
    if not names and not due:
        raise click.UsageError("name a job, or say --due for all that is due", context)
    if due and fire_time is not None:
        raise click.UsageError("--due and --fire-time exclude each other", context)
    verbs = session.lake.jobs
    with _ended_by_sigterm():
        done = verbs.run_due(*names) if due else [verbs.run(each, fire_time=fire_time) for each in names]
    _emit(session, done, empty="nothing is due")


@verb("retry", examples=["lakehouse jobs retry run-7f3k2q"], python='lake.jobs.retry("run-7f3k2q")')
@click.argument("run_id", metavar="RUN")
@click.pass_obj
def retry(session: Session, *, run_id: str) -> None:
    """Carry a run out once more that failed, was stopped or left out.

    For the same moment, in the same run: what happened before stays with it.
    """
    with _ended_by_sigterm():
        done = session.lake.jobs.retry(run_id)
    _emit(session, [done], empty="")


@verb("cancel", examples=["lakehouse jobs cancel run-7f3k2q"], python='lake.jobs.cancel("run-7f3k2q")')
@click.argument("run_id", metavar="RUN")
@click.pass_obj
def cancel(session: Session, *, run_id: str) -> None:
    """End a run, on whichever host it goes on: between two tables, in some seconds.

    Work that does not end is ended with its process where a daemon has it. What a run that waits is for is
    not done.
    """
    found = session.lake.jobs.cancel(run_id)
    line = f"{found.id} of {found.job} is cancelled"
    if found.status != "cancelled":
        line = f"{found.id} of {found.job} was asked to end"
    session.out.emit(found.to_dict(), line)
    if found.status != "cancelled":
        session.out.next_steps((f"lakehouse jobs history --run {found.id}", "see whether it has"))


@verb(
    "history",
    examples=[
        "lakehouse jobs history",
        "lakehouse jobs history vacuum --status failed --since 2026-03-01T00:00:00Z",
        "lakehouse jobs history --run run-7f3k2q       # one run, and the last lines of what it said",
    ],
    python="lake.jobs.history(job=None, status=None, since=None, until=None, limit=50)",
)
@click.argument("name", required=False, metavar="[JOB]")
@click.option("--status", multiple=True, metavar="STATUS", help="Only these, as failed; can repeat.")
@click.option("--cause", metavar="CAUSE", help="Only schedule, manual or backfill.")
@click.option("--since", type=Moment(), metavar="TIME", help="Only for moments from this one on.")
@click.option("--until", type=Moment(), metavar="TIME", help="Only for moments before this one.")
@click.option(
    "-n", "--limit", type=Whole(min=0), metavar="N", default=_LIMIT, show_default=True, help="At most N."
)
@click.option("--run", "run_id", metavar="RUN", help="One run, with what happened to it and what it said.")
@click.pass_obj
def history(
    session: Session,
    *,
    name: str | None,
    status: tuple[str, ...],
    cause: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    run_id: str | None,
) -> None:
    """List runs, newest first, with what they did."""
    if run_id is not None:
        show_run(session, run_id)
        return
    found = session.lake.jobs.history(
        name, status=words(status), cause=cause, since=since, until=until, limit=limit
    )
    blocks: list[Block] = [run_grid(found) if found else "no runs"]
    session.out.emit({"runs": [each.to_dict() for each in found]}, *blocks)


@verb(
    "pause",
    examples=['lakehouse jobs pause vacuum --reason "audit until Friday"'],
    python='lake.jobs.pause("vacuum", reason="audit until Friday")',
)
@click.argument("name", metavar="JOB")
@click.option("--reason", default="", metavar="TEXT", help="Why. Shown to many: no personal data.")
@click.pass_obj
def pause(session: Session, *, name: str, reason: str) -> None:
    """Let the schedule of a job rest, on all hosts. It can still be run by hand."""
    session.lake.jobs.pause(name, reason=reason)
    session.out.emit({"job": name, "paused": True, "reason": reason}, f"{name} is paused")
    session.out.next_steps((f"lakehouse jobs resume {name}", "end it"))


@verb("resume", examples=["lakehouse jobs resume vacuum"], python='lake.jobs.resume("vacuum")')
@click.argument("name", metavar="JOB")
@click.option("--reason", default="", metavar="TEXT", help="Why.")
@click.pass_obj
def resume(session: Session, *, name: str, reason: str) -> None:
    """End a pause. What was missed is made up for as the job's `catch_up` says."""
    session.lake.jobs.resume(name, reason=reason)
    session.out.emit({"job": name, "paused": False, "reason": reason}, f"{name} goes on")


@verb(
    "backfill",
    examples=[
        "lakehouse jobs backfill load --from 2026-03-01T00:00:00Z --to 2026-04-01T00:00:00Z --dry-run",
        "lakehouse jobs backfill load --from 2026-03-01T00:00:00Z --to 2026-04-01T00:00:00Z",
    ],
    python="lake.jobs.backfill(job, start=..., end=...)",
)
@click.argument("name", metavar="JOB")
@click.option("--from", "start", type=Moment(), required=True, metavar="TIME", help="The start, in it.")
@click.option("--to", "end", type=Moment(), required=True, metavar="TIME", help="Its end, not in it.")
@click.option("--dry-run", is_flag=True, help="Only list the moments for which there is no run.")
@click.pass_obj
def backfill(session: Session, *, name: str, start: datetime, end: datetime, dry_run: bool) -> None:
    """Run a job for each moment of its schedule in a window for which it never ran.

    One after the other, the earliest first; a run that fails ends it. Calling it again goes on.
    """
    verbs = session.lake.jobs
    if dry_run:
        moments = verbs.missing(name, start=start, end=end)
        session.out.emit(
            {"job": name, "dry_run": True, "moments": moments},
            f"{name} would run for {plural(len(moments), 'moment')}",
            *(f"  {time(each)}" for each in moments),
        )
        return
    with _ended_by_sigterm():
        done = verbs.backfill(name, start=start, end=end)
    _emit(session, done, empty="nothing is missing")


def _emit(session: Session, done: list[RunView], *, empty: str) -> None:
    blocks: list[Block] = [run_grid(done) if done else empty]
    session.out.emit({"runs": [each.to_dict() for each in done]}, *blocks)
    failed = [each for each in done if each.status == "failed"]
    for each in failed[:1]:
        session.out.next_steps((f"lakehouse jobs history --run {each.id}", "see what it said"))
        click.get_current_context().exit(each.exit_code or 1)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Lets SIGTERM, as from systemd, end the work as Ctrl-C does: between two tables."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


for _command in (list_, run, retry, cancel, history, pause, resume, backfill):
    jobs.add_command(_command)
