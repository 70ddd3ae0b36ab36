"""A table of the lake: one verb a method, each handed on to the room that does it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.changes import SEQUENCE
from lakehouse.cdc.formats import normalize, settings_of
from lakehouse.cdc.room import TIMES_FILES, TIMES_ROWS, ensure_room, free_memory, size_of
from lakehouse.cdc.sources import FileKind, read_files
from lakehouse.cdc.timeline import EVENTS, VALID_FROM
from lakehouse.config.models import TableConfig
from lakehouse.delta.data import scan_table
from lakehouse.delta.features import ensure_readable
from lakehouse.delta.log import commits
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.vacuum_notes import read_notes, refuse_taken
from lakehouse.delta.versions import commit_times, earliest_commit, earliest_version
from lakehouse.errors import CorruptTableError, TableNotFoundError, UsageError
from lakehouse.maintenance.after_merge import compact_after_merge
from lakehouse.maintenance.compact import compact
from lakehouse.maintenance.compact_plan import CompactPlan
from lakehouse.maintenance.freshness import Freshness, freshness
from lakehouse.maintenance.vacuum import Memory, Step, VacuumPlan, VacuumTarget, silent, vacuum
from lakehouse.maintenance.vacuum.rules import GRACE, grace_of, rules_of
from lakehouse.maintenance.verify import VerifyReport, unreadable, verify
from lakehouse.merge.company import Outcomes
from lakehouse.merge.offset import Offset
from lakehouse.merge.quarantine import Keeping, QuarantineStore
from lakehouse.merge.result import QUARANTINE, MergeResult
from lakehouse.merge.run import merge
from lakehouse.merge.tables import declared_schema, make_table
from lakehouse.merge.target import BatchStep, Clock, MergeTarget, utc_now
from lakehouse.merge.timer import Timer
from lakehouse.merge.tombstones import APP_ID as TOMBSTONES
from lakehouse.merge.tombstones import FOLDER as TOMBSTONES_FOLDER
from lakehouse.merge.tombstones import files_of
from lakehouse.protection import Protection
from lakehouse.quarantine import Quarantine
from lakehouse.storage import Storage
from lakehouse.timetravel.damage import naming_damage
from lakehouse.timetravel.diff import diff
from lakehouse.timetravel.history import HistoryEntry, entry, why_gone
from lakehouse.timetravel.reading import collect, explaining, filtered
from lakehouse.timetravel.resolve import checked_version, resolve
from lakehouse.timetravel.restore import RestorePlan, restore
from lakehouse.timetravel.tags import Tag, list_tags, put_tag, remove_tag, versions_of
from lakehouse.timetravel.valid import Moment
from lakehouse.timetravel.valid import valid_at as rows_valid_at

CONTROL_COLUMNS = frozenset({SEQUENCE, CELLS, EVENTS})
"""Columns that are stored beside the rows and shown only when they are asked for by name."""


def _anything_goes() -> None:
    """Looks at no store."""


class Table:
    """One table of the lake. Made by `Lakehouse.table`; can be used from many threads.

    Args:
        name: Its name in the config.
        config: Its section of the config.
        storage: Its folder.
        lake: The lake's root, where tags and the quarantine are.
        steps: What a batch passes on its way into a merge.
        clock: Gives the time, timezone-aware.
        before_write: Called before anything is written: refuses a store that can lose commits.
    """

    def __init__(
        self,
        *,
        name: str,
        config: TableConfig,
        storage: Storage,
        lake: Storage,
        steps: Sequence[BatchStep] = (),
        clock: Clock = utc_now,
        before_write: Callable[[], None] = _anything_goes,
    ) -> None:
        self.name = name
        self.config = config
        self.storage = storage
        self._lake = lake
        self._steps = tuple(steps)
        self._clock = clock
        self._before_write = before_write
        self._outcomes = Outcomes()
        self._lock = threading.Lock()
        self._known: Snapshot | None = None
        beside = f"{name}{QUARANTINE}"
        self._quarantine = QuarantineStore(beside, lake.child(beside), clock)

    def __getstate__(self) -> dict[str, Any]:
        # Another process, or a copy, has its own lock and finds out itself what the newest version is.
        return {name: value for name, value in self.__dict__.items() if name not in {"_lock", "_known"}}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()
        self._known = None

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {self.storage.url!r})"

    @property
    def outcomes(self) -> dict[str, int]:
        """How the commits of this object's merges went: ``committed``, ``conflicted``, ``unknown``.

        A merge that met two faster writers counts two conflicts and then one commit.
        """
        return self._outcomes.counts()

    def exists(self) -> bool:
        """Whether the table has been made: by `Lakehouse.apply` or by its first merge."""
        return self._newest() is not None

    @property
    def quarantine(self) -> Quarantine:
        """The records that could not be merged, and wait: list, retry, drop."""
        return Quarantine(
            table=self.name,
            store=self._quarantine,
            merge_again=self._merge,
            before_write=self._before_write,
        )

    def snapshot(self, *, version: int | None = None) -> Snapshot:
        """The table's state at a version: schema, files, transactions.

        Args:
            version: A version's number; None means the newest.

        Raises:
            TableNotFoundError: The table has not been made yet.
            VersionNotFoundError: The version is not there (any more); the message says which are.
        """
        newest = self._newest()
        if newest is None:
            raise TableNotFoundError(
                f"table {self.name} has not been made yet ({self.storage.url})",
                advice="`apply` makes it from the schema in the config, or the first merge from its rows",
            )
        return newest if version is None else self._at(newest, checked_version(version, table=self.name))

    def create(self) -> None:
        """Makes the table, empty, from the schema in the config.

        Raises:
            UsageError: The config has no schema for it.
            ConflictError: It is there already.
        """
        columns = self.config.column_schema
        if not columns:
            raise UsageError(
                f"the config has no schema for table {self.name}", advice="add one, or merge a first batch"
            )
        self._before_write()
        make_table(self._target(), declared_schema(columns))

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
        if (source is None) != (offset is None):
            raise UsageError(
                "source and offset belong together", advice="give both for exactly-once, or none"
            )
        # Reading comes first: some stores make a bucket of any name as soon as something is written to it.
        known = self._newest()
        if not dry_run:
            self._before_write()
        return self._merge(
            changes,
            source_table=source_table,
            offset=None if source is None or offset is None else Offset(source=source, position=offset),
            rejects=Keeping(store=self._quarantine, source=source, offset=offset, source_table=source_table),
            allow_deletes=allow_deletes,
            dry_run=dry_run,
            known=known,
        )

    def _merge(
        self,
        changes: Any,
        *,
        source_table: str | None = None,
        offset: Offset | None = None,
        rejects: Keeping | None = None,
        allow_deletes: bool = False,
        dry_run: bool = False,
        known: Snapshot | None = None,
    ) -> MergeResult:
        """Merges; without a place for rejected records, these are from the quarantine itself."""
        known = known or self._newest()
        timer = Timer()
        with timer.phase("normalize"):
            settings = settings_of(
                self.config, source_table=source_table, stored=known.schema if known else None
            )
            batch = normalize(changes, format=self.config.changes.format, settings=settings)
            if rejects is None:
                # Single rows of a full picture say nothing of those that are not among them.
                batch = replace(batch, full=False)
        rows = batch.frame.estimated_size()
        ensure_room(int(rows), times=TIMES_ROWS, table=self.name, free=free_memory())
        with naming_damage(self.storage, snapshots=[known] if known else [], table=self.name):
            result, after = merge(
                self._target(allow_deletes=allow_deletes, rejects=rejects),
                batch,
                snapshot=known,
                offset=offset,
                dry_run=dry_run,
                timer=timer,
            )
        if after is not None:
            self._remember(after)
        return self._compacted(result, after, timer) if after is not None and result.committed else result

    def _compacted(self, result: MergeResult, snapshot: Snapshot, timer: Timer) -> MergeResult:
        """Puts small files together after a merge, if the config asks for it."""
        if self.config.compact.after is None:
            return result
        with timer.phase("compact"):
            done = compact_after_merge(
                self.storage,
                snapshot,
                table=self.name,
                after=self.config.compact.after,
                cluster_by=self._cluster_by,
                clock=self._clock,
            )
        if done is None:
            return replace(result, seconds=timer.seconds)
        return replace(
            result,
            seconds=timer.seconds,
            files_compacted=done.files_removed,
            compacted_version=done.version,
        )

    @property
    def _cluster_by(self) -> tuple[str, ...]:
        return tuple(self.config.compact.cluster_by or self.config.key)

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
        if isinstance(files, str | Path):
            raise UsageError("files is a list of paths", advice=f"write [{str(files)!r}]")
        ensure_room(size_of(files), times=TIMES_FILES, table=self.name, free=free_memory())
        records = read_files([Path(file) for file in files], kind=kind)
        return self.merge(
            records,
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
    ) -> pl.DataFrame:
        """Reads rows of a version.

        Args:
            columns: The columns to read; None means all but the control columns ``_sequence``, ``_cells`` and
                ``_events``.
            where: A condition: SQL text as ``"country = 'DE'"``, or a Polars expression.
            version: A version's number; None means the newest.
            timestamp: The version as of a time with a timezone.
            tag: The version that has this name.
            valid_at: With full history: the rows as they held at this moment of the business, a time or
                whatever the table's sequence is. Goes together with a version: both clocks.

        Returns:
            The rows, in no particular order.

        Raises:
            VersionNotFoundError: The version is not there (any more); the message says which are and why.
            NotFoundError: No such tag.
            UsageError: An unknown column, a time without a timezone, a condition that can't be read.
        """
        picked = self._pick(version, timestamp, tag)
        lazy = self._lazy(picked, columns=columns, where=where, moment=valid_at)
        return collect(lazy, storage=self.storage, snapshot=picked, table=self.name)

    def scan(
        self,
        *,
        columns: Sequence[str] | None = None,
        where: str | pl.Expr | None = None,
        version: int | None = None,
        timestamp: datetime | str | None = None,
        tag: str | None = None,
        valid_at: Moment | None = None,
    ) -> pl.LazyFrame:
        """The same as `read`, lazy: nothing but the log is read until it is collected."""
        picked = self._pick(version, timestamp, tag)
        return self._lazy(picked, columns=columns, where=where, moment=valid_at)

    def history(self, *, limit: int | None = None) -> list[HistoryEntry]:
        """What happened to the table, newest first.

        Args:
            limit: At most so many entries; None means all that the log still has.
        """
        newest = self.snapshot().version
        first = max(earliest_commit(self.storage), newest - limit + 1 if limit is not None else 0)
        tags = self.tags()
        made = commit_times(self.storage)
        oldest, notes = earliest_version(self.storage), read_notes(self.storage)
        found = [
            entry(
                commit,
                made_ms=made(commit),
                tags=tags,
                gone=why_gone(commit.version, first=oldest, notes=notes),
            )
            for commit in commits(self.storage, start=first, end=newest)
        ]
        return found[::-1]

    def diff(
        self, before: int | str, after: int | str | None = None, *, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """The rows that differ between two versions.

        Args:
            before: A version's number, or a tag.
            after: Another one, older or younger; None means the newest.
            columns: The columns to show and to compare (the key is always there); None means all.

        Returns:
            ``_change`` (``insert``, ``update_before``, ``update_after`` or ``delete``) and the columns,
            ordered by key.
        """
        old = self._pick_named(before)
        new = self._pick_named(after)
        shown = self._shown(new, columns) + [
            c for c in self._shown(old, columns) if c not in new.schema.names
        ]
        key = self.config.key
        if key and all(VALID_FROM in side.schema for side in (old, new)):
            key = (*key, VALID_FROM)
        if columns is not None:
            known = [name for name in key if name in new.schema or name in old.schema]
            shown = list(dict.fromkeys([*known, *shown]))
        for side in (old, new):
            ensure_readable(side)
        with explaining(self.storage, snapshots=(old, new), table=self.name):
            return diff(self.storage, before=old, after=new, key=key, columns=shown)

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
            self._lake,
            table=self.name,
            name=name,
            version=picked,
            now=self._clock(),
            still_there=lambda: refuse_taken(self.storage, picked, table=self.name),
        )

    def tags(self) -> tuple[Tag, ...]:
        """The table's tags, by name."""
        return list_tags(self._lake, table=self.name)

    def untag(self, name: str) -> Tag:
        """Takes a name away from its version."""
        return remove_tag(self._lake, table=self.name, name=name)

    def restore(
        self,
        *,
        version: int | None = None,
        timestamp: datetime | str | None = None,
        tag: str | None = None,
        dry_run: bool = False,
    ) -> RestorePlan:
        """Makes the table what it was, as a new version; history stays.

        Args:
            version: The version to go back to; exactly one of the three is needed.
            timestamp: The version as of a time with a timezone.
            tag: The version that has this name.
            dry_run: Only says what would happen.

        Returns:
            The plan; ``version`` is the new version once it is carried out.

        Raises:
            VersionNotFoundError: The version, or one of its files, is gone.
        """
        if version is None and timestamp is None and tag is None:
            raise UsageError("restore needs to know where to", advice="give a version, a timestamp or a tag")
        target = self._pick(version, timestamp, tag)
        if not dry_run:
            self._before_write()
        return restore(
            self.storage,
            table=self.name,
            current=self.snapshot(),
            target=target,
            carried=(TOMBSTONES,),
            now=self._clock(),
            dry_run=dry_run,
        )

    def compact(self, *, dry_run: bool = False) -> CompactPlan:
        """Puts small files together and leaves hidden rows behind; the rows stay the same.

        Args:
            dry_run: Only says what would happen.

        Returns:
            The plan; ``version`` is the new version once it is carried out.
        """
        if not dry_run:
            self._before_write()
        newest = self.snapshot()
        with naming_damage(self.storage, snapshots=[newest], table=self.name):
            return compact(
                self.storage,
                newest,
                table=self.name,
                clock=self._clock,
                cluster_by=self._cluster_by,
                dry_run=dry_run,
            )

    def vacuum(
        self,
        *,
        dry_run: bool = False,
        plan: VacuumPlan | None = None,
        grace: timedelta | str = GRACE,
        protection: Callable[[], Protection] | None = None,
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
            protection: Gives the holds on the table; asked again right before anything goes.
            step: Called now and then with what is being done, how much of it is done and how much there is.

        Returns:
            The plan; with ``run`` once it is carried out, and then it is what went.

        Raises:
            CorruptTableError: The log can't be read or has a gap; nothing was done.
            RefusedError: A property or a clock makes it unsafe; nothing was done.
            UsageError: The grace is no duration.
            StorageError: The store failed; the next vacuum goes on where this one stopped.
        """
        if not dry_run:
            self._before_write()
        self.snapshot()
        rules, orphans = rules_of(self.config.retention)
        target = VacuumTarget(
            name=self.name,
            storage=self.storage,
            rules=rules,
            orphans=orphans,
            grace=grace_of(grace),
            tags=lambda: versions_of(self.tags()),
            protection=protection or (lambda: Protection(self.name)),
            memory=Memory(TOMBSTONES, TOMBSTONES_FOLDER, lambda number: files_of(self.storage, number)),
            clock=self._clock,
        )
        return vacuum(target, dry_run=dry_run, shown=plan, step=step or silent)

    def verify(self, *, version: int | None = None) -> VerifyReport:
        """Opens every file that a version needs and checks it against the log.

        The newest version is also judged by the config's expectations on freshness.

        Args:
            version: A version's number; None means the newest.

        Returns:
            What was checked and what is wrong.
        """
        try:
            snapshot = self.snapshot(version=version)
        except CorruptTableError as error:
            return unreadable(error, table=self.name)
        fresh: tuple[Freshness, ...] = ()
        if version is None:
            fresh = freshness(self.storage, snapshot, self.config.expect, now=self._clock())
        return verify(self.storage, snapshot, table=self.name, fresh=fresh)

    def _target(self, *, allow_deletes: bool = False, rejects: Keeping | None = None) -> MergeTarget:
        return MergeTarget(
            name=self.name,
            storage=self.storage,
            config=self.config,
            steps=self._steps,
            clock=self._clock,
            rejects=rejects,
            allow_deletes=allow_deletes,
            outcomes=self._outcomes,
        )

    def _newest(self) -> Snapshot | None:
        """The newest version, reading only what is new; None where the table has not been made."""
        with self._lock:
            base = self._known
        try:
            found = load_snapshot(self.storage, base=base)
        except TableNotFoundError:
            return None
        self._remember(found)
        return found

    def _remember(self, snapshot: Snapshot) -> None:
        with self._lock:
            known = self._known
            # A table that was made anew counts its versions from 0 again.
            if (
                known is None
                or known.version <= snapshot.version
                or known.metadata.id != snapshot.metadata.id
            ):
                self._known = snapshot

    def _at(self, newest: Snapshot, version: int) -> Snapshot:
        return newest if version == newest.version else load_snapshot(self.storage, version=version)

    def _pick(self, version: int | None, timestamp: datetime | str | None, tag: str | None) -> Snapshot:
        newest = self.snapshot()
        picked = resolve(
            self.storage, self._lake, table=self.name, version=version, timestamp=timestamp, tag=tag
        )
        return newest if picked is None else self._at(newest, picked)

    def _pick_named(self, name: int | str | None) -> Snapshot:
        return self._pick(None, None, name) if isinstance(name, str) else self._pick(name, None, None)

    def _shown(self, snapshot: Snapshot, columns: Sequence[str] | None) -> list[str]:
        names = snapshot.schema.names
        if columns is None:
            return _without_control(names)
        if isinstance(columns, str):
            raise UsageError(f"columns is a list of names, not a text: [{columns!r}]")
        unknown = [name for name in columns if name not in names]
        if unknown:
            raise UsageError(
                f"table {self.name} has no column {', '.join(map(str, unknown))}",
                advice=f"its columns are: {', '.join(_without_control(names))}",
            )
        return list(dict.fromkeys(columns))

    def _lazy(
        self,
        snapshot: Snapshot,
        *,
        columns: Sequence[str] | None,
        where: str | pl.Expr | None,
        moment: Moment | None = None,
    ) -> pl.LazyFrame:
        shown = self._shown(snapshot, columns)
        ensure_readable(snapshot)
        with naming_damage(self.storage, snapshots=[snapshot], table=self.name):
            lazy = scan_table(self.storage, snapshot)
        if moment is not None:
            lazy = rows_valid_at(lazy, moment, table=self.name)
        if where is not None:
            lazy = filtered(lazy, where, table=self.name, shown=self._shown(snapshot, None))
        return lazy.select(shown)


def _without_control(names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in CONTROL_COLUMNS]
