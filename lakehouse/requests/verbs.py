"""``lake.requests``: what people ask for, for the users of a lake: submit, list, show, decide."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.config import Config
from lakehouse.config.nearest import nearest
from lakehouse.config.shredding import subjects_with_keys
from lakehouse.control import Control
from lakehouse.errors import KeysError, NotFoundError, RefusedError, UsageError
from lakehouse.merge.target import Clock, utc_now
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.shred.verbs import SubjectKeys
from lakehouse.protection import Protection
from lakehouse.protection.given import LONGEST_REASON, author_of, ensure_plain, text_of
from lakehouse.records import operator
from lakehouse.requests.certificate import Signed, Verdict, public_bytes, public_pem, verify_certificate
from lakehouse.requests.certificate.verify import previous_of
from lakehouse.requests.checks import Shapes
from lakehouse.requests.drafts import KINDS, Draft, draft_of, drafts_of_file
from lakehouse.requests.identity import REQUESTS, SUPPRESS, digests_of, fingerprint, known_digests, seal
from lakehouse.requests.promise import promise_of
from lakehouse.requests.run import RunReport, RunTarget, run
from lakehouse.requests.run.target import Step, silent
from lakehouse.requests.status import STATUSES, TERMINAL, ensure_next, status_of
from lakehouse.requests.typed import Typed
from lakehouse.requests.view import RequestView, view_of
from lakehouse.state.database import State
from lakehouse.state.rows import IdentifierDigest, Request, RequestEvent, Suppression

if TYPE_CHECKING:
    from lakehouse.requests.access import Answering, Bundle, Identified


class Requests:
    """The requests of a lake. Reached as `Lakehouse.requests`; can be used from many threads.

    A request says who it is about by identifiers. These are kept encrypted until it is done, and from then on
    as keyed hashes alone. What happened to it is only ever added to, and its status follows from that.

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

    def __repr__(self) -> str:
        return f"Requests({self._config.name!r})"

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
    ) -> builtins.list[RequestView]:
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

    def run(
        self,
        *requests: str,
        dry_run: bool = False,
        allow_many: bool = False,
        author: str | None = None,
        step: Step = silent,
    ) -> RunReport:
        """Carries requests out: finds, erases, purges, verifies, and signs what was done.

        All people are looked for in one pass over each table, and erased in one commit. The next run goes on
        where one was killed.

        Args:
            requests: Their ids; none means all that can be carried out now.
            dry_run: Only looks, and says what would be done.
            allow_many: Also carries out requests that find more than one person can have
                (``requests.max_share``, ``requests.max_values``); without it they are set aside.
            author: On whose order; None means the user that this process runs as.
            step: Told how far it is.

        Returns:
            What was planned, what became of each request, what was done to tables, what was searched.

        Raises:
            NotFoundError: There is no request of that id.
            KeysError: A key is not there: nothing was done.
            RefusedError: A table can't be erased from as the config says, or all that is to be done finds
                more than one person can have: nothing was done.
            ConflictError: Another run carries the same requests out.
            StorageError: The store or the state database failed; the next run goes on.
        """
        state = self._control.existing()
        if state is None:
            for each in requests:
                raise self._none_of(each)
            return RunReport(dry_run=dry_run)
        target = replace(self._target(state, self._who(author)), step=step)
        return run(target, only=requests or None, dry_run=dry_run, allow_many=allow_many)

    def certificate(self, request_id: str) -> Signed:
        """The certificate of a request that was carried out.

        Args:
            request_id: Which.

        Raises:
            NotFoundError: There is no such request, or it has no certificate (yet).
        """
        state = self._state(request_id)
        state.requests.get(request_id)
        found = state.certificates.of_requests([request_id]).get(request_id)
        if found is None:
            raise _no_certificate(self.show(request_id))
        return Signed.model_validate_json(found.document)

    def certificates(self) -> builtins.list[Signed]:
        """All certificates of the lake, from the first."""
        state = self._control.existing()
        return (
            []
            if state is None
            else [Signed.model_validate_json(each.document) for each in state.certificates.list()]
        )

    def verify_certificate(
        self,
        document: bytes | str,
        *,
        public_key: bytes | None = None,
        previous: bytes | str | None = None,
    ) -> Verdict:
        """Checks a certificate: its form, its signature, and the one before it.

        Args:
            document: Its JSON.
            public_key: The 32 bytes of the public key that signed it; None means this lake's.
            previous: The one before it; None means as this lake keeps it.

        Raises:
            DataError: It is no JSON.
            KeysError: The lake has no key to compare with.
        """
        return verify_certificate(
            document,
            public_key=public_key,
            ring=None if public_key is not None else self._ring(),
            previous=previous if previous is not None else self._before(document),
        )

    def public_key(self) -> str:
        """The public key by which others check this lake's certificates, in PEM.

        Raises:
            KeysError: There is none yet.
        """
        return public_pem(public_bytes(self._ring().current("sign")))

    def answer(
        self,
        request_id: str,
        *,
        to: str | Path,
        include_history: bool = True,
        identified: Identified = "checked",
        own: Sequence[str] = (),
        others: Sequence[str] = (),
        overwrite: bool = False,
        author: str | None = None,
    ) -> Bundle:
        """Answers a request for access: writes everything about the person into one ZIP file.

        Other people's values are masked. Values of the person that are stored masked are turned back as far
        as the keys are there, and that is recorded. The request is completed by it, and forgets who it is
        about.

        Args:
            request_id: Which.
            to: A file that ends in ``.zip``, or a folder; outside of the lake. Only this user can read it.
            include_history: Whether also rows that are only in older files of a table.
            identified: By which identifiers the person is known. ``checked``: those of the request and those
                that stand beside them in rows, unless these can be of several people; ``all``: in any case;
                ``given``: only those of the request.
            own: Columns of `pii`, as ``table.column``, of which all is the person's, whatever is in them.
            others: Columns of `pii` of which only is the person's what is known to be.
            overwrite: Whether a file that is there may go.
            author: Who answers it; None means the user that this process runs as.

        Returns:
            The file, its digest, and what of which table is in it.

        Raises:
            NotFoundError: There is no such request, folder or column.
            RefusedError: It is done, not approved, or can be of several people; or the file is there.
            UsageError: It asks for something else, or a column can't be masked as the config says.
            KeysError: A key is not there.
            StorageError: The file can't be written.
        """
        return self._answering().answer(
            request_id,
            to=to,
            author=self._who(author),
            include_history=include_history,
            identified=identified,
            own=own,
            others=others,
            overwrite=overwrite,
        )

    def readmit(
        self,
        subject: str,
        *,
        identifiers: Mapping[str, str | int | Sequence[str | int]] | None = None,
        reason: str,
        author: str | None = None,
        **more: str | int,
    ) -> int:
        """Lets a person come back who was erased, as after a new consent.

        Args:
            subject: The kind of person.
            identifiers: What the person is known by.
            reason: Why. No personal data.
            author: Who decides.
            more: Further identifiers.

        Returns:
            How many identifiers may come back.

        Raises:
            NotFoundError: None of them is suppressed.
            UsageError: Something can't be used.
        """
        why = ensure_plain(text_of(reason, "the reason"), what="the reason", longest=LONGEST_REASON)
        draft = draft_of(
            self._config, kind="erasure", subject=subject, identifiers={**(identifiers or {}), **more}
        )
        state = self._control.existing()
        held = [] if state is None else state.requests.suppressed()
        ring = self._ring()
        wanted: dict[str, set[str]] = {}
        for name, value in self._typed()(draft.person).identifiers:
            wanted.setdefault(name, set()).update(_all_digests(ring, subject, name, value))
        mine = [each for each in held if each.subject == subject]
        # The other identifiers of the same erasure are the same person's.
        requests = _erasures_of(mine, wanted)
        found = [each for each in mine if each.request in requests]
        if state is None or not found:
            raise NotFoundError(
                f"no erased {subject} is known by that", advice="nothing keeps this person out"
            )
        now, who = self._clock(), self._who(author)
        state.requests.suppress(
            [
                Suppression(
                    request=each.request,
                    event="readmitted",
                    subject=each.subject,
                    digest=each.digest,
                    at=now,
                    author=who,
                    reason=why,
                )
                for each in found
            ]
        )
        if subject in subjects_with_keys(self._config):
            self._keys.readmit(subject, [each.digest for each in found])
        return len({each.digest.digest for each in found})

    def _submit(self, drafts: Sequence[Draft], *, author: str | None) -> builtins.list[RequestView]:
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

    def _state(self, request_id: str) -> State:
        state = self._control.existing()
        if state is None:
            raise self._none_of(request_id)
        return state

    def _none_of(self, request_id: str) -> NotFoundError:
        return NotFoundError(
            f"there is no request {request_id}", advice="`lakehouse request submit` makes the first"
        )

    def _before(self, document: bytes | str) -> str | None:
        """The certificate that one names as the one before it, where this lake has it."""
        state = self._control.existing()
        wanted = previous_of(document)
        if state is None or wanted is None:
            return None
        return next((each.document for each in state.certificates.list() if each.digest == wanted), None)

    def _typed(self) -> Typed:
        return Typed(self._config.subjects.__getitem__, cache(self._shape))

    def _who(self, author: str | None) -> str:
        return operator() if author is None else author_of(author)


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


