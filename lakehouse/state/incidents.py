"""Incidents in the database: of a series one is open at most, and what happened to them stays."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, delete, func, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from lakehouse.errors import StorageError
from lakehouse.state.chart_rows import IncidentEvent, IncidentRow, SeriesKey
from lakehouse.state.chart_tables import incident_events, incidents, open_incidents, series
from lakehouse.state.ids import new_id
from lakehouse.state.transactions import Transactions

_TRIES: Final = 20
_PART: Final = 500
_IN_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('lakehouse incidents', 0))")

Told = tuple[IncidentRow, builtins.list[IncidentEvent]]
"""An incident and all that happened to it, in order."""


class SqlIncidents:
    """Incidents, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def open(
        self, *, series_seq: int, first: datetime, rule: str, detail: Mapping[str, Any], now: datetime
    ) -> str | None:
        """Opens an incident, unless the series has an open one.

        Args:
            series_seq: The number of the series.
            first: The first point that is part of it.
            rule: The rule that told.
            detail: Limits, points and what changed, as JSON can hold it.
            now: The time.

        Returns:
            Its id; None where another one is open.
        """
        with self._database.writing() as connection:
            _in_turn(connection)
            query = select(open_incidents.c.incident_id).where(open_incidents.c.series_seq == series_seq)
            if connection.execute(query).first() is not None:
                return None
            found = _free_id(connection)
            values = {"series_seq": series_seq, "first": first, "opened": now, "rule": rule}
            connection.execute(insert(incidents).values(id=found, detail=dict(detail), **values))
            upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            connection.execute(upsert(open_incidents).values(series_seq=series_seq, incident_id=found))
            _happened(connection, found, "opened", at=now, detail={"rule": rule})
            return found

    def add(
        self,
        incident: str,
        event: str,
        *,
        unless: Collection[str],
        now: datetime,
        author: str = "",
        reason: str = "",
        detail: Mapping[str, Any] | None = None,
        ends: bool = False,
    ) -> bool:
        """Keeps what happened to an incident, unless something else has happened to it before.

        Args:
            incident: Its id.
            event: What happened.
            unless: The events after which this one can't be any more.
            now: The time.
            author: Who did it; empty where it came by itself.
            reason: Why.
            detail: More, as JSON can hold it.
            ends: Whether the incident is open no more.

        Returns:
            Whether it was kept.
        """
        with self._database.writing() as connection:
            _in_turn(connection)
            query = select(incident_events.c.event).where(incident_events.c.incident_id == incident)
            if not set(connection.execute(query).scalars()).isdisjoint(unless):
                return False
            _happened(
                connection, incident, event, at=now, author=author, reason=reason, detail=dict(detail or {})
            )
            if ends:
                connection.execute(delete(open_incidents).where(open_incidents.c.incident_id == incident))
            return True

    def get(self, incident: str) -> Told | None:
        """An incident; None where there is none of that id.

        Args:
            incident: Its id.
        """
        found = self._told(_query().where(incidents.c.id == incident))
        return found[0] if found else None

    def list(
        self,
        *,
        scope: str | None = None,
        subject: str | None = None,
        only_open: bool = False,
        limit: int | None = None,
    ) -> builtins.list[Told]:
        """Incidents, newest first.

        Args:
            scope: Only of jobs, or only of tables.
            subject: Only of one.
            only_open: Only those that are open, acknowledged or not.
            limit: At most so many.
        """
        query = _query().order_by(incidents.c.seq.desc())
        if scope is not None:
            query = query.where(series.c.scope == scope)
        if subject is not None:
            query = query.where(series.c.subject == subject)
        if only_open:
            query = query.where(incidents.c.id.in_(select(open_incidents.c.incident_id)))
        if limit is not None:
            query = query.limit(limit)
        return self._told(query)

    def of_series(self, numbers: Sequence[int]) -> dict[int, builtins.list[Told]]:
        """The incidents of series, oldest first.

        Args:
            numbers: The numbers of the series.

        Returns:
            By the number of the series; those without any are left out.
        """
        found: dict[int, builtins.list[Told]] = {}
        for at in range(0, len(numbers), _PART):
            some = numbers[at : at + _PART]
            query = _query().where(incidents.c.series_seq.in_(some)).order_by(incidents.c.seq)
            for each in self._told(query):
                found.setdefault(each[0].series, []).append(each)
        return found

    def since(
        self, seq: int, *, limit: int | None = None
    ) -> builtins.list[tuple[IncidentEvent, IncidentRow]]:
        """What happened to incidents after an event, in order. None comes later with a smaller number.

        Args:
            seq: The number of the last event that was read; 0 means from the beginning.
            limit: At most so many.
        """
        query = select(incident_events).where(incident_events.c.seq > seq).order_by(incident_events.c.seq)
        if limit is not None:
            query = query.limit(limit)
        with self._database.reading() as connection:
            events = [_event(row) for row in connection.execute(query)]
            ids = sorted({each.incident for each in events})
            rows: dict[str, IncidentRow] = {}
            for at in range(0, len(ids), _PART):
                for row in connection.execute(_query().where(incidents.c.id.in_(ids[at : at + _PART]))):
                    rows[row.id] = _incident(row)
        return [(each, rows[each.incident]) for each in events]

    def newest(self) -> int:
        """The number of the newest event: where those begin who only care for news; 0 where there is none."""
        with self._database.reading() as connection:
            return int(
                connection.execute(select(func.coalesce(func.max(incident_events.c.seq), 0))).scalar_one()
            )

    def _told(self, query: Select[Any]) -> builtins.list[Told]:
        with self._database.reading() as connection:
            found = [_incident(row) for row in connection.execute(query)]
            events: dict[str, builtins.list[IncidentEvent]] = {each.id: [] for each in found}
            ids = list(events)
            for at in range(0, len(ids), _PART):
                wanted = (
                    select(incident_events)
                    .where(incident_events.c.incident_id.in_(ids[at : at + _PART]))
                    .order_by(incident_events.c.number)
                )
                for row in connection.execute(wanted):
                    events[row.incident_id].append(_event(row))
        return [(each, events[each.id]) for each in found]


