"""Decides what a purge does to a table.

A file goes, or is emptied, where one of these people is in it and the newest version does not have it. A
version that needs a file that goes can't be read afterwards. With ``history: cut`` the log ends there too: it
begins anew with the first version that needs none of these files.

What is too young is left alone: a file that no version names may be about to be committed, by a merge that
began before the erasure, with rows of many others in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Final, Literal

import polars as pl

from lakehouse.delta.schema import to_polars
from lakehouse.delta.vacuum_notes import Ranges
from lakehouse.errors import ConflictError, CorruptTableError, RefusedError
from lakehouse.maintenance.vacuum.log_cleanup import IN_USE
from lakehouse.maintenance.vacuum.names import log_name, place_of
from lakehouse.maintenance.vacuum.plan import ranges
from lakehouse.merge.tombstones import FOLDER as TOMBSTONES
from lakehouse.merge.tombstones import files_of
from lakehouse.protection.gate import judge
from lakehouse.requests.erase import holds_anything, left_to_erase
from lakehouse.requests.find import Found
from lakehouse.requests.known import REQUEST
from lakehouse.requests.locate import FILE
from lakehouse.requests.purge.asking import holds, keys_of
from lakehouse.requests.purge.looking import (
    WRITING_TAKES,
    Seen,
    is_mentioned,
    look,
    named_in_folders,
    told_by_log,
)
from lakehouse.requests.purge.older import deleted_with_people
from lakehouse.requests.purge.plan import Going, Kind, PurgePlan, joined
from lakehouse.requests.purge.unnamed import sought_of, unnamed
from lakehouse.requests.search.sought import Sought
from lakehouse.timetravel.tags import list_tags
from lakehouse.verbs.opened import OpenTable

_KINDS: Final[dict[str, Kind]] = {"data": "data", "change data": "change_data", "unlisted": "unlisted"}


def plan_purge(
    table: OpenTable, found: Found, *, history: Literal["cut", "redact"], sought: Sought | None = None
) -> PurgePlan:
    """Plans to take people out of everything that is older than their erasure.

    Args:
        table: The table.
        found: Where they are; found just now, after the erasure.
        history: Whether versions from before it end, or stay readable without these people.
        sought: These people as `sought_of` makes them ready; for several tables it is made once.

    Raises:
        ProtectedError: The whole table is held.
        RefusedError: Somebody is still in the newest version: erase first.
        ConflictError: Holds were placed or released since people were found.
        CorruptTableError: The log can't be read.
    """
    newest, protection = found.past.newest, table.protection()
    judge("erase", protection, schema=pl.Schema(to_polars(newest.schema))).ensure()
    if protection != found.protection:
        raise ConflictError(
            f"holds on table {table.name} were placed or released meanwhile",
            advice="find anew, and try again",
        )
    refused = dict(found.held)
    found = found.without(frozenset(refused))
    if left_to_erase(table, found):
        raise RefusedError(
            f"version {newest.version} of table {table.name} still holds somebody who is to be purged",
            advice="erase first; if that was done, others have brought rows back: find and erase anew",
        )
    plan = PurgePlan(
        table=table.name,
        version=newest.version,
        history=history,
        refused=refused,
        found=found,
        protection=protection,
    )
    if found.people.known.is_empty():
        return plan
    sought = sought_of(found.people) if sought is None else sought
    plan = replace(plan, sought=sought)
    with unnamed(sought):
        seen = look(table, found)
        return _Planning(table, found, seen, history, held=bool(protection.conditions)).on(plan)


class _Planning:
    def __init__(
        self,
        table: OpenTable,
        found: Found,
        seen: Seen,
        history: Literal["cut", "redact"],
        *,
        held: bool,
    ) -> None:
        self._table, self._found, self._seen = table, found, seen
        self._redact, self._held = history == "redact", held
        self._everybody = frozenset(found.people.known["request"])
        self._waiting = 0
        self._tells = named_in_folders(seen, found)
        self._named = {
            life.add.path
            for life in seen.references.lifetimes
            if life.last is not None and life.path is not None and self._tells(life.add)
        }
        self._fallbacks: list[str] = []
        self._notes: list[str] = []

    def on(self, plan: PurgePlan) -> PurgePlan:
        """The plan with all of it."""
        seen = self._seen
        going, emptied = self._data_files()
        told = told_by_log(seen, self._found) | {
            life.path for life in seen.references.lifetimes if life.add.path in self._named and life.path
        }
        older, note = deleted_with_people(self._table.storage, self._found, held=self._held)
        if note:
            self._notes.append(note)
        memories, remembered = self._memories()
        work = going or emptied or told or older or remembered or seen.unfinished
        if not work and not is_mentioned(self._table.storage, seen, self._found):
            return replace(plan, waiting=self._waiting, notes=tuple(self._notes))
        taken = frozenset(each.path for each in going)
        pruned = joined((*self._needing(taken), *(span for note in seen.unfinished for span in note.pruned)))
        log, before = self._log(taken | told)
        first = self._found.past.first
        if before is not None and before > first:
            pruned = joined((*pruned, (first, before - 1)))
        begun = [note.log_before for note in seen.unfinished if note.log_before]
        pruned = joined((*pruned, *((0, number - 1) for number in begun)))
        feed = joined((*self._feeding(taken), *(span for note in seen.unfinished for span in note.feed)))
        closed = {number for a, b in pruned for number in range(a, b + 1)}
        files = [*going, *self._vectors(taken), *memories, *self._left_behind()]
        known = {each.path for each in (*files, *emptied)}
        return replace(
            plan,
            going=(*files, *self._begun(known)),
            emptied=tuple(emptied),
            waiting=self._waiting,
            older=older,
            notes=tuple(self._notes),
            pruned=pruned,
            feed=feed,
            log=log,
            log_before=before,
            needed_by={
                each.path: (self._needing(path := frozenset({each.path})), self._feeding(path))
                for each in emptied
            },
            named_in_log=frozenset(self._named),
            tags=self._tags(closed, before),
            fallbacks=tuple(self._fallbacks),
            unfinished=seen.unfinished,
        )

    def _data_files(self) -> tuple[list[Going], list[Going]]:
        """The files that go, and those that are emptied."""
        found, current = self._found, self._seen.newest.files
        going: list[Going] = []
        emptied: list[Going] = []
        held = 0
        for (number,), rows in found.going.partition_by(FILE, as_dict=True, maintain_order=True).items():
            file = found.past.files[number]
            # What the newest version has holds nothing to erase any more: that was asked before.
            if file.add.path in current or not holds_anything(self._table, found, number, rows):
                continue
            if file.kind == "unlisted" and self._is_young(file.path):
                self._waiting += 1
                continue
            item = Going(
                path=file.path,
                kind=_KINDS[file.kind],
                bytes=file.size,
                requests=frozenset(rows[REQUEST]),
                number=number,
                held=number in found.held_files,
            )
            named = self._tells(file.add)
            if item.held and named:
                held += 1
            else:
                (emptied if (self._redact or item.held) and not named else going).append(item)
        if self._redact and going:
            self._fallbacks.append(
                f"{len(going)} files can't be emptied in place, since their folders tell who is in them"
            )
        if held:
            self._notes.append(
                f"{held} files stay, since their folders tell people and held rows are in them"
            )
        if not self._redact and any(each.held for each in emptied):
            self._fallbacks.append("files with held rows are emptied of people in place, not removed")
        return sorted(going, key=lambda each: each.path), sorted(emptied, key=lambda each: each.path)

    def _is_young(self, path: str) -> bool:
        item = self._seen.objects.get(path)
        return item is not None and self._seen.now - item.modified <= IN_USE

    def _needing(self, paths: frozenset[str]) -> Ranges:
        """The versions that need files."""
        newest = self._seen.newest.version
        return tuple(
            (life.first, newest if life.last is None else life.last) for life in self._seen.lives(paths)
        )

    def _feeding(self, paths: frozenset[str]) -> Ranges:
        """The versions whose change data files are."""
        told = self._seen.references.change_data
        return ranges([number for path, number in told.items() if path in paths])

    def _log(self, paths: frozenset[str]) -> tuple[Literal["cut", "strip"], int | None]:
        """What becomes of the log, and with which version it begins."""
        if self._held:
            # A version of which a held row is read must stay.
            if not self._redact:
                self._fallbacks.append("the log is not cut, since rows of the table are held")
            if self._named:
                self._notes.append("the log still names people's folders, since rows of the table are held")
            return "strip", None
        begun = [note.log_before for note in self._seen.unfinished if note.log_before is not None]
        if self._redact and not self._named and not begun:
            return "strip", None
        spans = self._needing(paths)
        # The commit that took such a file out names its folder once more.
        first = [last + 1 + bool(self._named) for _, last in spans]
        before = max([*first, *begun], default=None)
        return ("strip", None) if before is None else ("cut", before)

    def _vectors(self, paths: frozenset[str]) -> Iterable[Going]:
        """Deletion vectors that nothing but files that go has needed."""
        lives = self._seen.references.lifetimes
        theirs = {life.vector for life in lives if life.path in paths} - {None}
        others = {life.vector for life in lives if life.path not in paths}
        return self._items("vector", [path for path in theirs - others if path is not None])

    def _memories(self) -> tuple[list[Going], bool]:
        """What was remembered of deletes before, and is not any more; and whether these people are in it."""
        if not any(rule.do == "delete" for rule in self._seen.rules):
            return [], False
        storage, pointers = self._table.storage, self._seen.references.pointers
        now = pointers[max(pointers)]
        needed = files_of(storage, now) if now else frozenset()
        known: set[str] = set()
        for number in set(pointers.values()) - {0, now}:
            # Where it is gone, by a vacuum or an earlier try, what it listed is nobody's.
            with suppress(CorruptTableError):
                known |= files_of(storage, number)
        unused = [p for p in self._seen.objects if p.startswith(f"{TOMBSTONES}/") and p not in needed]
        going = [path for path in unused if path in known or not self._is_young(path)]
        keys = keys_of(self._found, physical=False)
        told = {p for p in unused if p.endswith(".parquet") and holds(storage.get(p), keys)}
        # Those that no version has known may be about to be committed.
        self._waiting += len(told - set(going))
        return self._items("tombstones", going), bool(told & set(going))

    def _left_behind(self) -> Iterable[Going]:
        """Temporary files of writers that are gone."""
        seen = self._seen
        paths = [
            path
            for path, item in seen.objects.items()
            if seen.now - item.modified > WRITING_TAKES
            and (
                place_of(path, tombstones=TOMBSTONES, partition_columns=(), others=()) == "temporary"
                or log_name(path).kind == "temporary"
            )
        ]
        return self._items("temporary", paths)

    def _begun(self, known: Collection[str]) -> Iterable[Going]:
        """What purges that were killed had on their lists and did not get to."""
        if self._held:
            # Nobody has asked them for held rows.
            return []
        named = {
            path
            for note in self._seen.unfinished
            for kind, files in note.files.items()
            if kind != "emptied"
            for path, _ in files
        }
        current = {add.relative_path(self._table.storage.url) for add in self._seen.newest.files.values()}
        kept = [path for path in named if path not in known and path not in current]
        return self._items("data", [path for path in kept if not path.startswith(f"{TOMBSTONES}/")])

    def _items(self, kind: Kind, paths: Iterable[str]) -> list[Going]:
        objects = self._seen.objects
        return [
            Going(path=path, kind=kind, bytes=objects[path].size, requests=self._everybody)
            for path in sorted(paths)
            if path in objects
        ]

    def _tags(self, closed: Collection[int], before: int | None) -> tuple[str, ...]:
        return tuple(
            tag.name
            for tag in list_tags(self._table.lake, table=self._table.name)
            if tag.version in closed or (before is not None and tag.version < before)
        )
