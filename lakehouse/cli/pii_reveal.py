"""The verbs ``pii reveal`` and ``pii history``: masks turned back, and who did."""

from __future__ import annotations

import sys

import click

from lakehouse.cli.cells import amount, cell, said
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, plural
from lakehouse.cli.parameters import Whole, table_argument
from lakehouse.cli.session import Session


@verb(
    "reveal",
    examples=[
        'lakehouse pii reveal customers email tok_1_pX3s... --role support --reason "case 12/2026"',
        'lakehouse pii reveal customers email --where "id = 7" --role support --reason "case 12/2026"',
        'lakehouse pii reveal customers email - --role support --reason "audit" < tokens.txt',
    ],
    python='lake.pii.reveal("customers", "email", where="id = 7", role="support", reason="case 12/2026")',
)
@table_argument()
@click.argument("column", metavar="COLUMN")
@click.argument("values", metavar="[MASK]...", nargs=-1)
@click.option("--where", metavar="SQL", help="The rows whose masks are meant, in place of MASK.")
@click.option("--role", required=True, metavar="NAME", help="A role with `reveal: true` in the config.")
@click.option("--reason", required=True, metavar="TEXT", help="Why. It is kept: no personal data.")
@click.option(
    "--limit", type=Whole(min=1), default=1000, show_default=True, help="How many rows --where may find."
)
@click.pass_obj
def reveal(
    session: Session,
    *,
    table: str,
    column: str,
    values: tuple[str, ...],
    where: str | None,
    role: str,
    reason: str,
    limit: int,
) -> None:
    """Turn masks of a column back into values.

    Only in a role that may, and recorded before a value is shown: who, when, in which role, why, which column
    and how many; never a value. MASK - reads masks from standard input, one a line. The condition of --where
    may only name columns that the role sees as they are.
    """
    masks = sys.stdin.read().splitlines() if values == ("-",) else list(values)
    done = session.lake.pii.reveal(
        table,
        column,
        values=masks or None,
        where=where,
        role=role,
        reason=reason,
        limit=limit,
    )
    document = {
        "table": done.table,
        "column": done.column,
        "role": done.role,
        "author": done.author,
        "reason": done.reason,
        "at": done.at,
        "rows": done.rows.rows(named=True),
        "withheld": done.withheld,
        "unmasked": done.unmasked,
        "problems": list(done.problems),
    }
    blocks: list[Block] = [Grid(done.rows.columns, done.rows.rows())] if done.rows.height else ["no rows"]
    session.out.emit(document, *blocks)
    if done.withheld:
        session.out.note(f"{plural(done.withheld, 'value')} withheld: in no row that role {role} sees")
    if done.unmasked:
        session.out.note(
            f"{plural(done.unmasked, 'value')} came back as given: no mask of this column is in it"
        )
    for problem in done.problems:
        session.out.note(f"not turned back: {problem}")
    session.out.note(f"recorded for {done.author}; `lakehouse pii history` shows it")


@verb(
    "history",
    examples=["lakehouse pii history", "lakehouse pii history customers --limit 5 --json"],
    python="lake.pii.history(table=None, limit=None)",
)
@click.argument("table", required=False)
@click.option("--limit", type=Whole(min=1), default=50, show_default=True, help="At most so many entries.")
@click.pass_obj
def history(session: Session, *, table: str | None, limit: int) -> None:
    """Show who turned masks back, when and why, the latest first."""
    found = session.lake.pii.history(table, limit=limit)
    document = [
        {
            "at": each.at,
            "author": each.author,
            "table": each.table,
            "action": each.action,
            "rows": each.rows,
            **each.detail,
        }
        for each in found
    ]
    rows = [
        [
            cell(each.at.replace(microsecond=0)),
            said(each.author),
            said(str(each.detail.get("role", ""))),
            said(f"{each.table}.{each.detail.get('column', '')}"),
            amount(each.rows),
            said(str(each.detail.get("reason", ""))),
        ]
        for each in found
    ]
    columns = ["when", "who", "role", "column", "values", "reason"]
    blocks: list[Block] = [Grid(columns, rows)] if rows else ["nobody has turned masks back yet"]
    session.out.emit({"records": document}, *blocks)
