"""The verbs about alerts: ``alerts list``, ``alerts test``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lakehouse.cli.cells import Cell, amount, cell, said
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import VerbGroup, verb
from lakehouse.cli.output import Block, plural
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from datetime import datetime


@click.group(cls=VerbGroup, subcommand_metavar="VERB [ARGS]...")
def alerts() -> None:
    """See who hears of what is wrong, and whether they can be reached."""


@verb(
    "list",
    examples=["lakehouse alerts list", "lakehouse alerts list --json"],
    python="lake.alerts.list(), lake.alerts.problems()",
)
@click.pass_obj
def list_(session: Session) -> None:
    """List who hears of what, whether they can be reached, and what is wrong now.

    Of an address only that is shown which can't be a token.
    """
    verbs = session.lake.alerts
    targets, problems = verbs.list(), verbs.problems()
    rows: list[list[Cell]] = [
        [
            said(each.name),
            said(", ".join(each.on)),
            amount(each.messages),
            said(_time(each.last)),
            said(each.failing),
            said(_time(each.next_try)),
        ]
        for each in targets
    ]
    columns = ["target", "hears of", "messages", "last", "failing", "next try"]
    blocks: list[Block] = [
        Grid(columns, rows).without_empty("last", "failing", "next try")
        if rows
        else "nobody hears of anything"
    ]
    wrong: list[list[Cell]] = [
        [said(each.kind.replace("_", " ")), said(each.subject), said(_time(each.opened)), amount(each.times)]
        for each in problems
    ]
    if wrong:
        blocks += ["", Grid(["problem", "of", "since", "times"], wrong)]
    document = {
        "targets": [each.to_dict() for each in targets],
        "problems": [
            {
                "problem": each.kind,
                "of": each.subject,
                "since": each.opened,
                "last": each.last,
                "times": each.times,
                **each.detail,
            }
            for each in problems
        ],
    }
    session.out.emit(document, *blocks)


@verb("test", examples=["lakehouse alerts test"], python="lake.alerts.test()")
@click.pass_obj
def test(session: Session) -> None:
    """Send a message to every target, and say which could not be reached.

    The exit code is 1 if one could not.
    """
    results = session.lake.alerts.test()
    failed = sum(bool(reason) for reason in results.values())
    rows: list[list[Cell]] = [
        [said(name), said(f"failed: {reason}" if reason else "sent")] for name, reason in results.items()
    ]
    session.out.emit(
        {
            "targets": [
                {"target": name, "sent": not reason, "reason": reason} for name, reason in results.items()
            ]
        },
        Grid(["target", "result"], rows),
    )
    if failed:
        session.out.note(f"{plural(failed, 'target')} could not be reached; see `alerts:` in the config")
        click.get_current_context().exit(1)


def _time(moment: datetime | None) -> str:
    return "" if moment is None else cell(moment.replace(microsecond=0)).text


for _command in (list_, test):
    alerts.add_command(_command)
