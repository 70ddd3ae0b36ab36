"""A table as its verbs see it: where it is, what the config says, and which version is meant."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import polars as pl

from lakehouse.config.models import TableConfig
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.errors import RefusedError, TableNotFoundError, UsageError
from lakehouse.merge.company import Outcomes
from lakehouse.merge.quarantine import Keeping as KeepingRejected
from lakehouse.merge.quarantine import QuarantineStore
from lakehouse.merge.target import BatchStep, Clock, Masking, MergeTarget, Suppressing, utc_now
from lakehouse.protection.holds import Protection
from lakehouse.records import NoRecords, Records
from lakehouse.storage import Storage
from lakehouse.timetravel.coming import Keeping
from lakehouse.timetravel.resolve import checked_version, resolve


class Newest:
    """The newest version of a table that is known here, so that only what came later is read. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: Snapshot | None = None

    def __reduce__(self) -> tuple[type[Newest], tuple[()]]:
        # Another process, or a copy, has its own lock and finds out itself what the newest version is.
        return Newest, ()

    def known(self) -> Snapshot | None:
        """The version; None where none has been read yet."""
        with self._lock:
            return self._known

    def forget(self) -> None:
        """Reads the table from its checkpoints and commits again the next time."""
        with self._lock:
            self._known = None

    def remember(self, snapshot: Snapshot) -> None:
        """Takes note of a version, unless a newer one is known."""
        with self._lock:
            known = self._known
            # A table that was made anew counts its versions from 0 again.
            if (
                known is None
                or known.version <= snapshot.version
                or known.metadata.id != snapshot.metadata.id
            ):
                self._known = snapshot


