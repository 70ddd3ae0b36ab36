"""Checks a version of a table against its own files: all there, of the right size, with the right rows."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import pyarrow.parquet as pq

from lakehouse.delta import deletion_vectors
from lakehouse.delta.actions import AddFile
from lakehouse.delta.log_files import LOG_FOLDER
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import CorruptTableError, LakehouseError, NotFoundError
from lakehouse.storage import Storage

Kind = Literal["missing_file", "wrong_size", "unreadable_file", "wrong_row_count", "bad_vector", "bad_log"]


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
    """

    table: str
    version: int | None
    files: int
    vectors: int
    bytes: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify(storage: Storage, snapshot: Snapshot, *, table: str) -> VerifyReport:
    """Opens every file that a version needs.

    Args:
        storage: The table's folder.
        snapshot: The version to check.
        table: The table's name.
    """
    findings: list[Finding] = []
    for add in snapshot.files.values():
        findings += _check_file(storage, add)
        findings += _check_vector(storage, add)
    files = snapshot.files.values()
    return VerifyReport(
        table=table,
        version=snapshot.version,
        files=len(snapshot.files),
        vectors=sum(add.deletion_vector is not None for add in files),
        bytes=sum(add.size for add in files),
        findings=tuple(findings),
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
    path = add.relative_path(storage.url)
    if path is None:
        return []
    try:
        size = storage.head(path).size
    except NotFoundError:
        return [Finding("missing_file", path, "the log needs it and it is not there")]
    if size != add.size:
        return [Finding("wrong_size", path, f"the log says {add.size} bytes, it has {size}")]
    try:
        rows = _footer_rows(storage, path, size)
    except (OSError, ValueError, LakehouseError) as error:
        return [
            Finding("unreadable_file", path, f"its Parquet footer can't be read ({type(error).__name__})")
        ]
    if add.physical_records is not None and rows != add.physical_records:
        return [Finding("wrong_row_count", path, f"the log says {add.physical_records} rows, it has {rows}")]
    return []


def _footer_rows(storage: Storage, path: str, size: int) -> int:
    """The rows that a Parquet file's footer promises; reads the end of the file alone."""
    tail = storage.get_range(path, start=max(0, size - 8), length=min(8, size))
    length = int.from_bytes(tail[:4], "little") + 8
    if tail[4:] != b"PAR1" or length > size:
        raise ValueError("no footer")
    footer = storage.get_range(path, start=size - length, length=length)
    # Four bytes of magic at the front make the footer alone a file that pyarrow opens.
    return int(pq.read_metadata(io.BytesIO(b"PAR1" + footer)).num_rows)


def _check_vector(storage: Storage, add: AddFile) -> list[Finding]:
    vector = add.deletion_vector
    if vector is None:
        return []
    path = vector.relative_path() or add.path
    try:
        rows = deletion_vectors.read(storage, vector)
    except LakehouseError as error:
        return [Finding("bad_vector", path, error.message)]
    if len(rows) != vector.cardinality:
        return [
            Finding("bad_vector", path, f"the log says {vector.cardinality} hidden rows, it has {len(rows)}")
        ]
    if rows and add.physical_records is not None and rows[len(rows) - 1] >= add.physical_records:
        return [Finding("bad_vector", path, "it hides rows beyond the end of its file")]
    return []
