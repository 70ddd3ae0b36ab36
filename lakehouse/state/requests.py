"""What people asked for, in the database: requests, their events and identifiers, who must not come back."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import orjson
from sqlalchemy import Row, String, any_, bindparam, delete, func, insert, literal, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from lakehouse.errors import ConflictError, LakehouseError, NotFoundError, StorageError
from lakehouse.state.digests import DigestFilter
from lakehouse.state.ids import new_id
from lakehouse.state.rows import IdentifierDigest, Request, RequestEvent, Suppression
from lakehouse.state.tables import request_contents, request_events, requests, suppressions
from lakehouse.state.transactions import Transactions

_TRIES: Final = 10
_PART: Final = 500
"""So many values go into one query: databases limit how many it can have."""


class SqlRequests:
    """The requests, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database
        self._digests = DigestFilter()

    def submit(
        self, drafts: Sequence[tuple[Request, Mapping[str, Any]]], *, seal: Callable[[int, str], str]
    ) -> builtins.list[tuple[Request, bool]]:
        """Keeps new requests, all of them or none.

        Args:
            drafts: Each with an empty ``id`` (it gets one), and the detail of its first event.
            seal: Called with the draft's place and its new id: gives the sealed identifiers.

        Returns:
            For each the request as it is kept, and whether it is new: one with an external id that was kept
            before is that one.
        """
        done: list[tuple[Request, bool]] = []
        with self._database.writing() as connection:
            for at, (draft, detail) in enumerate(drafts):
                known = _by_external_id(connection, draft.external_id)
                if known is not None:
                    done.append((known, False))
                    continue
                kept = _insert(connection, draft)
                connection.execute(
                    insert(request_contents).values(request_id=kept.id, sealed=seal(at, kept.id))
                )
                received = RequestEvent(
                    request=kept.id,
                    number=1,
                    event="received",
                    at=kept.submitted,
                    author=kept.author,
                    detail=detail,
                )
                _happened(connection, [received])
                done.append((kept, True))
        return done

    def get(self, request_id: str) -> Request:
        """One request.

        Raises:
            NotFoundError: There is none of that id.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(requests).where(requests.c.id == request_id)).first()
        if row is None:
            raise NotFoundError(
                f"there is no request {request_id}", advice="`lakehouse request list --all` shows them"
            )
        return _request(row)

    def list(self) -> builtins.list[Request]:
        """All requests, in the order in which they came; those of one file in the order of its lines."""
        # All of a file came at the same time: their first events are numbered as they were kept.
        first = (request_events.c.request_id == requests.c.id) & (request_events.c.number == 1)
        with self._database.reading() as connection:
            query = (
                select(requests)
                .join(request_events, first, isouter=True)
                .order_by(requests.c.submitted, request_events.c.seq, requests.c.id)
            )
            return [_request(row) for row in connection.execute(query)]

    def events(self, ids: Iterable[str] | None = None) -> dict[str, tuple[RequestEvent, ...]]:
        """What happened to requests, in order.

        Args:
            ids: To these; None means to all.

        Returns:
            By request.
        """
        found: dict[str, list[RequestEvent]] = {}
        query = select(request_events).order_by(request_events.c.request_id, request_events.c.number)
        with self._database.reading() as connection:
            for part in _parts(ids):
                some = query if part is None else query.where(request_events.c.request_id.in_(part))
                for row in connection.execute(some):
                    found.setdefault(row.request_id, []).append(_event(row))
        return {request: tuple(events) for request, events in found.items()}

    def append(
        self,
        events: Sequence[RequestEvent],
        *,
        forget: bool = False,
        contents: Mapping[str, str] | None = None,
    ) -> None:
        """Notes what happened, all of it or nothing.

        Args:
            events: Each the next one of its request.
            forget: Whether the identifiers of these requests go, since they are done.
            contents: By request its sealed identifiers, in place of those before.

        Raises:
            ConflictError: Something else happened to one of them meanwhile.
        """
        with self._database.writing() as connection:
            _happened(connection, events)
            if contents:
                connection.execute(
                    update(request_contents)
                    .where(request_contents.c.request_id == bindparam("request"))
                    .values(sealed=bindparam("content")),
                    [{"request": request, "content": sealed} for request, sealed in contents.items()],
                )
            if forget:
                ids = [each.request for each in events]
                for part in _parts(ids):
                    connection.execute(
                        delete(request_contents).where(request_contents.c.request_id.in_(part or ()))
                    )
        if forget:
            with suppress(LakehouseError):
                # They are done, whatever fails now.
                self._database.truncate_log()

    def contents(self, ids: Iterable[str]) -> dict[str, str]:
        """The sealed identifiers of requests that are not done.

        Args:
            ids: The requests.

        Returns:
            By request.
        """
        found: dict[str, str] = {}
        with self._database.reading() as connection:
            for part in _parts(ids):
                query = select(request_contents).where(request_contents.c.request_id.in_(part or ()))
                found |= {row.request_id: row.sealed for row in connection.execute(query)}
        return found

    def suppress(self, changes: Sequence[Suppression]) -> None:
        """Remembers who must not come back, or may again; all of it or nothing.

        Args:
            changes: In the order in which they happened.
        """
        rows = [
            {
                "request_id": each.request,
                "event": each.event,
                "subject": each.subject,
                "identifier": each.digest.identifier,
                "key_version": each.digest.key_version,
                "digest": each.digest.digest,
                "at": each.at,
                "author": each.author,
                "reason": each.reason,
            }
            for each in changes
        ]
        if not rows:
            return
        with self._database.writing() as connection:
            if connection.dialect.name == "postgresql":
                # Others that write wait, so that numbers rise in the order in which they can be seen.
                connection.execute(text(f"LOCK TABLE {suppressions.name} IN EXCLUSIVE MODE"))
            connection.execute(insert(suppressions), rows)

    def suppressed(self) -> builtins.list[Suppression]:
        """Who must not come back now: of each identifier of each request what was said last, if that was it.

        An identifier that went by several requests is there several times.
        """
        last: dict[tuple[str, str, str, str], Suppression] = {}
        with self._database.reading() as connection:
            for row in connection.execute(select(suppressions).order_by(suppressions.c.seq)):
                found = Suppression(
                    request=row.request_id,
                    event=row.event,
                    subject=row.subject,
                    digest=IdentifierDigest(
                        identifier=row.identifier, key_version=row.key_version, digest=row.digest
                    ),
                    at=row.at,
                    author=row.author,
                    reason=row.reason,
                )
                last[row.subject, row.identifier, row.digest, row.request_id] = found
        return [each for each in last.values() if each.event == "suppressed"]

    def suppression_mark(self) -> int:
        """A number that rises whenever somebody is suppressed or readmitted; 0 as long as nobody ever was."""
        with self._database.reading() as connection:
            return connection.execute(select(func.max(suppressions.c.seq))).scalar() or 0

    def suppression_key(self) -> int:
        """The version of the key that the identifiers suppressed last were hashed with; 0 without any."""
        query = (
            select(suppressions.c.key_version)
            .where(suppressions.c.event == "suppressed")
            .order_by(suppressions.c.seq.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            return connection.execute(query).scalar() or 0

    def erased(self, digests: Sequence[str]) -> dict[str, frozenset[str]]:
        """Which identifiers must not come back now; quick for very many.

        Args:
            digests: Keyed hashes of those that are asked for.

        Returns:
            By keyed hash the requests by which it went.
        """
        said = suppressions.c
        query = select(said.digest, said.request_id, said.event).order_by(said.seq)
        last: dict[tuple[str, str], bool] = {}
        with self._database.reading() as connection:
            possible = self._digests.possible(connection, digests)
            if not possible:
                return {}
            query = query.where(_among(connection, said.digest, possible))
            for digest, request, event in connection.execute(query):
                last[digest, request] = event == "suppressed"
        found: dict[str, set[str]] = {}
        for (digest, request), out in last.items():
            if out:
                found.setdefault(digest, set()).add(request)
        return {digest: frozenset(requests) for digest, requests in found.items()}


def _among(connection: Connection, place: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column has one of many values, as one parameter: databases limit how many there can be."""
    if connection.dialect.name == "sqlite":
        listed = func.json_each(orjson.dumps(list(values)).decode()).table_valued("value")
        return place.in_(select(listed.c.value))
    return place == any_(literal(list(values), postgresql.ARRAY(String)))


