"""Requests that find more than one person can have: they are not carried out unless somebody allows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from lakehouse.config.models import RequestsConfig
from lakehouse.errors import RefusedError
from lakehouse.requests.find import REQUEST, Found
from lakehouse.requests.known import People
from lakehouse.requests.locate import FILE, LIVE, POSITION

FEW_ROWS: Final = 1_000
"""So many rows of a table are never too many for one person."""

_SHOWN: Final = 5


def brakes(people: People, found: Iterable[Found], *, config: RequestsConfig) -> dict[str, tuple[str, ...]]:
    """Looks for requests that find surprisingly much: pure.

    Args:
        people: Who was looked for.
        found: Their rows, by table.
        config: What is too much.

    Returns:
        By request why it should not be carried out as it is; the reasons hold no value. Others are left out.
    """
    reasons: dict[str, dict[str, None]] = {each: dict.fromkeys(why) for each, why in people.crowds.items()}
    for each in found:
        live = sum(add.live_records or 0 for add in each.past.newest.files.values())
        most = max(FEW_ROWS, int(config.max_share * live))
        rows = each.going.filter(pl.col(LIVE)).select(REQUEST, FILE, POSITION).unique()
        many = rows.group_by(REQUEST, maintain_order=True).len().filter(pl.col("len") > most)
        for request, count in many.rows():
            reasons.setdefault(request, {})[
                f"it finds {count:,} of the {live:,} rows of table {each.table}, more than {most:,} "
                "(`requests.max_share`)"
            ] = None
    return {request: tuple(why) for request, why in reasons.items()}


def refuse_braked(braked: Mapping[str, tuple[str, ...]]) -> None:
    """Refuses requests.

    Args:
        braked: By request the reasons, as `brakes` finds them.

    Raises:
        RefusedError: There are any.
    """
    if not braked:
        return
    lines = [f"request {request}: {'; '.join(why)}" for request, why in list(braked.items())[:_SHOWN]]
    more = len(braked) - len(lines)
    shown = lines[0] if len(braked) == 1 else "".join(f"\n  {line}" for line in lines)
    if more > 0:
        shown += f"\n  and {more:,} more"
    what = "" if len(braked) == 1 else f"{len(braked):,} requests lead to more than one person can have:"
    raise RefusedError(f"{what}{shown}", advice=ADVICE)


ADVICE: Final = (
    "if a value stands for nobody, name it in `requests.placeholders`, or reject the request; if all of it "
    "is to go, run it with --allow-many (`allow_many=True`)"
)
