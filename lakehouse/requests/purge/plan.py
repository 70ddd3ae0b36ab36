"""What a purge does to one table, and what it has done. Neither holds or shows anything of a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from lakehouse.delta.vacuum_notes import Ranges, VacuumNote
from lakehouse.maintenance.vacuum.plan import ranges
from lakehouse.protection import Protection
from lakehouse.requests.find import Found
from lakehouse.requests.search.sought import Sought

Kind: TypeAlias = Literal["data", "change_data", "unlisted", "vector", "tombstones", "temporary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgedFile:
    """A file that is gone, or that was emptied of people.

    Args:
        table: The table.
        path: Below the lake's root, without partition values.
        action: What is done with it.
        bytes: Its size.
        sha256: Of what goes, or of the file as it is once it is emptied.
        requests: Whose rows were in it; of vectors and memories of deletes, all that are purged.
    """

    table: str
    path: str
    action: Literal["removed", "redacted"]
    bytes: int
    sha256: str
    requests: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """A file that goes, or is emptied.

    Args:
        path: Below the table's folder.
        kind: What it is.
        bytes: Its size.
        requests: Whose rows are in it.
        number: Its number among the files of `Found.past`; None for what is no such file.
        held: Whether held rows are in it: then it stays, whatever becomes of it.
    """

    path: str = field(repr=False)
    kind: Kind
    bytes: int
    requests: frozenset[str]
    number: int | None = None
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgePlan:
    """What a purge of one table does.

    Args:
        table: The table.
        version: The newest version, which has none of these people any more.
        history: What the config asks for.
        going: Files that go.
        emptied: Files that are emptied of people where they lie.
        waiting: How many files are too young to be touched: a writer may be about to commit them.
        older: On versioned buckets, objects that others deleted and whose older versions hold people.
        notes: What could not be looked at, or has to stay.
        pruned: Versions that can't be read afterwards, as ranges.
        feed: Versions whose change data can't be read afterwards, though their rows may be.
        log: Whether the beginning of the log goes, or values are taken out of it.
        log_before: The version with which the log begins afterwards; None where it is not cut.
        needed_by: By path of a file that is emptied the versions that need it, and those whose change data it
            is.
        named_in_log: Files whose paths in the log tell of people, as partition values.
        tags: Tags that go, since they point to versions that can't be read afterwards.
        fallbacks: Why something could not be done as `history` asks.
        refused: Requests that wait, and the holds on their rows.
        unfinished: Purges that were killed, and are finished by this one.
        sought: Who they are, made ready for what must not be shown.
        found: Where people are.
        protection: The holds at that time.
    """

    table: str
    version: int
    history: Literal["cut", "redact"]
    going: tuple[Going, ...] = ()
    emptied: tuple[Going, ...] = ()
    waiting: int = 0
    older: frozenset[str] = field(default=frozenset(), repr=False)
    notes: tuple[str, ...] = ()
    pruned: Ranges = ()
    feed: Ranges = ()
    log: Literal["cut", "strip", "keep"] = "keep"
    log_before: int | None = None
    needed_by: Mapping[str, tuple[Ranges, Ranges]] = field(default_factory=dict, repr=False)
    named_in_log: frozenset[str] = field(default=frozenset(), repr=False)
    tags: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    refused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unfinished: tuple[VacuumNote, ...] = field(default=(), repr=False)
    sought: Sought | None = field(default=None, repr=False)
    found: Found = field(repr=False)
    protection: Protection = field(repr=False)

    @property
    def closed_versions(self) -> tuple[int, ...]:
        """Versions that can't be read afterwards."""
        return tuple(number for first, last in self.pruned for number in range(first, last + 1))

    @property
    def bytes(self) -> int:
        """The size of all files that go or are emptied."""
        return sum(each.bytes for each in (*self.going, *self.emptied))

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to do."""
        return self.log == "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What a purge of one table has done.

    Args:
        table: The table.
        version: The newest version.
        removed: Files that went.
        redacted: Files that were emptied.
        bytes: Their size together.
        log_removed: Files of the log that went.
        log_stripped: Files of the log that were written anew without values of people.
        retimed: Versions that seem to be made now when a time is asked for, unless the table has in-commit
            timestamps: object stores give what is written over the time of now.
        closed_versions: Versions that can't be read any more.
        dropped_tags: Tags that pointed to such, and went.
        object_versions: Older versions of objects, and marks of deletion, that went.
        uploads: Unfinished uploads that were ended.
        waiting: Files that were too young to be touched: the purge is not done before they are gone.
        fallbacks: Why something could not be done as `history` asks.
        notes: What could not be done, or not be looked at.
        run: The name of the purge; None where there was nothing to do.
    """

    table: str
    version: int
    removed: int = 0
    redacted: int = 0
    bytes: int = 0
    log_removed: int = 0
    log_stripped: int = 0
    retimed: tuple[int, ...] = ()
    closed_versions: tuple[int, ...] = ()
    dropped_tags: tuple[str, ...] = ()
    object_versions: int = 0
    uploads: int = 0
    waiting: int = 0
    fallbacks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    run: str | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return not self.waiting and not self.notes


def joined(spans: Ranges) -> Ranges:
    """Ranges of versions, each version once and in order.

    Args:
        spans: Ranges in any order.
    """
    return ranges([number for first, last in spans for number in range(first, last + 1)])
