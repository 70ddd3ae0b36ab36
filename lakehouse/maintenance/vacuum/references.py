"""Which files each version of a table needs, worked out in one pass over the log.

A file belongs to the versions from the one that added it to the one before it was removed; a file that gets
another deletion vector begins another such time. Whether a kept version needs a file is then a question of
numbers, however many versions are kept.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lakehouse.delta import paths
from lakehouse.delta.actions import Action, AddCdcFile, AddFile, RemoveFile, SetTransaction
from lakehouse.delta.log import Commit, commits
from lakehouse.delta.snapshot import Snapshot
from lakehouse.storage import Storage


@dataclass(slots=True)
class Lifetime:
    """A data file with one deletion vector (or none), and the versions that it belongs to.

    Args:
        add: As the log has it.
        path: Where it is below the table's folder; None for a file that lies elsewhere.
        vector: Where its vector is below the table's folder; None without one, or elsewhere, or in the log.
        first: The first version that it belongs to, as far as the log reaches back.
        last: The last one; None while the newest version has it.
    """

    add: AddFile
    path: str | None
    vector: str | None
    first: int
    last: int | None = None

    def needed(self, kept: Sequence[int]) -> int | None:
        """The newest of the kept versions that has it.

        Args:
            kept: Versions, ascending.
        """
        end = len(kept) if self.last is None else bisect.bisect_right(kept, self.last)
        return kept[end - 1] if end and kept[end - 1] >= self.first else None


@dataclass(slots=True)
class References:
    """What the versions of a table need, from one version on.

    Args:
        root: The table's place.
        pointer: ``appId`` of the ``txn`` action that points at the table's tombstones.
        version: How far the log has been read.
        lifetimes: All of them, in the order in which they began.
        change_data: Path of a file of changed rows to its version.
        pointers: Version to what the pointer says from it on.
        made: Version to when its commit was made, in milliseconds since the epoch.
    """

    root: str
    pointer: str
    version: int = -1
    lifetimes: list[Lifetime] = field(default_factory=list)
    change_data: dict[str, int] = field(default_factory=dict)
    pointers: dict[int, int] = field(default_factory=dict)
    made: dict[int, int] = field(default_factory=dict)
    _now: dict[str, Lifetime] = field(default_factory=dict)

    def begin(self, snapshot: Snapshot, own: Iterable[Action] = ()) -> None:
        """Begins with a version.

        Args:
            snapshot: The version.
            own: The actions of its own commit, if that is still there: its files of changed rows.
        """
        self.version = snapshot.version
        self.made[snapshot.version] = snapshot.timestamp_ms
        for add in snapshot.files.values():
            self._open(add, snapshot.version)
        known = snapshot.transactions.get(self.pointer)
        self.pointers[snapshot.version] = known.version if known else 0
        self._note_changes(snapshot.version, own)

    def apply(self, commit: Commit) -> None:
        """Goes on by one version.

        Args:
            commit: The next version's.
        """
        version, actions = commit.version, commit.actions
        for action in actions:
            if isinstance(action, RemoveFile):
                current = self._now.get(action.path)
                if current is not None and current.add.key == action.key:
                    current.last = version - 1
                    del self._now[action.path]
            elif isinstance(action, SetTransaction) and action.app_id == self.pointer:
                self.pointers[version] = action.version
        for action in actions:
            if isinstance(action, AddFile):
                current = self._now.get(action.path)
                if current is not None and current.add.key == action.key:
                    continue
                if current is not None:
                    current.last = version - 1
                self._open(action, version)
        self._note_changes(version, actions)
        self.made[version] = commit.timestamp_ms
        self.version = version

    def memories(self, kept: Sequence[int]) -> set[int]:
        """What the pointer says in any of the kept versions, without 0, which stands for nothing."""
        changes = sorted(self.pointers)
        found = set()
        for version in kept:
            at = bisect.bisect_right(changes, version)
            if at:
                found.add(self.pointers[changes[at - 1]])
        return found - {0}

    def _note_changes(self, version: int, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, AddCdcFile):
                path = paths.relative(action.path, root=self.root)
                if path is not None:
                    self.change_data[path] = version

    def _open(self, add: AddFile, version: int) -> None:
        place = add.deletion_vector.place() if add.deletion_vector is not None else None
        begun = Lifetime(
            add=add,
            path=add.relative_path(self.root),
            vector=None if place is None else paths.relative(place, root=self.root),
            first=version,
        )
        self.lifetimes.append(begun)
        self._now[add.path] = begun


def read_on(storage: Storage, references: References, *, until: int) -> None:
    """Reads the log from where it was left.

    Args:
        storage: The table's folder.
        references: Takes what is found.
        until: The last version to read.

    Raises:
        CorruptTableError: A commit can't be read, or one is missing.
    """
    if until <= references.version:
        return
    for commit in commits(storage, start=references.version + 1, end=until):
        references.apply(commit)
