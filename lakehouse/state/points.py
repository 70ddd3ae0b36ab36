"""Points of control charts in the database: kept, bounded, read.

The newest point of a series stands beside its name, so that asking for those of all tables reads nothing
else. Points are numbered without gaps, so that the newest of many series are found by one look into the key.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BindParameter, Row, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from lakehouse.state.chart_rows import Batch, NewPoint, Point, Series, SeriesKey
from lakehouse.state.chart_tables import incidents, points, series
from lakehouse.state.transactions import Transactions

_EVERY: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PART: Final = 500
_SOME: Final[BindParameter[Any]] = bindparam("some", expanding=True)
_WINDOW: Final = (
    select(
        points.c.series_seq,
        points.c.number,
        points.c.at,
        points.c.value,
        points.c.version,
        points.c.run_id,
        points.c.role,
    )
    .join(series, series.c.seq == points.c.series_seq)
    .where(series.c.seq.in_(_SOME), points.c.number > series.c.number - bindparam("count"))
    .order_by(points.c.series_seq, points.c.number)
)
_TROUBLED: Final = select(incidents.c.series_seq).where(incidents.c.series_seq.in_(_SOME)).distinct()


class SqlPoints:
    """Points of series, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def record(self, batches: Sequence[Batch], *, keep: int) -> list[Series]:
        """Keeps points, each once: what was told of a version or run before is left out.

        Args:
            batches: The points of jobs and tables.
            keep: So many points of a series are kept; older ones go.

        Returns:
            The series that have a new point, with it.
        """
        batches = [each for each in batches if each.points]
        if not batches:
            return []
        with self._database.writing() as connection:
            there = _series(connection, batches)
            done = _Done()
            for batch in batches:
                for each in batch.points:
                    row = there[SeriesKey(batch.scope, batch.subject, each.measure, each.column)]
                    if row.seq not in done.heads and not _told(row, each, batch):
                        done.keep(row, each, batch)
            _write(connection, done)
            for seq, number in done.heads.items():
                if number > keep and number % _EVERY == 0:
                    old = delete(points).where(points.c.series_seq == seq, points.c.number <= number - keep)
                    connection.execute(old)
        return done.series

    def newest(self, *, scope: str | None = None, subject: str | None = None) -> list[Series]:
        """All series with their newest points, in the order in which they began.

        Args:
            scope: Only of jobs, or only of tables.
            subject: Only of one.
        """
        query = select(series).where(series.c.number > 0).order_by(series.c.seq)
        if scope is not None:
            query = query.where(series.c.scope == scope)
        if subject is not None:
            query = query.where(series.c.subject == subject)
        with self._database.reading() as connection:
            return [_head(row) for row in connection.execute(query)]

    def last(self, heads: Collection[Series], *, count: int) -> dict[int, list[Point]]:
        """The newest points of series, in the order of time.

        Args:
            heads: The series.
            count: So many of each, at most.

        Returns:
            By the number of the series.
        """
        return self.window(heads, count=count)[0]

    def window(self, heads: Collection[Series], *, count: int) -> tuple[dict[int, list[Point]], set[int]]:
        """The newest points of series, and which of the series ever had an incident: most never had.

        Args:
            heads: The series.
            count: So many points of each, at most.

        Returns:
            The points, in the order of time, by the number of the series; and those with incidents.
        """
        found: dict[int, list[Point]] = {each.seq: [] for each in heads}
        troubled: set[int] = set()
        wanted = list(found)
        with self._database.reading() as connection:
            for at in range(0, len(wanted), _PART):
                some = wanted[at : at + _PART]
                # All at once: row by row takes twice as long.
                rows = connection.execute(_WINDOW, {"some": some, "count": count}).all()
                for seq, number, at_us, *rest in rows:
                    found[seq].append(Point(number, _moment(at_us), *rest))
                troubled.update(connection.execute(_TROUBLED, {"some": some}).scalars())
        return found, troubled


