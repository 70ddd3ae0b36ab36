"""Answers requests for access: opens who it is, looks where the rows are, writes the bundle, notes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from lakehouse.config import Config
from lakehouse.control import Control
from lakehouse.errors import NotFoundError, RefusedError, UsageError
from lakehouse.merge.result import QUARANTINE
from lakehouse.merge.target import Clock, utc_now
from lakehouse.pii.keys.ring import KeyRing, LateRing
from lakehouse.pii.reveal import KIND as REVEAL
from lakehouse.pii.shred.verbs import SubjectKeys
from lakehouse.pii.spans import SpanFinder
from lakehouse.protection import Protection
from lakehouse.records import Records
from lakehouse.requests.access.archives import archive_source
from lakehouse.requests.access.belongs import belongs_of
from lakehouse.requests.access.bundle import bundle
from lakehouse.requests.access.judging import Asked
from lakehouse.requests.access.one_person import ensure_one, ensure_one_row
from lakehouse.requests.access.result import Bundle
from lakehouse.requests.access.sources import Source, ensure_whole, table_source
from lakehouse.requests.access.writing import target
from lakehouse.requests.elsewhere.archives import find_in_archives, places_in_archives
from lakehouse.requests.elsewhere.quarantine import find_in_quarantine
from lakehouse.requests.everyone import all_known
from lakehouse.requests.find import find
from lakehouse.requests.identity import Person, unseal
from lakehouse.requests.people import People, people_of
from lakehouse.requests.places import Places
from lakehouse.requests.rules import rules_of
from lakehouse.requests.status import approved_by, ensure_next
from lakehouse.retention.places import ArchivePlaces
from lakehouse.state.database import State
from lakehouse.state.rows import ActionRecord, Request, RequestEvent
from lakehouse.storage import Storage
from lakehouse.verbs.opened import OpenTable

Identified: TypeAlias = Literal["checked", "all", "given"]
"""By which identifiers the person is known; see `Answering.answer`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """Answers requests for access.

    Args:
        config: The lake's config.
        lake: The lake's root.
        control: The way to the state database.
        records: Where it is kept that masks were turned back.
        table: Gives a table of the config.
        ring: Gives the keys of the lake.
        finder: Gives what finds personal data in texts.
        keys: The keys of people under which columns are stored.
        clock: Gives the time.
    """

    config: Config
    lake: Storage
    control: Control
    records: Records
    table: Callable[[str], OpenTable]
    ring: Callable[[], KeyRing]
    finder: Callable[[], SpanFinder]
    keys: SubjectKeys
    clock: Clock = utc_now

    def answer(
        self,
        request_id: str,
        *,
        to: str | Path,
        author: str,
        include_history: bool = True,
        identified: Identified = "checked",
        own: Sequence[str] = (),
        others: Sequence[str] = (),
        overwrite: bool = False,
    ) -> Bundle:
        """See `lakehouse.requests.verbs.Requests.answer`."""
        request, events, person = self._opened(request_id)
        path = target(to, name=f"access-{request.id}.zip", replace=overwrite, lake=self.lake.url)
        asked = Asked(own=self._columns(own), others=self._columns(others))
        # Each table as it is now, once for all that is asked of it.
        place = self._places()
        people = self._people(request, person, identified, place)
        sources = tuple(self._sources(request, people, place, include_history=include_history))
        if identified == "checked":
            ensure_one_row(sources, person, config=self.config, request=request.id)
        now = self.clock()
        done = bundle(
            path,
            request=request,
            people=people,
            sources=sources,
            config=self.config,
            ring=LateRing(self.ring),
            finder=self.finder,
            now=now,
            asked=asked,
            include_history=include_history,
            replace=overwrite,
        )
        said = RequestEvent(
            request=request.id,
            number=len(events) + 1,
            event="completed",
            at=now,
            author=author,
            detail=done.detail(),
        )
        try:
            self.records.add(list(_revealed(done, said)))
            self._state(request_id).requests.append([said], forget=True)
        except BaseException:
            # What is not recorded is not handed out.
            path.unlink(missing_ok=True)
            raise
        return done

    def _places(self) -> Places:
        return Places(self.table, ensure_whole)

    def _opened(self, request_id: str) -> tuple[Request, tuple[RequestEvent, ...], Person]:
        """The request, what happened to it, and who it is about.

        Raises:
            RefusedError: It can't be answered (yet, or any more).
            UsageError: It asks for something else.
        """
        state = self._state(request_id)
        request = state.requests.get(request_id)
        if request.kind != "access":
            raise UsageError(
                f"request {request_id} asks for {request.kind}, not for access",
                advice="submit one of the kind access",
            )
        events = state.requests.events([request_id]).get(request_id, ())
        ensure_next(request_id, events, "completed")
        if self.config.requests.approval == "required" and approved_by(events) is None:
            raise RefusedError(
                f"request {request_id} has not been approved",
                advice=f"somebody else than {request.author}: lakehouse request approve {request_id}",
            )
        sealed = state.requests.contents([request_id])
        return request, events, unseal(sealed[request_id], request=request_id, ring=self.ring())

    def _people(self, request: Request, person: Person, identified: Identified, place: Places) -> People:
        archives = ArchivePlaces(config=self.config, lake=self.lake)
        found = all_known(
            people_of({request.id: person}),
            self.config,
            place=place,
            ring=self.ring(),
            more=lambda name: places_in_archives(self.table(name), archives.of_table(name)),
            clear=self.keys.clear,
            follow=identified != "given",
        )
        if identified == "checked":
            ensure_one(found, person, config=self.config, request=request.id)
        return found

    def _sources(
        self, request: Request, people: People, place: Places, *, include_history: bool
    ) -> Iterator[Source]:
        rules = rules_of(self.config, subjects=frozenset({request.subject}))
        belongs = belongs_of(self.config, request.subject)
        for name, wanted in rules.items():
            table, there = self.table(name), place(name)
            make = partial(table_source, request=request.id, belongs=belongs, include_history=include_history)
            masked: frozenset[str] = frozenset()
            if there is not None:
                # Nothing is taken away, so no hold stands in the way.
                source = make(
                    table, find(name, there, rules=wanted, people=people, protection=Protection(name))
                )
                masked = source.masked
                yield source
            places = ArchivePlaces(config=self.config, lake=self.lake).of_table(name)
            for here in find_in_archives(table, places, rules=wanted, people=people):
                yield archive_source(here, table=table, request=request.id, belongs=belongs, masked=masked)
            quarantine, seal = self.table(f"{name}{QUARANTINE}"), table.quarantine.seal
            rejected = find_in_quarantine(quarantine, seal=seal, people=people, config=self.config)
            if rejected is not None:
                yield make(quarantine, rejected, seal=seal)

    def _columns(self, names: Sequence[str]) -> frozenset[str]:
        for name in names:
            table, _, path = name.partition(".")
            if path not in (self.config.tables[table].pii if table in self.config.tables else {}):
                raise NotFoundError(
                    f"the config says of no column {name} that it holds personal data",
                    advice="name it as `table.column`, as it is in `tables.<table>.pii`",
                )
        return frozenset(names)

    def _state(self, request_id: str) -> State:
        state = self.control.existing()
        if state is None:
            raise NotFoundError(f"there is no request {request_id}")
        return state


def _revealed(done: Bundle, said: RequestEvent) -> Iterator[ActionRecord]:
    for each in done.sources:
        if each.revealed:
            yield ActionRecord(
                kind=REVEAL,
                action="reveal",
                table=each.table,
                at=said.at,
                author=said.author,
                rows=each.total,
                detail={
                    "column": ", ".join(each.revealed),
                    "reason": f"access request {done.request}",
                    "by": "request",
                },
            )
