"""What masking a table in place does, and what stands in its way."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import polars as pl

from lakehouse.cdc.timeline import EVENTS
from lakehouse.config.models import Config
from lakehouse.copies import list_copies
from lakehouse.delta import protocols
from lakehouse.delta.data import scan_table
from lakehouse.delta.datatypes import ArrayType, StructType
from lakehouse.delta.features import ensure_readable, ensure_writable
from lakehouse.delta.schema import to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.versions import earliest_version
from lakehouse.errors import RefusedError
from lakehouse.pii.mask.absent import absent_notes, ensure_spelt
from lakehouse.pii.mask.mark import marks_of, ways_of
from lakehouse.pii.mask.port import MaskedPath, Masks, MaskSource
from lakehouse.pii.mask.rows import Masker
from lakehouse.protection import Protection
from lakehouse.protection.conditions import matching
from lakehouse.protection.gate import judge, refusal
from lakehouse.storage import Storage
from lakehouse.timetravel.restore import live_rows
from lakehouse.timetravel.tags import list_tags
from lakehouse.verbs.opened import OpenTable

_SETTLED: Final = frozenset({"mask", "nullify", "redact", "replace"})
"""Operators that do nothing, or nothing new, to their own masks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InPlacePlan:
    """What masking a table in place does, or, after it is carried out, has done.

    Args:
        table: The table.
        read_version: The version that was looked at.
        columns: What is masked, and how.
        already: Paths of `pii` that are masked in this way already, and are left alone.
        again: Paths that are masked in another way: what is masked is the mask, the value is gone. Where only
            the version of the key is another one, masks are turned back and made anew, and it is not here.
        computed: Generated columns that are computed anew.
        marks: The paths that the table is marked to be masked in, afterwards, each with its fingerprint.
        rows: Rows of the version; None where its statistics do not say.
        files: Data files that are written anew: all of the version.
        bytes: Their size in bytes.
        older: The first and the last version before, which hold clear values as long as they can be read;
            None where there is none.
        tags: Tags of those, which keep them.
        quarantined: Records in quarantine, which hold what they came with.
        archives: Rules that archive rows, whose archives hold clear values.
        copies: Masked copies, which take what they are next told.
        notes: What else there is to know.
        version: The version that was made; None while it is only a plan, or where there was nothing to do.
        bytes_written: Bytes of the new files.
    """

    table: str
    read_version: int
    columns: tuple[MaskedPath, ...]
    already: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    marks: Mapping[str, str]
    rows: int | None = None
    files: int = 0
    bytes: int = 0
    older: tuple[int, int] | None = None
    tags: tuple[str, ...] = ()
    quarantined: int = 0
    archives: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    version: int | None = None
    bytes_written: int = 0

    @property
    def changes_nothing(self) -> bool:
        """Whether all of `pii` is masked in this way already."""
        return all(path in self.already for path in self.marks)

    @property
    def digest(self) -> str:
        """A fingerprint of what is masked and how; rows that come or go change nothing about it."""
        lines = [f"{each.path} {each.fingerprint}" for each in self.columns] + [
            f"again {p}" for p in self.again
        ]
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON can hold it; it has no values of rows."""
        return {**asdict(self), "digest": self.digest, "changes_nothing": self.changes_nothing}


@dataclass(frozen=True, slots=True)
class Ready:
    """A plan, and what carries it out.

    Args:
        plan: The plan.
        snapshot: The version that it was made on.
        masks: Mask frames.
        masker: Masks rows of the version.
        protection: What was held when it was made.
    """

    plan: InPlacePlan
    snapshot: Snapshot
    masks: Masks
    masker: Masker
    protection: Protection


def plan_in_place(table: OpenTable, snapshot: Snapshot, *, config: Config, masks: MaskSource) -> Ready:
    """Works out what masking a version in place does. Nothing is written.

    Args:
        table: The table.
        snapshot: Its newest version.
        config: The lake's config.
        masks: Gives the masks of tables.

    Raises:
        UnsupportedFeatureError: The table needs a feature that is not known here.
        RefusedError: The table can't be masked in place.
        ProtectedError: A hold keeps it, or some of the rows.
        KeysError: A key is not there.
    """
    name = table.name
    ensure_readable(snapshot)
    ensure_writable(snapshot)
    # What is stored under keys of people is not masked in the table: merges bring ciphertexts.
    shredded = {path for path, about in config.tables[name].pii.items() if about.shred is not None}
    wanted = {
        path: mark for path, mark in masks.fingerprints(name, snapshot.schema).items() if path not in shredded
    }
    known = marks_of(snapshot.configuration)
    ensure_spelt(name, config.tables[name].pii, snapshot.schema)
    _refuse(table, snapshot, wanted=wanted, masked_at_merge=config.masked_at_merge(name))
    already = tuple(path for path, mark in wanted.items() if known.get(path) == mark)
    found = masks.masks(name, snapshot.schema, without=(*already, *shredded), known=known)
    masker = Masker(found, snapshot)
    again = tuple(each.path for each in found.paths if each.path in known and not each.rekeyed)
    _refuse_columns(table, snapshot, found.paths, again=again)
    _refuse_mixed(name, [path for path in again if len(ways_of(known[path])) > 1], config)
    protection = table.protection()
    if any(path not in already for path in wanted):
        ensure_free(table.storage, snapshot, protection, columns=masker.columns)
    files = snapshot.files.values()
    rules = config.retention_of(name)
    plan = InPlacePlan(
        table=name,
        read_version=snapshot.version,
        columns=tuple(found.paths),
        already=already,
        again=again,
        computed=masker.computed,
        marks={**known, **wanted},
        rows=live_rows(snapshot),
        files=len(files),
        bytes=sum(add.size for add in files),
        older=(earliest_version(table.storage), snapshot.version),
        tags=tuple(tag.name for tag in list_tags(table.lake, table=name)),
        quarantined=table.quarantine.count(),
        archives=tuple(rule.name for rule in rules if rule.action == "archive"),
        copies=tuple(entry.name for entry in list_copies(table.lake, source=name)),
        notes=_notes(table, snapshot, found.paths, again=again),
    )
    return Ready(plan, snapshot, found, masker, protection)


def ensure_free(
    storage: Storage, snapshot: Snapshot, protection: Protection, *, columns: Collection[str]
) -> None:
    """Refuses to mask rows that are held.

    They can't be left as they are either: a table in which some rows are masked looks masked, and is not.

    Args:
        storage: The table's folder.
        snapshot: The version.
        protection: The active holds on the table.
        columns: The columns that are masked.

    Raises:
        ProtectedError: The table is held whole, some of its rows are, or a condition asks for what is masked.
    """
    verdict = judge("mask", protection, schema=pl.Schema(to_polars(snapshot.schema))).ensure()
    if verdict.keep is None:
        return
    asking = tuple(
        hold
        for hold, where in protection.conditions
        if set(pl.sql_expr(where).meta.root_names()) & set(columns)
    )
    if asking:
        why = (
            f"its condition on table {protection.table} asks for a column that would be masked, which is held"
        )
        raise refusal("mask", protection.table, asking, why=why)
    cause = refusal(
        "mask",
        protection.table,
        verdict.kept_by,
        why=f"rows of table {protection.table} must stay as they are, which are held",
    )
    try:
        held = (
            matching(scan_table(storage, snapshot), verdict.keep).head(1).collect(engine="streaming").height
        )
    except pl.exceptions.PolarsError:
        # A condition that fails on some value: in doubt all rows are held.
        raise cause from None
    if held:
        raise cause


def _refuse(
    table: OpenTable, snapshot: Snapshot, *, wanted: Mapping[str, str], masked_at_merge: bool
) -> None:
    name = table.name
    if not wanted:
        raise RefusedError(
            f"there is nothing to mask in table {name}: its `pii` names no column that it has",
            advice="say there what is personal; `lakehouse pii scan` finds out",
        )
    if not masked_at_merge:
        raise RefusedError(
            f"table {name} is not masked at merge: the next merge would bring clear values beside masks",
            advice="write `mask_at: merge` into its section first; or make a masked copy with --to",
        )
    if protocols.append_only(snapshot.protocol, snapshot.metadata):
        raise RefusedError(
            f"table {name} only takes new rows (delta.appendOnly), and all of its rows would be replaced",
            advice="take the property off the table first, or make a masked copy",
        )


def _refuse_columns(
    table: OpenTable, snapshot: Snapshot, paths: Sequence[MaskedPath], *, again: Collection[str]
) -> None:
    for each in paths:
        if each.path in again and each.column in table.config.key:
            raise RefusedError(
                f"table {table.name}: key column {each.path} is masked already, in another way; masks of its "
                "masks would not be those of the values that merges bring",
                advice="set its operator back to what it was, or merge the source anew into a new table",
            )
    untracked = _untracked(snapshot)
    kept = [each.path for each in paths if each.column in untracked]
    if kept:
        raise RefusedError(
            f"table {table.name} keeps former values of {', '.join(kept)} in its column {EVENTS} (history "
            "with untracked columns), where they would stay clear",
            advice="make a masked copy, which has no such column; or track these columns in a new table",
        )


def _refuse_mixed(table: str, paths: Sequence[str], config: Config) -> None:
    """Refuses masks of masks where only some rows are masked in another way, and others as they should be."""
    columns, operators = config.tables[table].pii, config.pii.operators
    for path in paths:
        used = {operators.get(entity) or operators.get("DEFAULT") for entity in columns[path].entities}
        if any(each is not None and each.operator not in _SETTLED for each in used):
            raise RefusedError(
                f"table {table}: {path} is masked in one way in some rows and as the config says in others, "
                "and masks of these would be others than those that merges bring",
                advice="set its operator back to what it was, or to one of " + ", ".join(sorted(_SETTLED)),
            )


def _untracked(snapshot: Snapshot) -> frozenset[str]:
    """The columns whose values a table with full history keeps in `EVENTS` as well."""
    events = snapshot.schema.get(EVENTS)
    if events is None or not isinstance(events.type, ArrayType):
        return frozenset()
    entry = events.type.element
    state = entry.get("state") if isinstance(entry, StructType) else None
    return (
        frozenset(state.type.names)
        if state is not None and isinstance(state.type, StructType)
        else frozenset()
    )


def _notes(
    table: OpenTable, snapshot: Snapshot, paths: Sequence[MaskedPath], *, again: Collection[str]
) -> tuple[str, ...]:
    notes = [
        f"{each.path} is masked already, in another way: its masks are masked, the values are gone"
        for each in paths
        if each.path in again
    ]
    notes += [
        f"{each.path} is masked already, under another version of the key: its masks are made anew from "
        "what they are turned back to"
        for each in paths
        if each.rekeyed
    ]
    folders = [each.path for each in paths if each.column in snapshot.partition_columns]
    if folders:
        notes.append(
            f"{', '.join(folders)} stands in the names of folders: paths of older versions show it until "
            "their files and commits are gone"
        )
    if protocols.change_feed(snapshot.protocol, snapshot.metadata):
        notes.append(
            "the change feed tells of every row as deleted and inserted; no change data is written, and "
            "readers see the clear rows only as long as the old files are there"
        )
    notes += absent_notes(table.config.pii, snapshot.schema)
    return tuple(notes)
