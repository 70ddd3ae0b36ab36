"""The actions that speak of files: add, remove, cdc, and the vectors and statistics that they carry.

Delta protocol, sections "Add File and Remove File", "Add CDC File", "Deletion Vectors" and "Per-file
Statistics".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson

from lakehouse.delta import paths, z85
from lakehouse.errors import CorruptTableError

_UUID_CHARACTERS: Final = 20


@dataclass(frozen=True, slots=True)
class DeletionVector:
    """Where the set of deleted rows of one file is (section "Deletion Vector Descriptor Schema").

    Args:
        storage_type: ``u`` in a file named by a UUID, ``i`` inline, ``p`` an absolute path.
        path_or_inline_dv: Depends on the storage type; Z85 for ``u`` and ``i``.
        size_in_bytes: Bytes of the serialised bitmap.
        cardinality: Deleted rows.
        offset: Where the vector starts in its file; None means 0 for files.
    """

    storage_type: str
    path_or_inline_dv: str
    size_in_bytes: int
    cardinality: int
    offset: int | None = None

    @property
    def unique_id(self) -> str:
        """What tells this vector from every other of the same file (section "Derived Fields")."""
        start = "" if self.offset is None else f"@{self.offset}"
        return f"{self.storage_type}{self.path_or_inline_dv}{start}"

    def relative_path(self) -> str | None:
        """The vector's file below the table's root (section "Derived Fields").

        Returns:
            The path for ``u``; None for ``i`` (no file) and ``p`` (`path_or_inline_dv` is the place).

        Raises:
            CorruptTableError: The UUID can't be read.
        """
        if self.storage_type != "u":
            return None
        text = self.path_or_inline_dv
        if len(text) < _UUID_CHARACTERS:
            raise CorruptTableError("a deletion vector's descriptor is too short to name its file")
        prefix, name = text[:-_UUID_CHARACTERS], UUID(bytes=z85.decode(text[-_UUID_CHARACTERS:]))
        file = f"deletion_vector_{name}.bin"
        return f"{prefix}/{file}" if prefix else file

    def place(self) -> str | None:
        """The vector's file, as paths stand in the log.

        Returns:
            Percent-encoded, relative to the table's root or absolute; None for a vector inside the log.

        Raises:
            CorruptTableError: The descriptor can't be read.
        """
        if self.storage_type == "i":
            return None
        if self.storage_type == "p":
            return self.path_or_inline_dv
        relative = self.relative_path()
        if relative is None:
            raise CorruptTableError(
                f"a deletion vector has the storage type {self.storage_type!r}, which Delta does not know"
            )
        return paths.encode_path(relative)


@dataclass(frozen=True, slots=True)
class FileStatistics:
    """What the log knows about a file's rows (section "Per-file Statistics").

    Columns are named physically where the table maps columns. Numbers with a fraction are `Decimal`, since
    a float could lose digits of a decimal column; times are the text of the log.

    Args:
        num_records: Rows in the data file, deleted ones included; None where not known.
        min_values: Column (nested as the schema) to a value no larger than any.
        max_values: Column to a value no smaller than any; texts may be cut off (see section).
        null_count: Column to its number of nulls.
        tight_bounds: False where deleted rows may still count in the bounds.
    """

    num_records: int | None = None
    min_values: Mapping[str, Any] = field(default_factory=dict)
    max_values: Mapping[str, Any] = field(default_factory=dict)
    null_count: Mapping[str, Any] = field(default_factory=dict)
    tight_bounds: bool = True

    @classmethod
    def parse(cls, text: str | None) -> FileStatistics:
        """Read the ``stats`` of an action.

        Args:
            text: JSON, or None.

        Returns:
            The statistics; all unknown where there are none or they can't be read, as they are optional.
        """
        if not text:
            return cls()
        try:
            found = json.loads(text, parse_float=Decimal)
        except ValueError:
            return cls()
        if not isinstance(found, dict):
            return cls()
        count = found.get("numRecords")
        return cls(
            num_records=count if isinstance(count, int) else None,
            min_values=_object(found.get("minValues")),
            max_values=_object(found.get("maxValues")),
            null_count=_object(found.get("nullCount")),
            tight_bounds=found.get("tightBounds") is not False,
        )


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """A file that is no longer part of the table (section "Add File and Remove File").

    Args:
        path: As in the log: percent-encoded, relative to the root or absolute.
        data_change: False where the rows live on in files added by the same commit.
        deletion_timestamp: Milliseconds since the epoch.
        extended_file_metadata: True where ``partition_values`` and ``size`` are given.
        partition_values: Partition column to serialised value.
        size: Bytes.
        stats: Raw JSON.
        tags: Anything.
        deletion_vector: The vector that the file had.
        base_row_id: See section "Row Tracking".
        default_row_commit_version: See section "Row Tracking".
    """

    path: str
    data_change: bool = True
    deletion_timestamp: int | None = None
    extended_file_metadata: bool | None = None
    partition_values: Mapping[str, str | None] | None = None
    size: int | None = None
    stats: str | None = None
    tags: Mapping[str, str | None] | None = None
    deletion_vector: DeletionVector | None = None
    base_row_id: int | None = None
    default_row_commit_version: int | None = None

    @property
    def key(self) -> tuple[str, str | None]:
        """Which logical file it is: path and vector (section "Action Reconciliation")."""
        return self.path, None if self.deletion_vector is None else self.deletion_vector.unique_id


@dataclass(frozen=True, slots=True)
class AddFile:
    """A file of the table (section "Add File and Remove File").

    Args:
        path: As in the log: percent-encoded, relative to the root or absolute.
        partition_values: Partition column (physical name) to serialised value.
        size: Bytes.
        modification_time: Milliseconds since the epoch.
        data_change: False where the rows were in the table before.
        stats: Raw JSON; see `statistics`.
        tags: Anything.
        deletion_vector: Rows of the file that are deleted.
        base_row_id: See section "Row Tracking".
        default_row_commit_version: See section "Row Tracking".
        clustering_provider: See section "Clustered Table".
    """

    path: str
    partition_values: Mapping[str, str | None]
    size: int
    modification_time: int
    data_change: bool = True
    stats: str | None = None
    tags: Mapping[str, str | None] | None = None
    deletion_vector: DeletionVector | None = None
    base_row_id: int | None = None
    default_row_commit_version: int | None = None
    clustering_provider: str | None = None

    @property
    def key(self) -> tuple[str, str | None]:
        """Which logical file it is: path and vector (section "Action Reconciliation")."""
        return self.path, None if self.deletion_vector is None else self.deletion_vector.unique_id

    @property
    def statistics(self) -> FileStatistics:
        """The statistics, parsed anew at each call."""
        return FileStatistics.parse(self.stats)

    @property
    def physical_records(self) -> int | None:
        """Rows in the data file, deleted ones included; None where the log doesn't say."""
        if not self.stats:
            return None
        try:
            found = orjson.loads(self.stats)
        except orjson.JSONDecodeError:
            # NaN and Infinity are no JSON, yet some writers put them among the bounds.
            return self.statistics.num_records
        count = found.get("numRecords") if isinstance(found, dict) else None
        return count if isinstance(count, int) else None

    @property
    def live_records(self) -> int | None:
        """Rows that a reader sees; None where the log doesn't say."""
        records = self.physical_records
        if records is None or self.deletion_vector is None:
            return records
        return records - self.deletion_vector.cardinality

    def location(self, root: str) -> str:
        """The full place of the data file.

        Args:
            root: The table's root: an absolute local folder, or a URL.

        Returns:
            An absolute local path or a URL, decoded.
        """
        return paths.location(self.path, root=root)

    def relative_path(self, root: str) -> str | None:
        """The object path of the data file below the table's root.

        Args:
            root: The table's root: an absolute local folder, or a URL.

        Returns:
            Decoded path, or None for a file that lies elsewhere (a shallow clone has such).
        """
        return paths.relative(self.path, root=root)

    def remove(self, *, at_ms: int, data_change: bool = True) -> RemoveFile:
        """The action that takes exactly this logical file out of the table.

        Args:
            at_ms: When, in milliseconds since the epoch.
            data_change: False where the rows live on in files added by the same commit.

        Returns:
            The action, with everything that the file's ``add`` said (section "Add File and Remove File").
        """
        return RemoveFile(
            path=self.path,
            data_change=data_change,
            deletion_timestamp=at_ms,
            extended_file_metadata=True,
            partition_values=self.partition_values,
            size=self.size,
            stats=self.stats,
            tags=self.tags,
            deletion_vector=self.deletion_vector,
            base_row_id=self.base_row_id,
            default_row_commit_version=self.default_row_commit_version,
        )


@dataclass(frozen=True, slots=True)
class AddCdcFile:
    """A file of changed rows (section "Add CDC File").

    Args:
        path: As in the log: percent-encoded, relative to the root or absolute.
        partition_values: Partition column (physical name) to serialised value.
        size: Bytes.
        tags: Anything.
    """

    path: str
    partition_values: Mapping[str, str | None]
    size: int
    tags: Mapping[str, str | None] | None = None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
