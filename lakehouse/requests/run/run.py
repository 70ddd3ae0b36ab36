"""Carrying out requests: all that can be, together, from wherever each of them is.

Each part says in the state database what it has done, and can be done again: a run that is killed is gone on
with by the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lakehouse.errors import NotFoundError
from lakehouse.pii.executor import Executor
from lakehouse.pii.keys.ring import OnceRing
from lakehouse.requests.brakes import brakes, refuse_braked
from lakehouse.requests.certificate import issue
from lakehouse.requests.erase import Erased
from lakehouse.requests.identity import REQUESTS, SUPPRESS, Person, unseal
from lakehouse.requests.run.choose import Chosen, choose
from lakehouse.requests.run.erasing import ensure_all_erasable, erase_people
from lakehouse.requests.run.ledger import Ledger
from lakehouse.requests.run.lookup import Lookup, caught_up, look_up
from lakehouse.requests.run.proving import content_of
from lakehouse.requests.run.purging import purge_people
from lakehouse.requests.run.results import Outcome, RequestPlan, RunReport
from lakehouse.requests.run.rows import rows_done
from lakehouse.requests.run.target import RunTarget
from lakehouse.requests.run.verifying import Verified, verify_people
from lakehouse.requests.search import SearchReport
from lakehouse.requests.status import TERMINAL
from lakehouse.state.rows import RequestEvent

SIGN = "sign"
_PLACES_TOLD = 20


def run(
    target: RunTarget,
    *,
    only: Sequence[str] | None = None,
    dry_run: bool = False,
    allow_many: bool = False,
) -> RunReport:
    """Carries out requests.

    Args:
        target: The lake.
        only: The requests; None means all that are due to be carried out.
        dry_run: Only look: nothing is written.
        allow_many: Also carry out those that find surprisingly much.

    Raises:
        NotFoundError: There is no request of that id.
        KeysError: A key is not there: nothing was done.
        RefusedError: A table can't be erased from as the config says, or all that is to be done finds
            surprisingly much: nothing was done.
        ConflictError: Another run carries the same requests out.
        StorageError: The store or the state database failed; the next run goes on.
    """
    requests = target.state.requests.list()
    _ensure_known(only, {each.id for each in requests})
    events = target.state.requests.events()
    config = target.config.requests
    chosen = choose(
        requests,
        events,
        approval=config.approval,
        purge_after=config.purge_after,
        now=target.clock(),
        only=only,
    )
    ledger = Ledger(target.state, requests, events, clock=target.clock, author=target.author)
    return _Run(target, ledger, chosen, allow_many=allow_many).go(dry_run=dry_run)


def _ensure_known(only: Sequence[str] | None, known: set[str]) -> None:
    for each in only or ():
        if each not in known:
            raise NotFoundError(
                f"there is no request {each}", advice="`lakehouse request list --all` shows them"
            )


@dataclass(slots=True)
class _Run:
    """One run, and what it has done so far."""

    target: RunTarget
    ledger: Ledger
    chosen: Chosen
    allow_many: bool = False
    braked: dict[str, tuple[str, ...]] = field(default_factory=dict)
    erased: tuple[Erased, ...] = ()
    notes: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    certificates: dict[str, int] = field(default_factory=dict)

    def go(self, *, dry_run: bool) -> RunReport:
        chosen, target = self.chosen, self.target
        if chosen.erase or chosen.purge or chosen.verify:
            # Before anything is written: without these it could not be brought to its end.
            for purpose in (SUPPRESS, REQUESTS) if dry_run else (SUPPRESS, REQUESTS, SIGN):
                target.ring.current(purpose)
        persons = self._persons((*chosen.erase, *chosen.purge, *chosen.verify))
        lookup = None
        if chosen.erase:
            lookup = look_up(
                target,
                {request: persons[request] for request in chosen.erase},
                allow_many=self.allow_many,
            )
            self._look_for_brakes(lookup)
            ensure_all_erasable(lookup)
            self.notes += [
                f"people are not erased from the masked copy {name}: the config does not name the table "
                "that it is a copy of; put it back into the config, or delete the copy"
                for name in target.left_alone
            ]
            kinds = {person.subject for person in persons.values()}
            self.notes += [str(each) for each in target.unruled if each.subject in kinds]
        plans = tuple(self._plans(lookup))
        if dry_run:
            return RunReport(plans=plans, dry_run=True, notes=tuple(self.notes))
        if self.braked and not (set(chosen.erase) - set(self.braked) or chosen.purge or chosen.verify):
            refuse_braked(self.braked)
        with target.executor() as executor:
            if lookup is not None:
                lookup = self._erase(lookup.without(self.braked))
                # They load what they need while old files go.
                executor.begin(lookup.bytes)
            self._purge(lookup, persons)
            search = self._verify(executor)
        return RunReport(
            plans=plans,
            outcomes=tuple(self._outcomes(plans)),
            erased=self.erased,
            search=search,
            notes=tuple(self.notes),
        )

    def _look_for_brakes(self, lookup: Lookup) -> None:
        """Those that were begun have been looked at before, or were allowed; nobody is found behind masks."""
        if not self.allow_many:
            found = brakes(lookup.people, lookup.founds.values(), config=self.target.config.requests)
            self.braked = {
                request: why for request, why in found.items() if self.ledger.status(request) != "erasing"
            }
        self.braked |= {request: (why,) for request, why in lookup.hidden.items()}
        self.reasons |= {request: "; ".join(why) for request, why in self.braked.items()}

    def _persons(self, requests: Sequence[str]) -> dict[str, Person]:
        contents = self.target.state.requests.contents(requests)
        ring = OnceRing(self.target.ring)
        return {request: unseal(sealed, request=request, ring=ring) for request, sealed in contents.items()}

    def _plans(self, lookup: Lookup | None) -> list[RequestPlan]:
        tables = {} if lookup is None else lookup.plans()
        held = {} if lookup is None else lookup.held
        chosen = self.chosen
        found = [
            RequestPlan(
                request=request,
                stage="erase",
                tables=tables.get(request, ()),
                held_by=held.get(request, ()),
                brakes=self.braked.get(request, ()),
            )
            for request in chosen.erase
        ]
        found += [RequestPlan(request=request, stage="purge") for request in chosen.purge]
        found += [RequestPlan(request=request, stage="verify") for request in chosen.verify]
        found += [RequestPlan(request=request, stage="access") for request in chosen.access]
        found += [
            RequestPlan(request=request, stage="wait", reason=reason)
            for request, reason in chosen.waiting.items()
        ]
        return found

    def _erase(self, lookup: Lookup) -> Lookup:
        done = erase_people(self.target, self.ledger, lookup)
        self.erased = done.tables
        return done.lookup

    def _purge(self, lookup: Lookup | None, persons: Mapping[str, Person]) -> None:
        """Purges those who were erased just now, unless old files stay for a while, and those who are due."""
        waits = bool(self.target.config.requests.purge_after)
        if lookup is not None and not waits and lookup.people.known.height:
            self._purge_of(lookup)
        due = {request: persons[request] for request in self.chosen.purge}
        if due:
            self._purge_of(caught_up(self.target, look_up(self.target, due)))

    def _purge_of(self, lookup: Lookup) -> None:
        left = purge_people(self.target, self.ledger, lookup)
        self.notes += left.notes
        if left.reason:
            self.reasons |= dict.fromkeys(lookup.persons(), left.reason)

    def _verify(self, executor: Executor) -> SearchReport | None:
        every = (*self.chosen.erase, *self.chosen.purge, *self.chosen.verify)
        requests = [request for request in every if self.ledger.status(request) == "verifying"]
        if not requests:
            return None
        # What was found besides what was given is among them since they were begun.
        verified = verify_people(self.target, self._persons(requests), executor=executor)
        unseen = [each for each in verified.report.not_searched if not each.limit]
        failed = {request: verified.hits[request] for request in requests if request in verified.hits}
        if unseen:
            reason = f"{len(unseen)} objects could not be searched: {unseen[0].path}: {unseen[0].reason}"
            self._fail(dict.fromkeys(requests, reason))
            return verified.report
        self._fail(
            {
                request: f"found {sum(hit.count for hit in hits)} times, first in {hits[0].path}: "
                f"{hits[0].place}"
                for request, hits in failed.items()
            },
            places={
                request: [f"{hit.path}: {hit.place}" for hit in hits[:_PLACES_TOLD]]
                for request, hits in failed.items()
            },
        )
        self._prove([request for request in requests if request not in failed], verified)
        return verified.report

    def _fail(self, reasons: Mapping[str, str], places: Mapping[str, Sequence[str]] | None = None) -> None:
        self.reasons |= reasons
        self.ledger.say(
            "failed",
            {
                request: {"reason": reason, "places": list((places or {}).get(request, ()))}
                for request, reason in reasons.items()
            },
        )

    def _prove(self, requests: Sequence[str], verified: Verified) -> None:
        if not requests:
            return
        total = verified.report.total
        self.ledger.say(
            "verified",
            {
                request: {"objects": total.objects, "bytes": total.bytes, "rows": total.rows}
                for request in requests
            },
        )
        now = self.target.clock()
        signed = issue(
            [
                content_of(
                    self.ledger.request(request),
                    self.ledger.events(request),
                    verified,
                    config=self.target.config,
                    now=now,
                    left_alone=self.target.left_alone,
                    unruled=self.target.unruled,
                )
                for request in requests
            ],
            lake=self.target.config.name,
            ring=self.target.ring,
            store=self.target.state.certificates,
            now=now,
        )
        for each in signed:
            self.certificates[each.certificate.request.id] = each.certificate.sequence
        self.ledger.say(
            "completed",
            {request: {"certificate": self.certificates[request]} for request in requests},
            forget=True,
        )

    def _outcomes(self, plans: Sequence[RequestPlan]) -> list[Outcome]:
        found = []
        for plan in plans:
            events = self.ledger.events(plan.request)
            status = self.ledger.status(plan.request)
            rows: dict[str, int] = {}
            for counts in rows_done(events).values():
                for what, count in counts.items():
                    rows[what] = rows.get(what, 0) + count
            reason = self.reasons.get(plan.request) or plan.reason
            if status == "held":
                reason = "; ".join(events[-1].detail.get("holds", ())) or reason
            found.append(
                Outcome(
                    request=plan.request,
                    status=status,
                    reason="" if status in TERMINAL else reason,
                    rows=rows,
                    certificate=self.certificates.get(plan.request) or _certified(events),
                )
            )
        return found


def _certified(events: Sequence[RequestEvent]) -> int | None:
    """The number of the certificate of what was completed before."""
    return next((each.detail.get("certificate") for each in events if each.event == "completed"), None)
