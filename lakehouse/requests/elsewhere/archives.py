"""People in the archives of a table: found and taken out as in a table, and each archive stays whole.

An archive is Parquet files and a document that names them (`lakehouse.retention.archive`). To `find` it looks
like a table with one version, so the rules, the holds and what becomes of rows are those of the table. Its
files are written anew: first the new ones, then the document that names them and says which ones they
replace, then those go. Killed anywhere, it can be restored from, and the next run ends what was begun.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from lakehouse.delta.actions import AddFile, Metadata, Protocol
from lakehouse.delta.exact import column
from lakehouse.delta.paths import encode_path
from lakehouse.delta.scan import scan_files
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import ConflictError, CorruptTableError, LakehouseError, NotFoundError
from lakehouse.maintenance.vacuum.leftovers import staging_files
from lakehouse.requests.erase import Erased, ensure_free, write_rest
from lakehouse.requests.find import Found, find
from lakehouse.requests.locate import FILE
from lakehouse.requests.past import Past, PastFile
from lakehouse.requests.people import People, Place
from lakehouse.requests.rules import RowRule
from lakehouse.retention.archive import ArchiveEntry, clear_leftovers, list_archives, settle_archives
from lakehouse.retention.manifest import MANIFEST, PENDING, ArchivedFile, Manifest, read_manifest
from lakehouse.retention.plan import shown_date
from lakehouse.storage import ObjectInfo, Storage
from lakehouse.storage.object_versions import ObjectVersions, object_versions
from lakehouse.verbs.opened import Newest, OpenTable

ARCHIVE: Final = ": archive "
"""Between the names of a table and of its archive, in reports."""

WRITING_TAKES: Final = timedelta(hours=1)
"""Files in an archive that its document does not name are somebody's who is writing it, until so old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundInArchive:
    """The rows of people in one archive.

    Args:
        entry: The archive.
        folder: Its folder.
        found: The rows; the table of this name is the archive's.
    """

    entry: ArchiveEntry
    folder: Storage = field(repr=False)
    found: Found

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"{self.found.table}{ARCHIVE}{self.entry.manifest.id}"

    def without(self, requests: frozenset[str]) -> FoundInArchive:
        """The same without some requests."""
        return replace(self, found=self.found.without(requests))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearedArchives:
    """What was taken away beside archives.

    Args:
        files: Objects.
        versions: Older versions of objects, and marks of deleted ones.
    """

    files: int
    versions: int


def find_in_archives(
    table: OpenTable, places: Iterable[Storage], *, rules: Sequence[RowRule], people: People
) -> tuple[FoundInArchive, ...]:
    """Finds the rows of people in all archives of a table.

    Archives that an interrupted run left pending are finished or discarded first, as the table's log tells;
    those of which it does not tell count like the others.

    Args:
        table: The table.
        places: The folders of its archives; see `lakehouse.retention.places.ArchivePlaces.of_table`.
        rules: What the config says of it.
        people: Who is looked for.

    Returns:
        For each archive what is in it, the oldest first; archives without such rows too.

    Raises:
        CorruptTableError: A manifest or a file can't be read.
    """
    protection = table.protection()
    result = []
    for entry, where in _entries(table, places):
        found = find(table.name, where, rules=rules, people=people, protection=protection)
        result.append(FoundInArchive(entry=entry, folder=where.storage, found=found))
    return tuple(sorted(result, key=lambda each: each.entry.manifest.created))


def places_in_archives(table: OpenTable, places: Iterable[Storage]) -> Iterator[Place]:
    """The archives of a table as places to look into.

    Args:
        table: The table.
        places: As for `find_in_archives`.

    Raises:
        CorruptTableError: A manifest can't be read.
    """
    return (where for _, where in _entries(table, places))


def _entries(table: OpenTable, places: Iterable[Storage]) -> Iterator[tuple[ArchiveEntry, Place]]:
    newest = table.find()
    for place in places:
        if newest is not None:
            settle_archives(place, newest, table=table.name, storage=table.storage)
        for entry in list_archives(place, table=table.name):
            yield entry, Place(place.child(entry.manifest.id), _as_past(entry.manifest))


def erase_in_archive(table: OpenTable, here: FoundInArchive) -> Erased:
    """Takes people out of an archive. To be called after the table's own erasure, by one caller at a time.

    An archive of which nothing is left stays, without rows, so that what was done to the table is still told.

    Args:
        table: The table.
        here: What was found in the archive.

    Returns:
        What was done; there is no version.

    Raises:
        ProtectedError: Rows are held; leave the requests out that wait for them.
        ConflictError: Somebody else changed the archive.
        CorruptTableError: A file is not what the manifest says.
        StorageError: The store failed; the next run ends what was begun.
    """
    ensure_free(here.found)
    manifest, found = here.entry.manifest, here.found
    here.folder.delete(list(manifest.replaced))
    opened = replace(table, storage=here.folder, newest=Newest())
    files: dict[int, list[ArchivedFile]] = {}
    deleted = anonymized = 0
    for number in sorted(set(found.going[FILE])):
        _check(here.folder, manifest, manifest.files[number])
        rows = found.going.filter(pl.col(FILE) == number)
        if (rest := write_rest(opened, found, number, rows)) is not None:
            files[number] = [_described(here.folder, add) for add in rest[0]]
            deleted, anonymized = deleted + rest[1], anonymized + rest[2]
    if not files:
        return Erased(table=here.name, version=0)
    old = [manifest.files[number] for number in files]
    after = _after(here.folder, manifest, files)
    _put(table, here, after, [file for part in files.values() for file in part])
    here.folder.delete(list(after.replaced))
    return Erased(
        table=here.name,
        version=0,
        committed=True,
        deleted=deleted,
        anonymized=anonymized,
        files=len(old),
        bytes=sum(each.size for each in old),
    )


