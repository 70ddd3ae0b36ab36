"""The verb ``pii risk``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from lakehouse.cli.cells import said
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, plural
from lakehouse.cli.parameters import Whole, at, at_options, table_argument, words
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.pii.risk import RiskReport

TOO_RISKY = 5


@verb(
    "risk",
    examples=[
        "lakehouse pii risk customers_masked --quasi zip,born,sex",
        "lakehouse pii risk customers --role analyst --quasi zip,born --sensitive diagnosis",
        "lakehouse pii risk customers_masked --quasi zip,born --at-least 5    # exit code 5 if k is below",
    ],
    python="lake.pii.risk(table, quasi=[...], sensitive=(), role=None)",
)
@table_argument()
@click.option(
    "--quasi",
    multiple=True,
    metavar="A,B",
    help="Columns by which a person could be known together, as zip,born,sex.",
)
@click.option(
    "--sensitive", multiple=True, metavar="A,B", help="Columns that nobody should learn of a person."
)
@click.option("--role", metavar="ROLE", help="Weigh what somebody in this role sees.")
@click.option(
    "--at-least", type=Whole(min=1), metavar="K", help="Exit code 5 if the smallest group is smaller."
)
@at_options
@click.pass_obj
def risk(
    session: Session,
    *,
    table: str,
    quasi: tuple[str, ...],
    sensitive: tuple[str, ...],
    role: str | None,
    at_least: int | None,
    version: int | None,
    timestamp: datetime | None,
    tag: str | None,
) -> int:
    """Weigh how well people are hidden in a table, by k-anonymity and l-diversity.

    Rows that agree in all columns of --quasi make a group in which a person can hide. The smallest groups are
    counted, and never shown.
    """
    moment = at(version, timestamp, tag)
    found = session.lake.pii.risk(
        table, quasi=words(quasi) or [], sensitive=words(sensitive) or [], role=role, **moment.words
    )
    document = {**asdict(found), "uniqueness": found.uniqueness}
    session.out.emit(document, *_story(found))
    too_small = at_least is not None and found.k is not None and found.k < at_least
    if too_small:
        session.out.note(f"the smallest group has {plural(found.k or 0, 'row')}, not {at_least:,}")
    return TOO_RISKY if too_small else 0


def _story(found: RiskReport) -> list[Block]:
    if found.k is None:
        return [f"{found.table}, version {found.version}: there are no rows"]
    seen = f" as role {found.role} sees it" if found.role else ""
    blocks: list[Block] = [
        (
            f"{found.table}{seen}, version {found.version}: {plural(found.rows, 'row')} in "
            f"{plural(found.groups, 'group')} by {', '.join(found.quasi)}"
        ),
        (
            f"the smallest group has {plural(found.k, 'row')} (k = {found.k:,}); {found.unique:,} of "
            f"{plural(found.rows, 'row')} ({found.uniqueness:.1%}) are alone in theirs"
        ),
        Grid(
            ["group size", "groups", "rows"],
            [
                [said(_sizes(each.smallest, each.largest)), said(f"{each.groups:,}"), said(f"{each.rows:,}")]
                for each in found.sizes
                if each.groups
            ],
        ),
    ]
    if found.without:
        columns = ["without", "smallest group", "alone"]
        rows = [
            [said(each.column), said(f"{each.k or 0:,}"), said(f"{each.unique:,}")] for each in found.without
        ]
        blocks.append(Grid(columns, rows))
    blocks += [
        f"{each.column}: a group has at least {plural(each.smallest or 0, 'value')} of it; "
        f"{plural(each.certain_rows, 'row')} of larger groups give it away, since all in theirs are alike"
        for each in found.diversity
    ]
    return blocks


def _sizes(smallest: int, largest: int | None) -> str:
    if largest is None:
        return f"{smallest} and more"
    return str(smallest) if smallest == largest else f"{smallest} to {largest}"
