"""The masked copies of a lake, for its users: made and brought up to date, listed, dropped."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import polars as pl

from lakehouse.config.models import Config
from lakehouse.config.nearest import nearest
from lakehouse.config.references.tables import QUARANTINE, name_problem
from lakehouse.copies import CopyEntry, application, find_copy, list_copies
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError, NotFoundError, RefusedError, UsageError
from lakehouse.pii.mask.absent import absent_notes, ensure_spelt
from lakehouse.pii.mask.copy import CopyRun, begin, ensure_name
from lakehouse.pii.mask.copy_plan import CopyResult
from lakehouse.pii.mask.copy_shape import shape_of
from lakehouse.pii.mask.drop import DroppedCopy, drop_copy
from lakehouse.pii.mask.mark import marks_of
from lakehouse.pii.mask.port import MaskSource
from lakehouse.pii.mask.rows import Masker
from lakehouse.storage import Storage
from lakehouse.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStatus:
    """How a masked copy stands.

    Args:
        name: The copy.
        source: The table that it is a copy of.
        created: When it was registered (UTC).
        version: Its newest version; None where its first run has not ended.
        has: The version of the source that it has; None where it has none.
        newest: The newest version of the source; None where that is not there (any more).
        problem: Why its log, or that of its source, can't be read; empty where it can.
    """

    name: str
    source: str
    created: datetime
    version: int | None = None
    has: int | None = None
    newest: int | None = None
    problem: str = ""

    @property
    def up_to_date(self) -> bool:
        """Whether it has the newest version of its source."""
        return self.has is not None and self.has == self.newest


class MaskedCopies:
    """The masked copies of a lake. Can be used from many threads.

    Args:
        config: The lake's config.
        lake: The lake's root.
        table: Gives a table of the config by its name.
        copy: Gives the table that is, or is to be, a copy of another one: its name, and the source's.
        masks: Gives the masks of tables.
    """

    def __init__(
        self,
        config: Config,
        *,
        lake: Storage,
        table: Callable[[str], Table],
        copy: Callable[[str, str], Table],
        masks: MaskSource,
    ) -> None:
        self._config = config
        self._lake = lake
        self._table = table
        self._copy = copy
        self._masks = masks

    def run(self, table: str, name: str, *, anew: bool = False, dry_run: bool = False) -> CopyResult:
        """Makes a masked copy, or brings it up to date, in one commit.

        Args:
            table: The table to copy, of the config.
            name: The copy.
            anew: Whether to copy all rows in any case.
            dry_run: Only plan.

        Returns:
            What was done, and why where all rows were copied.

        Raises:
            TableNotFoundError: The config has no such table, or it has not been made.
            RefusedError: The name is taken, there is nothing to mask, a column of `pii` is misspelt, or two
                keys would have one mask.
            ConflictError: Others were faster in all tries.
            CommitUnknownError: The commit's answer was lost and could not be looked up.
        """
        source = self._source(table)
        _check_name(name)
        target = self._copy(name, source.name)
        names = {each.casefold() for each in self._config.tables}
        known = ensure_name(name, source=source.opened, lake_has=names.__contains__, taken=target.exists)
        ensure_spelt(table, source.config.pii, source.snapshot().schema)
        run = self._run(source, target, anew=anew, dry_run=dry_run)
        if not dry_run:
            source.opened.before_write()
            if known is None:
                # What is not installed is told before there is anything of the copy.
                self._masks.ensure_ready(source.name, run.snapshot.schema)
                begin(source.opened, name, run.snapshot)
        return run.run()

    def following(self, name: str) -> CopyRun:
        """The run that brings a copy that is there up to date; nothing is done before its `run`.

        Args:
            name: The copy.

        Raises:
            NotFoundError: There is no copy of that name.
            TableNotFoundError: Its source is not in the config (any more), or has not been made.
            RefusedError: There is nothing to mask any more.
        """
        entry = find_copy(self._lake, name) if name_problem(name) is None else None
        if entry is None or name in self._config.tables:
            raise self._no_copy(name)
        source = self._source(entry.source)
        return self._run(source, self._copy(name, entry.source), anew=False, dry_run=False)

    def list(self, table: str | None = None) -> tuple[CopyStatus, ...]:
        """The copies, by name, and how they stand.

        Args:
            table: Only copies of this table.
        """
        return tuple(self._status(entry) for entry in list_copies(self._lake, source=table))

    def drop(self, name: str, *, dry_run: bool = False) -> DroppedCopy:
        """Takes a copy away, for good.

        Args:
            name: The copy.
            dry_run: Only plan.

        Raises:
            NotFoundError: There is no copy of that name.
            ProtectedError: A hold is on the copy.
            StorageError: The store failed; the next drop ends it.
        """
        entry = find_copy(self._lake, name) if name_problem(name) is None else None
        if entry is None or name in self._config.tables:
            raise self._no_copy(name)
        return drop_copy(self._copy(name, entry.source).opened, entry, dry_run=dry_run)

    def _source(self, name: str) -> Table:
        if name not in self._config.tables:
            entry = find_copy(self._lake, name) if name_problem(name) is None else None
            if entry is not None:
                raise RefusedError(
                    f"{name} is a masked copy itself", advice=f"make another copy of {entry.source}"
                )
            if name.removesuffix(QUARANTINE) in self._config.tables:
                raise RefusedError(
                    f"{name} keeps records as they came, which can't be masked column by column",
                    advice="retry or drop what waits there: lakehouse quarantine",
                )
        return self._table(name)

    def _run(self, source: Table, target: Table, *, anew: bool, dry_run: bool) -> CopyRun:
        snapshot = source.snapshot()
        name, schema = source.name, snapshot.schema
        fingerprints = self._masks.fingerprints(name, schema)
        # Before masks are made: if the key is rotated in between, the next run sees it and copies anew.
        keys = self._masks.key_versions(name, schema) if fingerprints else {}
        marks = marks_of(snapshot.configuration)
        before = tuple(path for path, mark in fingerprints.items() if marks.get(path) == mark)
        masks = self._masks.masks(name, schema, without=before)
        shape = shape_of(
            name,
            snapshot,
            config=source.config,
            paths=masks.paths,
            fingerprints=fingerprints,
            keys=keys,
        )
        planned = CopyResult(
            name=target.name,
            source=name,
            action="nothing",
            why="",
            source_version=snapshot.version,
            since=None,
            columns=tuple(masks.paths),
            masked_before=before,
            notes=absent_notes(source.config.pii, schema),
            dry_run=dry_run,
        )
        return CopyRun(
            source=source.opened,
            snapshot=snapshot,
            target=target.opened,
            shape=shape,
            masker=Masker(masks, snapshot, clear=partial(_cleared, source, snapshot)),
            planned=planned,
            anew=anew,
            dry_run=dry_run,
        )

    def _status(self, entry: CopyEntry) -> CopyStatus:
        status = CopyStatus(name=entry.name, source=entry.source, created=entry.created)
        try:
            if entry.source in self._config.tables and (source := self._table(entry.source)).exists():
                status = replace(status, newest=source.snapshot().version)
            copy = self._copy(entry.name, entry.source)
            if not copy.exists():
                return status
            snapshot = copy.snapshot()
        except LakehouseError as error:
            return replace(status, problem=error.message)
        position = snapshot.transactions.get(application(entry.source))
        return replace(status, version=snapshot.version, has=None if position is None else position.version)

    def _no_copy(self, name: object) -> NotFoundError:
        known = [entry.name for entry in list_copies(self._lake)]
        near = nearest(str(name), known)
        return NotFoundError(
            "there is no masked copy of that name",
            advice=f"did you mean {near}?" if near else "`lakehouse pii mask --list` shows them",
        )


def _cleared(source: Table, snapshot: Snapshot, rows: pl.DataFrame, only: Collection[str]) -> pl.DataFrame:
    """Masks are made of clear values; where there are none any more, of nothing."""
    lazy = rows.lazy()
    clear = source.opened.cells.clear(lazy, snapshot, only=only)
    return rows if clear is lazy else clear.collect()


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise UsageError(f"a copy's name is a text, not {type(name).__name__}")
    problem = name_problem(name)
    if problem is not None:
        raise UsageError(f"a copy can't be called so: {problem}", advice="as customers_masked")