def clear_archives(table: OpenTable, places: Iterable[Storage], *, now: datetime) -> ClearedArchives:
    """Takes away what may still hold people beside the files that archives consist of.

    That is what was replaced, what crashes left, and on versioned buckets the older versions of all these and
    of the documents. What somebody may be writing at the moment stays: younger than an hour in an archive,
    than a day where there is no document yet. Of a table that is held as a whole all of it stays.

    Args:
        table: The table.
        places: The folders of its archives.
        now: The time.

    Raises:
        NoBotoError: The library that sees older versions is not installed.
        StorageError: The store failed; the next run goes on.
    """
    files = versions = 0
    if table.protection().whole:
        # Nobody can say whose rows are in what was left behind.
        return ClearedArchives(files=0, versions=0)
    for place in places:
        files += clear_leftovers(place, now=now)
        half = [item.path for item in staging_files(place) if now - item.modified >= WRITING_TAKES]
        place.delete(half)
        files += len(half)
        named: set[str] = set()
        for entry in list_archives(place, table=table.name):
            folder = place.child(entry.manifest.id)
            mine = {file.path for file in entry.manifest.files}
            gone = [item.path for item in folder.list() if _is_over(item, entry.manifest, mine, now=now)]
            folder.delete(gone)
            files += len(gone)
            named |= {f"{entry.manifest.id}/{path}" for path in mine}
        versions += _clear_versions(object_versions(place), named)
    return ClearedArchives(files=files, versions=versions)


def _is_over(item: ObjectInfo, manifest: Manifest, mine: set[str], *, now: datetime) -> bool:
    if item.path in mine or not item.path.startswith("part-"):
        return False
    return item.path in manifest.replaced or now - item.modified >= WRITING_TAKES


def _clear_versions(versions: ObjectVersions | None, named: set[str]) -> int:
    """Deletes the versions of objects that are gone or were replaced; of files that count none."""
    if versions is None or not versions.versioned():
        return 0
    found = list(versions.list())
    there = {each.path for each in found if each.latest and not each.mark}
    gone = [
        each
        for each in found
        if _is_ours(each.path) and each.path not in named and (each.path not in there or not each.latest)
    ]
    versions.delete(gone)
    return len(gone)


def _is_ours(path: str) -> bool:
    """Whether an object is of an archive, by its name: others may keep theirs in the same folder."""
    name = path.rsplit("/", 1)[-1]
    return name in {MANIFEST, PENDING} or name.startswith("part-")


def _as_past(manifest: Manifest) -> Past:
    """An archive as the one version of a table: its files have the names that people see of columns."""
    adds = [
        AddFile(path=encode_path(file.path), partition_values={}, size=file.size, modification_time=0)
        for file in manifest.files
    ]
    newest = Snapshot(
        version=0,
        timestamp_ms=0,
        protocol=Protocol(1, 2),
        metadata=Metadata(manifest.table_id, json.dumps(manifest.schema)),
        schema=manifest.parsed_schema(),
        files={add.path: add for add in adds},
        transactions={},
        domains={},
    )
    files = (
        PastFile(path=file.path, add=add, kind="data", size=file.size)
        for file, add in zip(manifest.files, adds, strict=True)
    )
    return Past(newest, 0, tuple(files))


def _check(folder: Storage, manifest: Manifest, file: ArchivedFile) -> None:
    try:
        data = folder.get(file.path)
    except NotFoundError:
        data = b""
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise CorruptTableError(
            f"archive {manifest.id} of table {manifest.table}: its file {file.path} is not what was written",
            advice="restore the file from a backup",
        )


def _described(folder: Storage, add: AddFile) -> ArchivedFile:
    path = str(add.relative_path(folder.url))
    data = folder.get(path)
    digest = hashlib.sha256(data).hexdigest()
    return ArchivedFile(path=path, rows=add.live_records or 0, size=len(data), sha256=digest)


def _after(folder: Storage, manifest: Manifest, files: dict[int, list[ArchivedFile]]) -> Manifest:
    """What the document says then; the dates that it tells are those of the rows that are left."""
    kept = [files.get(number, [file]) for number, file in enumerate(manifest.files)]
    after = replace(
        manifest,
        files=tuple(file for part in kept for file in part),
        rows=sum(file.rows for part in kept for file in part),
        replaced=tuple(manifest.files[number].path for number in files),
    )
    past = _as_past(after)
    if after.column not in past.newest.schema or not after.files:
        return replace(after, oldest=None, newest=None)
    value = column(after.column)
    dates = scan_files(folder, past.newest, past.adds, columns=[after.column])
    low, high = dates.select(value.min().alias("low"), value.max().alias("high")).collect().row(0)
    return replace(after, oldest=shown_date(low), newest=shown_date(high))


def _put(table: OpenTable, here: FoundInArchive, after: Manifest, fresh: Sequence[ArchivedFile]) -> None:
    document = MANIFEST if here.entry.state == "complete" else PENDING
    try:
        # Nobody but an erasure changes a document that is there; two at once would lose each other's files.
        if read_manifest(here.folder, document) != here.entry.manifest:
            raise ConflictError(
                f"archive {after.id} of table {after.table} was changed by somebody else, and stays so",
                advice="run it again",
            )
        if table.protection() != here.found.protection:
            raise ConflictError(
                f"holds on table {after.table} were placed or released meanwhile: its archive stays",
                advice="run it again",
            )
    except BaseException:
        with suppress(LakehouseError):
            here.folder.delete([file.path for file in fresh])
        raise
    here.folder.put(document, after.to_json())
