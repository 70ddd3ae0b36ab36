"""Files below a table's folder that no commit names, and change data that is gone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from lakehouse.delta.locations import locate
from lakehouse.delta.vacuum_notes import VacuumNote, read_notes
from lakehouse.errors import CorruptTableError, NotFoundError
from lakehouse.maintenance.verify.log import ChangeFile, LogFacts
from lakehouse.maintenance.verify.report import Finding, Notice
from lakehouse.storage import ObjectInfo, Storage

_RETENTION: Final = "delta.deletedFileRetentionDuration"
_WEEK: Final = timedelta(days=7)
_INTERVAL: Final = re.compile(r"\s*(?:interval\s+)?(\d+)\s+(second|minute|hour|day|week)s?\s*", re.IGNORECASE)
_CHANGE_DATA: Final = "_change_data"


def retention(configuration: Mapping[str, str]) -> timedelta:
    """How old a file without a commit, or without a use, must be before a vacuum takes it.

    Args:
        configuration: The table's properties.

    Returns:
        ``delta.deletedFileRetentionDuration``; a week where it is not set or can't be read.
    """
    found = _INTERVAL.fullmatch(configuration.get(_RETENTION, ""))
    return timedelta(**{f"{found[2].lower()}s": int(found[1])}) if found else _WEEK


def orphans(files: Iterable[ObjectInfo], facts: LogFacts, *, now: datetime, age: timedelta) -> Notice | None:
    """Count the files that no commit names: what writers left that died, or gave up.

    Args:
        files: A listing of the table's folder, made before the log was read.
        facts: What the log says.
        now: The time.
        age: Younger ones can be files of a commit that is yet to come.

    Returns:
        How many there are, and their bytes; None for none.
    """
    if not facts.whole:
        return Notice("unchecked_orphans", "not looked for: a part of the log can't be read")
    found = [
        info
        for info in files
        if info.path not in facts.named and not _is_hidden(info.path) and info.modified <= now - age
    ]
    if not found:
        return None
    return Notice(
        "orphans",
        "that no commit names: left by writers that died, for a vacuum to take",
        count=len(found),
        bytes=sum(info.size for info in found),
    )


def _is_hidden(path: str) -> bool:
    """Whether it is none of the table's data: as for vacuums, what lies in folders like ``_delta_log``."""
    first = path.split("/", 1)[0]
    if first == _CHANGE_DATA or "=" in first:
        return False
    return first.startswith(("_", "."))


def check_change_data(
    storage: Storage, facts: LogFacts, sizes: Mapping[str, int], *, now: datetime, age: timedelta
) -> tuple[list[Finding], Notice | None]:
    """Look for the change data that commits name.

    Args:
        storage: The table's folder.
        facts: What the log says.
        sizes: What a listing of the folder shows: path to bytes.
        now: The time.
        age: Vacuums take change data of commits that are older.

    Returns:
        Files that are missing or not of their size; and a notice of those that a vacuum took.
    """
    oldest_ms = int((now - age).timestamp() * 1000)
    vacuumed_to = max(facts.vacuums, default=-1)
    findings: list[Finding] = []
    gone: list[ChangeFile] = []
    notes: Sequence[VacuumNote] = ()
    with suppress(CorruptTableError):
        # Without its notes a vacuum says nothing, and what it took counts as lost.
        notes = read_notes(storage) if facts.change_files else ()
    for item in facts.change_files:
        home, inside = locate(storage, item.path)
        try:
            size = sizes.get(inside) if home is storage else home.head(inside).size
        except NotFoundError:
            size = None
        if size is not None and size != item.size:
            detail = f"version {item.version} says {item.size} bytes, it has {size}"
            findings.append(Finding("missing_change_data", inside, detail))
        elif size is None and (
            item.timestamp_ms <= oldest_ms
            or item.version < vacuumed_to
            or any(note.takes_feed(item.version) for note in notes)
        ):
            gone.append(item)
        elif size is None:
            detail = f"version {item.version} needs it and it is not there"
            findings.append(Finding("missing_change_data", inside, detail))
    return findings, _vacuumed(gone)


def _vacuumed(gone: Sequence[ChangeFile]) -> Notice | None:
    if not gone:
        return None
    versions = sorted({item.version for item in gone})
    detail = f"change data was vacuumed: the change feed can't be read up to version {versions[-1]}"
    return Notice("no_change_data", detail, count=len(gone), bytes=sum(item.size for item in gone))
