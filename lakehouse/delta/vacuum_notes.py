"""What vacuums note beside the log: which versions they take, and what went; and reservations against them.

A vacuum writes ``_lakehouse/vacuum/<run>.json`` before it takes the first file away, with all that it is
about to take, and again when it is done, with what went. So a killed one can be finished, and whoever asks
for a version that is gone can be told when and why it went.

Somebody can ask for a version (to tag it, to go back to it) in the same moment in which a vacuum decides that
nobody needs it. Each of the two first writes what it is about to do and then looks for the other: a vacuum
its note, a tag its object, a restore a reservation (``_lakehouse/reserved/``). Whoever comes second sees the
first one, on every store where a write is seen by all who look later.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

import orjson

from lakehouse.config.moments import iso
from lakehouse.delta.locations import map_files
from lakehouse.errors import (
    ConflictError,
    CorruptTableError,
    LakehouseError,
    NotFoundError,
    VersionNotFoundError,
)
from lakehouse.storage.objects import ObjectInfo, Storage

FOLDER: Final = "_lakehouse/vacuum"
RESERVED: Final = "_lakehouse/reserved"
RESERVATION_LASTS: Final = timedelta(hours=1)
ABANDONED: Final = timedelta(hours=1)
"""Who has not written its note anew for so long is taken for dead; those alive write it every minute."""

_RESERVATION_COUNTS: Final = 600.0

Ranges = tuple[tuple[int, int], ...]

By: TypeAlias = Literal["vacuum", "erasure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VacuumNote:
    """What one vacuum takes, or has taken.

    Args:
        run: Its name.
        started: When it began (UTC).
        by: Whether a vacuum takes it, or the erasure of somebody who is in it. Vacuums finish what vacuums
            began; what an erasure began is finished by the next run of it.
        why: Why versions go, as ``not kept by rule history``.
        pruned: The versions that can't be read after it, as ranges.
        log_before: The log's commits before this version go; None where they stay.
        feed: The versions whose change data goes, as ranges: their rows may stay readable all the same.
        files: While it runs: kind to paths and sizes. Empty once it is done: paths can tell of rows.
        removed: Once it is done: kind to how many files and bytes went.
        finished: When it was done; None while it runs, and where it was killed.
        written: When this was written, by the store's clock; None where it was not read from a store.
    """

    run: str
    started: datetime
    by: By = "vacuum"
    why: str = ""
    pruned: Ranges = ()
    log_before: int | None = None
    feed: Ranges = ()
    files: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    removed: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    finished: datetime | None = None
    written: datetime | None = None

    def abandoned(self, now: datetime) -> bool:
        """Whether the vacuum was killed: it is not done, and has not written for an hour.

        Args:
            now: The time, by the store's clock.
        """
        return self.finished is None and self.written is not None and now - self.written > ABANDONED

    def takes(self, version: int) -> bool:
        """Whether a version can't be read after it."""
        if self.log_before is not None and version < self.log_before:
            return True
        return any(first <= version <= last for first, last in self.pruned)

    def takes_feed(self, version: int) -> bool:
        """Whether the change data of a version can't be read after it."""
        return self.takes(version) or any(first <= version <= last for first, last in self.feed)

    def spoken(self) -> str:
        """What became of a version that it took, for people."""
        when = iso(self.finished or self.started, timespec="seconds")
        if self.by == "erasure" and self.finished is None:
            return f"an erasure of personal data that began at {when} and is not done closes it"
        if self.by == "erasure":
            return f"an erasure of personal data closed it at {when}"
        why = f": {self.why}" if self.why else ""
        if self.finished is None:
            return f"a vacuum that began at {when} and is not done takes it{why}"
        return f"the vacuum of {when} took it{why}"


def new_run(now: datetime) -> str:
    """A name for a vacuum that sorts by time.

    Args:
        now: The time (UTC).
    """
    return f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def note_path(run: str) -> str:
    """Where the note of a vacuum lies, below the table's folder."""
    return f"{FOLDER}/{run}.json"


def write_note(storage: Storage, note: VacuumNote) -> None:
    """Writes a note, over the one that this vacuum wrote before.

    Args:
        storage: The table's folder.
        note: The note.
    """
    body = {
        "run": note.run,
        "started": note.started.isoformat(),
        "finished": None if note.finished is None else note.finished.isoformat(),
        "by": note.by,
        "why": note.why,
        "pruned": [list(each) for each in note.pruned],
        "log_before": note.log_before,
        "feed": [list(each) for each in note.feed],
        "files": {kind: [list(each) for each in files] for kind, files in note.files.items()},
        "removed": {kind: list(counts) for kind, counts in note.removed.items()},
    }
    storage.put(note_path(note.run), orjson.dumps(body))


