"""The second part of a run: what held the people before, taken away or emptied, in every version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lakehouse.errors import ProtectedError
from lakehouse.maintenance.vacuum.plan import ranges
from lakehouse.requests.purge import PurgedFile, plan_purge, purge
from lakehouse.requests.run.ledger import Ledger
from lakehouse.requests.run.lookup import Lookup
from lakehouse.requests.run.target import RunTarget


def purge_people(target: RunTarget, ledger: Ledger, lookup: Lookup) -> tuple[str, ...]:
    """Takes the people's bytes out of old files, logs and older versions of objects.

    Args:
        target: The lake.
        ledger: Their requests, all of them erased.
        lookup: Where they are still.

    Returns:
        What there is to know besides, for people.

    Raises:
        StorageError: The store failed; the next run goes on.
    """
    told: dict[str, dict[str, dict[str, Any]]] = {}
    notes: list[str] = []
    for at, (name, table) in enumerate(lookup.tables.items()):
        target.step(f"taking old files of {name} away", at, len(lookup.tables))
        touched: set[str] = set()

        def note(files: Sequence[PurgedFile], touched: set[str] = touched) -> None:
            touched |= _note(ledger, files)

        found = lookup.founds[name]
        try:
            plan = plan_purge(table, found, history=target.config.requests.history)
            done = purge(table, plan, note=note)
        except ProtectedError as error:
            waiting = sorted(set(lookup.persons()))
            ledger.say("held", {request: {"holds": [error.message]} for request in waiting})
            return (*notes, error.message)
        notes += done.notes
        for request in touched:
            told.setdefault(request, {})[name] = {
                "closed": [list(span) for span in ranges(list(done.closed_versions))],
                "tags": len(done.dropped_tags),
            }
    ledger.say("purged", {request: {"tables": told.get(request, {})} for request in lookup.persons()})
    return tuple(notes)


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
