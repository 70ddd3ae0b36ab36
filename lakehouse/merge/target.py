"""What a merge is told about its table, and the shape of the steps that a batch passes on its way in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from lakehouse.cdc.changes import ChangeBatch, Rejected
from lakehouse.config.models import TableConfig
from lakehouse.delta.schema import StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.merge.company import Outcomes
from lakehouse.storage import Storage

Clock = Callable[[], datetime]
"""Gives the time, timezone-aware."""

Mode = Literal["on_read", "on_write"]


class BatchStep(Protocol):
    """Something that a batch passes as it came, before it is cast to the table's types.

    Merge knows this shape and not the rooms where the steps are made.
    """

    def __call__(self, batch: ChangeBatch, /) -> ChangeBatch:
        """Gives the batch as it goes on; its counts must still add up."""


class Masking(Protocol):
    """Masks the cells of a batch that is in the table's types, so that the table never holds clear values."""

    def columns(self, schema: StructType) -> tuple[str, ...]:
        """The columns of a schema that are masked."""

    def check(self, snapshot: Snapshot) -> None:
        """Refuses a table with rows that are not masked, or whose keys are masked in another way.

        Raises:
            RefusedError: It has; the advice says how they are masked.
        """

    def trying(self) -> Masking:
        """The same for a merge that only counts: nothing is kept of what it makes."""

    def __call__(self, batch: ChangeBatch, /, *, schema: StructType) -> ChangeBatch:
        """Gives the batch with masked cells; records that can't be masked are among its ``rejected``."""

    def properties(self, schema: StructType, before: Mapping[str, str]) -> Mapping[str, str]:
        """The properties by which a table with these columns says that it is masked.

        Args:
            schema: The table's columns after the merge.
            before: The table's properties.
        """


class Suppressing(Protocol):
    """Keeps people out of one merge who were erased from the table; asked anew in each of its tries."""

    def __call__(self, batch: ChangeBatch, /, *, schema: StructType) -> ChangeBatch:
        """Gives a batch in the table's types without the records that would bring one of them back.

        They count as ``suppressed``; those that could not be used are among the ``rejected`` no more.
        """

    def emptied(self, rejected: Sequence[Rejected], /) -> tuple[Rejected, ...]:
        """Gives rejected records as they may be kept: without what they say, where it is of such a person."""

    def changed(self) -> bool:
        """Whether somebody was erased, or let back in, since the batch was last given."""


class ErasedMeanwhileError(Exception):
    """Somebody was erased since a merge looked: it has to look again before it commits."""


class Rejects(Protocol):
    """Where the records go that a merge rejects."""

    def keep(
        self,
        rejected: Sequence[Rejected],
        *,
        version: int | None,
        last_look: Callable[[], None] = lambda: None,
    ) -> None:
        """Keeps them before the merge commits; must bear to be called again with the same ones.

        Args:
            rejected: The records.
            version: The version of the table on which that was decided.
            last_look: Called right before they are kept, and raises where they may not be any more.
        """


def utc_now() -> datetime:
    """The time of the machine's clock, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeTarget:
    """A table as a merge sees it.

    Args:
        name: The table's name.
        storage: Its folder.
        config: Its section of the config file.
        steps: What a batch passes on its way in, in order.
        clock: Gives the time.
        masks: Masks cells before they are stored; None where they are stored as they come.
        suppression: Gives each merge what keeps erased people out of it; None where nobody can be erased.
        rejects: Where rejected records are kept; None where somebody else sees to that.
        rewrite_share: With vectors, a file of which a larger share than this is dead is rewritten all the
            same.
        allow_deletes: Whether a full picture may lack more rows than ``changes.max_deletes`` allows.
        max_attempts: How often a commit is tried before the merge gives up with a `ConflictError`.
        outcomes: Counts how commits go.
        last_look: Called right before a commit is sent, and raises where it may not happen any more.
    """

    name: str
    storage: Storage
    config: TableConfig
    steps: Sequence[BatchStep] = ()
    clock: Clock = field(default=utc_now)
    masks: Masking | None = None
    suppression: Callable[[], Suppressing] | None = None
    rejects: Rejects | None = None
    rewrite_share: float = 0.5
    allow_deletes: bool = False
    max_attempts: int = 50
    outcomes: Outcomes = field(default_factory=Outcomes)
    last_look: Callable[[], None] = field(default=lambda: None)