def _query() -> Select[Any]:
    named = (series.c.scope, series.c.subject, series.c.measure, series.c.column_name)
    return select(incidents, *named).join(series, series.c.seq == incidents.c.series_seq)


def _in_turn(connection: Connection) -> None:
    """Lets one after the other write of incidents, so that their events are seen in the order of numbers."""
    if connection.dialect.name == "postgresql":
        connection.execute(_IN_TURN)


def _happened(
    connection: Connection,
    incident: str,
    event: str,
    *,
    at: datetime,
    author: str = "",
    reason: str = "",
    detail: Mapping[str, Any],
) -> None:
    last = select(func.coalesce(func.max(incident_events.c.number), 0)).where(
        incident_events.c.incident_id == incident
    )
    connection.execute(
        insert(incident_events).values(
            incident_id=incident,
            number=connection.execute(last).scalar_one() + 1,
            event=event,
            at=at,
            author=author,
            reason=reason,
            detail=dict(detail),
        )
    )


def _free_id(connection: Connection) -> str:
    for _ in range(_TRIES):
        found = new_id("inc")
        if connection.execute(select(incidents.c.id).where(incidents.c.id == found)).first() is None:
            return found
    raise StorageError("no free id for an incident was found", advice="try again")


def _incident(row: Row[Any]) -> IncidentRow:
    return IncidentRow(
        seq=row.seq,
        id=row.id,
        series=row.series_seq,
        key=SeriesKey(row.scope, row.subject, row.measure, row.column_name),
        first=row.first,
        opened=row.opened,
        rule=row.rule,
        detail=row.detail,
    )


def _event(row: Row[Any]) -> IncidentEvent:
    return IncidentEvent(
        seq=row.seq,
        incident=row.incident_id,
        number=row.number,
        event=row.event,
        at=row.at,
        author=row.author,
        reason=row.reason,
        detail=row.detail,
    )
