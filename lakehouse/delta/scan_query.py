"""One query over many data files: which of them share a Parquet scan, and how each scan is built."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from pyroaring import BitMap64

from lakehouse.delta import column_mapping, footers, partitions
from lakehouse.delta.actions import AddFile
from lakehouse.delta.exact import column
from lakehouse.delta.locations import is_local, locate, map_files
from lakehouse.delta.read_plan import (
    CAST_OPTIONS,
    ColumnSource,
    needs_footer,
    plan_by_footer,
    plan_by_name,
)
from lakehouse.delta.scan_groups import Group, check_within, dead_rows, starts_of
from lakehouse.delta.schema import StructField, to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.storage import Storage

# Up to here each file is a scan of its own: its vector applies without a look into the footers for where it
# starts, and its rows need no path to tell where they are from. Shared scans open fewer files at once, and
# pick rows by keys twice as fast. Of single ones Polars begins the next when the last has ended, so a remote
# store would be waited for each time.
_SINGLE_SCANS: Final = 128
_MOST_TEXTS: Final = 250_000
# From among many rows, Polars 2.1 picks by a list of some ten thousand numbers a third slower than by one of
# at least two hundred thousand.
_MANY_ROWS: Final = 3_000_000
_SHORT_LIST: Final = 5_000
_QUICK_LIST: Final = 200_000
_MEMORY: Final = "memory:"


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
        path: A free name for the file's path.
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
    path: str

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
            path=unused_name("path", taken),
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
        # What lies in memory has no path to tell it by.
        few = (
            len(adds) <= _SINGLE_SCANS and is_local(self.storage) and (self.keys is None or not self._marked)
        )
        alone = few or self.storage.url.startswith(_MEMORY)
        groups: list[Group] = []
        open_groups: dict[Any, Group] = {}
        rows_of: dict[Any, int] = defaultdict(int)
        for number, (add, sources) in enumerate(zip(adds, plans, strict=True)):
            values = [self._partition_text(add, item) for item in self.partitioned]
            alike = (tuple(values), tuple((item.source, str(item.read_as)) for item in sources))
            group = open_groups.get(alike)
            rows = 0 if alone else add.physical_records or 0
            rows_of[alike] += rows
            if group is None or alone or group.is_full(rows_of[alike]):
                rows_of[alike] = rows
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
        starts = dict.fromkeys(range(len(adds)), 0)
        if shared and (self._marked or vectors):
            counts = footers.row_counts(self.storage, adds)
            starts = starts_of(groups, counts)
            for number, bitmap in vectors.items():
                # In a shared scan it would hide rows of the file that comes next.
                check_within(adds[number], bitmap, rows=counts[number], root=self.storage.url)
        rows = pl.concat(
            [self._scan(group, starts, vectors=vectors, shared=shared) for group in groups], how="vertical"
        )
        # Once for all scans, so that the keys are hashed once.
        if self.keys is not None:
            rows = _with_keys(rows, self.keys, among=sum(add.physical_records or 0 for add in adds))
        return self._told_apart(rows, adds, starts) if shared and self._marked else rows

    @property
    def _marked(self) -> list[str]:
        return [name for name in (self.file, self.position) if name is not None]

    def _scan(
        self, group: Group, starts: Mapping[int, int], *, vectors: Mapping[int, BitMap64], shared: bool
    ) -> pl.LazyFrame:
        """One scan; where some are ``shared``, path and running number come along in place of the marks."""
        dead = {number: vectors[number] for number in group.numbers if number in vectors}
        # Without any column that files hold, the running number is what says how many rows there are.
        counted = bool(dead) or bool(self._marked) or all(item.source is None for item in group.sources)
        rows = self._rows(group, counted=counted, named=shared and bool(self._marked))
        if dead:
            rows = rows.filter(~column(self.index).is_in(dead_rows(dead, starts).implode()))
        shown = [*(item.value for item in group.sources), *group.constants]
        helpers = [column(self.index)] if counted else []
        if self._marked and shared:
            helpers.append(column(self.path))
        rows = rows.select(*shown, *helpers)
        if self._marked and not shared:
            marks = {self.file: pl.lit(group.numbers[0], dtype=pl.UInt32), self.position: column(self.index)}
            helpers = [value.alias(name) for name, value in marks.items() if name is not None]
        elif not self._marked:
            helpers = []
        return rows.select(*(column(name) for name in self.names), *helpers)

    def _told_apart(
        self, rows: pl.LazyFrame, adds: Sequence[AddFile], starts: Mapping[int, int]
    ) -> pl.LazyFrame:
        """File and position from the path and the running number."""
        start, number = f"{self.index}_start", f"{self.index}_file"
        files = pl.LazyFrame(
            {
                self.path: [_source(self.storage, add) for add in adds],
                number: pl.Series(range(len(adds)), dtype=pl.UInt32),
                start: pl.Series([starts[item] for item in range(len(adds))], dtype=pl.UInt32),
            }
        )
        marks = {self.file: column(number), self.position: column(self.index) - column(start)}
        return rows.join(files, on=self.path, how="left").select(
            *(column(name) for name in self.names),
            *(value.alias(name) for name, value in marks.items() if name is not None),
        )

    def _rows(self, group: Group, *, counted: bool, named: bool) -> pl.LazyFrame:
        wanted = {item.source: item.read_as for item in group.sources if item.source is not None}
        return pl.scan_parquet(
            [_source(self.storage, add) for add in group.adds],
            schema=wanted,
            row_index_name=self.index if counted else None,
            include_file_paths=self.path if named else None,
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


def filters_fast(keys: pl.DataFrame) -> bool:
    """Whether rows are picked by these keys faster than a join picks them.

    Args:
        keys: What rows are asked for.

    Returns:
        True for one column of whole numbers or times; and for texts, unless there are very many of them.
    """
    if keys.width != 1:
        return False
    kind = keys.dtypes[0]
    plain = kind.is_integer() or kind in (pl.Date, pl.Datetime)
    return plain or (kind == pl.String and keys.height <= _MOST_TEXTS)


def _with_keys(rows: pl.LazyFrame, keys: pl.DataFrame, *, among: int) -> pl.LazyFrame:
    if filters_fast(keys):
        wanted = keys.to_series() if among < _MANY_ROWS else _long_enough(keys.to_series())
        return rows.filter(column(wanted.name).is_in(wanted.implode()))
    return rows.join(keys.lazy(), on=keys.columns, how="semi")


def _long_enough(wanted: pl.Series) -> pl.Series:
    """The same values, named again and again where a longer list is faster."""
    if wanted.dtype == pl.String or not _SHORT_LIST <= wanted.len() < _QUICK_LIST:
        return wanted
    return pl.concat([wanted] * -(-_QUICK_LIST // wanted.len()))


def _source(storage: Storage, add: AddFile) -> Any:
    """What Polars is given to find a file: its place, or its bytes where Polars can't reach it."""
    home, path = locate(storage, add.path)
    return home.get(path) if home.url.startswith(_MEMORY) else home.uri(path)


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
