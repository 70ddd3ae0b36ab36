"""A Parquet file with some values changed, of the same size and with everything else as it was.

Column chunks in which nothing changes are taken over byte for byte. The others are decoded, changed and
written again. Between the last page and the footer there are zeros, so that the file keeps its size: a
Delta log tells each file's size, and readers look for the footer from there.

What speaks of values or of places that move is left out: statistics of the columns that change, bloom
filters, page indexes, and whatever lay between the chunks. All of that is optional (Apache Parquet format).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lakehouse.delta.parquet_edit import footer as f
from lakehouse.delta.parquet_edit import thrift
from lakehouse.delta.parquet_edit.encodings import tries
from lakehouse.delta.parquet_edit.footer import Footer, read_footer
from lakehouse.delta.parquet_edit.notes import clean_notes
from lakehouse.delta.parquet_edit.problems import no_room
from lakehouse.delta.parquet_edit.raw import Encoded, Encoding, read_column, read_dictionary, write_column
from lakehouse.delta.parquet_edit.thrift import Buffer, Fields
from lakehouse.delta.parquet_edit.values import Mask, Target, among, changed, flat

Positions: TypeAlias = npt.NDArray[np.uint64]

_ABOUT_VALUES: Final = (f.M_STATISTICS, f.M_KEY_VALUES, f.M_SIZES, f.M_GEO)


@dataclass(slots=True)
class Edit:
    """A file that is changed.

    Args:
        data: The file.
        footer: Its footer.
        targets: What changes; no element lies inside of another.
        rows: Ascending positions of the rows that may change; None means all.
    """

    data: Buffer
    footer: Footer
    targets: Sequence[Target]
    rows: Positions | None
    replaced: dict[tuple[int, int], Encoded] = field(default_factory=dict)
    """By row group and leaf the chunks that were written again."""
    touched: dict[tuple[int, int], Iterator[Encoding]] = field(default_factory=dict)
    """By row group and number of the target what was written again, and the ways to write it smaller."""
    gone: list[list[pa.Array]] = field(default_factory=list)
    """By target and leaf the plain values that were in the rows that changed, unless those are all rows."""

    def mask(self, group: int) -> Mask:
        """Which rows of a row group may change."""
        counts = self.footer.rows()
        start, count = sum(counts[:group]), counts[group]
        if self.rows is None:
            return np.ones(count, dtype=np.bool_)
        found = np.zeros(count, dtype=np.bool_)
        first, last = np.searchsorted(self.rows, [start, start + count])
        found[(self.rows[first:last] - np.uint64(start)).astype(np.int64)] = True
        return found


def edited(
    data: Buffer, footer: Footer, targets: Sequence[Target], *, rows: Positions | None, size: int
) -> tuple[bytes, Edit] | None:
    """Change a file.

    Args:
        data: The file.
        footer: Its footer, as `read_footer` gives it.
        targets: What changes; no element lies inside of another.
        rows: Ascending positions of the rows that may change; None means all.
        size: Bytes that the new file must have.

    Returns:
        The new file and what was done, or None where nothing has to change.

    Raises:
        CantEditError: It can't be done; the message says why.
    """
    edit = Edit(data, footer, targets, rows)
    for number in range(len(targets)):
        gone = _change_all(edit, number)
        _clean_dictionaries(edit, number, gone)
        edit.gone.append(gone)
    if not edit.touched:
        return None
    while True:
        parts, end = _laid_out(edit)
        needed = sum(map(len, parts)) + len(end) + f.TRAILER
        if needed <= size:
            return b"".join(
                [*parts, bytes(size - needed), end, len(end).to_bytes(4, "little"), f.MAGIC]
            ), edit
        if not _squeezed(edit, needed - size):
            raise no_room(needed=needed, size=size)


def _change_all(edit: Edit, number: int) -> list[pa.Array]:
    """Changes one target in all row groups; gives for each leaf the values that were in the changed rows."""
    target = edit.targets[number]
    gone: list[list[pa.Array]] = [[] for _ in target.node.leaves()]
    for found, known in zip(gone, target.gone or (), strict=False):
        found.append(known)
    for group in range(len(edit.footer.groups)):
        mask = edit.mask(group)
        if not mask.any():
            continue
        old = read_column(edit.data, edit.footer, target.node, group)
        new = changed(old, target, mask)
        if new is None:
            continue
        _replace(edit, group, number, new)
        if edit.rows is not None:
            for found, part in zip(gone, flat(old.filter(pa.array(mask)), target.node), strict=True):
                found.append(part.unique())
    return [pa.concat_arrays(parts).unique() if parts else pa.array([]) for parts in gone]


def _replace(edit: Edit, group: int, number: int, values: pa.Array) -> None:
    """Writes a part of a row group again, much as it was."""
    node = edit.targets[number].node
    ways = tries([edit.footer.chunk(group, leaf.leaf).meta for leaf in node.leaves()])
    for leaf, encoded in zip(node.leaves(), write_column(values, node, next(ways)), strict=True):
        edit.replaced[group, leaf.leaf] = encoded
    edit.touched[group, number] = ways


def _squeezed(edit: Edit, bytes_over: int) -> int:
    """Writes parts in smaller ways until enough is saved or there are no more; gives what was saved."""
    saved = 0
    while saved < bytes_over:
        left = False
        for (group, number), ways in edit.touched.items():
            way = next(ways, None)
            if way is None:
                continue
            left = True
            target = edit.targets[number]
            old = read_column(edit.data, edit.footer, target.node, group)
            values = changed(old, target, edit.mask(group))
            new = write_column(old if values is None else values, target.node, way)
            leaves = [leaf.leaf for leaf in target.node.leaves()]
            less = sum(len(edit.replaced[group, leaf].data) for leaf in leaves) - _bytes(new)
            if less > 0:
                edit.replaced.update({(group, leaf): each for leaf, each in zip(leaves, new, strict=True)})
                saved += less
            if saved >= bytes_over:
                break
        if not left:
            break
    return saved


def _clean_dictionaries(edit: Edit, number: int, gone: Sequence[pa.Array]) -> None:
    """Writes chunks again whose dictionary has a value that is to go though no row of theirs points at it.

    Writers of categorical columns put all categories into the dictionary of each row group.
    """
    node = edit.targets[number].node
    done = {group for group, target in edit.touched if target == number}
    for group in range(len(edit.footer.groups)):
        if group in done or not any(len(values) for values in gone):
            continue
        suspects: list[tuple[int, pa.Array]] = []
        for place, (leaf, values) in enumerate(zip(node.leaves(), gone, strict=True)):
            if not len(values):
                continue
            known = read_dictionary(edit.data, edit.footer.chunk(group, leaf.leaf), leaf)
            left = known.filter(pa.array(among(known, values)))
            if len(left):
                suspects.append((place, left))
        if not suspects:
            continue
        column = read_column(edit.data, edit.footer, node, group)
        parts = flat(column, node)
        if any(not among(left, parts[place]).all() for place, left in suspects):
            _replace(edit, group, number, column)


def _laid_out(edit: Edit) -> tuple[list[Buffer], bytes]:
    """What stands before the footer, and the footer."""
    parts: list[Buffer] = [f.MAGIC]
    at = len(f.MAGIC)
    view = memoryview(edit.data)
    footer = read_footer(edit.data)
    clean_notes(footer, list(itertools.chain.from_iterable(edit.gone)))
    leaves = [leaf.leaf for leaf in footer.root.leaves()]
    changing = {leaf.leaf for target in edit.targets for leaf in target.node.leaves()}
    for group, fields in enumerate(footer.groups):
        for leaf in leaves:
            chunk = footer.chunk(group, leaf)
            new = edit.replaced.get((group, leaf))
            content = view[chunk.start : chunk.start + chunk.length] if new is None else new.data
            _place(fields[f.COLUMNS].value[leaf], new, old_start=chunk.start, start=at)
            if leaf in changing:
                for number in _ABOUT_VALUES:
                    chunk.meta.pop(number, None)
            parts.append(content)
            at += len(content)
        _group_totals(fields, changing=changing)
    return parts, thrift.write_struct(footer.fields)


def _place(column: Fields, new: Encoded | None, *, old_start: int, start: int) -> None:
    """Says in the footer where a chunk lies now."""
    f.bare_chunk(column)
    meta: Fields = column[f.META].value
    if new is None:
        move = start - old_start
        for number in (f.M_DATA, f.M_DICTIONARY, f.M_INDEX):
            known = meta.get(number)
            if known is not None and known.value > 0:
                meta[number] = thrift.i64(known.value + move)
        return
    for number in (f.M_DICTIONARY, f.M_INDEX, f.M_ENCODING_STATS):
        meta.pop(number, None)
    meta.update(new.meta)
    for number in (f.M_DATA, f.M_DICTIONARY):
        if number in meta:
            meta[number] = thrift.i64(int(meta[number].value) + start)


def _group_totals(group: Fields, *, changing: set[int]) -> None:
    columns = [column[f.META].value for column in group[f.COLUMNS].value]
    group[f.BYTES] = thrift.i64(sum(int(meta[f.M_UNCOMPRESSED].value) for meta in columns))
    if f.COMPRESSED in group:
        group[f.COMPRESSED] = thrift.i64(sum(int(meta[f.M_COMPRESSED].value) for meta in columns))
    if f.GROUP_OFFSET in group and columns:
        first = columns[0]
        start = first.get(f.M_DICTIONARY, first[f.M_DATA])
        group[f.GROUP_OFFSET] = thrift.i64(int(start.value) or int(first[f.M_DATA].value))
    order = group.get(f.SORTING)
    # Rows that were sorted by a column are not any more, once some of its values are gone.
    if order is not None and any(int(by[1].value) in changing for by in order.value):
        del group[f.SORTING]


def _bytes(chunks: Sequence[Encoded]) -> int:
    return sum(len(chunk.data) for chunk in chunks)
