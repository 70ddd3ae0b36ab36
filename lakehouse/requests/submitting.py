"""The verbs by which requests come in: one of them, or a file of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from lakehouse.errors import KeysError, UsageError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.requests.drafts import Draft, draft_of, drafts_of_file
from lakehouse.requests.identity import REQUESTS, SUPPRESS, digests_of, fingerprint, seal
from lakehouse.requests.looking import Looking
from lakehouse.requests.promise import promise_of
from lakehouse.requests.typed import Typed
from lakehouse.requests.view import RequestView, view_of
from lakehouse.state.rows import IdentifierDigest, Request


class Submitting(Looking):
    """Takes the requests of a lake."""

    def submit(
        self,
        kind: str,
        *,
        subject: str,
        identifiers: Mapping[str, str | int | Sequence[str | int]] | None = None,
        external_id: str | None = None,
        author: str | None = None,
        **more: str | int,
    ) -> RequestView:
        """Submits a request.

        Args:
            kind: ``erasure`` or ``access``.
            subject: The kind of person, as the config's ``subjects`` name it.
            identifiers: What the person is known by: name of the identifier to its value, or values.
            external_id: Your own name for it: a second request of that name is the same one.
            author: Who submits it; None means the user that this process runs as.
            more: Further identifiers, as ``email="a@b.example"``.

        Returns:
            The request, with when it is due and by when it can be done.

        Raises:
            UsageError: Something can't be used.
            NotFoundError: The config has no such subject, or it no such identifier.
            KeysError: A key is not there.
            ConflictError: The external id is that of another request.
            StorageError: The state database can't be written.
        """
        both = {**(identifiers or {}), **more}
        draft = draft_of(self._config, kind=kind, subject=subject, identifiers=both, external_id=external_id)
        return self._submit([draft], author=author)[0]

    def submit_file(
        self,
        path: str | Path,
        *,
        kind: str | None = None,
        subject: str | None = None,
        author: str | None = None,
    ) -> list[RequestView]:
        """Submits a file of requests, all of them or none.

        Args:
            path: JSON Lines, or CSV with a head line: a field for each identifier, and ``kind``, ``subject``
                and ``external_id`` where wanted.
            kind: For lines that do not say it.
            subject: For lines that do not say it.
            author: As for `submit`.

        Returns:
            The requests, in the order of the file.

        Raises:
            NotFoundError: The file is not there.
            DataError: Lines can't be used: all of them are named, and nothing was submitted.
        """
        return self._submit(
            drafts_of_file(self._config, Path(path), kind=kind, subject=subject), author=author
        )

    def _submit(self, drafts: Sequence[Draft], *, author: str | None) -> list[RequestView]:
        who, now, ring = self._who(author), self._clock(), self._ring()
        _ensure_keys(ring)
        due = self._config.requests.due.after(now)
        kept: list[tuple[Request, Mapping[str, Any]]] = []
        typed = self._typed()
        persons = [typed(draft.person) for draft in drafts]
        for draft, person in zip(drafts, persons, strict=True):
            digests = digests_of(person, ring=ring)
            kept.append(
                (_request(draft, digests, now=now, due=due, author=who), {"identifiers": len(digests)})
            )
        state = self._control.made(now=now)
        done = state.requests.submit(
            kept, seal=lambda at, request_id: seal(persons[at], request=request_id, ring=ring)
        )
        for (request, is_new), (wanted, _) in zip(done, kept, strict=True):
            if not is_new and (request.person, request.kind) != (wanted.person, wanted.kind):
                raise UsageError(
                    f"the external id of request {request.id} was used again, for another person or kind",
                    advice="give each request an external id of its own",
                )
        events = state.requests.events([request.id for request, _ in done])
        # What holds and copies there are is asked once for all of them.
        copies, protection = self._copies(), cache(self._protection)
        return [
            view_of(
                request,
                events[request.id],
                is_new=is_new,
                promise=promise_of(
                    self._config, request, events[request.id], protection=protection, now=now, copies=copies
                ),
            )
            for request, is_new in done
        ]

    def _typed(self) -> Typed:
        return Typed(self._config.subjects.__getitem__, cache(self._shape))


def _request(
    draft: Draft, digests: tuple[IdentifierDigest, ...], *, now: datetime, due: datetime, author: str
) -> Request:
    return Request(
        id="",
        kind=draft.kind,
        subject=draft.person.subject,
        submitted=now,
        due=due,
        author=author,
        digests=digests,
        person=fingerprint(digests),
        external_id=draft.external_id,
    )


def _ensure_keys(ring: KeyRing) -> None:
    """Refuses a request where what it needs is not there: said once, with all that it will need later."""
    missing = [purpose for purpose in (SUPPRESS, REQUESTS, "sign") if not ring.versions(purpose)]
    if {SUPPRESS, REQUESTS}.intersection(missing):
        names = [f"`{purpose}`" for purpose in missing]
        many = f"there are no keys {', '.join(names[:-1])} and {names[-1]}"
        raise KeysError(
            f"there is no key {names[0]}" if len(names) == 1 else many,
            advice=f"`lakehouse keys create {' '.join(missing)}` makes what requests need",
        )
