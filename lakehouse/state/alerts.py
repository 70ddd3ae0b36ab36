"""What is wrong, and who was told of it, in the database.

Of several processes one finds a problem (its key is unique while it is not over), and one at a time sends to
a target (a lease, with a token). Who is killed between sending and saying so leaves a lease that ends: the
message is sent again then, and never lost.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, insert, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from lakehouse.state.alert_rows import Problem, Standing, Told
from lakehouse.state.alert_tables import followed, messages, problems, targets, told
from lakehouse.state.clock import time_of
from lakehouse.state.following import move_mark
from lakehouse.state.transactions import Transactions

_ALONE: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('lakehouse alerts', 0))")
_LAST: Final = 1000


class SqlAlerts:
    """Problems, targets and messages, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def marks(self) -> dict[str, int]:
        """How far events were read, by who reads."""
        with self._database.reading() as connection:
            return {row.name: int(row.seq) for row in connection.execute(select(followed))}

    def watched(self) -> datetime | None:
        """Since when somebody has wanted to hear of what is wrong; None where nobody does."""
        with self._database.reading() as connection:
            found = connection.execute(select(targets.c.since).order_by(targets.c.since).limit(1)).scalar()
        return found if isinstance(found, datetime) else None

    def problems(self, *, since: datetime) -> builtins.list[Problem]:
        """What is wrong, and what was until not long ago, in the order in which it came.

        Args:
            since: What was over before is left out.
        """
        with self._database.reading() as connection:
            return _problems(connection, since)

    def settle(
        self,
        judge: Callable[[Sequence[Problem]], Sequence[Problem]],
        *,
        since: datetime,
        marks: Mapping[str, int],
    ) -> int:
        """Keeps what came up and what is over; one process at a time.

        Args:
            judge: Of the problems that are known, gives those that are new (without a number) or have
                changed. Called twice where something is to be written: what it is told can be older than
                what others write meanwhile.
            since: As for `problems`.
            marks: How far events were read, by who reads.

        Returns:
            How many problems were new or have changed.
        """
        with self._database.reading() as connection:
            known = {row.name: int(row.seq) for row in connection.execute(select(followed))}
            ahead = {name: seq for name, seq in marks.items() if seq > known.get(name, 0)}
            if not judge(_problems(connection, since)) and not ahead:
                return 0
        with self._database.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(_ALONE)
            changed = judge(_problems(connection, since))
            for each in changed:
                if each.seq:
                    connection.execute(
                        update(problems).where(problems.c.seq == each.seq).values(**_now(each))
                    )
                else:
                    connection.execute(
                        insert(problems).values(
                            key=each.key,
                            kind=each.kind,
                            subject=each.subject,
                            opened=each.opened,
                            **_now(each),
                        )
                    )
            for name, seq in ahead.items():
                move_mark(connection, name, seq)
            return len(changed)

    def standing(self, target: str, *, since: datetime) -> Standing | None:
        """How it stands with a target; None for one that is not known.

        Args:
            target: Its id.
            since: As for `problems`.
        """
        with self._database.reading() as connection:
            return _standing(connection, target, since)

    def meet(self, target: str, *, name: str, now: datetime) -> None:
        """Remembers a target, if it was not known.

        Args:
            target: Its id.
            name: As it may be shown.
            now: The time.
        """
        with self._database.writing() as connection:
            kind = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            values = {"id": target, "name": name, "since": now, "token": 0, "tries": 0}
            connection.execute(kind(targets).values(**values, reason="", failures=0).on_conflict_do_nothing())

    def claim(self, target: str, *, owner: str, lease: timedelta, since: datetime) -> Standing | None:
        """Begins to send to a target, unless somebody else does.

        Args:
            target: Its id.
            owner: Who asks.
            lease: How long it stays theirs.
            since: As for `problems`.

        Returns:
            How it stands, with a token; None where it is somebody else's.
        """
        with self._database.writing() as connection:
            now = time_of(connection)
            free = or_(targets.c.expires.is_(None), targets.c.expires <= now)
            mine = (
                update(targets)
                .where(targets.c.id == target, free)
                .values(owner=owner, token=targets.c.token + 1, expires=now + lease)
                .returning(targets.c.token)
            )
            token = connection.execute(mine).scalar()
            return None if token is None else _standing(connection, target, since, token=int(token))

    def give_back(self, claim: Standing) -> None:
        """Ends a claim without a message.

        Args:
            claim: What `claim` gave.
        """
        with self._database.writing() as connection:
            connection.execute(_of(claim).values(owner=None, expires=None))

    def sent(
        self, claim: Standing, *, known: Mapping[int, bool], title: str, items: int, now: datetime
    ) -> None:
        """Says that a message was sent.

        Args:
            claim: What `claim` gave.
            known: What the target knows now: numbers of problems, each with whether it knows that it is over.
            title: Of the message.
            items: Of how many problems it told.
            now: The time.
        """
        with self._database.writing() as connection:
            kind = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            for problem, done in known.items():
                connection.execute(
                    kind(told)
                    .values(target=claim.id, problem=problem, at=now, done=done)
                    .on_conflict_do_update(
                        index_elements=["target", "problem"], set_={"at": now, "done": done}
                    )
                )
            connection.execute(insert(messages).values(target=claim.id, at=now, title=title, items=items))
            well = {"tries": 0, "next_try": None, "reason": ""}
            connection.execute(_of(claim).values(owner=None, expires=None, **well))

    def failed(self, claim: Standing, *, reason: str, next_try: datetime) -> None:
        """Says that a message could not be sent.

        Args:
            claim: What `claim` gave.
            reason: Why; without the address.
            next_try: When to try again.
        """
        with self._database.writing() as connection:
            connection.execute(
                _of(claim).values(
                    owner=None,
                    expires=None,
                    tries=targets.c.tries + 1,
                    next_try=next_try,
                    reason=reason,
                    failures=targets.c.failures + 1,
                )
            )


