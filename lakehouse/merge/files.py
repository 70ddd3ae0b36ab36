"""What one commit does to data files: growing vectors, rewriting, dropping, appending.

Everything that is written gets a new name and is listed in ``written``: until the commit that speaks of it
is there, nobody sees it, and a merge that gives up takes it away again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl
from pyroaring import BitMap64

from lakehouse.delta import deletion_vectors, stats
from lakehouse.delta.actions import Action, AddFile, RemoveFile
from lakehouse.delta.data import read_vectors, row_counts, scan_file, write_files
from lakehouse.delta.snapshot import Snapshot
from lakehouse.merge.target import Mode
from lakehouse.merge.verdicts import POSITION
from lakehouse.storage import Storage


@dataclass(slots=True)
class FileChanges:
    """The growing list of what a commit does to files.

    Args:
        actions: The ``add`` and ``remove`` actions.
        written: Paths of the objects written for them, below the table's folder.
        vectors: Files that got a vector, or a larger one.
        added: Data files added, those that only got another vector not counted.
        removed: Data files that left the table.
        bytes_written: Bytes of all objects written.
        rows_removed: Rows that left the table.
        rows_copied: Rows that were written again because they shared a file with others.
    """

    actions: list[Action] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    vectors: int = 0
    added: int = 0
    removed: int = 0
    bytes_written: int = 0
    rows_removed: int = 0
    rows_copied: int = 0

    def take(self, part: FileChanges) -> None:
        """Goes on with what another list holds.

        Args:
            part: What was noted apart, in another thread for example.
        """
        self.actions += part.actions
        self.written += part.written
        self.vectors += part.vectors
        self.added += part.added
        self.removed += part.removed
        self.bytes_written += part.bytes_written
        self.rows_removed += part.rows_removed
        self.rows_copied += part.rows_copied

    def by_file(self) -> dict[str, FileChanges]:
        """The marks of `FileWriter.mark`, file by file, without the counts of rows."""
        parts: dict[str, FileChanges] = {}
        for action in self.actions:
            if isinstance(action, RemoveFile):
                parts.setdefault(action.path, FileChanges(removed=1)).actions.append(action)
            elif isinstance(action, AddFile) and action.deletion_vector is not None:
                vector = action.deletion_vector
                part = parts.setdefault(action.path, FileChanges())
                part.actions.append(action)
                part.written += [path] if (path := vector.relative_path()) is not None else []
                part.removed, part.vectors, part.bytes_written = 0, 1, vector.size_in_bytes
        return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWriter:
    """Writes the effects of one commit on the files of a table.

    Args:
        storage: The table's folder.
        after: The version that the commit builds on, with the schema and properties that it gives the table:
            rows that are written again get the new fields of structs and the wider types too.
        reading: The same, in which columns tell how their types changed, so that older files can be read.
        now_ms: The commit's time in milliseconds since the epoch.
    """

    storage: Storage
    after: Snapshot
    reading: Snapshot
    now_ms: int

    def append(self, changes: FileChanges, rows: pl.DataFrame, *, data_change: bool = True) -> None:
        """Adds rows in new files.

        Args:
            changes: Where to note it.
            rows: With the columns of the schema.
            data_change: Whether the table did not have these rows before.
        """
        if rows.is_empty():
            return
        for add in write_files(self.storage, rows, schema=self.after.schema, metadata=self.after.metadata):
            self._note_added(changes, replace(add, data_change=data_change))

    def mark(self, changes: FileChanges, dead: Mapping[int, BitMap64], *, files: Sequence[AddFile]) -> None:
        """Marks rows as deleted without rewriting their files (Delta protocol, section "Deletion Vectors").

        Args:
            changes: Where to note it.
            dead: By number of the file, the positions of its rows that go; live ones only.
            files: The files by number.
        """
        numbers = sorted(dead)
        # All at once: vectors of many files usually lie in one object.
        before = read_vectors(self.storage, [files[number] for number in numbers])
        hidden: dict[int, BitMap64] = {}
        for at, number in enumerate(numbers):
            changes.rows_removed += len(dead[number])
            hidden[number] = dead[number] | before[at] if at in before else dead[number]
        # Before a file goes for having no living row, its footer is asked, so that a log that miscounts loses
        # no rows. A file with a vector must tell its rows, or other readers refuse it.
        doubtful = [n for n, rows in hidden.items() if len(rows) >= (files[n].physical_records or 0)]
        counted = row_counts(self.storage, [files[number] for number in doubtful])
        records = dict(zip(doubtful, counted, strict=True))
        grown: list[tuple[int, BitMap64]] = []
        for number, rows in hidden.items():
            if number in records and len(rows) >= records[number]:
                self._note_removed(changes, files[number])
            else:
                grown.append((number, rows))
        if not grown:
            return
        vectors = deletion_vectors.write(self.storage, [positions for _, positions in grown])
        changes.written.extend({path for v in vectors if (path := v.relative_path()) is not None})
        for (number, _), vector in zip(grown, vectors, strict=True):
            add = files[number]
            changes.actions.append(add.remove(at_ms=self.now_ms))
            loosened = stats.loosen(add.stats, num_records=records.get(number))
            changes.actions.append(replace(add, deletion_vector=vector, stats=loosened, data_change=True))
        changes.vectors += len(grown)
        changes.bytes_written += sum(vector.size_in_bytes for vector in vectors)

    def rewrite(
        self, changes: FileChanges, dead: Mapping[int, BitMap64], *, files: Sequence[AddFile]
    ) -> None:
        """Writes files anew without the rows that go, in the types of the version after.

        Args:
            changes: Where to note it.
            dead: By number of the file, the positions of its rows that go; live ones only. Where there are
                none, no data changes.
            files: The files by number.
        """
        for number, positions in sorted(dead.items()):
            add = files[number]
            changes.rows_removed += len(positions)
            self._note_removed(changes, add, data_change=bool(positions))
            gone = pl.Series(deletion_vectors.positions_of(positions), dtype=pl.UInt32)
            live = scan_file(self.storage, self.reading, add, row_index=POSITION).filter(
                ~pl.col(POSITION).is_in(gone.implode())
            )
            survivors = live.drop(POSITION).collect()
            changes.rows_copied += survivors.height
            self.append(changes, survivors, data_change=bool(positions))

    def drop(self, changes: FileChanges, add: AddFile) -> None:
        """Takes a whole file out of the table."""
        changes.rows_removed += add.live_records or 0
        self._note_removed(changes, add)

    def worn(
        self, dead: Mapping[int, BitMap64], *, files: Sequence[AddFile], mode: Mode, dead_share: float
    ) -> frozenset[int]:
        """Which files are to be written anew; the others are marked.

        Args:
            dead: By number of the file, the positions of its rows that go; live ones only.
            files: The files by number.
            mode: Mark the rows, or rewrite their files.
            dead_share: With ``on_read``, a file with a larger share of dead rows than this is rewritten all
                the same, and so is a file whose path has characters that are escaped in the log: Polars 2.1
                overlooks vectors of such files, and shows the rows that they hide.
        """
        if mode == "on_write":
            return frozenset(dead)
        return frozenset(
            number
            for number, positions in dead.items()
            if (share := self._share(files[number], positions)) > dead_share
            or (share and "%" in files[number].path)
        )

    def _share(self, add: AddFile, positions: BitMap64) -> float:
        records = add.physical_records
        hidden = add.deletion_vector.cardinality if add.deletion_vector else 0
        gone = hidden + len(positions)
        # A file that ends up empty is dropped by `mark`, which reads nothing.
        return gone / records if records and gone < records else 0.0

    def _note_added(self, changes: FileChanges, add: AddFile) -> None:
        changes.actions.append(add)
        changes.added += 1
        changes.bytes_written += add.size
        path = add.relative_path(self.storage.url)
        if path is not None:
            changes.written.append(path)

    def _note_removed(self, changes: FileChanges, add: AddFile, *, data_change: bool = True) -> None:
        changes.actions.append(add.remove(at_ms=self.now_ms, data_change=data_change))
        changes.removed += 1
