"""What there is of a table that may still hold people: files, what versions need, what is unfinished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from lakehouse.cdc.timeline import EVENTS
from lakehouse.delta.actions import AddFile
from lakehouse.delta.log_reading import read_commit
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.stripping.rules import Rules
from lakehouse.delta.vacuum_notes import RESERVED, VacuumNote, read_notes, reservations
from lakehouse.errors import NotFoundError
from lakehouse.maintenance.vacuum.leftovers import inside, staging_files
from lakehouse.maintenance.vacuum.names import log_name
from lakehouse.maintenance.vacuum.references import Lifetime, References, read_on
from lakehouse.merge.tombstones import APP_ID
from lakehouse.pii.paths import parse_path
from lakehouse.requests.find import Found
from lakehouse.requests.locate import Condition, candidates
from lakehouse.requests.needles import is_telling
from lakehouse.requests.reading import plain_types
from lakehouse.requests.redact.columns import in_log
from lakehouse.requests.rules import RowRule
from lakehouse.storage import ObjectInfo, Storage
from lakehouse.verbs.opened import OpenTable

WRITING_TAKES: Final = timedelta(hours=1)
"""So long a writer may take for one object. Only a whole merge can take longer."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A table as a purge sees it.

    Args:
        now: When.
        newest: The newest version.
        objects: What is in its folder, by path.
        references: What each version needs, from the first one that can be read.
        notes: What vacuums and purges noted.
        rules: What is done to rows of the kinds of people who are purged.
    """

    now: datetime
    newest: Snapshot
    objects: dict[str, ObjectInfo]
    references: References
    notes: tuple[VacuumNote, ...]
    rules: tuple[RowRule, ...]

    @property
    def unfinished(self) -> tuple[VacuumNote, ...]:
        """Purges that were begun and are not done."""
        return tuple(note for note in self.notes if note.by == "erasure" and note.finished is None)

    def lives(self, paths: frozenset[str]) -> list[Lifetime]:
        """When files were part of the table.

        Args:
            paths: Below the table's folder.
        """
        return [life for life in self.references.lifetimes if life.path in paths]


def look(table: OpenTable, found: Found) -> Seen:
    """Looks at a table.

    Args:
        table: The table.
        found: Where people are.

    Raises:
        CorruptTableError: The log can't be read.
    """
    storage, past = table.storage, found.past
    objects = [*inside(storage, storage.list()), *staging_files(storage)]
    references = References(root=storage.url, pointer=APP_ID)
    base = past.newest if past.first == past.newest.version else load_snapshot(storage, version=past.first)
    try:
        own = read_commit(storage, past.first).actions
    except NotFoundError:
        own = ()
    references.begin(base, own)
    read_on(storage, references, until=past.newest.version)
    subjects = set(found.people.known["subject"])
    return Seen(
        now=table.clock(),
        newest=past.newest,
        objects={item.path: item for item in objects},
        references=references,
        notes=read_notes(storage),
        rules=tuple(rule for rule in found.rules if rule.subject in subjects and rule.do != "keep"),
    )


def reserved(storage: Storage, now: datetime) -> frozenset[int]:
    """The versions of which somebody is making something.

    Args:
        storage: The table's folder.
        now: The time.
    """
    return reservations(storage.list(RESERVED), now=now)


def columns_of(rules: Sequence[RowRule], newest: Snapshot) -> list[tuple[str, ...]] | None:
    """The columns whose statistics tell of people, as the log calls them.

    Args:
        rules: What is done to rows.
        newest: The newest version.

    Returns:
        The columns; None means all of them, since whole rows go.
    """
    if any(rule.do == "delete" for rule in rules):
        return None
    names = dict.fromkeys(name for rule in rules for name in (*rule.columns, EVENTS))
    paths = [parse_path(name, columns=newest.schema.names) for name in names]
    return [found for path in paths if (found := in_log(path, newest)) is not None]


def told_by_log(seen: Seen, found: Found) -> frozenset[str]:
    """Files that are gone, and of whose bounds the log still tells what may be values of these people.

    Args:
        seen: The table.
        found: Where people are, and who they are.
    """
    gone = {
        life.add.path: replace(life.add, deletion_vector=None)
        for life in seen.references.lifetimes
        if life.path is not None and life.path not in seen.objects and life.last is not None
    }
    adds = list(gone.values())
    strip = Rules(columns_of(seen.rules, seen.newest))
    told: set[str] = set()
    for rule in seen.rules:
        types = plain_types(seen.newest.schema, rule.key)
        if not rule.where or len(types) < len(rule.key):
            continue
        keys = found.people.keys(subject=rule.subject, where=rule.where, types=types)
        if keys.height:
            wanted = Condition(rule.key, keys.select(rule.key).unique())
            told |= {
                path
                for number in candidates(seen.newest, adds, wanted)
                if _tells(adds[number], strip) and (path := adds[number].relative_path(seen.references.root))
            }
    return frozenset(told)


def _tells(add: AddFile, strip: Rules) -> bool:
    return add.stats is not None and strip.stats(add.stats) != add.stats


def named_in_folders(seen: Seen, found: Found) -> Callable[[AddFile], bool]:
    """Tells whether the name of a file's folder, and so the log, tells who was in it.

    Args:
        seen: The table.
        found: Where people are, and who they are.
    """
    newest = seen.newest
    columns = {newest.schema.field(name).physical_name: name for name in newest.partition_columns}
    known = found.people.known
    deleting = [rule for rule in seen.rules if rule.do == "delete"]
    if not deleting:
        # Rows that stay keep their folders.
        return lambda _: False
    anybody = {value.casefold() for value in known["value"] if is_telling(value)}
    by_column: dict[str, set[str]] = {}
    for rule in deleting:
        for name, identifier in rule.where:
            values = known.filter((pl.col("subject") == rule.subject) & (pl.col("identifier") == identifier))[
                "value"
            ]
            by_column.setdefault(name, set()).update(value.strip().casefold() for value in values)

    def named(add: AddFile) -> bool:
        return any(
            (text := value.casefold()) in anybody or text in by_column.get(columns.get(key, key), ())
            for key, value in add.partition_values.items()
            if value is not None
        )

    return named


def is_mentioned(storage: Storage, seen: Seen, found: Found) -> bool:
    """Whether a commit names one of these people, as in the condition of a delete.

    Args:
        storage: The table's folder.
        seen: The table.
        found: Who they are.
    """
    told = [value.encode() for value in found.people.known["value"] if is_telling(value)]
    logs = [path for path in seen.objects if log_name(path).kind in ("commit", "compaction")]
    return bool(told) and any(any(value in data for value in told) for data in map(storage.get, logs))
