"""Brings archived rows back into their table, through a merge as any other rows."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from lakehouse.cdc.formats import normalize, settings_of
from lakehouse.delta.exact import column
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import CorruptTableError, NotFoundError, RefusedError, UsageError
from lakehouse.merge.locate import KeyFilter, locate
from lakehouse.merge.run import merge
from lakehouse.merge.target import MergeTarget
from lakehouse.merge.verdicts import CHANGE
from lakehouse.retention.archive import ArchiveEntry
from lakehouse.retention.manifest import ArchivedFile, Manifest
from lakehouse.retention.stated import stated
from lakehouse.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtBack:
    """What became of archived rows.

    Args:
        table: The table.
        archives: Ids of the archives that were used.
        rows: Rows of theirs in the range that was asked for.
        counts: What the merges did with them; ``kept`` are those whose key the table has, where no sequence
            tells which is newer, and ``suppressed`` those of erased people.
        version: The newest version that was made; None without one.
        dry_run: Whether it was only counted.
    """

    table: str
    archives: tuple[str, ...]
    rows: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    version: int | None = None
    dry_run: bool = False


def bring_back(
    target: MergeTarget,
    snapshot: Snapshot,
    entries: Sequence[ArchiveEntry],
    *,
    open_archive: Callable[[str], Storage],
    archive: str | None,
    since: Any,
    until: Any,
    dry_run: bool,
) -> BroughtBack:
    """Merges rows of archives into their table; see `Retention.restore_archive`."""
    if not target.config.key:
        raise RefusedError(
            f"table {target.name} has no key, so archived rows can't be merged into it",
            advice="read the Parquet files of the archive",
        )
    if target.config.history.mode == "full":
        raise RefusedError(
            f"table {target.name} keeps every version of a row; archived ones can't be merged into it",
            advice="read the Parquet files of the archive",
        )
    chosen = [each for each in entries if archive is None or each.manifest.id.startswith(archive)]
    if not chosen or (archive is not None and len(chosen) > 1):
        what = f"no archive {archive}" if archive is not None else "no archives"
        if chosen:
            what = f"more than one archive that begins with {archive}"
        raise NotFoundError(
            f"table {target.name} has {what}",
            advice=f"`lakehouse retention archives {target.name}` lists them"
            if entries
            else "rules with `action: archive` make them; --place (place=) looks into another folder",
        )
    total: dict[str, int] = {}
    rows, version, used = 0, None, []
    for entry in chosen:
        before = rows
        for part in _parts(entry, open_archive(entry.url), since=since, until=until):
            counts, snapshot, made = _merge(target, snapshot, part, entry.manifest, dry_run=dry_run)
            rows += part.height
            version = made if made is not None else version
            for name, number in counts.items():
                total[name] = total.get(name, 0) + number
        used += [entry.manifest.id] if rows > before else []
    counted = {name: number for name, number in total.items() if number}
    return BroughtBack(
        table=target.name, archives=tuple(used), rows=rows, counts=counted, version=version, dry_run=dry_run
    )


def _parts(entry: ArchiveEntry, folder: Storage, *, since: Any, until: Any) -> Iterator[pl.DataFrame]:
    manifest = entry.manifest
    for file in manifest.files:
        rows = _read(folder, manifest, file)
        kind = rows.schema[manifest.column]
        first = None if since is None else _bound(since, kind, name="since (--from)")
        end = None if until is None else _bound(until, kind, name="until (--to)")
        if first is not None and end is not None and pl.select(first >= end).item():
            raise UsageError(
                "nothing lies between since (--from) and until (--to)", advice="the earlier one comes first"
            )
        if first is not None:
            rows = rows.filter(column(manifest.column) >= first)
        if end is not None:
            rows = rows.filter(column(manifest.column) < end)
        if rows.height:
            yield rows


def _read(folder: Storage, manifest: Manifest, file: ArchivedFile) -> pl.DataFrame:
    where = f"archive {manifest.id} of table {manifest.table}"
    try:
        data = folder.get(file.path)
    except NotFoundError as error:
        raise CorruptTableError(
            f"{where}: its file {file.path} is gone", advice="restore the file from a backup"
        ) from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise CorruptTableError(
            f"{where}: its file {file.path} is not what was written", advice="restore the file from a backup"
        )
    return pl.read_parquet(io.BytesIO(data), glob=False)


def _bound(value: Any, kind: pl.DataType, *, name: str) -> pl.Expr:
    """A bound in the column's type; a day where the column has times begins at midnight (UTC)."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value) if kind.is_temporal() else float(value)
        if kind == pl.Date:
            value = value.date() if isinstance(value, datetime) else value
        elif isinstance(kind, pl.Datetime):
            if isinstance(value, date) and not isinstance(value, datetime):
                value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the zone comes below
            if kind.time_zone is not None:
                value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
            else:
                value = value.replace(tzinfo=None)
        return pl.lit(value, dtype=kind) if kind.is_temporal() else pl.lit(value)
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{name} does not fit the archive's column", advice="give a date as 2026-01-31, or a number"
        ) from error


def _merge(
    target: MergeTarget, snapshot: Snapshot, rows: pl.DataFrame, manifest: Manifest, *, dry_run: bool
) -> tuple[dict[str, int], Snapshot, int | None]:
    kept = 0
    settings = settings_of(target.config, stored=snapshot.schema)
    ordered = settings.sequence or "_sequence" in rows.columns
    if not ordered:
        # Nothing says which of two rows is newer: the table's own stays.
        key = list(target.config.key)
        keys = rows.select(key)
        files = KeyFilter.of(keys).files(tuple(snapshot.files.values()), snapshot=snapshot)
        numbered = keys.with_row_index(CHANGE)
        found = locate(target.storage, snapshot, files, keys=numbered, sequence=()).frame
        there = pl.Series(range(rows.height), dtype=pl.UInt32).is_in(found[CHANGE].implode())
        kept = int(there.sum())
        rows = rows.filter(~there)
    said = stated(rows, manifest.generations())
    batch = normalize(said.rows, format="rows", settings=settings)
    batch = replace(batch, frame=said.mark(batch), full=False)
    result, after = merge(target, batch, snapshot=snapshot, dry_run=dry_run)
    counts = dict(result.counts)
    counts["kept"] = kept
    return counts, after or snapshot, result.version if result.committed else None
