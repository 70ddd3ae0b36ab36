"""One data file against what the log says of it: there, of the right size, readable, and true statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from lakehouse.delta import column_mapping, deletion_vectors, partitions
from lakehouse.delta.actions import AddFile
from lakehouse.delta.footers import read_footer
from lakehouse.delta.locations import locate
from lakehouse.delta.schema import type_to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import CorruptTableError, NotFoundError, StorageError, UnsupportedFeatureError
from lakehouse.maintenance.verify.contents import Contents, Reading, RowRule
from lakehouse.maintenance.verify.opening import open_parquet
from lakehouse.maintenance.verify.report import Finding, Kind, Repair
from lakehouse.maintenance.verify.sample import pick_groups
from lakehouse.maintenance.verify.statistics import untrue
from lakehouse.storage import Storage

_NONE: Final[npt.NDArray[np.uint64]] = np.empty(0, dtype=np.uint64)
_TOLD: Final = 5
# What stands in the way of believing the log's numbers less than the file's own.
_FATAL: Final = frozenset(
    {"unreadable_file", "damaged_rows", "wrong_columns", "bad_vector", "bad_partition_value"}
)


@dataclass(slots=True)
class FileCheck:
    """What was found of one file.

    Args:
        path: The file, as findings name it.
        findings: What is wrong.
        repairs: What of it can be mended.
        rows_read: Rows that were read.
        unchecked: Rules that can't be evaluated here.
    """

    path: str
    findings: list[Finding] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)
    rows_read: int = 0
    unchecked: set[str] = field(default_factory=set)

    def tell(self, kind: Kind, detail: str, *, path: str = "") -> None:
        """Note something that is wrong."""
        self.findings.append(Finding(kind, path or self.path, detail))

    def has(self, *kinds: str) -> bool:
        """Whether something of these kinds was found."""
        return any(item.kind in kinds for item in self.findings)


@dataclass(frozen=True, slots=True)
class FileChecker:
    """Checks the files of a version, from any thread.

    Args:
        storage: The table's folder.
        snapshot: The version.
        sizes: What a listing of the folder shows: path to bytes.
        rules: The rules that rows meet.
        full: Whether all row groups are read rather than some.
        seed: Which of them.
    """

    storage: Storage
    snapshot: Snapshot
    sizes: Mapping[str, int]
    rules: Sequence[RowRule]
    full: bool
    seed: int

    def check(self, add: AddFile, *, read: bool) -> FileCheck:
        """Check one file.

        Args:
            add: The file.
            read: Whether its rows are read; they are anyway where its numbers are wrong.

        Returns:
            What was found.
        """
        home, inside = locate(self.storage, add.path)
        found = FileCheck(inside if home is self.storage else add.path)
        self._partition_values(add, found)
        size = self._size(home, inside)
        if size is None:
            found.tell("missing_file", "the log needs it and it is not there")
        footer = None if size is None else self._footer(replace(add, size=size), add, found)
        rows = None if footer is None else int(footer.num_rows)
        dead = self._vector(add, rows, found)
        if size is None or footer is None or rows is None:
            return found
        records = add.physical_records
        if records is not None and rows != records:
            found.tell("wrong_row_count", f"the log says {records} rows, it has {rows}")
        doubtful = found.has("wrong_size", "wrong_row_count")
        if (read or doubtful) and not found.has("bad_partition_value"):
            try:
                self._contents(add, found, home, inside, size=size, footer=footer, dead=dead, whole=doubtful)
            except NotFoundError:
                found.tell("missing_file", "it disappeared while it was checked")
        self._mend(add, found, size=size)
        return found

    def _size(self, home: Storage, inside: str) -> int | None:
        if home is self.storage:
            return self.sizes.get(inside)
        try:
            return home.head(inside).size
        except NotFoundError:
            return None

    def _footer(self, there: AddFile, add: AddFile, found: FileCheck) -> Any:
        """The footer, looked for at the end that the file really has."""
        if there.size != add.size:
            found.tell("wrong_size", f"the log says {add.size} bytes, it has {there.size}")
        try:
            return read_footer(self.storage, there)
        except (CorruptTableError, StorageError) as error:
            if there.size == add.size:
                found.tell("unreadable_file", f"its Parquet footer can't be read ({type(error).__name__})")
            return None

    def _partition_values(self, add: AddFile, found: FileCheck) -> None:
        mapping = column_mapping.mode(self.snapshot.metadata, protocol=self.snapshot.protocol)
        names = column_mapping.physical_names(self.snapshot.schema, mapping)
        for name in self.snapshot.partition_columns:
            if names[name] not in add.partition_values:
                found.tell("bad_partition_value", f"the log has no value of the partition column {name}")
                continue
            kind = self.snapshot.schema.field(name).type
            try:
                value = partitions.parse_value(add.partition_values[names[name]], kind)
                pl.Series([value], dtype=type_to_polars(kind), strict=True)
            except (CorruptTableError, pl.exceptions.PolarsError, OverflowError, TypeError):
                found.tell(
                    "bad_partition_value", f"the value of the partition column {name} is none of its type"
                )

    def _vector(self, add: AddFile, rows: int | None, found: FileCheck) -> npt.NDArray[np.uint64]:
        vector = add.deletion_vector
        if vector is None:
            return _NONE
        path = found.path
        try:
            path = vector.relative_path() or path
            bitmap = deletion_vectors.read(self.storage, vector)
        except (CorruptTableError, ValueError) as error:
            detail = error.message if isinstance(error, CorruptTableError) else "its name can't be read"
            found.tell("bad_vector", self._inside(detail), path=path)
            return _NONE
        # The log's number counts where the file has another: a reader goes by it.
        most = min((number for number in (rows, add.physical_records) if number is not None), default=None)
        if bitmap and most is not None and bitmap.max() >= most:
            found.tell("bad_vector", "it hides rows beyond the end of its file", path=path)
            return _NONE
        return deletion_vectors.positions_of(bitmap)

    def _contents(
        self,
        add: AddFile,
        found: FileCheck,
        home: Storage,
        inside: str,
        *,
        size: int,
        footer: Any,
        dead: npt.NDArray[np.uint64],
        whole: bool,
    ) -> None:
        rules = () if found.has("bad_vector") else self.rules
        try:
            plan = Reading.plan(self.storage, self.snapshot, add, footer=footer, rules=rules, dead=dead)
        except CorruptTableError as error:
            found.tell("wrong_columns", self._inside(error.message))
            return
        except UnsupportedFeatureError as error:
            found.unchecked.add(error.message)
            return
        groups = pick_groups(footer.num_row_groups, full=self.full or whole, seed=self.seed, path=add.path)
        try:
            with open_parquet(home, inside, size=size, footer=footer) as file:
                seen = plan.read(file, groups)
        except (pa.ArrowException, OSError, StorageError) as error:
            found.tell("unreadable_file", f"its rows can't be read ({type(error).__name__})")
            return
        except (pl.exceptions.PolarsError, KeyError) as error:
            found.tell("wrong_columns", f"its columns are not of the table's types ({type(error).__name__})")
            return
        self._judge(add, found, seen, records=int(footer.num_rows))

    def _inside(self, message: str) -> str:
        """A message without the table's place, as findings name files below it."""
        return message.replace(f" of {self.storage.url}", "")

    def _judge(self, add: AddFile, found: FileCheck, seen: Contents, *, records: int) -> None:
        found.rows_read = seen.rows
        found.unchecked |= seen.unchecked
        if seen.complete and seen.rows != records:
            found.tell("unreadable_file", f"its footer says {records} rows, and {seen.rows} can be read")
        if seen.damaged:
            columns = ", ".join(sorted(seen.damaged))
            found.tell("damaged_rows", f"other values than its own footer says, in {columns}")
            return
        for detail, count in seen.broken.items():
            found.tell("broken_rule", f"{count} of the {seen.live} rows that were read break it: {detail}")
        if found.has("bad_vector", "wrong_row_count"):
            # Statistics of a number of rows that is not theirs can't be true; once is enough to say it.
            return
        wrong = untrue(add, seen, records=records)
        if wrong:
            more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
            found.tell("wrong_statistics", "; ".join(wrong[:_TOLD]) + more)

    def _mend(self, add: AddFile, found: FileCheck, *, size: int) -> None:
        """What the file itself proves can be written into the log.

        A file of another size is only taken for the right one where everything else about it is as it should
        be: one that was taken for another, or cut and filled up, is not.
        """
        wrong = [
            item
            for item in found.findings
            if item.kind in ("wrong_size", "wrong_row_count", "wrong_statistics")
        ]
        other = found.has("wrong_size") and len(wrong) > 1
        if not wrong or other or found.has(*_FATAL, "missing_file"):
            return
        found.findings = [
            replace(item, repairable=True) if item in wrong else item for item in found.findings
        ]
        what = {"wrong_size": "size", "wrong_row_count": "number of rows and statistics"}.get(
            wrong[0].kind, "statistics"
        )
        detail = f"a commit names it again with its true {what}"
        found.repairs.append(Repair("add", found.path, detail, add=add, size=size))