def read_notes(storage: Storage) -> tuple[VacuumNote, ...]:
    """The notes of all vacuums, oldest first.

    Args:
        storage: The table's folder.

    Raises:
        CorruptTableError: One can't be read.
    """
    there = [item for item in storage.list(FOLDER) if item.path.endswith(".json")]
    found = map_files(lambda item: _read(storage, item), there, storage=storage)
    return tuple(sorted((note for note in found if note is not None), key=lambda note: note.run))


def _read(storage: Storage, item: ObjectInfo) -> VacuumNote | None:
    try:
        return replace(_parse(orjson.loads(storage.get(item.path))), written=item.modified)
    except NotFoundError:
        # Another vacuum has taken it over since it was listed.
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptTableError(
            f"the note of a vacuum {storage.url}/{item.path} can't be read",
            advice="restore the file from a backup, or delete it: then nobody knows which versions it took",
        ) from error


def _parse(body: Mapping[str, Any]) -> VacuumNote:
    finished, before = body["finished"], body["log_before"]
    return VacuumNote(
        run=str(body["run"]),
        started=datetime.fromisoformat(body["started"]),
        by="erasure" if body.get("by") == "erasure" else "vacuum",
        why=str(body["why"]),
        pruned=tuple((int(first), int(last)) for first, last in body["pruned"]),
        log_before=None if before is None else int(before),
        feed=tuple((int(first), int(last)) for first, last in body.get("feed", [])),
        files={
            kind: tuple((str(path), int(size)) for path, size in files)
            for kind, files in body["files"].items()
        },
        removed={kind: (int(count), int(size)) for kind, (count, size) in body["removed"].items()},
        finished=None if finished is None else datetime.fromisoformat(finished),
    )


def taken_by(storage: Storage, version: int) -> VacuumNote | None:
    """The vacuum that took a version, or is about to.

    Args:
        storage: The table's folder.
        version: The version.

    Returns:
        Its note; None where none did, or none of the notes can be read.
    """
    with suppress(LakehouseError):
        return next((note for note in read_notes(storage)[::-1] if note.takes(version)), None)
    return None


def refuse_taken(storage: Storage, version: int, *, table: str) -> None:
    """Refuses a version that a vacuum took, or is about to take.

    Args:
        storage: The table's folder.
        version: The version.
        table: The table's name.

    Raises:
        VersionNotFoundError: It is gone.
        CorruptTableError: A note can't be read, so that nobody knows.
    """
    note = next((note for note in read_notes(storage)[::-1] if note.takes(version)), None)
    if note is not None:
        raise VersionNotFoundError(
            f"version {version} of table {table} can't be had any more: {note.spoken()}",
            advice="`lakehouse history` shows which can; tag those that must stay",
        )


@contextmanager
def reserved(storage: Storage, version: int, *, table: str) -> Iterator[Callable[[], None]]:
    """Keeps vacuums from taking a version while something is made of it.

    Args:
        storage: The table's folder.
        version: The version.
        table: The table's name.

    Yields:
        A function to call right before the result is committed: raises ``ConflictError`` where so much time
        has passed that vacuums no longer heed the reservation.

    Raises:
        VersionNotFoundError: A vacuum took the version, or is about to.
    """
    path = f"{RESERVED}/{version:020d}-{secrets.token_hex(8)}.json"
    begun = time.monotonic()

    def still() -> None:
        if time.monotonic() - begun > _RESERVATION_COUNTS:
            raise ConflictError(
                f"version {version} of table {table} could not be held any longer", advice="try again"
            )

    storage.put(path, b"{}\n")
    try:
        refuse_taken(storage, version, table=table)
        yield still
    finally:
        # One that stays counts for an hour; the next vacuum takes it away.
        with suppress(LakehouseError):
            storage.delete([path])


def reservations(objects: Sequence[ObjectInfo], *, now: datetime) -> frozenset[int]:
    """The versions that somebody is making something of: pure.

    Args:
        objects: What is in ``_lakehouse/reserved``.
        now: The time, by the store's clock.
    """
    return frozenset(
        int(name[:20])
        for item in objects
        if (name := item.path.rpartition("/")[2])[:20].isdecimal() and now - item.modified < RESERVATION_LASTS
    )
