"""A table of the lake: one verb a method; what each does is in `lakehouse.verbs`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from lakehouse.cdc.sources import FileKind
from lakehouse.config.models import TableConfig
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.vacuum_notes import refuse_taken
from lakehouse.maintenance.compact_plan import CompactPlan
from lakehouse.maintenance.vacuum import Step, VacuumPlan
from lakehouse.maintenance.vacuum.rules import GRACE
from lakehouse.maintenance.verify import VerifyReport
from lakehouse.merge.quarantine import NoSeal, QuarantineStore, Seal
from lakehouse.merge.result import QUARANTINE, MergeResult
from lakehouse.merge.target import BatchStep, Clock, Masking, utc_now
from lakehouse.protection.holds import Protection
from lakehouse.quarantine import Quarantine
from lakehouse.records import NoRecords, Records
from lakehouse.storage import Storage
from lakehouse.timetravel.history import HistoryEntry
from lakehouse.timetravel.restore import RestorePlan
from lakehouse.timetravel.tags import Tag, list_tags, put_tag, remove_tag
from lakehouse.timetravel.valid import Moment
from lakehouse.verbs import merging, reading, tending
from lakehouse.verbs.opened import (
    Cells,
    OpenTable,
    PlainCells,
    Suppressions,
    View,
    anything_goes,
    no_roles,
)


class Table:
    """One table of the lake. Made by `Lakehouse.table`; can be used from many threads.

    Args:
        name: Its name in the config.
        config: Its section of the config.
        storage: Its folder.
        lake: The lake's root, where tags and the quarantine are.
        steps: What a batch passes on its way into a merge.
        masks: Masks rows before a merge stores them; None where they are stored as they come.
        suppression: Keeps erased people out; None where the config names nobody who could be erased.
        seal: Seals its rejected records; None leaves them as they came.
        views: Gives what a role sees of the table.
        cells: Opens cells that are stored under keys of people; None where there are none.
        clock: Gives the time, timezone-aware.
        before_write: Called before anything is written: refuses a store that can lose commits.
        protection: Gives the active holds on the table; asked only by verbs that take something away. None
            means that there are none.
        records: Keeps what was taken away; None means that nothing is kept.
        quarantine_of: For a quarantine the table whose rejected records it keeps.
        copy_of: For a masked copy the table that it is a copy of.
    """

    def __init__(
        self,
        *,
        name: str,
        config: TableConfig,
        storage: Storage,
        lake: Storage,
        steps: Sequence[BatchStep] = (),
        masks: Masking | None = None,
        suppression: Suppressions | None = None,
        seal: Seal | None = None,
        views: Callable[[str], View] = no_roles,
        cells: Cells | None = None,
        clock: Clock = utc_now,
        before_write: Callable[[], None] = anything_goes,
        protection: Callable[[], Protection] | None = None,
        records: Records | None = None,
        quarantine_of: str | None = None,
        copy_of: str | None = None,
    ) -> None:
        self.name = name
        self.config = config
        self.storage = storage
        beside = f"{name}{QUARANTINE}"
        self._open = OpenTable(
            name=name,
            config=config,
            storage=storage,
            lake=lake,
            quarantine=QuarantineStore(beside, lake.child(beside), clock, seal or NoSeal()),
            steps=tuple(steps),
            masks=masks,
            suppression=suppression,
            views=views,
            cells=cells or PlainCells(),
            clock=clock,
            before_write=before_write,
            protection=protection or partial(Protection, name),
            records=records or NoRecords(),
            quarantine_of=quarantine_of,
            copy_of=copy_of,
        )

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {self.storage.url!r})"

    @property
    def opened(self) -> OpenTable:
        """The table as verbs see it, for those that act on several tables: retention, and what comes."""
        return self._open

    @property
    def outcomes(self) -> dict[str, int]:
        """How the commits of this object's merges went: ``committed``, ``conflicted``, ``unknown``.

        A merge that met two faster writers counts two conflicts and then one commit.
        """
        return self._open.outcomes.counts()

    def exists(self) -> bool:
        """Whether the table has been made: by `Lakehouse.apply` or by its first merge."""
        return self._open.find() is not None

    @property
    def quarantine(self) -> Quarantine:
        """The records that could not be merged, and wait: list, retry, drop."""
        self._open.refuse_quarantine("has no quarantine of its own")
        self._open.refuse_copy("has no quarantine")
        return Quarantine(
            table=self.name,
            store=self._open.quarantine,
            merge_again=partial(merging.merge_batch, self._open),
            before_write=self._open.before_write,
            before_drop=partial(tending.ensure_free_to_drop, self._open),
        )

    def snapshot(self, *, version: int | None = None) -> Snapshot:
        """The table's state at a version: schema, files, transactions.

        Args:
            version: A version's number; None means the newest.

        Raises:
            TableNotFoundError: The table has not been made yet.
            VersionNotFoundError: The version is not there (any more); the message says which are.
        """
        return self._open.snapshot(version=version)

    def create(self) -> None:
        """Makes the table, empty, from the schema in the config.

        Raises:
            UsageError: The config has no schema for it.
            ConflictError: It is there already.
        """
        merging.create(self._open)

    def merge(
        self,
        changes: Any,
        *,
        source: str | None = None,
        offset: int | None = None,
        source_table: str | None = None,
        allow_deletes: bool = False,
        dry_run: bool = False,
    ) -> MergeResult:
        """Brings a batch of changes into the table in one commit.

        Args:
            changes: Anything with the Arrow PyCapsule stream (pyarrow, polars, pandas, DuckDB), or an
                iterable of dicts or raw events, in the format that the config names.
            source: Where the changes come from; with ``offset``, makes the merge exactly-once.
            offset: How far the source has been read with this batch, at least 0 and rising. A batch whose
                offset is not beyond the one that the table has from this source does nothing.
            source_table: Takes only the events of this table from a stream of several, as ``s.evo``.
            allow_deletes: Format ``snapshot``: the picture may lack any number of the stored rows, whatever
                ``changes.max_deletes`` says.
            dry_run: Counts what would happen and writes nothing.

        Returns:
            Counts that add up to the input, the new version, and what it cost. Records that can't be used
            are counted as ``rejected``, described in ``problems``, and kept in the table's `quarantine`.

        Raises:
            RefusedError: The batch does not fit into memory.
            DataError: The batch as a whole can't be used, or an expectation refuses it; nothing was written.
            UnsupportedFeatureError: The table needs a Delta feature that is not known here.
            ConflictError: Other writers were faster, again and again.
            CommitUnknownError: The commit's answer was lost and could not be looked up.
            CorruptTableError: A file of the table is gone or damaged.
        """
        return merging.merge_changes(
            self._open,
            changes,
            source=source,
            offset=offset,
            source_table=source_table,
            allow_deletes=allow_deletes,
            dry_run=dry_run,
        )

    def merge_files(
        self,
        files: Sequence[str | Path],
        *,
        kind: FileKind | None = None,
        source: str | None = None,
        offset: int | None = None,
        source_table: str | None = None,
        allow_deletes: bool = False,
        dry_run: bool = False,
    ) -> MergeResult:
        """Brings files of changes into the table in one commit.

        Args:
            files: JSON Lines, CSV, Parquet or Arrow files; ``-`` is JSON Lines from standard input,
                perhaps through gzip.
            kind: What is in them (``jsonl``, ``json``, ``csv``, ``parquet``, ``arrow``), whatever their names
                say; also for standard input.
            source: As for `merge`.
            offset: As for `merge`.
            source_table: As for `merge`.
            allow_deletes: As for `merge`.
            dry_run: As for `merge`.

        Returns:
            As for `merge`; ``problems`` name the lines of the files.

        Raises:
            NotFoundError: A file is not there.
            DataError: A file can't be read at all.
        """
        return self.merge(
            merging.records_of_files(self._open, files, kind=kind),
            source=source,
            offset=offset,
            source_table=source_table,
            allow_deletes=allow_deletes,
            dry_run=dry_run,
        )

    def read(
        self,
        *,
        columns: Sequence[str] | None = None,
        where: str | pl.Expr | None = None,
        version: int | None = None,
        timestamp: datetime | str | None = None,
        tag: str | None = None,
        valid_at: Moment | None = None,
        role: str | None = None,
    ) -> pl.DataFrame:
        """Reads rows of a version.

        Args:
            columns: The columns to read; None means all but the control columns ``_sequence``, ``_cells``,
                ``_generation`` and ``_events``.
            where: A condition: SQL text as ``"country = 'DE'"``, or a Polars expression.
            version: A version's number; None means the newest.
            timestamp: The version as of a time with a timezone.
            tag: The version that has this name.
            valid_at: With full history: the rows as they held at this moment of the business, a time or
                whatever the table's sequence is. Goes together with a version: both clocks.
            role: Reads as somebody in this role of the config: its rows only, with masks in place of personal
                data. ``where`` then looks at the masks.

        Returns:
            The rows, in no particular order.

        Raises:
            VersionNotFoundError: The version is not there (any more); the message says which are and why.
            NotFoundError: No such tag, or no such role.
            RefusedError: The role may not read the table.
            UsageError: An unknown column, a time without a timezone, a condition that can't be read.
        """
        picked = reading.pick(self._open, version=version, timestamp=timestamp, tag=tag, role=role)
        return reading.read(self._open, picked, columns=columns, where=where, valid_at=valid_at, role=role)

    def scan(
        self,
        *,
        columns: Sequence[str] | None = None,
        where: str | pl.Expr | None = None,
        version: int | None = None,
        timestamp: datetime | str | None = None,
        tag: str | None = None,
        valid_at: Moment | None = None,
        role: str | None = None,
    ) -> pl.LazyFrame:
        """The same as `read`, lazy: nothing but the log is read until it is collected."""
        picked = reading.pick(self._open, version=version, timestamp=timestamp, tag=tag, role=role)
        return reading.scan(self._open, picked, columns=columns, where=where, valid_at=valid_at, role=role)

    def history(self, *, limit: int | None = None) -> list[HistoryEntry]:
        """What happened to the table, newest first.

        Args:
            limit: At most so many entries; None means all that the log still has.
        """
        return reading.history(self._open, limit=limit)

    def diff(
        self,
        before: int | str,
        after: int | str | None = None,
        *,
        columns: Sequence[str] | None = None,
        role: str | None = None,
    ) -> pl.DataFrame:
        """The rows that differ between two versions.

        Args:
            before: A version's number, or a tag.
            after: Another one, older or younger; None means the newest.
            columns: The columns to show and to compare (the key is always there); None means all.
            role: Compares what somebody in this role of the config sees of both versions: its rows only, with
                masks in place of personal data. What changed behind a mask that stayed is no difference.

        Returns:
            ``_change`` (``insert``, ``update_before``, ``update_after`` or ``delete``) and the columns,
            ordered by key.

        Raises:
            VersionNotFoundError: A version is not there (any more).
            NotFoundError: No such tag, or no such role.
            RefusedError: The role may not read the table.
        """
        return reading.difference(self._open, before, after, columns=columns, role=role)

    def tag(self, name: str, *, version: int | None = None) -> Tag:
        """Names a version; its files stay.

        Args:
            name: Letters, digits, dots, dashes and underscores, not digits alone.
            version: The version; None means the newest.

        Raises:
            UsageError: The name has other characters, or could be taken for a version.
            RefusedError: The name stands for another version already.
            VersionNotFoundError: The version is gone, or a vacuum is about to take it.
        """
        picked = self.snapshot(version=version).version
        return put_tag(
            self._open.lake,
            table=self.name,
            name=name,
            version=picked,
            now=self._open.clock(),
            still_there=partial(refuse_taken, self.storage, picked, table=self.name),
        )

    def tags(self) -> tuple[Tag, ...]:
        """The table's tags, by name."""
        return list_tags(self._open.lake, table=self.name)

    def untag(self, name: str) -> Tag:
        """Takes a name away from its version."""
        return remove_tag(self._open.lake, table=self.name, name=name)

    def restore(
        self,
        *,
        version: int | None = None,
        timestamp: datetime | str | None = None,
        tag: str | None = None,
        dry_run: bool = False,
    ) -> RestorePlan:
        """Makes the table what it was, as a new version; history stays.

        People who were erased do not come back: their rows stay away, and those that the config only empties
        come back empty. What an erasure with ``history: redact`` left of rows in old versions stays away too.
        Files that hold such rows are written anew.

        Args:
            version: The version to go back to; exactly one of the three is needed.
            timestamp: The version as of a time with a timezone.
            tag: The version that has this name.
            dry_run: Only says what would happen.

        Returns:
            The plan; ``version`` is the new version once it is carried out.

        Raises:
            VersionNotFoundError: The version, or one of its files, is gone.
            ProtectedError: A hold keeps the table as it is, or a row that would be lost or changed.
            KeysError: People were erased, and the key is not there by which they are known again.
        """
        return tending.restore(self._open, version=version, timestamp=timestamp, tag=tag, dry_run=dry_run)

    def compact(self, *, dry_run: bool = False) -> CompactPlan:
        """Puts small files together and leaves hidden rows behind; the rows stay the same.

        Args:
            dry_run: Only says what would happen.

        Returns:
            The plan; ``version`` is the new version once it is carried out.
        """
        return tending.compact(self._open, dry_run=dry_run)

    def vacuum(
        self,
        *,
        dry_run: bool = False,
        plan: VacuumPlan | None = None,
        grace: timedelta | str = GRACE,
        step: Step | None = None,
    ) -> VacuumPlan:
        """Takes away the files that no kept version, tag or hold needs, also of the log.

        Which versions are kept say the config's rules with `versions`; without one the table's
        property ``delta.deletedFileRetentionDuration`` does (7 days unless set). Tags and holds always count.

        Args:
            dry_run: Only says what would go.
            plan: A plan that was shown before: nothing goes that is not in it.
            grace: With rules: how long a version stays after another one took its place, as ``1h``, since
                somebody may be reading it.
            step: Called now and then with what is being done, how much of it is done and how much there is.

        Returns:
            The plan; with ``run`` once it is carried out, and then it is what went.

        Raises:
            CorruptTableError: The log can't be read or has a gap; nothing was done.
            RefusedError: A property or a clock makes it unsafe; nothing was done.
            UsageError: The grace is no duration.
            StorageError: The store failed; the next vacuum goes on where this one stopped.
        """
        return tending.vacuum(self._open, dry_run=dry_run, plan=plan, grace=grace, step=step)

    def verify(
        self,
        *,
        version: int | None = None,
        full: bool = False,
        seed: int | None = None,
        repair: bool = False,
        dry_run: bool = False,
        found: VerifyReport | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> VerifyReport:
        """Checks the table as a file system is checked: every file that a version needs, and the whole log.

        The rows of a sample of files are read and compared with their statistics and the table's rules. The
        newest version is also judged by the config's expectations on freshness.

        Args:
            version: A version's number; None means the newest.
            full: Whether every page of every file is decoded, and every checkpoint checked.
            seed: Which files and row groups are read where it is not full; None means the version's own ones.
            repair: Whether to mend what can be mended without losing anything: checkpoints, the hint at them,
                and what the log says of a file's size, rows and statistics. Then it is checked again.
            dry_run: With ``repair``: only check; ``plan`` of the report tells what would be mended.
            found: With ``repair``: the report whose plan is carried out, so that nothing is checked before.
            progress: Called with what is checked, how much of it is done, and how much there is (0: unknown).

        Returns:
            What was checked, what is wrong, what can be mended and what was.

        Raises:
            UsageError: An older version can't be repaired, or something was given that belongs to ``repair``.
            ConflictError: Another writer changed the table during the repair.
        """
        return tending.verify(
            self._open,
            version=version,
            full=full,
            seed=seed,
            repair=repair,
            dry_run=dry_run,
            found=found,
            progress=progress,
        )
