"""One query over many data files: which of them share a Parquet scan, and how each scan is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from pyroaring import BitMap64

from lakehouse.delta import column_mapping, deletion_vectors, footers, partitions
from lakehouse.delta.actions import AddFile
from lakehouse.delta.locations import locate, map_files
from lakehouse.delta.read_plan import (
    CAST_OPTIONS,
    ColumnSource,
    needs_footer,
    plan_by_footer,
    plan_by_name,
)
from lakehouse.delta.schema import StructField, to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.storage import Storage

# Up to here each file is a scan of its own, so that positions come out right by themselves. Beyond, files
# share scans, which opens fewer of them at once.
_SINGLE_SCANS: Final = 128
_FILES_A_SCAN: Final = 256
_ROW_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class Group:
    """Files that one Parquet scan reads.

    Args:
        adds: The files.
        numbers: Their numbers among all.
        sources: How their columns are read.
        constants: The values of partition columns.
    """

    sources: Sequence[ColumnSource]
    constants: Sequence[pl.Expr]
    adds: list[AddFile] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ScanQuery:
    """What is asked of all files alike; see `lakehouse.delta.scan.scan_files`.

    Args:
        storage: The table's root.
        snapshot: The version.
        names: The columns to show.
        stored: Those that files hold.
        partitioned: Those that the log holds.
        mapping: How the table maps its columns.
        file: Name for the column with the file's number.
        position: Name for the column with the row's position.
        keys: What rows are asked for.
        index: A free name for Polars' running number of rows.
    """

    storage: Storage
    snapshot: Snapshot
    names: Sequence[str]
    stored: Sequence[StructField]
    partitioned: Sequence[StructField]
    mapping: column_mapping.Mode
    file: str | None
    position: str | None
    keys: pl.DataFrame | None
    index: str

    @classmethod
    def make(
        cls,
        storage: Storage,
        snapshot: Snapshot,
        columns: Sequence[str] | None,
        *,
        file: str | None,
        position: str | None,
        keys: pl.DataFrame | None,
    ) -> ScanQuery:
        """Look up what is asked in the table's schema.

        Args:
            storage: The table's root.
            snapshot: The version.
            columns: Display names; None means all.
            file: Name for the column with the file's number.
            position: Name for the column with the row's position.
            keys: What rows are asked for.

        Returns:
            The query.

        Raises:
            UsageError: There is no such column.
        """
        names = list(snapshot.schema.names if columns is None else columns)
        fields = snapshot.schema.select(names).fields
        by_value = frozenset(snapshot.metadata.partition_columns)
        taken = [*names, *(item.physical_name for item in snapshot.schema.fields)]
        return cls(
            storage=storage,
            snapshot=snapshot,
            names=names,
            stored=[item for item in fields if item.name not in by_value],
            partitioned=[item for item in fields if item.name in by_value],
            mapping=column_mapping.mode(snapshot.metadata, protocol=snapshot.protocol),
            file=file,
            position=position,
            keys=keys,
            index=unused_name("row", taken),
        )

    def empty(self) -> pl.LazyFrame:
        """No rows, with the columns that there would be.

        Returns:
            The empty frame.
        """
        schema = dict(to_polars(self.snapshot.schema.select(self.names)))
        extra = [name for name in (self.file, self.position) if name is not None]
        return pl.LazyFrame(schema={**schema, **dict.fromkeys(extra, pl.UInt32())})

    def _group(self, adds: Sequence[AddFile]) -> list[Group]:
        """Sort the files into scans."""
        plans = self._plans(adds)
        single = len(adds) <= _SINGLE_SCANS
        groups: list[Group] = []
        open_groups: dict[Any, Group] = {}
        for number, (add, sources) in enumerate(zip(adds, plans, strict=True)):
            values = [self._partition_text(add, item) for item in self.partitioned]
            alike = (tuple(values), tuple((item.source, str(item.read_as)) for item in sources))
            group = open_groups.get(alike)
            if group is None or single or len(group.adds) >= _FILES_A_SCAN:
                constants = [
                    partitions.literal(text, item.type).alias(item.name)
                    for text, item in zip(values, self.partitioned, strict=True)
                ]
                group = Group(sources=sources, constants=constants)
                groups.append(group)
                open_groups[alike] = group
            group.adds.append(add)
            group.numbers.append(number)
        return groups

    def run(self, adds: Sequence[AddFile], vectors: Mapping[int, BitMap64]) -> pl.LazyFrame:
        """The query over all files.

        Args:
            adds: The files, at least one.
            vectors: Number of a file to the positions of its dead rows.

        Returns:
            The rows.

        Raises:
            CorruptTableError: A footer or partition value can't be read.
        """
        groups = self._group(adds)
        shared = any(len(group.adds) > 1 for group in groups)
        counts: list[int] = []
        if shared and (self._marked or vectors):
            counts = footers.row_counts(self.storage, adds)
        starts = _starts(groups, counts)
        scans = [
            self._scan(number, group, starts, vectors=vectors, coded=shared)
            for number, group in enumerate(groups)
        ]
        rows = pl.concat(scans, how="vertical")
        # Once for all scans, so that the keys are hashed once.
        if self.keys is not None:
            rows = rows.join(self.keys.lazy(), on=self.keys.columns, how="semi")
        if shared and self._marked:
            rows = rows.with_columns(self._decoded(groups, starts)).select(*self.names, *self._marked)
        return rows

    @property
    def _marked(self) -> list[str]:
        return [name for name in (self.file, self.position) if name is not None]

    def _scan(
        self,
        number: int,
        group: Group,
        starts: Sequence[npt.NDArray[np.int64]],
        *,
        vectors: Mapping[int, BitMap64],
        coded: bool,
    ) -> pl.LazyFrame:
        """One scan of Parquet files; ``coded`` leaves file and position in one number, alike in all scans."""
        dead = {item: vectors[item] for item in group.numbers if item in vectors}
        # Without any column that files hold, the running number is what says how many rows there are.
        counted = bool(dead) or bool(self._marked) or all(item.source is None for item in group.sources)
        rows = self._rows(group, indexed=counted)
        if dead:
            rows = rows.filter(~pl.col(self.index).is_in(_dead_rows(group, dead, starts[number]).implode()))
        shown = [*(item.value for item in group.sources), *group.constants]
        rows = rows.select(*shown, *([self.index] if counted else []))
        marks: list[pl.Expr] = []
        if self._marked and coded:
            marks.append((pl.col(self.index).cast(pl.UInt64) + (number << _ROW_BITS)).alias(self.index))
        elif self._marked:
            place = {self.file: pl.lit(group.numbers[0], dtype=pl.UInt32), self.position: pl.col(self.index)}
            marks += [value.alias(name) for name, value in place.items() if name is not None]
        return rows.select(*(pl.col(name) for name in self.names), *marks)

    def _decoded(self, groups: Sequence[Group], starts: Sequence[npt.NDArray[np.int64]]) -> list[pl.Expr]:
        """File and position from the number that stands for both."""
        first = np.concatenate([(number << _ROW_BITS) + start for number, start in enumerate(starts)])
        first = first.astype(np.uint64)
        numbers = np.concatenate([group.numbers for group in groups])

        def files_of(codes: pl.Series) -> pl.Series:
            found = np.searchsorted(first, codes.to_numpy(), side="right") - 1
            return pl.Series(numbers[found], dtype=pl.UInt32)

        def places_of(codes: pl.Series) -> pl.Series:
            found = codes.to_numpy()
            return pl.Series(found - first[np.searchsorted(first, found, side="right") - 1], dtype=pl.UInt32)

        pairs = ((self.file, files_of), (self.position, places_of))
        return [_by_row(self.index, function).alias(name) for name, function in pairs if name is not None]

    def _rows(self, group: Group, *, indexed: bool) -> pl.LazyFrame:
        wanted = {item.source: item.read_as for item in group.sources if item.source is not None}
        return pl.scan_parquet(
            [_source(self.storage, add) for add in group.adds],
            schema=wanted,
            row_index_name=self.index if indexed else None,
            missing_columns="insert",
            extra_columns="ignore",
            cast_options=CAST_OPTIONS,
            hive_partitioning=False,
            glob=False,
            storage_options=self.storage.library_options() or None,
        )

    def _plans(self, adds: Sequence[AddFile]) -> list[list[ColumnSource]]:
        if not needs_footer(self.stored, self.mapping):
            return [plan_by_name(self.stored, self.mapping)] * len(adds)

        def plan(add: AddFile) -> list[ColumnSource]:
            return plan_by_footer(self.storage, self.snapshot, add, fields=self.stored, mapping=self.mapping)

        return map_files(plan, adds, storage=self.storage)

    def _partition_text(self, add: AddFile, item: StructField) -> str | None:
        return add.partition_values.get(item.name if self.mapping == "none" else item.physical_name)


def _source(storage: Storage, add: AddFile) -> Any:
    """What Polars is given to find a file: its place, or its bytes where Polars can't reach it."""
    home, path = locate(storage, add.path)
    return home.get(path) if home.url.startswith("memory:") else home.uri(path)


