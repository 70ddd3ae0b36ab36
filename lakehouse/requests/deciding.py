"""The verbs that decide on requests before they are carried out: approve, reject, cancel."""

from __future__ import annotations

from lakehouse.errors import RefusedError
from lakehouse.protection.given import LONGEST_REASON, ensure_plain, text_of
from lakehouse.requests.looking import Looking
from lakehouse.requests.status import ensure_next
from lakehouse.requests.view import RequestView, view_of
from lakehouse.state.rows import RequestEvent


class Deciding(Looking):
    """Decides on the requests of a lake."""

    def approve(self, request_id: str, *, author: str | None = None, reason: str = "") -> RequestView:
        """Approves a request, so that it may be carried out.

        Args:
            request_id: Which.
            author: Who approves it; where the config says ``approval: required``, somebody else than who
                submitted it.
            reason: Why.

        Raises:
            NotFoundError: There is none of that id.
            RefusedError: It can't be approved any more, or not by the one who submitted it.
        """
        who = self._who(author)
        request = self._state(request_id).requests.get(request_id)
        if self._config.requests.approval == "required" and who == request.author:
            raise RefusedError(
                f"request {request_id} was submitted by {who}, who can't approve it too",
                advice="`requests.approval: required` wants somebody else: let them approve it",
            )
        return self._decide(request_id, "approved", author=who, reason=reason)

    def reject(self, request_id: str, *, reason: str, author: str | None = None) -> RequestView:
        """Rejects a request: it will not be carried out, and its identifiers are forgotten.

        Args:
            request_id: Which.
            reason: Why, as ``"identity not proved"``. Shown to many: no personal data.
            author: Who decides.

        Raises:
            NotFoundError: There is none of that id.
            RefusedError: It was begun, or is over.
            UsageError: There is no reason.
        """
        why = ensure_plain(text_of(reason, "the reason"), what="the reason", longest=LONGEST_REASON)
        return self._decide(request_id, "rejected", author=self._who(author), reason=why)

    def cancel(self, request_id: str, *, reason: str = "", author: str | None = None) -> RequestView:
        """Takes a request back: it will not be carried out, and its identifiers are forgotten.

        Args:
            request_id: Which.
            reason: Why.
            author: Who decides.

        Raises:
            NotFoundError: There is none of that id.
            RefusedError: It was begun, or is over.
        """
        return self._decide(request_id, "cancelled", author=self._who(author), reason=reason)

    def _decide(self, request_id: str, event: str, *, author: str, reason: str) -> RequestView:
        state = self._state(request_id)
        request = state.requests.get(request_id)
        events = state.requests.events([request_id]).get(request_id, ())
        ensure_next(request_id, events, event)
        said = RequestEvent(
            request=request_id,
            number=len(events) + 1,
            event=event,
            at=self._clock(),
            author=author,
            detail={"reason": reason} if reason else {},
        )
        state.requests.append([said], forget=event in {"rejected", "cancelled"})
        return view_of(request, (*events, said))
