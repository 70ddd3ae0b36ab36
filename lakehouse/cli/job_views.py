"""Runs of jobs and daemons, as the verbs about jobs show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lakehouse.cli.cells import Cell, cell, said, span
from lakehouse.cli.grid import Grid
from lakehouse.cli.output import Block, Fields
from lakehouse.cli.session import Session
from lakehouse.jobs.result import in_words

if TYPE_CHECKING:
    from lakehouse.jobs.status import RunView
    from lakehouse.state.job_rows import DaemonRow

_COUNTS = 4


def show_run(session: Session, run_id: str) -> None:
    """One run, with what happened to it and what it said.

    Args:
        session: The invocation.
        run_id: Which.
    """
    found, log = session.lake.jobs.show(run_id), session.lake.jobs.log(run_id)
    document = {
        **found.to_dict(),
        "events": [{"event": each.event, "at": each.at, "detail": each.detail} for each in found.events],
        "log": log.splitlines(),
    }
    rows = [
        [cell(each.at.replace(microsecond=0)), said(each.event), said(str(each.detail.get("reason", "")))]
        for each in found.events
    ]
    versions = ", ".join(f"{table} {version}" for table, version in found.versions.items())
    blocks: list[Block] = [
        Fields(
            ("run", found.id),
            ("job", f"{found.job} ({found.kind})"),
            ("for", time(found.fire_time)),
            ("cause", f"{found.cause}, by {found.author}"),
            ("status", found.status),
            ("did", in_words(found.counts, most=None) or None),
            ("versions", versions or None),
            ("notes", "; ".join(found.notes) or None),
        ),
        "",
        Grid(["time", "event", "why"], rows).without_empty("why"),
        *(["", *log.splitlines()] if log else []),
    ]
    session.out.emit(document, *blocks)


def run_grid(runs: list[RunView]) -> Grid:
    """Runs, one a line.

    Args:
        runs: Which.
    """
    rows: list[list[Cell]] = [
        [
            said(each.id),
            said(each.job),
            said(time(each.fire_time)),
            said(each.cause),
            said(each.status),
            said("" if each.seconds is None else span(each.seconds)),
            said(in_words(each.counts, most=_COUNTS)),
            said(each.reason),
        ]
        for each in runs
    ]
    columns = ["run", "job", "for", "cause", "status", "took", "did", "why"]
    return Grid(columns, rows).without_empty("took", "did", "why")


def time(moment: datetime | None) -> str:
    """A moment, to the second.

    Args:
        moment: Which; None shows nothing.
    """
    return "" if moment is None else cell(moment.replace(microsecond=0)).text


def daemon_lines(daemons: Sequence[DaemonRow]) -> list[str]:
    """Who runs the jobs unattended, in words; nothing where there never was a daemon.

    Args:
        daemons: Those that are known.
    """
    alive = [each for each in daemons if each.alive]
    lines = [f"daemon on {each.host} (process {each.pid}) since {time(each.started)}" for each in alive]
    lost = [each for each in daemons if not each.alive]
    lines += [f"daemon on {each.host} was last heard of at {time(each.seen)}" for each in lost]
    return lines


def daemon_documents(daemons: Sequence[DaemonRow]) -> list[dict[str, Any]]:
    """The same as JSON can hold it.

    Args:
        daemons: Those that are known.
    """
    return [
        {
            "id": each.id,
            "host": each.host,
            "pid": each.pid,
            "alive": each.alive,
            "started": each.started,
            "seen": each.seen,
            "version": each.version,
            "config": each.config,
        }
        for each in daemons
    ]
