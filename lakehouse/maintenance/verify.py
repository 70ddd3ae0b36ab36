"""Checks a version of a table against its own files: all there, of the right size, with the right rows.

The log is checked too: that it can be read, and that its newest checkpoint says the same as the commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lakehouse.delta import deletion_vectors
from lakehouse.delta.actions import AddFile
from lakehouse.delta.checkpoints_check import check_checkpoints
from lakehouse.delta.footers import read_footer
from lakehouse.delta.locations import locate, map_files
from lakehouse.delta.log_files import LOG_FOLDER
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import CorruptTableError, NotFoundError, StorageError
from lakehouse.maintenance.freshness import Freshness
from lakehouse.storage import Storage

Kind = Literal[
    "missing_file",
    "wrong_size",
    "unreadable_file",
    "wrong_row_count",
    "bad_vector",
    "bad_checkpoint",
    "bad_log",
    "stale_data",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Args:
        kind: What kind of damage.
        path: The file, below the table's folder.
        detail: What was expected and what was found; never values of rows.
    """

    kind: Kind
    path: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What a check has found.

    Args:
        table: The table's name.
        version: The version that was checked; None where the log itself can't be read.
        files: Data files checked.
        vectors: Deletion vectors checked.
        bytes: Bytes of the data files together.
        findings: What is wrong; empty where all is well.
        freshness: How the expectations on freshness fared; those with ``on_fail: fail`` that are not met are
            findings too.
    """

    table: str
    version: int | None
    files: int
    vectors: int
    bytes: int
    findings: tuple[Finding, ...]
    freshness: tuple[Freshness, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify(
    storage: Storage, snapshot: Snapshot, *, table: str, fresh: Sequence[Freshness] = ()
) -> VerifyReport:
    """Opens every file that a version needs.

    Args:
        storage: The table's folder.
        snapshot: The version to check.
        table: The table's name.
        fresh: How the expectations on freshness fared.
    """
    files = list(snapshot.files.values())
    checked = map_files(
        lambda add: [*_check_file(storage, add), *_check_vector(storage, add)], files, storage=storage
    )
    findings = [item for found in checked for item in found]
    findings += [Finding("bad_checkpoint", *item) for item in check_checkpoints(storage, snapshot.version)]
    findings += [
        Finding("stale_data", "", each.detail) for each in fresh if not each.ok and each.on_fail == "fail"
    ]
    return VerifyReport(
        table=table,
        version=snapshot.version,
        files=len(snapshot.files),
        vectors=sum(add.deletion_vector is not None for add in files),
        bytes=sum(add.size for add in files),
        findings=tuple(findings),
        freshness=tuple(fresh),
    )


def unreadable(error: CorruptTableError, *, table: str) -> VerifyReport:
    """The report on a table whose log can't be read: which files it needs is not known then.

    Args:
        error: What reading the log ended in.
        table: The table's name.
    """
    finding = Finding("bad_log", LOG_FOLDER, error.message)
    return VerifyReport(table=table, version=None, files=0, vectors=0, bytes=0, findings=(finding,))


def _check_file(storage: Storage, add: AddFile) -> list[Finding]:
    home, inside = locate(storage, add.path)
    path = inside if home is storage else add.path
    try:
        size = home.head(inside).size
    except NotFoundError:
        return [Finding("missing_file", path, "the log needs it and it is not there")]
    if size != add.size:
        return [Finding("wrong_size", path, f"the log says {add.size} bytes, it has {size}")]
    try:
        rows = int(read_footer(storage, add).num_rows)
    except (CorruptTableError, StorageError) as error:
        return [
            Finding("unreadable_file", path, f"its Parquet footer can't be read ({type(error).__name__})")
        ]
    if add.physical_records is not None and rows != add.physical_records:
        return [Finding("wrong_row_count", path, f"the log says {add.physical_records} rows, it has {rows}")]
    return []


def _check_vector(storage: Storage, add: AddFile) -> list[Finding]:
    vector = add.deletion_vector
    if vector is None:
        return []
    path = add.path
    try:
        path = vector.relative_path() or path
        rows = deletion_vectors.read(storage, vector)
    except CorruptTableError as error:
        return [Finding("bad_vector", path, error.message)]
    if rows and add.physical_records is not None and rows.max() >= add.physical_records:
        return [Finding("bad_vector", path, "it hides rows beyond the end of its file")]
    return []