def _dead_rows(group: Group, dead: Mapping[int, BitMap64], starts: npt.NDArray[np.int64]) -> pl.Series:
    parts = [
        deletion_vectors.positions_of(dead[number]) + np.uint64(start)
        for number, start in zip(group.numbers, starts, strict=True)
        if number in dead
    ]
    return pl.Series(np.concatenate(parts), dtype=pl.UInt32)


def _starts(groups: Sequence[Group], counts: Sequence[int]) -> list[npt.NDArray[np.int64]]:
    """For each group, at which running number of the scan each of its files starts."""
    if not counts:
        return [np.zeros(1, dtype=np.int64) for _ in groups]
    return [
        np.concatenate([[0], np.cumsum([counts[number] for number in group.numbers])[:-1]]).astype(np.int64)
        for group in groups
    ]


def _by_row(index: str, function: Callable[[pl.Series], pl.Series]) -> pl.Expr:
    return pl.col(index).map_batches(function, return_dtype=pl.UInt32, is_elementwise=True)


def unused_name(name: str, taken: Sequence[str]) -> str:
    """A name for a column of our own.

    Args:
        name: What it should be called like.
        taken: Names that it must not have.

    Returns:
        The name, with underscores around.
    """
    known = frozenset(taken)
    while f"__{name}" in known:
        name += "_"
    return f"__{name}"
