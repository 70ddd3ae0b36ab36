"""Takes a masked copy away: its log first, from the newest version on, then its files, then its name.

Killed in between, it leaves an older version of the copy, or files without a log, and the name: the next drop
ends it. Holds on the source do not stand in the way, since the source keeps what they hold; a hold on the
copy itself does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from lakehouse.copies import CopyEntry, unregister
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError
from lakehouse.protection.gate import judge
from lakehouse.records import operator
from lakehouse.state.rows import ActionRecord
from lakehouse.timetravel.tags import list_tags, remove_tag
from lakehouse.verbs.opened import OpenTable

KIND: Final = "mask"
"""What records of masks are called in the state database."""

_LOG: Final = "_delta_log/"


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedCopy:
    """What dropping a copy takes away, or took.

    Args:
        name: The copy.
        source: The table that it is a copy of.
        version: Its newest version; None where it has none.
        files: All files in its folder.
        bytes: Their size together.
        tags: Its tags, which go too.
        dry_run: Whether it was only planned.
        notes: What else there is to know.
    """

    name: str
    source: str
    version: int | None
    files: int
    bytes: int
    tags: tuple[str, ...] = ()
    dry_run: bool = False
    notes: tuple[str, ...] = ()


def drop_copy(copy: OpenTable, entry: CopyEntry, *, dry_run: bool) -> DroppedCopy:
    """Drops a copy.

    Args:
        copy: The copy.
        entry: What is registered of it.
        dry_run: Only plan.

    Raises:
        ProtectedError: The copy itself is held.
        StorageError: The store failed; the next drop ends it.
    """
    judge("drop", copy.protection()).ensure()
    objects = copy.storage.list()
    tags = tuple(tag.name for tag in list_tags(copy.lake, table=copy.name))
    plan = DroppedCopy(
        name=copy.name,
        source=entry.source,
        version=_version(copy),
        files=len(objects),
        bytes=sum(item.size for item in objects),
        tags=tags,
        dry_run=dry_run,
    )
    if dry_run:
        return plan
    copy.before_write()
    log = [item.path for item in objects if item.path.startswith(_LOG)]
    # The newest first: what is left of a log at any moment is that of an older version.
    hint = [path for path in log if path.endswith("_last_checkpoint")]
    others = sorted((path for path in log if path not in hint), reverse=True)
    for path in [*hint, *others]:
        copy.storage.delete([path])
    copy.storage.delete([item.path for item in objects if not item.path.startswith(_LOG)])
    for tag in tags:
        remove_tag(copy.lake, table=copy.name, name=tag)
    copy.newest.forget()
    unregister(copy.lake, copy.name)
    record = ActionRecord(
        kind=KIND,
        action="drop",
        table=copy.name,
        at=copy.clock(),
        author=operator(),
        version_before=plan.version,
        files=plan.files,
        bytes=plan.bytes,
        detail={"source": entry.source},
    )
    try:
        copy.records.add([record])
    except LakehouseError as error:
        # It is gone all the same.
        return replace(plan, notes=(f"what went could not be recorded: {error.message}",))
    return plan


def _version(copy: OpenTable) -> int | None:
    try:
        found: Snapshot | None = copy.find()
    except LakehouseError:
        # A log of which a part is gone already, or which is damaged.
        return None
    return None if found is None else found.version
