"""The verbs that give rows: ``read`` and ``sql``."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from lakehouse.cli.frames import asked, query_errors, write_frame
from lakehouse.cli.lazy import verb
from lakehouse.cli.parameters import at, at_options, frame_options, table_argument, words
from lakehouse.cli.session import Session


@verb(
    "read",
    examples=[
        "lakehouse read customers --columns id,email --where \"email LIKE '%.example'\"",
        "lakehouse read orders --order-by total --descending --limit 5",
        "lakehouse read orders --timestamp 2026-03-01T00:00:00Z",
        "lakehouse read orders --tag before-move --output orders.parquet",
    ],
    python="lake.table(...).read(columns=..., where=..., version=..., timestamp=..., tag=...)",
)
@table_argument()
@click.option("--columns", multiple=True, metavar="A,B", help="Only these columns, in this order.")
@click.option("--where", metavar="SQL", help="Only rows for which this holds.")
@click.option("--order-by", multiple=True, metavar="A,B", help="Sort by these columns, nulls last.")
@click.option("--descending", is_flag=True, help="Sort from the largest to the smallest.")
@at_options
@frame_options
@click.pass_obj
def read(
    session: Session,
    *,
    table: str,
    columns: tuple[str, ...],
    where: str | None,
    order_by: tuple[str, ...],
    descending: bool,
    version: int | None,
    timestamp: datetime | None,
    tag: str | None,
    limit: int | None,
    everything: bool,
    format_: str | None,
    output: str | None,
) -> None:
    """Show or export the rows of a table, as they are or were.

    The rows of the newest version, or of one that --version, --timestamp or --tag names.
    """
    how = asked(session, format_=format_, output=output, limit=limit, everything=everything)
    moment = at(version, timestamp, tag)
    wanted, order = words(columns), words(order_by)
    with query_errors():
        frame = session.lake.table(table).scan(
            columns=_with(wanted, order), where=where, version=version, timestamp=timestamp, tag=tag
        )
        if order:
            frame = frame.sort(order, descending=descending, nulls_last=True)
        if wanted:
            frame = frame.select(wanted)
    write_frame(session, frame, asked=how, about={"table": table, **moment.words})


def _with(wanted: list[str] | None, order: list[str] | None) -> list[str] | None:
    """The columns to read: those to show and those to sort by."""
    return wanted if wanted is None else list(dict.fromkeys([*wanted, *(order or [])]))


@verb(
    "sql",
    examples=[
        'lakehouse sql "SELECT country, count(*) AS n FROM customers GROUP BY country"',
        "lakehouse sql - < report.sql",
    ],
    python="lake.sql(query)",
)
@click.argument("query", metavar="QUERY")
@frame_options
@click.pass_obj
def sql(
    session: Session,
    *,
    query: str,
    limit: int | None,
    everything: bool,
    format_: str | None,
    output: str | None,
) -> None:
    """Answer a SQL query over the tables of the lake.

    Every table of the config can be named in it. QUERY - reads the query from standard input.
    """
    how = asked(session, format_=format_, output=output, limit=limit, everything=everything)
    text = sys.stdin.read() if query == "-" else query
    with query_errors():
        frame = session.lake.sql(text)
    write_frame(session, frame, asked=how, about={})
