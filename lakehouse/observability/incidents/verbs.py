"""``lake.incidents``: what went out of control: list, show, acknowledge, resolve; and the charts."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from lakehouse.config import Config
from lakehouse.config.nearest import nearest
from lakehouse.control import Control
from lakehouse.errors import NotFoundError, RefusedError, UsageError
from lakehouse.observability.charts.chart import Chart, chart_of
from lakehouse.observability.charts.measures import MEASURES, Scope
from lakehouse.observability.charts.settings import settings_of
from lakehouse.observability.incidents.status import (
    OPEN,
    STATUSES,
    IncidentView,
    known_of,
    limits_then,
    status_of,
    view_of,
)
from lakehouse.protection.given import LONGEST_REASON, author_of, ensure_plain, text_of
from lakehouse.records import operator
from lakehouse.state.chart_rows import Point, Series
from lakehouse.state.database import State
from lakehouse.state.incidents import Told

LIMIT: Final = 50
"""So many incidents a list shows, and so many points a chart, unless told otherwise."""
_BEFORE: Final = 25


class Incidents:
    """The incidents of a lake. Reached as `Lakehouse.incidents`; can be used from many threads.

    Args:
        config: The lake's config.
        control: The way to its state database.
        clock: Gives the time, timezone-aware.
    """

    def __init__(
        self, config: Config, *, control: Control, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._config = config
        self._control = control
        self._clock = clock

    def __repr__(self) -> str:
        return f"Incidents({self._config.name!r})"

    def list(
        self,
        *,
        status: Collection[str] | None = tuple(sorted(OPEN)),
        table: str | None = None,
        job: str | None = None,
        limit: int | None = LIMIT,
    ) -> builtins.list[IncidentView]:
        """Incidents, newest first.

        Args:
            status: Only of these: ``open``, ``acknowledged``, ``recovered``, ``resolved``; None means all.
            table: Only of one table.
            job: Only of one job.
            limit: At most so many; None means all.

        Raises:
            UsageError: There is no such status, or both a table and a job are named.
            StorageError: The state database can't be read.
        """
        wanted = frozenset(STATUSES if status is None else [status] if isinstance(status, str) else status)
        for each in sorted(wanted):
            if each not in STATUSES:
                raise UsageError(f"there is no status {each}", advice=f"there are {', '.join(STATUSES)}")
        if table is not None and job is not None:
            raise UsageError("an incident is of a table or of a job", advice="name one of them")
        state = self._control.existing()
        if state is None:
            return []
        scope = "table" if table is not None else "job" if job is not None else None
        everything = wanted == frozenset(STATUSES)
        found = state.incidents.list(
            scope=scope,
            subject=table if table is not None else job,
            only_open=wanted <= OPEN,
            limit=limit if everything else None,
        )
        return [view_of(*each) for each in found if status_of(each[1]) in wanted][:limit]

    def show(self, incident: str) -> IncidentView:
        """One incident.

        Args:
            incident: Its id.

        Raises:
            NotFoundError: There is none of that id.
        """
        return view_of(*self._told(incident)[1])

    def acknowledge(self, incident: str, *, reason: str, author: str | None = None) -> IncidentView:
        """Takes note of an incident: somebody looks after it. It goes on.

        Args:
            incident: Its id.
            reason: What is being done. No personal data.
            author: Who does; None means the user that this process runs as.

        Returns:
            The incident as it is now.

        Raises:
            NotFoundError: There is none of that id.
            RefusedError: It is over, or somebody took note before.
        """
        state, (row, _) = self._told(incident)
        done = state.incidents.add(
            row.id,
            "acknowledged",
            unless={"acknowledged", "recovered", "resolved"},
            now=self._clock(),
            author=_who(author),
            reason=_reason(reason),
        )
        return self._after(state, row.id, done=done, what="acknowledged")

    def resolve(
        self, incident: str, *, reason: str, expected: bool = False, author: str | None = None
    ) -> IncidentView:
        """Ends an incident.

        Args:
            incident: Its id; also of one that has recovered by itself.
            reason: What it was. No personal data.
            expected: Whether this is how it is to be from now on: what is usual is learned anew, from the
                incident's first point on. Otherwise its points are left out of what is usual.
            author: Who ends it; None means the user that this process runs as.

        Returns:
            The incident as it is now.

        Raises:
            NotFoundError: There is none of that id.
            RefusedError: Somebody resolved it before.
        """
        state, (row, _) = self._told(incident)
        done = state.incidents.add(
            row.id,
            "resolved",
            unless={"resolved"},
            now=self._clock(),
            author=_who(author),
            reason=_reason(reason),
            detail={"expected": expected},
            ends=True,
        )
        return self._after(state, row.id, done=done, what="resolved")

    def series(self, subject: str | None = None) -> builtins.list[Series]:
        """What is measured, with the newest point of each.

        Args:
            subject: Only of tables and jobs of this name.

        Raises:
            StorageError: The state database can't be read.
        """
        state = self._control.existing()
        return [] if state is None else state.points.newest(subject=subject)

    def chart(
        self,
        subject: str,
        measure: str,
        *,
        scope: Literal["job", "table"] | None = None,
        points: int = LIMIT,
    ) -> Chart:
        """A chart, whether or not anything is wrong with it.

        Args:
            subject: A job or a table.
            measure: What is measured, as ``seconds``, ``rows`` or ``null_share:email``.
            scope: ``job`` or ``table``, where both have the name and the measure.
            points: So many of the newest.

        Raises:
            NotFoundError: Nothing like that was measured; the advice says what is.
            UsageError: Both a job and a table have it.
        """
        state = self._control.existing()
        heads = (
            [] if state is None else state.points.newest(scope=scope, subject=text_of(subject, "the name"))
        )
        found = [each for each in heads if each.key.name == measure]
        if state is None or not found:
            raise _no_series(subject, measure, heads)
        if len(found) > 1:
            raise UsageError(
                f"both a job and a table called {subject} have {measure}", advice="say --job or --table"
            )
        told = state.incidents.of_series([found[0].seq]).get(found[0].seq, [])
        kept = state.points.last(found, count=self._config.charts.keep)[found[0].seq]
        open_ = next((each for each in reversed(told) if status_of(each[1]) in OPEN), None)
        return self._chart(found[0], kept, told, of=open_, most=points)

    def chart_of(self, incident: str) -> Chart | None:
        """The chart of an incident: the points before it, its own, and those until it was over.

        Args:
            incident: Its id.

        Returns:
            None where its points are not kept any more; `show` has those from its beginning.

        Raises:
            NotFoundError: There is none of that id.
        """
        state, mine = self._told(incident)
        row = mine[0]
        heads = [each for each in state.points.newest(scope=row.key.scope) if each.seq == row.series]
        if not heads:
            return None
        kept = state.points.last(heads, count=self._config.charts.keep)[row.series]
        first = next((place for place, each in enumerate(kept) if each.at >= row.first), None)
        if first is None or kept[first].at != row.first:
            return None
        view = view_of(*mine)
        ends = [each for each in (view.recovered, view.resolved) if each is not None]
        if ends:
            kept = [each for each in kept if each.at <= min(ends)]
        told = state.incidents.of_series([row.series])[row.series]
        start = max(min(first, len(kept) - LIMIT) - 1, first - _BEFORE - 1, 0)
        return self._chart(heads[0], kept[start:], told, of=mine, most=None)

    def _chart(
        self,
        head: Series,
        points: Sequence[Point],
        told: Sequence[Told],
        *,
        of: Told | None,
        most: int | None,
    ) -> Chart:
        scope: Scope = "job" if head.key.scope == "job" else "table"
        return chart_of(
            [(each.at, each.value, each.role, each.version, each.run) for each in points],
            scope=scope,
            subject=head.key.subject,
            name=head.key.name,
            measure=MEASURES[scope][head.key.measure],
            settings=settings_of(self._config.charts, scope=scope, subject=head.key.subject),
            known=known_of([each for each in told if of is None or each[0].id != of[0].id]),
            fixed=None if of is None else (limits_then(of[0]), of[0].first),
            most=most,
        )

    def _told(self, incident: str) -> tuple[State, Told]:
        state = self._control.existing()
        name = text_of(incident, "the id of an incident")
        found = None if state is None else state.incidents.get(name)
        if state is None or found is None:
            raise NotFoundError(
                "there is no incident of that id", advice="`lakehouse incidents list --all` shows them"
            )
        return state, found

    def _after(self, state: State, incident: str, *, done: bool, what: str) -> IncidentView:
        found = state.incidents.get(incident)
        assert found is not None  # noqa: S101 - incidents stay
        view = view_of(*found)
        if not done:
            raise RefusedError(f"{incident} can't be {what}: it is {view.status} already")
        return view


def _no_series(subject: str, measure: str, heads: Sequence[Series]) -> NotFoundError:
    names = sorted({each.key.name for each in heads})
    if not names:
        return NotFoundError(
            f"nothing was measured of {subject} yet",
            advice="points come with the runs of jobs; `lakehouse jobs history` shows them",
        )
    near = nearest(measure, names)
    advice = f"did you mean {near}?" if near else f"there are: {', '.join(names)}"
    return NotFoundError(f"{subject} has no measure {measure}", advice=advice)


def _reason(text: str) -> str:
    return ensure_plain(text_of(text, "the reason"), what="the reason", longest=LONGEST_REASON)


def _who(author: str | None) -> str:
    return operator() if author is None else author_of(author)
