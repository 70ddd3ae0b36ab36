"""Archives: rows are copied to another place, read back and compared there, and only then leave the table.

An archive is a folder ``<to>/<table>/<id>/`` with Parquet files and one of two documents: ``pending.json``,
from the moment when the files are whole until the commit that takes the rows out of the table is known to
have happened, then ``manifest.json``. Without either it is what a crash left, and means nothing.

Whoever finds a pending archive asks the table's log. Its commit is there: the archive is finished. Its commit
can't be there any more, since another one has its number (`ARCHIVES`, of which each number can be had
once): the archive is discarded. Else nobody knows yet, and it is left alone.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import uuid4

import polars as pl

from lakehouse.cdc.generations import PROPERTY
from lakehouse.config.moments import iso
from lakehouse.delta.log import commits
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError, StorageError
from lakehouse.retention.manifest import MANIFEST, PENDING, ArchivedFile, Manifest, read_manifest
from lakehouse.retention.plan import RulePlan, TableRetention
from lakehouse.retention.target import RetentionTarget
from lakehouse.retention.work import RuleWork, TableWork
from lakehouse.retention.writing import ARCHIVES, archive_number, rows_of
from lakehouse.storage import Storage

LEFTOVER_AGE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PendingArchive:
    """An archive whose rows are still in the table.

    Args:
        place: The folder of the table's archives.
        manifest: What it will say.
    """

    place: Storage
    manifest: Manifest

    @property
    def id(self) -> str:
        """Its id."""
        return self.manifest.id

    @property
    def rows(self) -> int:
        """Its rows."""
        return self.manifest.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveEntry:
    """An archive as a listing shows it.

    Args:
        state: ``complete``, or ``pending``: nobody knows yet whether its rows have left the table.
        url: Its folder.
        manifest: What it says.
    """

    state: Literal["complete", "pending"]
    url: str
    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Archiver:
    """Writes archives and looks after them.

    Args:
        lake: The lake's name.
        place: From ``to`` and a table to the folder of its archives; refuses impossible places.
    """

    lake: str
    place: Callable[[str, str], Storage]

    def write(
        self, target: RetentionTarget, plan: TableRetention, work: TableWork, *, run: str, now: datetime
    ) -> list[PendingArchive]:
        """Copies the rows of all rules that archive, and makes sure that they have arrived.

        Args:
            target: The table.
            plan: Its plan.
            work: What it takes.
            run: The ``txnId`` of the commit to come.
            now: The time.

        Raises:
            StorageError: The store failed, or gave back something else than was written.
        """
        plans = {each.rule: each for each in plan.rules}
        done: list[PendingArchive] = []
        try:
            for each in work.rules:
                if each.ready.rule.action == "archive" and (each.whole or each.rows):
                    rule_plan = plans[each.ready.rule.name]
                    done.append(self._write_one(target, rule_plan, work, each, run=run, now=now))
        except BaseException:
            self.discard(done)
            raise
        return done

    def _write_one(
        self,
        target: RetentionTarget,
        plan: RulePlan,
        work: TableWork,
        each: RuleWork,
        *,
        run: str,
        now: datetime,
    ) -> PendingArchive:
        place = self.place(str(each.ready.rule.to), target.name)
        stamp = now.astimezone(UTC)
        id_ = f"{stamp:%Y%m%dT%H%M%SZ}-{uuid4().hex[:12]}"
        folder = place.child(id_)
        files: list[ArchivedFile] = []
        tried = [PENDING]
        try:
            for number, rows in enumerate(rows_of(target.storage, work, each)):
                tried.append(f"part-{number:05}.parquet")
                files.append(_write_part(folder, tried[-1], rows))
            count = sum(file.rows for file in files)
            if count != plan.rows:
                raise StorageError(
                    f"table {target.name}: {count:,} rows were read for the archive where the plan has "
                    f"{plan.rows:,}; nothing was taken out of the table",
                    advice="`lakehouse verify` says whether the table's statistics are true",
                )
            manifest = Manifest(
                id=id_,
                lake=self.lake,
                table=target.name,
                table_id=work.snapshot.metadata.id,
                rule=plan.rule,
                column=plan.column,
                cutoff=plan.cutoff,
                created=iso(stamp),
                rows=count,
                oldest=plan.oldest,
                newest=plan.newest,
                files=tuple(files),
                schema=json.loads(work.snapshot.metadata.schema_string),
                columns=work.snapshot.configuration.get(PROPERTY, ""),
                read_version=work.snapshot.version,
                run=run,
                number=archive_number(work.snapshot),
            )
            folder.put(PENDING, manifest.to_json())
        except BaseException:
            with suppress(LakehouseError):
                folder.delete(tried[::-1])
            raise
        return PendingArchive(place, manifest)

    def finish(self, archives: Sequence[PendingArchive], *, version: int) -> None:
        """Notes that the rows are out of the table. Where that fails, whoever lists the archives does it."""
        for each in archives:
            with suppress(LakehouseError):
                _finish(each.place, each.manifest, version)

    def discard(self, archives: Sequence[PendingArchive]) -> None:
        """Takes archives away whose rows certainly stay in the table."""
        for each in archives:
            with suppress(LakehouseError):
                _discard(each.place, each.manifest)


def settle_archives(place: Storage, snapshot: Snapshot, *, table: str, storage: Storage) -> None:
    """Finishes or discards pending archives, as far as the table's log tells.

    Args:
        place: The folder of its archives.
        snapshot: The table's newest version.
        table: The table.
        storage: The table's folder.
    """
    for entry in list_archives(place, table=table):
        if entry.state == "pending":
            _settle(place, entry.manifest, snapshot, storage=storage)


def list_archives(place: Storage, *, table: str) -> list[ArchiveEntry]:
    """The archives in a place, the oldest first.

    Args:
        place: The folder of a table's archives.
        table: The table; archives that say they are of another are left out.

    Raises:
        CorruptTableError: A manifest can't be read.
    """
    documents: dict[str, str] = {}
    for item in place.list():
        folder, _, name = item.path.rpartition("/")
        if name == MANIFEST or (name == PENDING and folder not in documents):
            documents[folder] = name
    found: list[ArchiveEntry] = []
    for folder, name in sorted(documents.items()):
        manifest = read_manifest(place, f"{folder}/{name}")
        if manifest.table == table:
            state: Literal["complete", "pending"] = "complete" if name == MANIFEST else "pending"
            found.append(ArchiveEntry(state=state, url=f"{place.url}/{folder}", manifest=manifest))
    return found


def clear_leftovers(place: Storage, *, now: datetime) -> int:
    """Takes away what crashes left: folders with neither manifest, of whose files all are a day old.

    Args:
        place: The folder of a table's archives.
        now: The time.

    Returns:
        How many files went.
    """
    folders: dict[str, list[str]] = {}
    kept: set[str] = set()
    for item in place.list():
        folder, _, name = item.path.rpartition("/")
        folders.setdefault(folder, []).append(item.path)
        if name in {MANIFEST, PENDING} or now - item.modified < LEFTOVER_AGE or not name.startswith("part-"):
            kept.add(folder)
    gone = [path for folder, paths in folders.items() if folder not in kept for path in paths]
    place.delete(gone)
    return len(gone)


def _write_part(folder: Storage, path: str, rows: pl.DataFrame) -> ArchivedFile:
    """Writes a file, reads it back, and compares every row."""
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd", compression_level=3)
    data = buffer.getvalue()
    folder.put(path, data)
    back = folder.get(path)
    found = pl.read_parquet(io.BytesIO(back), glob=False) if back == data else pl.DataFrame()
    if found.schema != rows.schema or not found.equals(rows):
        raise StorageError(
            f"the archive {folder.url}/{path} does not hold the rows that were written to it; nothing was "
            "taken out of the table",
            advice="try again; if it happens again, the store loses data",
        )
    return ArchivedFile(path=path, rows=rows.height, size=len(data), sha256=hashlib.sha256(data).hexdigest())


def _settle(place: Storage, manifest: Manifest, snapshot: Snapshot, *, storage: Storage) -> None:
    last = snapshot.transactions.get(ARCHIVES)
    if last is None or last.version < manifest.number or snapshot.metadata.id != manifest.table_id:
        # Its writer may be about to commit.
        return
    try:
        later = list(commits(storage, start=manifest.read_version + 1, end=snapshot.version))
    except LakehouseError:
        # The log does not reach back so far.
        return
    if [each.version for each in later] != list(range(manifest.read_version + 1, snapshot.version + 1)):
        return
    version = next((c.version for c in later if c.info is not None and c.info.txn_id == manifest.run), None)
    if version is not None:
        _finish(place, manifest, version)
    else:
        _discard(place, manifest)


def _finish(place: Storage, manifest: Manifest, version: int) -> None:
    folder = place.child(manifest.id)
    folder.put(MANIFEST, manifest.done(version).to_json())
    folder.delete([PENDING])


def _discard(place: Storage, manifest: Manifest) -> None:
    folder = place.child(manifest.id)
    # The document last: whoever is interrupted here leaves something that is found again.
    folder.delete([file.path for file in manifest.files])
    folder.delete([PENDING])
