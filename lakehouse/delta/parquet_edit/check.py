"""Looks at a changed file as if somebody else had made it: is it the old one but for what had to change?"""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.delta.parquet_edit.edit import Edit
from lakehouse.delta.parquet_edit.footer import Footer, Node, read_footer
from lakehouse.delta.parquet_edit.problems import CantEditError
from lakehouse.delta.parquet_edit.raw import read_column, read_dictionary
from lakehouse.delta.parquet_edit.thrift import Buffer
from lakehouse.delta.parquet_edit.values import Mask, Target, among, changed, flat

_MANY: Final = 2048


def check(old: Buffer, new: bytes, edit: Edit) -> None:
    """Compare a changed file with the old one.

    Chunks that were taken over are compared byte by byte. Of the others all cells outside of the rows that
    change are compared, and those inside looked at; dictionaries may hold nothing that no row points at.

    Args:
        old: The file.
        new: The changed one.
        edit: What was done.

    Raises:
        CantEditError: Something is not as it has to be.
    """
    if len(new) != len(old):
        raise _wrong("its size")
    before, after = read_footer(old), read_footer(new)
    _open(old, new)
    if before.rows() != after.rows():
        raise _wrong("its row groups")
    for group in range(len(before.groups)):
        for leaf in before.root.leaves():
            if (group, leaf.leaf) not in edit.replaced:
                _same_bytes(old, new, before, after, group=group, leaf=leaf.leaf)
    for group, number in edit.touched:
        _same_cells(old, new, before, after, edit=edit, group=group, number=number)
    _same_gaps(new, after)


def _open(old: Buffer, new: bytes) -> None:
    """The schema and the rows as PyArrow sees them, whose reader is none of ours."""
    try:
        first, second = (
            pq.ParquetFile(pa.BufferReader(pa.py_buffer(old))),
            pq.ParquetFile(pa.BufferReader(new)),
        )
    except (pa.ArrowException, OSError):
        raise _wrong("its footer") from None
    same = first.schema.equals(second.schema) and first.schema_arrow.equals(second.schema_arrow)
    if not same or first.metadata.num_rows != second.metadata.num_rows:
        raise _wrong("its schema")


def _same_bytes(old: Buffer, new: bytes, before: Footer, after: Footer, *, group: int, leaf: int) -> None:
    first, second = before.chunk(group, leaf), after.chunk(group, leaf)
    one = memoryview(old)[first.start : first.start + first.length]
    if one != memoryview(new)[second.start : second.start + second.length]:
        raise _wrong("a column that had to stay")


def _same_cells(
    old: Buffer, new: bytes, before: Footer, after: Footer, *, edit: Edit, group: int, number: int
) -> None:
    target = edit.targets[number]
    was = read_column(old, before, same_place(before, target.node), group)
    node = same_place(after, target.node)
    now = read_column(new, after, node, group)
    mask = edit.mask(group)
    if not _same_outside(was, now, mask):
        raise _wrong("cells that had to stay")
    if changed(now, Target(node, target.change), mask) is not None:
        raise _wrong("cells that had to change")
    for place, leaf in enumerate(node.leaves()):
        known = read_dictionary(new, after.chunk(group, leaf.leaf), leaf)
        if edit.rows is not None:
            known = known.filter(pa.array(among(known, edit.gone[number][place])))
        if len(known) and not among(known, flat(now, node)[place].unique()).all():
            raise _wrong("a dictionary")


def _same_outside(was: pa.Array, now: pa.Array, mask: Mask) -> bool:
    """Whether all rows outside of the mask are the same."""
    if len(was) != len(now):
        return False
    inside = np.flatnonzero(mask)
    if inside.size > _MANY:
        stay = pa.array(~mask)
        return bool(was.filter(stay).equals(now.filter(stay)))
    # Stretches cost no copies.
    edges = [-1, *inside.tolist(), len(was)]
    return all(
        was.slice(before + 1, after - before - 1).equals(now.slice(before + 1, after - before - 1))
        for before, after in itertools.pairwise(edges)
    )


def _same_gaps(new: bytes, footer: Footer) -> None:
    """Between the chunks there is nothing, and after the last only zeros."""
    chunks = [
        footer.chunk(group, leaf.leaf) for group in range(len(footer.groups)) for leaf in footer.root.leaves()
    ]
    end = 4
    for chunk in chunks:
        if chunk.start != end:
            raise _wrong("where its columns lie")
        end += chunk.length
    if new[end : footer.start].strip(b"\0"):
        raise _wrong("what lies between its columns and its footer")


def same_place(footer: Footer, node: Node) -> Node:
    """The element of another file's schema at the same place.

    Args:
        footer: The other file's footer.
        node: An element.
    """
    way: list[int] = []
    while node.parent is not None:
        way.append(next(n for n, child in enumerate(node.parent.children) if child is node))
        node = node.parent
    found = footer.root
    for number in reversed(way):
        found = found.children[number]
    return found


def _wrong(what: str) -> CantEditError:
    return CantEditError(f"{what} would not be as it has to be (nothing was written)")
