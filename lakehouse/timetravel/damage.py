"""What to say where a version's files are gone, or are not what the log says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import polars as pl

from lakehouse.delta.paths import relative
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.vacuum_notes import taken_by
from lakehouse.errors import CorruptTableError, LakehouseError, VersionNotFoundError
from lakehouse.storage import Storage


@contextmanager
def naming_damage(storage: Storage, *, snapshots: Sequence[Snapshot], table: str) -> Iterator[None]:
    """Where work on a table fails because of its files, says so instead; other failures stay what they are.

    Args:
        storage: The table's folder.
        snapshots: The versions that are worked on.
        table: The table's name.

    Raises:
        VersionNotFoundError: A file of an older version is gone.
        CorruptTableError: A file of the newest version is gone, or a file has another size than it should.
    """
    try:
        yield
    except CorruptTableError as error:
        # An older version may lack nothing but a deletion vector, which is read before the files are.
        for snapshot in snapshots:
            gone = find_damage(storage, snapshot, table=table)
            if isinstance(gone, VersionNotFoundError):
                raise gone from error
        raise
    except LakehouseError:
        raise
    except (OSError, pl.exceptions.PolarsError) as error:
        for snapshot in snapshots:
            damage = find_damage(storage, snapshot, table=table)
            if damage is not None:
                raise damage from error
        raise


def find_damage(storage: Storage, snapshot: Snapshot, *, table: str) -> LakehouseError | None:
    """Compares the files that a version needs with those that are there; no file is opened.

    Args:
        storage: The table's folder.
        snapshot: The version.
        table: The table's name, for the error.

    Returns:
        An error to raise; None where all files are there in their size.
    """
    sizes = {item.path: item.size for item in storage.list()}
    files = [(add.relative_path(storage.url), add.size) for add in snapshot.files.values()]
    gone = [path for path, _ in files if path is not None and path not in sizes]
    if gone:
        return _gone(storage, snapshot, table, f"{len(gone)} of its {len(files)} files are gone")
    vectors = [path for path in _vectors(storage, snapshot) if path not in sizes]
    if vectors:
        what = f"{len(vectors)} of the files with its deletion vectors are gone"
        return _gone(storage, snapshot, table, what)
    damaged = [path for path, size in files if path is not None and sizes[path] != size]
    if damaged:
        return CorruptTableError(
            f"version {snapshot.version} of table {table} can't be read: {len(damaged)} of its {len(files)} "
            "files are damaged",
            advice="`lakehouse verify` names them; restore them from a backup, or go back to a version "
            "without them",
        )
    return None


def _vectors(storage: Storage, snapshot: Snapshot) -> list[str]:
    vectors = {add.deletion_vector for add in snapshot.files.values() if add.deletion_vector is not None}
    places = {place for vector in vectors if (place := vector.place()) is not None}
    found = (relative(place, root=storage.url) for place in places)
    return sorted(path for path in found if path is not None)


def _gone(storage: Storage, snapshot: Snapshot, table: str, what: str) -> LakehouseError:
    """Vacuums take files of older versions; where the newest lacks some, something went wrong."""
    newest = snapshot.version
    with suppress(LakehouseError):
        newest = load_snapshot(storage).version
    if snapshot.version < newest:
        note = taken_by(storage, snapshot.version)
        why = "they were vacuumed" if note is None else note.spoken()
        return VersionNotFoundError(
            f"version {snapshot.version} of table {table} can't be read any more: {what}",
            advice=f"{why}; read a younger version (`lakehouse history` shows which can be read), and tag "
            "those that must stay",
        )
    return CorruptTableError(
        f"version {snapshot.version} of table {table}, the newest, can't be read: {what}",
        advice="`lakehouse verify` names them; restore them from a backup, or go back to a version "
        "without them",
    )
