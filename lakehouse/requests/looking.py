"""The verbs about requests that only look: all of them, or one and by when it can be done."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lakehouse.config import Config
from lakehouse.config.nearest import nearest
from lakehouse.control import Control
from lakehouse.errors import NotFoundError, UsageError
from lakehouse.merge.target import Clock, utc_now
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.shred.verbs import SubjectKeys
from lakehouse.protection import Protection
from lakehouse.protection.given import author_of
from lakehouse.records import operator
from lakehouse.requests.checks import Shapes
from lakehouse.requests.drafts import KINDS
from lakehouse.requests.promise import promise_of
from lakehouse.requests.run import RunTarget
from lakehouse.requests.status import STATUSES, TERMINAL, status_of
from lakehouse.requests.view import RequestView, view_of
from lakehouse.state.database import State

if TYPE_CHECKING:
    from lakehouse.requests.access import Answering


class Looking:
    """Looks at the requests of a lake.

    Args:
        config: The lake's config.
        control: The way to the state database.
        ring: Gives the keys of the lake.
        protection: Gives the active holds on a table.
        target: Gives what a run is told about the lake: of a state database, on whose order.
        answering: Gives what answers requests for access.
        keys: The keys of people under which columns are stored.
        shape: Gives what a table looks like; None where nothing is known of it.
        copies: Gives the masked copies, and the tables that they are made from.
        clock: Gives the time, timezone-aware.
    """

    def __init__(
        self,
        config: Config,
        *,
        control: Control,
        ring: Callable[[], KeyRing],
        protection: Callable[[str], Protection],
        target: Callable[[State, str], RunTarget],
        answering: Callable[[], Answering],
        keys: SubjectKeys,
        shape: Shapes,
        copies: Callable[[], Mapping[str, str]],
        clock: Clock = utc_now,
    ) -> None:
        self._config = config
        self._answering = answering
        self._keys = keys
        self._shape = shape
        self._copies = copies
        self._control = control
        self._ring = ring
        self._protection = protection
        self._target = target
        self._clock = clock

    def list(
        self,
        *,
        status: str | None = None,
        kind: str | None = None,
        overdue: bool = False,
        all: bool = False,  # noqa: A002 - as it reads best
    ) -> builtins.list[RequestView]:
        """The requests, in the order in which they came.

        Args:
            status: Only those of a status.
            kind: Only those of a kind.
            overdue: Only those that are not done and should be.
            all: Also those that are done, rejected or cancelled; without it only with `status`.

        Raises:
            UsageError: There is no such status or kind.
        """
        for what, given, known in (("status", status, STATUSES), ("kind", kind, KINDS)):
            if given is not None and given not in known:
                near = nearest(given, known)
                raise UsageError(
                    f"there is no {what} of requests `{given}`",
                    advice=f"did you mean {near}?" if near else f"one of {', '.join(known)}",
                )
        state = self._control.existing()
        if state is None:
            return []
        events = state.requests.events()
        now = self._clock()
        found = [view_of(each, events.get(each.id, ())) for each in state.requests.list()]
        return [
            each
            for each in found
            if (status is None or each.status == status)
            and (kind is None or each.kind == kind)
            and (not overdue or each.overdue(now))
            and (all or status is not None or each.status not in TERMINAL)
        ]

    def show(self, request_id: str) -> RequestView:
        """One request, with what happened to it and by when it can be done.

        Raises:
            NotFoundError: There is none of that id.
        """
        state = self._state(request_id)
        request = state.requests.get(request_id)
        events = state.requests.events([request_id]).get(request_id, ())
        promise = None
        if status_of(events) not in TERMINAL:
            promise = promise_of(
                self._config,
                request,
                events,
                protection=self._protection,
                now=self._clock(),
                copies=self._copies(),
            )
        return view_of(request, events, promise=promise)

    def _state(self, request_id: str) -> State:
        state = self._control.existing()
        if state is None:
            raise self._none_of(request_id)
        return state

    def _none_of(self, request_id: str) -> NotFoundError:
        return NotFoundError(
            f"there is no request {request_id}", advice="`lakehouse request submit` makes the first"
        )

    def _who(self, author: str | None) -> str:
        return operator() if author is None else author_of(author)