def _of(claim: Standing) -> Any:
    return update(targets).where(targets.c.id == claim.id, targets.c.token == claim.token)


def _now(problem: Problem) -> dict[str, Any]:
    return {
        "last": problem.last,
        "times": problem.times,
        "upto": problem.upto,
        "detail": dict(problem.detail),
        "closed": problem.closed,
    }


def _problems(connection: Connection, since: datetime) -> builtins.list[Problem]:
    query = select(problems).where(_wanted(since)).order_by(problems.c.seq)
    return [_problem(row) for row in connection.execute(query)]


def _wanted(since: datetime) -> ColumnElement[bool]:
    return or_(problems.c.closed.is_(None), problems.c.closed >= since)


def _problem(row: Row[Any]) -> Problem:
    return Problem(
        key=row.key,
        kind=row.kind,
        subject=row.subject,
        opened=row.opened,
        last=row.last,
        times=row.times,
        upto=row.upto,
        detail=row.detail,
        closed=row.closed,
        seq=row.seq,
    )


def _standing(connection: Connection, target: str, since: datetime, *, token: int = 0) -> Standing | None:
    row = connection.execute(select(targets).where(targets.c.id == target)).first()
    if row is None:
        return None
    mine = messages.c.target == target
    newest = select(messages.c.at).where(mine).order_by(messages.c.at.desc()).limit(_LAST)
    many = select(func.count()).select_from(messages).where(mine)
    recent = select(problems.c.seq).where(_wanted(since))
    known = connection.execute(select(told).where(told.c.target == target, told.c.problem.in_(recent)))
    return Standing(
        id=row.id,
        name=row.name,
        since=row.since,
        tries=row.tries,
        next_try=row.next_try,
        reason=row.reason,
        failures=row.failures,
        sent=tuple(connection.execute(newest).scalars()),
        messages=connection.execute(many).scalar_one(),
        told={each.problem: Told(each.at, each.done) for each in known},
        token=token,
    )
