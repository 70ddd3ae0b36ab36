"""Takes points of tables, whoever changed them, and judges them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

from lakehouse.errors import LakehouseError
from lakehouse.jobs.context import Lake
from lakehouse.jobs.status import RunView
from lakehouse.observability.incidents.around import around_job, around_table
from lakehouse.observability.incidents.taking import Taken, points_of_table
from lakehouse.observability.incidents.watch import Changes, Watch
from lakehouse.state.chart_rows import Point, Series
from lakehouse.state.database import State

_LOG: Final = logging.getLogger("lakehouse.charts")
_TOGETHER: Final = 50


def sample(
    lake: Lake, tables: Sequence[str], state: State, now: datetime, *, run: RunView | None = None
) -> Changes:
    """Takes a point of each series of tables, and judges them. Only logs are read: one snapshot a table.

    Tables that have not been made are left out; one whose log can't be read is named in the log, and does not
    keep the others from their turn. Can be called from several processes at once.

    Args:
        lake: The lake.
        tables: The names of the tables.
        state: The lake's state database.
        now: The time (timezone-aware).
        run: The run that made their newest versions; None where that is not known.

    Returns:
        The incidents that were opened, or recovered.

    Raises:
        StorageError: The state database can't be used.
    """
    watch = watching(lake, state)
    found = take(lake, tables, state, now=now, run=run)
    done = Changes()
    while some := list(islice(found, _TOGETHER)):
        changes = watch.note(some, now=now)
        done.opened += changes.opened
        done.recovered += changes.recovered
    return done


def take(
    lake: Lake, tables: Sequence[str], state: State, *, now: datetime, run: RunView | None = None
) -> Iterator[Taken]:
    """Takes points of tables, and keeps none.

    Args:
        lake: The lake.
        tables: The names of the tables.
        state: The lake's state database.
        now: The time (timezone-aware).
        run: The run that made their newest versions; None where that is not known.

    Yields:
        Those of each table that has been made and can be read.
    """
    only = tables[0] if len(tables) == 1 else None
    heads: dict[str, list[Series]] = {}
    for each in state.points.newest(scope="table", subject=only):
        heads.setdefault(each.key.subject, []).append(each)
    for name in tables:
        try:
            found = points_of_table(lake.table(name).opened, heads.get(name, []), now=now, run=run)
        except LakehouseError as error:
            _LOG.warning("no points could be taken of table %s (%s)", name, type(error).__name__)
            continue
        if found is not None:
            yield found


def watching(lake: Lake, state: State) -> Watch:
    """What watches the series of a lake.

    Args:
        lake: The lake.
        state: Its state database.
    """

    def around(taken: Taken, points: Sequence[Point]) -> dict[str, Any]:
        batch = taken.batch
        if batch.scope == "job":
            assert taken.run is not None  # noqa: S101 - points of jobs come from runs
            return around_job(taken.run, config=lake.config, points=points)
        return around_table(
            batch.subject,
            config=lake.config,
            storage=lake.table(batch.subject).storage,
            commits=taken.commits,
            points=points,
            run=taken.run,
        )

    return Watch(config=lake.config, state=state, around=around)
