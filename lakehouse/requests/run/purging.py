"""The second part of a run: what held the people before, taken away or emptied, in every version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lakehouse.errors import ProtectedError
from lakehouse.maintenance.vacuum.plan import ranges
from lakehouse.requests.elsewhere.archives import clear_archives
from lakehouse.requests.known import REQUEST
from lakehouse.requests.purge import Purged, PurgedFile, plan_purge, purge
from lakehouse.requests.purge.unnamed import sought_of
from lakehouse.requests.run.ledger import Ledger
from lakehouse.requests.run.lookup import Lookup, Spot
from lakehouse.requests.run.steady import steadily
from lakehouse.requests.run.target import RunTarget
from lakehouse.requests.search.sought import Sought


@dataclass(slots=True)
class Leftover:
    """What a purge could not do, or not as it was asked.

    Args:
        notes: What there is to know, for people.
        reason: Why it is not done yet; empty where it is.
    """

    notes: list[str] = field(default_factory=list)
    reason: str = ""


def purge_people(target: RunTarget, ledger: Ledger, lookup: Lookup) -> Leftover:
    """Takes the people's bytes out of old files, logs and older versions of objects.

    Args:
        target: The lake.
        ledger: Their requests, all of them erased.
        lookup: Where they are still.

    Raises:
        ConflictError: Holds, rows or readers came in between.
        StorageError: The store failed; the next run goes on.
    """
    told: dict[str, dict[str, dict[str, Any]]] = {}
    left = Leftover()
    sought = sought_of(lookup.people)
    # Copies and quarantines first: the old files of a table tell what to look for in its copies.
    for at, name in enumerate(sorted(lookup.spots, key=lambda name: name in target.config.tables)):
        target.step(f"taking old files of {name} away", at, len(lookup.spots))
        try:
            done, touched = _purge(target, ledger, lookup.spots[name], sought)
        except ProtectedError as error:
            # A table that is held as a whole: nothing keeps those waiting who are not in it.
            theirs = sorted(set(lookup.spots[name].found.going[REQUEST]))
            waiting = [request for request in theirs if ledger.status(request) == "purging"]
            ledger.say("held", {request: {"holds": [error.message]} for request in waiting})
            continue
        left.notes += [f"table {name}: {note}" for note in (*done.fallbacks, *done.notes)]
        if not done.complete:
            left.reason = (
                f"{done.waiting} files of table {name} are too young to tell them from a writer's at work"
                if done.waiting
                else f"table {name}: {done.notes[0]}"
            )
        for request in touched:
            told.setdefault(request, {})[name] = {
                "closed": [list(span) for span in ranges(list(done.closed_versions))],
                "tags": len(done.dropped_tags),
            }
    for table in {table.name: table for table, _ in lookup.archives}.values():
        clear_archives(table, target.archives(table.name), now=target.clock())
    if not left.reason:
        waiting = [request for request in lookup.persons() if ledger.status(request) == "purging"]
        ledger.say("purged", {request: {"tables": told.get(request, {})} for request in waiting})
    return left


def _purge(target: RunTarget, ledger: Ledger, spot: Spot, sought: Sought) -> tuple[Purged, set[str]]:
    """Purges one table; with whose files went."""
    touched: set[str] = set()

    def note(files: Sequence[PurgedFile]) -> None:
        touched.update(_note(ledger, files))

    history: Literal["cut", "redact"] = target.config.requests.history if spot.exact else "cut"
    plan = steadily(
        lambda: plan_purge(spot.table, spot.found, history=history, sought=sought),
        what=f"table {spot.table.name}",
    )
    held = {request: holds for request, holds in plan.refused.items() if ledger.status(request) == "purging"}
    ledger.say("held", {request: {"holds": list(holds)} for request, holds in held.items()})
    # Said beforehand: of a run that was killed the next one can't tell what it closed.
    closing = {"closed": [list(span) for span in plan.pruned], "tags": len(plan.tags)}
    about = {request for each in (*plan.going, *plan.emptied) for request in each.requests}
    ledger.say(
        "purging", {request: {"files": [], "tables": {plan.table: closing}} for request in sorted(about)}
    )
    return purge(spot.table, plan, note=note), touched


def _note(ledger: Ledger, files: Sequence[PurgedFile]) -> set[str]:
    """Says which files are about to go, before they do: their digests can't be had afterwards."""
    by_request: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        said = {
            "table": file.table,
            "path": file.path,
            "action": file.action,
            "bytes": file.bytes,
            "sha256": file.sha256,
        }
        for request in sorted(file.requests):
            by_request.setdefault(request, []).append(said)
    ledger.say("purging", {request: {"files": mine} for request, mine in by_request.items()})
    return set(by_request)