class View(Protocol):
    """What somebody who reads in a role sees of a table."""

    def named_as_in(self, newest: Snapshot) -> View:
        """The same, where the columns that are masked are known by their names in the newest version.

        Without it a column that was renamed would be clear in versions from before.
        """

    @property
    def narrows(self) -> bool:
        """Whether the role sees only some rows."""

    def allowed(self, rows: pl.LazyFrame, snapshot: Snapshot) -> pl.LazyFrame:
        """Keeps the rows of a version that the role may see; asked before anything is masked."""

    def hidden(self, snapshot: Snapshot) -> tuple[str, ...]:
        """The columns of a version that are masked for the role."""

    def needs(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Further columns without which those can't be masked."""

    def masked(self, rows: pl.LazyFrame, snapshot: Snapshot) -> pl.LazyFrame:
        """Masks rows of a version, lazily. What is asked of them later meets no other row, no clear value.

        Args:
            rows: With any of the version's columns, and `needs`; only those that the role may see.
            snapshot: The version.
        """


class Cells(Protocol):
    """Opens cells that are stored under keys of people, for those who may read the table as it is."""

    def clear(
        self, rows: pl.LazyFrame, snapshot: Snapshot, *, only: Collection[str] | None = None
    ) -> pl.LazyFrame:
        """The same rows with clear values, lazily; null where a key was destroyed.

        Args:
            rows: With any of the version's columns.
            snapshot: The version.
            only: Only these columns; None means all.
        """


class PlainCells:
    """Cells as they are stored."""

    def clear(
        self,
        rows: pl.LazyFrame,
        snapshot: Snapshot,  # noqa: ARG002
        *,
        only: Collection[str] | None = None,  # noqa: ARG002
    ) -> pl.LazyFrame:
        """See `Cells.clear`."""
        return rows


class Suppressions(Protocol):
    """Keeps erased people out of a table."""

    def of_merge(self) -> Suppressing:
        """What keeps them out of one merge."""

    def of_rows(self) -> Keeping:
        """What keeps them out of rows that come back from an older version."""

    def before(self) -> tuple[str, ...]:
        """The columns of which a merge has to know what they were before a change."""


def no_roles(role: str) -> View:
    """Refuses a role where there are none."""
    raise UsageError(f"there is no role {role} here", advice="roles are in the config; leave `role` out")


def anything_goes() -> None:
    """Looks at no store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTable:
    """A table of a lake, for its verbs.

    Args:
        name: Its name in the config.
        config: Its section of the config.
        storage: Its folder.
        lake: The lake's root, where tags and the quarantine are.
        quarantine: Where the records go that its merges reject.
        steps: What a batch passes on its way into a merge.
        masks: Masks rows before a merge stores them; None where they are stored as they come.
        suppression: Keeps erased people out; None where the config names nobody who could be erased.
        clock: Gives the time, timezone-aware.
        before_write: Called before anything is written: refuses a store that can lose commits.
        protection: Gives the active holds on the table; asked only by verbs that take something away.
        records: Keeps what was taken away.
        outcomes: Counts how the commits of its merges go.
        newest: Remembers the newest version.
        quarantine_of: The table whose rejected records these are; None for a table of the config.
        copy_of: The table that it is a masked copy of; None for a table of the config.
        views: Gives what a role sees of the table, and refuses roles that may not read it.
        cells: Opens cells that are stored under keys of people.
    """

    name: str
    config: TableConfig
    storage: Storage
    lake: Storage
    quarantine: QuarantineStore
    protection: Callable[[], Protection]
    steps: Sequence[BatchStep] = ()
    masks: Masking | None = None
    suppression: Suppressions | None = None
    clock: Clock = field(default=utc_now)
    before_write: Callable[[], None] = field(default=anything_goes)
    records: Records = field(default_factory=NoRecords)
    outcomes: Outcomes = field(default_factory=Outcomes)
    newest: Newest = field(default_factory=Newest)
    quarantine_of: str | None = None
    copy_of: str | None = None
    views: Callable[[str], View] = field(default=no_roles)
    cells: Cells = field(default_factory=PlainCells)

    @property
    def cluster_by(self) -> tuple[str, ...]:
        """The columns by which compaction puts rows together."""
        return tuple(self.config.compact.cluster_by or self.config.key)

    def find(self) -> Snapshot | None:
        """The newest version, reading only what is new; None where the table has not been made."""
        try:
            found = load_snapshot(self.storage, base=self.newest.known())
        except TableNotFoundError:
            return None
        self.newest.remember(found)
        return found

    def snapshot(self, *, version: int | None = None) -> Snapshot:
        """The table's state at a version; None means the newest.

        Raises:
            TableNotFoundError: The table has not been made yet.
            VersionNotFoundError: The version is not there (any more).
        """
        newest = self.find()
        if newest is None and self.quarantine_of is not None:
            raise TableNotFoundError(
                f"there is no {self.name}: no merge into {self.quarantine_of} has rejected anything",
                advice="it is made when it is needed first",
            )
        if newest is None and self.copy_of is not None:
            raise TableNotFoundError(
                f"{self.name}, the masked copy of {self.copy_of}, has not been made yet",
                advice=f"`lakehouse pii mask {self.copy_of} --to {self.name}` makes it",
            )
        if newest is None:
            raise TableNotFoundError(
                f"table {self.name} has not been made yet ({self.storage.url})",
                advice="`apply` makes it from the schema in the config, or the first merge from its rows",
            )
        return newest if version is None else self._at(newest, checked_version(version, table=self.name))

    def pick(
        self,
        *,
        version: int | None = None,
        timestamp: datetime | str | None = None,
        tag: str | None = None,
    ) -> Snapshot:
        """The state at a version that is meant by its number, a time or a tag; the newest if by none.

        Raises:
            VersionNotFoundError: The version is not there (any more).
            NotFoundError: No such tag.
            UsageError: More than one is given, or a time without a timezone.
        """
        newest = self.snapshot()
        picked = resolve(
            self.storage, self.lake, table=self.name, version=version, timestamp=timestamp, tag=tag
        )
        return newest if picked is None else self._at(newest, picked)

    def refuse_quarantine(self, what: str) -> None:
        """Refuses for a quarantine what only a table of the config can be asked for.

        Args:
            what: What it can't, as ``can't be merged into``.

        Raises:
            UsageError: The table is a quarantine.
        """
        if self.quarantine_of is not None:
            raise UsageError(
                f"{self.name} keeps what merges into {self.quarantine_of} reject: it {what}",
                advice=f"`lakehouse quarantine` lists, retries and drops the records of {self.quarantine_of}",
            )

    def refuse_copy(self, what: str) -> None:
        """Refuses for a masked copy what would make it another one than its source is.

        Args:
            what: What it can't, as ``can't be merged into``.

        Raises:
            RefusedError: The table is a masked copy.
        """
        if self.copy_of is not None:
            raise RefusedError(
                f"{self.name} is a masked copy of {self.copy_of}: it {what}, only its source feeds it",
                advice=f"change {self.copy_of}, then: lakehouse pii mask {self.copy_of} --to {self.name}",
            )

    def target(self, *, allow_deletes: bool = False, rejects: KeepingRejected | None = None) -> MergeTarget:
        """The same table as a merge sees it.

        Args:
            allow_deletes: Whether a full picture may lack any number of rows.
            rejects: Where rejected records are kept.
        """
        return MergeTarget(
            name=self.name,
            storage=self.storage,
            config=self.config,
            steps=self.steps,
            masks=self.masks,
            suppression=None if self.suppression is None else self.suppression.of_merge,
            clock=self.clock,
            rejects=rejects,
            allow_deletes=allow_deletes,
            outcomes=self.outcomes,
        )

    def _at(self, newest: Snapshot, version: int) -> Snapshot:
        return newest if version == newest.version else load_snapshot(self.storage, version=version)
