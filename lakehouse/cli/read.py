"""The verbs that give rows: ``read`` and ``sql``."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, NoReturn

import click

from lakehouse.cli.frames import asked, query_errors, write_frame
from lakehouse.cli.lazy import verb
from lakehouse.cli.parameters import At, at, at_options, frame_options, table_argument, words
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    import polars as pl

    from lakehouse.table import Table


@verb(
    "read",
    examples=[
        "lakehouse read customers --columns id,email --where \"email LIKE '%.example'\"",
        "lakehouse read orders --order-by total --descending --limit 5",
        "lakehouse read orders --timestamp 2026-03-01T00:00:00Z",
        "lakehouse read prices --valid-at 2026-03-01T00:00:00Z   # with full history",
        "lakehouse read orders --tag before-move --output orders.parquet",
    ],
    python=(
        "lake.table(...).read(columns=..., where=..., version=..., timestamp=..., tag=..., valid_at=..., "
        "role=...)"
    ),
)
@table_argument()
@click.option("--columns", multiple=True, metavar="A,B", help="Only these columns, in this order.")
@click.option("--where", metavar="SQL", help="Only rows for which this holds.")
@click.option("--order-by", multiple=True, metavar="A,B", help="Sort by these columns, nulls last.")
@click.option("--descending", is_flag=True, help="Sort from the largest to the smallest.")
@click.option(
    "--valid-at", metavar="MOMENT", help="With full history: the rows as they held at this time or number."
)
@click.option("--role", metavar="ROLE", help="Read as somebody in this role: its rows, masked.")
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
    valid_at: str | None,
    role: str | None,
    version: int | None,
    timestamp: datetime | None,
    tag: str | None,
    limit: int | None,
    everything: bool,
    format_: str | None,
    output: str | None,
) -> None:
    """Show or export the rows of a table, as they are or were.

    The rows of the newest version, or of one that --version, --timestamp or --tag names. A table's name and
    __quarantine reads the records that merges into it rejected.
    """
    from polars.exceptions import PolarsError

    how = asked(session, format_=format_, output=output, limit=limit, everything=everything)
    moment = at(version, timestamp, tag)
    wanted, order = words(columns), words(order_by)
    place = session.lake.table(table)
    with query_errors():
        frame = place.scan(
            columns=_with(wanted, order), where=where, valid_at=valid_at, role=role, **moment.words
        )
        _check_order(place, frame, order)
        if order:
            frame = frame.sort(order, descending=descending, nulls_last=True)
        if wanted:
            frame = frame.select(list(dict.fromkeys(wanted)))
    try:
        write_frame(session, frame, asked=how, about={"table": table, **moment.words})
    except (PolarsError, FileNotFoundError) as error:
        _explain(session, table, moment, error, where=where)


def _explain(session: Session, table: str, moment: At, error: Exception, *, where: str | None) -> NoReturn:
    """Says what keeps a version from being read, as files that are gone."""
    from lakehouse.timetravel.reading import explaining
    from lakehouse.timetravel.resolve import resolve

    place = session.lake.table(table)
    version = resolve(place.storage, session.lake.storage, table=table, **moment.words)
    snapshot = place.snapshot(version=version)
    with explaining(place.storage, snapshots=[snapshot], table=table, where=where):
        raise error
    raise error


def _check_order(place: Table, frame: pl.LazyFrame, order: list[str] | None) -> None:
    """Refuses to sort by a column that is not there, before any rows are read."""
    from lakehouse.errors import UsageError

    known = frame.collect_schema().names()
    unknown = [column for column in order or [] if column not in known]
    if unknown:
        raise UsageError(
            f"table {place.name} has no column {', '.join(unknown)} to sort by",
            advice=f"its columns are: {', '.join(known)}",
        )


def _with(wanted: list[str] | None, order: list[str] | None) -> list[str] | None:
    """The columns to read: those to show and those to sort by."""
    return wanted if wanted is None else list(dict.fromkeys([*wanted, *(order or [])]))


@verb(
    "sql",
    examples=[
        'lakehouse sql "SELECT country, count(*) AS n FROM customers GROUP BY country"',
        'lakehouse sql --role analyst "SELECT email, count(*) AS n FROM customers GROUP BY email"',
        "lakehouse sql - < report.sql",
    ],
    python="lake.sql(query, role=...)",
    takes_sql=True,
)
@click.argument("query", metavar="QUERY")
@click.option("--role", metavar="ROLE", help="Answer somebody in this role: over its rows, masked.")
@frame_options
@click.pass_obj
def sql(
    session: Session,
    *,
    query: str,
    role: str | None,
    limit: int | None,
    everything: bool,
    format_: str | None,
    output: str | None,
) -> None:
    """Answer a SQL query over the tables of the lake.

    Every table of the config can be named in it, and its quarantine by the table's name and __quarantine.
    QUERY - reads the query from standard input.
    """
    how = asked(session, format_=format_, output=output, limit=limit, everything=everything)
    text = sys.stdin.read() if query == "-" else query
    with query_errors():
        frame = session.lake.sql(text, role=role)
    write_frame(session, frame, asked=how, about={})