class _Done:
    """What is written in one go."""

    def __init__(self) -> None:
        self.added: list[dict[str, Any]] = []
        self.replaced: list[dict[str, Any]] = []
        self.headed: list[dict[str, Any]] = []
        self.heads: dict[int, int] = {}
        self.series: list[Series] = []

    def keep(self, row: Row[Any], each: NewPoint, batch: Batch) -> None:
        """Notes a point that is to be written."""
        stands_in = row.role == "open" and row.number > 0
        number = row.number if stands_in else row.number + 1
        values = {
            "at": _micros(each.at),
            "value": each.value,
            "version": batch.version,
            "run_id": batch.run,
            "role": each.role,
        }
        if stands_in:
            self.replaced.append({"b_series": row.seq, "b_number": number, **values})
        else:
            self.added.append({"series_seq": row.seq, "number": number, **values})
        self.headed.append({"b_series": row.seq, "number": number, **values})
        self.heads[row.seq] = number
        point = Point(number, each.at, each.value, batch.version, batch.run, each.role)
        key = SeriesKey(batch.scope, batch.subject, each.measure, each.column)
        self.series.append(Series(seq=row.seq, key=key, newest=point))


def _series(connection: Connection, batches: Sequence[Batch]) -> dict[SeriesKey, Row[Any]]:
    """The rows of series, made where they are new, and nobody else's until the transaction ends."""
    wanted = {
        SeriesKey(batch.scope, batch.subject, each.measure, each.column)
        for batch in batches
        for each in batch.points
    }
    there = _locked(connection, wanted)
    missing = sorted(wanted - there.keys())
    if missing:
        upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(
            upsert(series).on_conflict_do_nothing(),
            [
                {
                    "scope": key.scope,
                    "subject": key.subject,
                    "measure": key.measure,
                    "column_name": key.column,
                    "number": 0,
                    "run_id": "",
                    "role": "point",
                }
                for key in missing
            ],
        )
        there = _locked(connection, wanted)
    return there


def _locked(connection: Connection, wanted: Collection[SeriesKey]) -> dict[SeriesKey, Row[Any]]:
    found: dict[SeriesKey, Row[Any]] = {}
    for scope in sorted({key.scope for key in wanted}):
        subjects = sorted({key.subject for key in wanted if key.scope == scope})
        for at in range(0, len(subjects), _PART):
            query = (
                select(series)
                .where(series.c.scope == scope, series.c.subject.in_(subjects[at : at + _PART]))
                # In one order everywhere, so that two who write don't wait for each other.
                .order_by(series.c.subject, series.c.seq)
                .with_for_update()
            )
            for row in connection.execute(query):
                found[SeriesKey(row.scope, row.subject, row.measure, row.column_name)] = row
    return found


def _told(row: Row[Any], each: NewPoint, batch: Batch) -> bool:
    """Whether a point, or a newer one, is there already."""
    if row.number == 0:
        return False
    if batch.version is None or row.version is None:
        return bool(batch.run) and row.run_id == batch.run
    if batch.version == row.version:
        return each.role != "open" or (row.role == "open" and _micros(each.at) <= row.at)
    # A table that was made anew counts its versions from 0 again; else somebody has looked later than we.
    return bool(batch.version < row.version and _micros(batch.made or each.at) <= row.at)


def _write(connection: Connection, done: _Done) -> None:
    if done.added:
        connection.execute(insert(points), done.added)
    if done.replaced:
        place = (points.c.series_seq == bindparam("b_series"), points.c.number == bindparam("b_number"))
        connection.execute(update(points).where(*place), done.replaced)
    if done.headed:
        connection.execute(update(series).where(series.c.seq == bindparam("b_series")), done.headed)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _head(row: Row[Any]) -> Series:
    return Series(
        seq=row.seq,
        key=SeriesKey(row.scope, row.subject, row.measure, row.column_name),
        newest=Point(row.number, _moment(row.at), row.value, row.version, row.run_id, row.role),
    )