def _no_certificate(request: RequestView) -> NotFoundError:
    name = request.id
    if request.kind == "access":
        return NotFoundError(
            f"request {name} has no certificate: it asks for access, and only erasures have one",
            advice=f"`lakehouse request show {name}` tells what was answered",
        )
    if request.status in TERMINAL:
        advice = f"`lakehouse request show {name}` tells why; the person can ask again by a new request"
    elif request.promise is not None and request.approved_by is None and request.promise.earliest is None:
        advice = f"`lakehouse request show {name}` tells what it waits for"
    else:
        advice = f"`lakehouse request run {name}` carries it out"
    return NotFoundError(f"request {name} has no certificate: it is {request.status}", advice=advice)


def _erasures_of(held: Sequence[Suppression], wanted: Mapping[str, set[str]]) -> set[str]:
    """The requests by which a person went who is known by some identifiers.

    A request is theirs if all of these that it knows of fit: one identifier alone, as that of a company, can
    be that of many.
    """
    known: dict[tuple[str, str], set[str]] = {}
    for each in held:
        known.setdefault((each.request, each.digest.identifier), set()).add(each.digest.digest)
    fitting: dict[str, list[bool]] = {}
    for (request, name), digests in known.items():
        if name in wanted:
            fitting.setdefault(request, []).append(bool(digests & wanted[name]))
    return {request for request, fits in fitting.items() if all(fits)}


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


def _all_digests(ring: KeyRing, subject: str, identifier: str, value: str) -> set[str]:
    (found,) = known_digests([value], ring=ring, subject=subject, identifier=identifier)
    return found
