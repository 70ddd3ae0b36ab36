"""The first part of a run: who is held waits, the others are suppressed, and then erased table by table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lakehouse.config.shredding import subjects_with_keys
from lakehouse.errors import ProtectedError
from lakehouse.pii.keys.ring import OnceRing
from lakehouse.requests.elsewhere.archives import FoundInArchive, erase_in_archive
from lakehouse.requests.erase import Erased, erase, fixed_columns
from lakehouse.requests.find import Found
from lakehouse.requests.identity import Person, digests_of, seal
from lakehouse.requests.rewriting import ensure_erasable
from lakehouse.requests.rewritten import Drafts
from lakehouse.requests.run.ledger import Ledger
from lakehouse.requests.run.lookup import Lookup, Spot, caught_up
from lakehouse.requests.run.target import RunTarget
from lakehouse.state.rows import ActionRecord, Suppression
from lakehouse.verbs.opened import OpenTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedPeople:
    """What became of the people.

    Args:
        lookup: Where they were, as it was found last: without those who wait.
        tables: What was done to the tables.
    """

    lookup: Lookup
    tables: tuple[Erased, ...]


def ensure_all_erasable(lookup: Lookup) -> None:
    """Refuses before anything is written.

    Raises:
        RefusedError: A column that is to be emptied must not be.
    """
    looked = [(spot.table, spot.found) for spot in lookup.spots.values()]
    for table, found in [*looked, *((table, here.found) for table, here in lookup.archives)]:
        ensure_erasable(found, fixed=fixed_columns(table))


def erase_people(target: RunTarget, ledger: Ledger, lookup: Lookup) -> ErasedPeople:
    """Erases people from the newest versions.

    Args:
        target: The lake.
        ledger: Their requests.
        lookup: Where they are; those who are held are set aside here.

    Raises:
        ConflictError: Others write to a table all the time.
        StorageError: The store failed; the next run goes on.
    """
    lookup = _set_aside(ledger, lookup, lookup.held)
    going = lookup.persons()
    _begin(target, ledger, lookup, going)
    _suppress(target, going)
    done: list[Erased] = []
    for name in tuple(lookup.spots):
        target.step(f"erasing from {name}", len(done), len(lookup.spots))
        lookup, erased = _erase(target, ledger, lookup, name)
        done.append(erased)
    done += [_erase_archive(target, table, here) for table, here in lookup.archives]
    before = frozenset(lookup.spots)
    lookup = caught_up(target, lookup)
    copies = {
        name: spot.found.past.newest.version for name, spot in lookup.spots.items() if name not in before
    }
    for name in copies:
        lookup, erased = _erase(target, ledger, lookup, name)
        done.append(erased)
    still = [request for request in going if ledger.status(request) == "erasing"]
    _shred(target, [going[request] for request in still])
    after = {each.table: each.version for each in done}
    ledger.say("erased", {request: {"versions": after, "before": copies} for request in still})
    return ErasedPeople(lookup=lookup, tables=tuple(done))


def _set_aside(ledger: Ledger, lookup: Lookup, held: Mapping[str, tuple[str, ...]]) -> Lookup:
    ledger.say("held", {request: {"holds": list(holds)} for request, holds in held.items()})
    return lookup.without(held)


def _begin(target: RunTarget, ledger: Ledger, lookup: Lookup, persons: Mapping[str, Person]) -> None:
    """Notes what is about to be done, and by what people are known: once rows are gone, nothing tells it.

    Both at once: a run that comes too late finds nobody any more, and must not forget what another one knew.
    """
    plans, ring = lookup.plans(), OnceRing(target.ring)
    versions = {name: found.past.newest.version for name, found in lookup.founds.items()}
    ledger.say(
        "started",
        {
            request: {
                "versions": versions,
                "rows": {plan.table: dict(plan.rows) for plan in plans.get(request, ()) if plan.rows},
            }
            for request in persons
        },
        contents={request: seal(person, request=request, ring=ring) for request, person in persons.items()},
    )


def _suppress(target: RunTarget, persons: Mapping[str, Person]) -> None:
    """Remembers who must not come back, before they go: a merge that comes in between drops them already."""
    known = {(each.request, each.digest) for each in target.state.requests.suppressed()}
    now, ring = target.clock(), OnceRing(target.ring)
    fresh = [
        Suppression(
            request=request,
            event="suppressed",
            subject=person.subject,
            digest=digest,
            at=now,
            author=target.author,
        )
        for request, person in persons.items()
        for digest in digests_of(person, ring=ring)
        if (request, digest) not in known
    ]
    if fresh:
        target.state.requests.suppress(fresh)


def _erase(target: RunTarget, ledger: Ledger, lookup: Lookup, name: str) -> tuple[Lookup, Erased]:
    """Erases from one table; who is held meanwhile is set aside."""
    while True:
        spot = lookup.spots[name]
        newest, drafts = [spot.found], Drafts(spot.table)

        def anew(spot: Spot = spot, newest: list[Found] = newest) -> Found:
            newest.append(spot.anew(newest[-1]))
            return newest[-1]

        before = spot.found.past.newest.version
        try:
            erased = erase(spot.table, spot.found, again=anew, drafts=drafts)
        except ProtectedError:
            held = newest[-1].held
            if not held:
                raise
            lookup = _set_aside(ledger, lookup.with_spot(replace(spot, found=newest[-1])), held)
            continue
        _record(target, erased, before=before)
        left = drafts.unseen(newest[-1])
        return lookup.with_spot(replace(spot, found=_moved_on(spot.table, left))), erased


def _shred(target: RunTarget, persons: Iterable[Person]) -> None:
    """Destroys the keys of people: after nobody can be held any more, since it can't be undone."""
    identifiers = subjects_with_keys(target.config)
    values: dict[str, set[str]] = {}
    for person in persons:
        if person.subject in identifiers:
            values.setdefault(person.subject, set()).update(person.values(identifiers[person.subject]))
    for subject, known in values.items():
        target.step(f"destroying keys of {subject}", 0, len(known))
        target.keys.destroy(subject, target.keys.digests_of(subject, known))


def _erase_archive(target: RunTarget, table: OpenTable, here: FoundInArchive) -> Erased:
    target.step(f"erasing from {here.name}", 0, 0)
    erased = erase_in_archive(table, here)
    _record(target, erased, before=0)
    return erased


def _moved_on(table: OpenTable, found: Found) -> Found:
    """The same rows, seen from the version after the erasure; its new files have none of these people."""
    return replace(found, past=replace(found.past, newest=table.snapshot()))


def _record(target: RunTarget, erased: Erased, *, before: int) -> None:
    if not erased.committed:
        return
    target.records.add(
        [
            ActionRecord(
                kind="erase",
                action="erase",
                table=erased.table,
                at=target.clock(),
                author=target.author,
                version_before=before,
                version_after=erased.version,
                rows=erased.deleted + erased.anonymized,
                files=erased.files,
                bytes=erased.bytes,
            )
        ]
    )
