"""Masks the newest version of a table in place: all files are written anew, masked, in one commit.

Others may commit meanwhile: files that are as they were keep what was written for them, files that came or
changed are masked too, and what was written for files that went is taken away. Nothing clear is left in the
new version: not in rows, statistics, folders, the memory of deletes, nor in what the commit says of files
that go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import uuid4

import orjson
import polars as pl

from lakehouse.config.models import Config
from lakehouse.delta.actions import Action, AddFile, CommitInfo, RemoveFile
from lakehouse.delta.checkpoint import forget_removed, write_checkpoint
from lakehouse.delta.data import write_files
from lakehouse.delta.log import Commit
from lakehouse.delta.protocol_changes import with_properties
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import Committed, commit
from lakehouse.errors import ConflictError, LakehouseError, RefusedError
from lakehouse.merge.company import gave_up, pause, winners
from lakehouse.merge.constraints import Rule, rules_of
from lakehouse.merge.tombstones import load_manifest, rewrite
from lakehouse.pii.mask.drop import KIND
from lakehouse.pii.mask.in_place_plan import InPlacePlan, Ready, plan_in_place
from lakehouse.pii.mask.mark import marked
from lakehouse.pii.mask.port import MaskSource
from lakehouse.pii.mask.rows import Distinct, gathered, parts_of
from lakehouse.records import operator
from lakehouse.state.rows import ActionRecord
from lakehouse.timetravel.reading import explaining
from lakehouse.verbs.opened import OpenTable

_TRIES: Final = 20


def mask_in_place(
    table: OpenTable,
    *,
    config: Config,
    masks: MaskSource,
    plan: InPlacePlan | None = None,
    dry_run: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> InPlacePlan:
    """Masks a table in place.

    Args:
        table: The table.
        config: The lake's config.
        masks: Gives the masks of tables.
        plan: A plan that was looked at: no other column is masked, and none in another way.
        dry_run: Only plan.
        sleep: How to wait between tries.

    Returns:
        The plan; with ``version`` once it is carried out.

    Raises:
        RefusedError: The table can't be masked in place, or masked rows would break its rules.
        ProtectedError: A hold keeps it, or some of the rows.
        ConflictError: Others were faster in all tries, or the table is not as the plan says.
        CommitUnknownError: The commit's answer was lost and could not be looked up.
        KeysError: A key is not there.
    """
    table.refuse_quarantine("can't be masked in place")
    table.refuse_copy("is masked already")
    run = _Run(table, config, masks, shown=plan, sleep=sleep)
    if dry_run:
        return run.prepared().plan
    return run.carry_out()


@dataclass(slots=True)
class _Done:
    """What was written for one file, or for the memory of deletes."""

    adds: list[AddFile] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    noted: list[pl.DataFrame] = field(default_factory=list)


@dataclass(slots=True)
class _Run:
    """One run, try after try."""

    table: OpenTable
    config: Config
    masks: MaskSource
    shown: InPlacePlan | None
    sleep: Callable[[float], None]
    kept: str | None = None
    _files: dict[tuple[str, str | None], _Done] = field(default_factory=dict)
    _base: Snapshot | None = None
    _distinct: Distinct = field(default_factory=lambda: Distinct(()))

    def prepared(self) -> Ready:
        """The plan for the newest version.

        Raises:
            ConflictError: It is another one than was shown.
        """
        ready = plan_in_place(self.table, self.table.snapshot(), config=self.config, masks=self.masks)
        shown = self.shown
        if shown is not None and not ready.plan.changes_nothing and ready.plan.digest != shown.digest:
            raise ConflictError(
                f"table {self.table.name}: what would be masked is not what the plan of version "
                f"{shown.read_version} says (version {ready.plan.read_version} now); nothing was done",
                advice="plan again, look at it, and carry that out",
            )
        return ready

    def carry_out(self) -> InPlacePlan:
        """Does it."""
        winner: Commit | None = None
        try:
            for attempt in range(1, _TRIES + 1):
                ready = self.prepared()
                if ready.plan.changes_nothing:
                    self._clean_up()
                    return ready.plan
                if attempt == 1:
                    self._keep(ready.plan)
                done = self._attempt(ready)
                if done is not None:
                    return done
                found = winners(self.table.storage, since=ready.snapshot, until=self.table.snapshot())
                winner = found[-1] if found else winner
                self.sleep(pause(attempt))
            raise gave_up(self.table.name, tries=_TRIES, winner=winner)
        except (RefusedError, ConflictError):
            self._clean_up()
            raise

    def _keep(self, plan: InPlacePlan) -> None:
        self.table.before_write()
        self.kept = self.table.records.plan(
            kind=KIND,
            versions={plan.table: plan.read_version},
            digest=plan.digest,
            document=plan.to_dict(),
            now=self.table.clock(),
        )

    def _attempt(self, ready: Ready) -> InPlacePlan | None:
        """One try to commit. None where another writer was faster, or a hold came."""
        table, snapshot = self.table, ready.snapshot
        now_ms = int(table.clock().timestamp() * 1000)
        memory = _Done()
        try:
            with explaining(table.storage, snapshots=(snapshot,), table=table.name):
                self._mask_files(ready)
            self._distinct.ensure(table.name)
            head, tail = self._head(ready), self._memory(ready, memory, now_ms=now_ms)
            held = table.protection() != ready.protection
        except BaseException:
            self._delete(memory.written)
            self._clean_up()
            raise
        if held:
            # A hold came while files were written: look at everything again.
            self._delete(memory.written)
            return None
        adds = [add for each in self._files.values() for add in each.adds]
        removes = [_removed(add, ready, now_ms=now_ms) for add in snapshot.files.values()]
        run = str(uuid4())
        outcome = commit(
            table.storage,
            version=snapshot.version + 1,
            actions=[*head, *removes, *adds, *tail],
            commit_info=_commit_info(ready.plan, snapshot, adds, run=run),
            base=snapshot,
            now_ms=lambda: now_ms,
        )
        if not isinstance(outcome, Committed):
            self._delete(memory.written)
            return None
        self._look_after(snapshot, outcome)
        done = replace(ready.plan, version=outcome.version, bytes_written=sum(add.size for add in adds))
        return self._recorded(done, run=run)

    def _mask_files(self, ready: Ready) -> None:
        """Writes what is not written yet, and takes away what was written for files that are gone."""
        snapshot, base = ready.snapshot, self._base
        if base is None or base.metadata != snapshot.metadata or base.protocol != snapshot.protocol:
            self._clean_up()
            touched = set(ready.masker.columns)
            key = self.table.config.key
            self._distinct = Distinct(key if touched & set(key) else ())
        self._base = snapshot
        living = {add.key for add in snapshot.files.values()}
        for known in [known for known in self._files if known not in living]:
            gone = self._files.pop(known)
            self._distinct.forget(gone.noted)
            self._delete(gone.written)
        rules = [
            rule
            for rule in rules_of(snapshot.schema, snapshot.configuration)
            if set(rule.columns) & set(ready.masker.columns)
        ]
        for add in snapshot.files.values():
            if add.key not in self._files:
                done = self._files[add.key] = _Done()
                self._mask_file(add, ready, done, rules=rules)

    def _mask_file(self, add: AddFile, ready: Ready, done: _Done, *, rules: Sequence[Rule]) -> None:
        storage, snapshot = self.table.storage, ready.snapshot

        def parts() -> Iterator[pl.DataFrame]:
            for rows in parts_of(storage, snapshot, add, columns=snapshot.schema.names):
                found = ready.masker.mask(rows)
                noted = self._distinct.note(rows, found)
                done.noted += [noted] if noted is not None else []
                _check(found, rules, ready)
                yield found

        for rows in gathered(parts()):
            for new in write_files(storage, rows, schema=snapshot.schema, metadata=snapshot.metadata):
                done.adds.append(new)
                path = new.relative_path(storage.url)
                done.written += [path] if path is not None else []

    def _head(self, ready: Ready) -> list[Action]:
        metadata = with_properties(ready.snapshot.metadata, marked(ready.plan.marks))
        return [metadata] if metadata is not ready.snapshot.metadata else []

    def _memory(self, ready: Ready, done: _Done, *, now_ms: int) -> list[Action]:
        """The memory of deletes with masked keys."""
        storage = self.table.storage
        manifest = load_manifest(storage, ready.snapshot)
        pointer = rewrite(storage, manifest, ready.masks.apply, now_ms=now_ms, written=done.written)
        return [pointer] if pointer is not None else []

    def _clean_up(self) -> None:
        """Takes away what was written for commits that did not happen; what stays is an orphan for vacuum."""
        for done in self._files.values():
            self._delete(done.written)
        self._files.clear()

    def _delete(self, paths: Sequence[str]) -> None:
        with suppress(LakehouseError):
            self.table.storage.delete(list(paths))

    def _look_after(self, base: Snapshot, done: Committed) -> None:
        """Makes a checkpoint, so that the log can begin here. The work is done, whatever fails now.

        Commits and checkpoints before this version have clear values in their statistics, and a vacuum can
        take them only where a checkpoint comes after them.
        """
        with suppress(LakehouseError):
            after = load_snapshot(self.table.storage, base=base, known={done.version: done.content})
            self.table.newest.remember(after)
        if write_checkpoint(self.table.storage, done.version).made:
            forget_removed(self.table.storage, done.version)

    def _recorded(self, done: InPlacePlan, *, run: str) -> InPlacePlan:
        record = ActionRecord(
            kind=KIND,
            action="mask",
            table=done.table,
            at=self.table.clock(),
            author=operator(),
            plan=self.kept,
            version_before=None if done.version is None else done.version - 1,
            version_after=done.version,
            rows=done.rows,
            files=done.files,
            bytes=done.bytes,
            detail={
                "run": run,
                "columns": {each.path: list(each.operators) for each in done.columns},
            },
        )
        try:
            self.table.records.add([record])
        except LakehouseError as error:
            # The rows are masked all the same; the table's log says so too.
            note = f"what was done could not be recorded: {error.message}"
            return replace(done, notes=(*done.notes, note))
        return done


def _check(rows: pl.DataFrame, rules: Sequence[Rule], ready: Ready) -> None:
    table, snapshot = ready.plan.table, ready.snapshot
    for rule in rules:
        holds = rule.holds(rows)
        if holds is None or not holds.fill_null(value=False).all():
            raise RefusedError(
                f"table {table}: masked rows would break a rule of the table ({rule.misfit.detail}); nothing "
                "was done",
                advice="choose an operator whose masks keep it, as `replace` with a `new_value`",
            )
    for name in snapshot.partition_columns:
        if name in ready.masker.columns and rows.schema[name] == pl.String and (rows[name] == "").any():
            raise RefusedError(
                f"table {table}: partition column {name} would become empty, which Delta takes for null; "
                "nothing was done",
                advice="choose an operator that leaves a text, as `replace`",
            )


def _removed(add: AddFile, ready: Ready, *, now_ms: int) -> RemoveFile:
    """What the commit says of an old file: nothing of what is in it."""
    gone = replace(add.remove(at_ms=now_ms), stats=None, tags=None)
    if set(ready.masker.columns) & set(ready.snapshot.partition_columns):
        return replace(gone, partition_values=None, extended_file_metadata=None)
    return gone


def _commit_info(plan: InPlacePlan, snapshot: Snapshot, adds: Sequence[AddFile], *, run: str) -> CommitInfo:
    """What the log says: columns, operators and counts, never a value."""
    columns = [{"path": each.path, "operators": list(each.operators)} for each in plan.columns]
    return CommitInfo(
        operation="UPDATE",
        operation_parameters={"mask": orjson.dumps(columns).decode()},
        operation_metrics={
            "numUpdatedRows": plan.rows,
            "numAddedFiles": len(adds),
            "numRemovedFiles": len(snapshot.files),
            "numAddedBytes": sum(add.size for add in adds),
        },
        txn_id=run,
        read_version=snapshot.version,
        is_blind_append=False,
    )
