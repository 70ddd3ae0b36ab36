"""What one try of a merge has written, and how much of it is right for the next."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import polars as pl
from pyroaring import BitMap64

from lakehouse.delta.actions import Action, AddFile
from lakehouse.errors import LakehouseError
from lakehouse.merge.after import After
from lakehouse.merge.files import FileChanges
from lakehouse.merge.plan import MergePlan
from lakehouse.merge.verdicts import FILE, POSITION
from lakehouse.storage import Storage


@dataclass(frozen=True, slots=True)
class Removal:
    """How rows were taken out of one file.

    Args:
        add: The file as it was.
        dead: The positions that went.
        changes: The actions and objects for it.
    """

    add: AddFile
    dead: BitMap64
    changes: FileChanges


@dataclass(slots=True)
class Written:
    """What one try has written, part by part.

    Args:
        plan: What it was written for.
        after: The table as the commit leaves it.
        actions: The actions of the commit.
        total: All parts together; filled also where a part failed.
        removals: By path of the file, how rows were taken out of it.
        appended: The new rows.
        fed: The change data.
        buried: The tombstones.
    """

    plan: MergePlan
    after: After
    actions: list[Action] = field(default_factory=list)
    total: FileChanges = field(default_factory=FileChanges)
    removals: dict[str, Removal] = field(default_factory=dict)
    appended: FileChanges = field(default_factory=FileChanges)
    fed: FileChanges = field(default_factory=FileChanges)
    buried: FileChanges = field(default_factory=FileChanges)

    def clean_up(self, storage: Storage, *, but: Written | None = None) -> None:
        """Takes away what no commit speaks of; what stays is an orphan for vacuum.

        Args:
            storage: The table's folder.
            but: A later try, which goes on with some of it.
        """
        kept = set(but.total.written) if but is not None else set()
        gone = [path for path in dict.fromkeys(self.total.written) if path not in kept]
        with suppress(LakehouseError):
            storage.delete(gone)


def same_table(before: After, now: After) -> bool:
    """Whether what was written for a commit can be right for another: never where types change."""
    same = (
        before.snapshot.metadata == now.snapshot.metadata
        and before.snapshot.protocol == now.snapshot.protocol
    )
    return same and before.reading.schema == now.reading.schema and not (before.anew or now.anew)


def same_rows(before: pl.DataFrame, now: pl.DataFrame) -> bool:
    """Whether two frames hold the same, types and order and all."""
    return before.schema == now.schema and before.equals(now)


def same_feed(before: MergePlan, now: MergePlan) -> bool:
    """Whether the change data of two plans is the same: the same rows go and come, for the same reasons."""
    # The place of a row among the files of a version is not the same in another version; its path is.
    return (
        not (before.dropped or now.dropped)
        and same_rows(before.rows, now.rows)
        and before.row_verdicts.equals(now.row_verdicts)
        and _by_path(before) == _by_path(now)
        and same_rows(_updates_by_path(before), _updates_by_path(now))
    )


def _by_path(plan: MergePlan) -> Mapping[str, BitMap64]:
    return {plan.files[number].path: dead for number, dead in plan.dead.items()}


def _updates_by_path(plan: MergePlan) -> pl.DataFrame:
    if plan.updates.is_empty():
        return pl.DataFrame()
    paths = pl.Series([add.path for add in plan.files], dtype=pl.String)
    places = plan.updates.select(paths.gather(plan.updates[FILE]).alias(FILE), POSITION)
    return places.sort(FILE, POSITION)


def same_memory(before: MergePlan, now: MergePlan) -> bool:
    """Whether two plans remember the same deletes on top of the same ones."""
    if before.truncate is not None or now.truncate is not None:
        return False
    return before.manifest == now.manifest and same_rows(before.tombstones, now.tombstones)
