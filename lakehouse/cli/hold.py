"""The verbs about legal holds: ``hold add``, ``hold list``, ``hold release``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.cells import Cell, cell, said
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import VerbGroup, verb
from lakehouse.cli.output import Block, Fields, plural
from lakehouse.cli.parameters import TableName, pairs
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.protection import Hold


@click.group(cls=VerbGroup, subcommand_metavar="VERB [ARGS]...")
def hold() -> None:
    """Order that tables, rows or people's data are kept, whatever any rule says."""


@verb(
    "add",
    examples=[
        'lakehouse hold add --table orders --reason "case 12/2026"',
        'lakehouse hold add --table orders --where "customer_id = 7" --reason "case 12/2026" --until 2y',
        'lakehouse hold add --subject customer --id id=7 --id email=a@b.example --reason "case 12/2026"',
    ],
    python='lake.holds.add(table="orders", where="customer_id = 7", reason="case 12/2026")',
)
@click.option("--table", type=TableName(), metavar="TABLE", help="Hold this table.")
@click.option("--where", metavar="SQL", help="Only its rows for which this is true.")
@click.option(
    "--subject", metavar="NAME", help="Hold all rows of a person; a name in `subjects` of the config."
)
@click.option(
    "--id",
    "identifiers",
    metavar="NAME=VALUE",
    multiple=True,
    help="What the person is known by; can repeat.",
)
@click.option("--reason", required=True, metavar="TEXT", help="Why. Shown to many: no personal data.")
@click.option("--author", metavar="NAME", help="Who orders it. Without it: you.")
@click.option(
    "--until",
    metavar="TIME",
    help="When it ends by itself: 90d, 3y, 2027-01-31T12:00:00Z, '2027-01-31 Europe/Berlin'. Without it: "
    "when it is released.",
)
@click.pass_obj
def add(
    session: Session,
    *,
    table: str | None,
    where: str | None,
    subject: str | None,
    identifiers: tuple[str, ...],
    reason: str,
    author: str | None,
    until: str | None,
) -> None:
    """Place a hold on a table, on some of its rows, or on a person.

    It binds at once: retention, vacuum, restore and whatever else takes something away leave alone what is
    held, or are refused. Merges go on.
    """
    holds = session.lake.holds
    made = holds.add(
        table=table,
        where=where,
        subject=subject,
        identifiers=pairs(identifiers) or None,
        reason=reason,
        author=author,
        until=until,
    )
    rows = holds.count(made)
    document = {**_document(made, now=made.placed, open_=False), "rows": rows}
    whole = {name for name, condition in made.resolved if condition is None} | (
        {made.table} if made.table is not None and made.where is None else set()
    )
    lines = [
        (
            f"  {name}",
            "the whole table" if name in whole else "?" if number is None else plural(number, "row"),
        )
        for name, number in rows.items()
    ]
    ends = f" until {_time(made.until)}" if made.until is not None else ""
    session.out.emit(document, f"{made.id} holds{ends}:", Fields(*lines))
    if not whole and not any(number != 0 for number in rows.values()):
        session.out.note("no row is like that now; rows that come later are held too")
    session.out.next_steps((f"lakehouse hold release {made.id}", "end it"))


@verb(
    "list",
    examples=["lakehouse hold list", "lakehouse hold list --all", "lakehouse hold list --show-conditions"],
    python="lake.holds.list(all=False)",
)
@click.option("--all", "everything", is_flag=True, help="Also those that were released or have ended.")
@click.option(
    "--show-conditions",
    is_flag=True,
    help="Show conditions and identifiers as they were given; they can be personal.",
)
@click.pass_obj
def list_(session: Session, *, everything: bool, show_conditions: bool) -> None:
    """List the holds that bind now.

    What a hold is about is shown by the names of columns and identifiers only: their values can be personal.
    """
    now = datetime.now(UTC)
    found = session.lake.holds.list(all=everything)
    rows: list[list[Cell]] = [
        [
            said(each.id),
            said(_what(each, open_=show_conditions)),
            said(each.reason),
            said(each.author),
            cell(each.placed.replace(microsecond=0)),
            said("" if each.until is None else _time(each.until)),
            said(_status(each, now=now)),
        ]
        for each in found
    ]
    grid = Grid(["hold", "on", "reason", "author", "time", "until", "status"], rows).without_empty("until")
    empty = "no holds" if everything else "nothing is held"
    blocks: list[Block] = [grid] if rows else [empty]
    document = [_document(each, now=now, open_=show_conditions) for each in found]
    session.out.emit({"holds": document}, *blocks)


@verb(
    "release",
    examples=['lakehouse hold release hold-7f3k2q --reason "case closed"'],
    python='lake.holds.release("hold-7f3k2q", reason="case closed")',
)
@click.argument("hold_id", metavar="HOLD")
@click.option("--reason", default="", metavar="TEXT", help="Why.")
@click.option("--author", metavar="NAME", help="Who ends it. Without it: you.")
@click.pass_obj
def release(session: Session, *, hold_id: str, reason: str, author: str | None) -> None:
    """End a hold, and forget what it was about.

    That it was, why, by whom and when stays; its condition and identifiers go. What it held is handled by the
    rules again from then on.
    """
    done = session.lake.holds.release(hold_id, reason=reason, author=author)
    assert done.released is not None  # noqa: S101 - it was released just now
    session.out.emit(_document(done, now=done.released, open_=False), f"{done.id} is released")


def _what(each: Hold, *, open_: bool) -> str:
    """What a hold is about; values only where they were asked for."""
    if each.subject is not None:
        if each.released is not None:
            return f"a {each.subject}"
        pairs = ", ".join(f"{name}={value if open_ else '…'}" for name, value in each.identifiers)
        return f"{each.subject} ({pairs})"
    if not each.columns:
        return str(each.table)
    if open_ and each.where is not None:
        return f"{each.table} where {each.where}"
    return f"{each.table}, rows by {', '.join(each.columns)}"


def _status(each: Hold, *, now: datetime) -> str:
    status = each.status(now)
    return f"{status} by {each.released_by}" if status == "released" else status


def _time(moment: datetime | None) -> str:
    return "" if moment is None else cell(moment.replace(microsecond=0)).text


def _document(each: Hold, *, now: datetime, open_: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": each.id,
        "status": each.status(now),
        "table": each.table,
        "partial": bool(each.columns) or each.subject is not None,
        "columns": list(each.columns),
        "subject": each.subject,
        "identifiers": list(dict.fromkeys(name for name, _ in each.identifiers)),
        "tables": list(dict.fromkeys(name for name, _ in each.resolved)),
        "reason": each.reason,
        "author": each.author,
        "time": each.placed,
        "until": each.until,
        "released": each.released,
        "released_by": each.released_by,
        "release_reason": each.release_reason,
    }
    if open_:
        document["where"] = each.where
        document["identifier_values"] = [{"name": name, "value": value} for name, value in each.identifiers]
    return document


for _command in (add, list_, release):
    hold.add_command(_command)
