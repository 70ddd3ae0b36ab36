"""The requests of a run and their events: what happened is in the database before it counts here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lakehouse.merge.target import Clock
from lakehouse.requests.status import Status, ensure_next, status_of
from lakehouse.state.database import State
from lakehouse.state.rows import Request, RequestEvent

Details = Mapping[str, Mapping[str, Any]]


class Ledger:
    """Appends to the events of requests. Of two runs that go on with the same request, one does.

    Args:
        state: The state database.
        requests: The requests.
        events: Their events so far.
        clock: Gives the time (timezone-aware).
        author: On whose order.
    """

    def __init__(
        self,
        state: State,
        requests: Iterable[Request],
        events: Mapping[str, tuple[RequestEvent, ...]],
        *,
        clock: Clock,
        author: str,
    ) -> None:
        self._state = state
        self._requests = {each.id: each for each in requests}
        self._events = {each: events.get(each, ()) for each in self._requests}
        self._clock = clock
        self._author = author

    def request(self, request_id: str) -> Request:
        """One of the requests."""
        return self._requests[request_id]

    def events(self, request_id: str) -> tuple[RequestEvent, ...]:
        """What happened to a request."""
        return self._events[request_id]

    def status(self, request_id: str) -> Status:
        """What a request is now."""
        return status_of(self._events[request_id])

    def say(
        self,
        event: str,
        details: Details | Sequence[str],
        *,
        forget: bool = False,
        contents: Mapping[str, str] | None = None,
    ) -> None:
        """Notes what happened to requests, to all of them or to none.

        Args:
            event: What.
            details: By request what there is to say of it, without values; or only the requests.
            forget: Whether their identifiers go, since they are done.
            contents: By request its sealed identifiers, in place of those before.

        Raises:
            RefusedError: It can't happen to one of them.
            ConflictError: Something else happened to one of them meanwhile.
        """
        told = details if isinstance(details, Mapping) else {each: {} for each in details}
        now = self._clock()
        said = []
        for request_id, detail in told.items():
            before = self._events[request_id]
            if event not in _NOTES:
                ensure_next(request_id, before, event)
            said.append(
                RequestEvent(
                    request=request_id,
                    number=len(before) + 1,
                    event=event,
                    at=now,
                    author=self._author,
                    detail=detail,
                )
            )
        if said:
            self._state.requests.append(said, forget=forget, contents=contents)
        for each in said:
            self._events[each.request] += (each,)


_NOTES = frozenset({"purging"})
"""Events that say what is about to happen, and change nothing of what a request is."""