def _parts(ids: Iterable[str] | None) -> builtins.list[Sequence[str] | None]:
    if ids is None:
        return [None]
    whole = list(ids)
    return [whole[at : at + _PART] for at in range(0, len(whole), _PART)]


def _by_external_id(connection: Connection, external_id: str | None) -> Request | None:
    if external_id is None:
        return None
    row = connection.execute(select(requests).where(requests.c.external_id == external_id)).first()
    return None if row is None else _request(row)


def _insert(connection: Connection, draft: Request) -> Request:
    earlier = connection.execute(
        select(requests.c.id)
        .where(requests.c.person == draft.person, requests.c.kind == draft.kind)
        .order_by(requests.c.submitted, requests.c.id)
    ).first()
    values = {
        "kind": draft.kind,
        "subject": draft.subject,
        "external_id": draft.external_id,
        "submitted": draft.submitted,
        "due": draft.due,
        "author": draft.author,
        "digests": [[each.identifier, each.key_version, each.digest] for each in draft.digests],
        "person": draft.person,
        "same_as": None if earlier is None else earlier.id,
    }
    for _ in range(_TRIES):
        found = new_id("req")
        if connection.execute(select(requests.c.id).where(requests.c.id == found)).first() is None:
            connection.execute(insert(requests).values(id=found, **values))
            row = connection.execute(select(requests).where(requests.c.id == found)).one()
            return _request(row)
    raise StorageError("no free id for a request was found", advice="try again")


def _happened(connection: Connection, events: Sequence[RequestEvent]) -> None:
    """Keeps events, all at once: there can be thousands."""
    if not events:
        return
    kind = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    kept = kind(request_events).on_conflict_do_nothing().returning(request_events.c.request_id)
    found = connection.execute(
        kept,
        [
            {
                "request_id": each.request,
                "number": each.number,
                "event": each.event,
                "at": each.at,
                "author": each.author,
                "detail": dict(each.detail),
            }
            for each in events
        ],
    )
    lost = Counter(each.request for each in events) - Counter(row.request_id for row in found)
    for request_id in lost:
        raise ConflictError(
            f"something else happened to request {request_id} meanwhile",
            advice=f"look at it with `lakehouse request show {request_id}`, and try again",
        )


def _request(row: Row[Any]) -> Request:
    return Request(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        submitted=row.submitted,
        due=row.due,
        author=row.author,
        digests=tuple(
            IdentifierDigest(identifier=name, key_version=version, digest=digest)
            for name, version, digest in row.digests
        ),
        person=row.person,
        external_id=row.external_id,
        same_as=row.same_as,
    )


def _event(row: Row[Any]) -> RequestEvent:
    return RequestEvent(
        request=row.request_id,
        number=row.number,
        event=row.event,
        at=row.at,
        author=row.author,
        detail=row.detail,
    )
