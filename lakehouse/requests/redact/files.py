"""Emptying cells of a Parquet file, at its exact size and in its order of rows."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyroaring import BitMap64

from lakehouse.delta import deletion_vectors
from lakehouse.delta.parquet_edit.check import check
from lakehouse.delta.parquet_edit.edit import edited
from lakehouse.delta.parquet_edit.footer import REQUIRED, Footer, Node, read_footer
from lakehouse.delta.parquet_edit.places import Step, find
from lakehouse.delta.parquet_edit.problems import CantEditError, without_values
from lakehouse.delta.parquet_edit.small import arrow_type
from lakehouse.delta.parquet_edit.thrift import Buffer
from lakehouse.delta.parquet_edit.values import Mask, Target, emptied
from lakehouse.requests.redact.constants import Plain, stored, zero

Rows: TypeAlias = BitMap64 | npt.NDArray[np.integer] | Sequence[int]


@dataclass(frozen=True, slots=True)
class Cells:
    """Which cells of a row are emptied, and what stands there then.

    Args:
        path: What the file calls the column (or its field id), and from there down names of fields,
            ``element`` of lists, ``key`` and ``value`` of maps.
        neutral: What is written instead; None means null, as far as the file lets it be null.
        or_zero: Whether a column that the file does not let be null gets an empty text, a zero or the like.
        gone: Values that must not stand in a dictionary of the column either, where no row of the file has
            them: writers of categorical columns put all categories into each file. Never shown.
    """

    path: tuple[Step, ...]
    neutral: Plain = None
    or_zero: bool = False
    gone: tuple[Plain, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied:
    """A file after its cells were emptied.

    Args:
        data: The whole file, exactly as long as before.
        cells: By path how many values were taken out; of lists each element counts.
        missing: Paths that the file has no column for.
        chunks: How many column chunks were written again.
    """

    data: bytes = field(repr=False)
    cells: Mapping[tuple[Step, ...], int]
    missing: tuple[tuple[Step, ...], ...] = ()
    chunks: int = 0


def emptied_file(source: Buffer, *, rows: Rows, columns: Sequence[Cells]) -> Emptied | None:
    """Take the values of some cells out of a Parquet file: pure.

    The rows stay in their order, so deletion vectors and counts hold; the size stays, so the log holds. Of
    the old values nothing is left: not in pages, dictionaries, statistics, indexes, bloom filters nor in
    the file's notes. Columns and row groups that have none of the cells are taken over byte for byte. What
    comes out is read again and compared, before it is given back.

    Args:
        source: The file.
        rows: Positions of rows in the file, from 0.
        columns: Which cells of each of them.

    Returns:
        The new file; None where there was nothing to empty (already done, or none of the columns).

    Raises:
        CantEditError: It can't be done (`NoRoomError`: it does not fit); the message says why.
        CorruptTableError: It is no Parquet file, or a damaged one.
    """
    with without_values():
        return _emptied_file(source, positions(rows), columns)


def _emptied_file(source: Buffer, rows: npt.NDArray[np.uint64], columns: Sequence[Cells]) -> Emptied | None:
    footer = read_footer(source)
    if rows.size and int(rows[-1]) >= sum(footer.rows()):
        raise CantEditError("it has fewer rows than were named")
    counts: dict[tuple[Step, ...], int] = {}
    targets, missing = _targets(footer, columns, counts)
    done = edited(source, footer, targets, rows=rows, size=len(source))
    if done is None:
        return None
    data, edit = done
    check(source, data, edit)
    return Emptied(data=data, cells=counts, missing=missing, chunks=len(edit.replaced))


def positions(rows: Rows) -> npt.NDArray[np.uint64]:
    """Positions as ascending numbers, each once.

    Args:
        rows: In any form and order.
    """
    if isinstance(rows, BitMap64):
        return deletion_vectors.positions_of(rows)
    return np.unique(np.asarray(rows, dtype=np.uint64))


def _targets(
    footer: Footer, columns: Sequence[Cells], counts: dict[tuple[Step, ...], int]
) -> tuple[list[Target], tuple[tuple[Step, ...], ...]]:
    found: dict[Node, Cells] = {}
    missing: list[tuple[Step, ...]] = []
    for cells in columns:
        node = find(footer.root, cells.path)
        if node is None:
            missing.append(cells.path)
        elif node in found and (found[node].neutral, found[node].or_zero) != (cells.neutral, cells.or_zero):
            raise CantEditError("two different neutral values are given for one of its columns")
        else:
            found[node] = cells
    # What lies in an element that is emptied as a whole goes with it.
    outer = [node for node in found if not any(above in found for above in node.ancestors()[:-1])]
    return [_target(node, found[node], counts) for node in outer], tuple(missing)


def _target(node: Node, cells: Cells, counts: dict[tuple[Step, ...], int]) -> Target:
    constant = None if cells.neutral is None else stored(node, cells.neutral)
    if constant is None and cells.or_zero and node.repeats == REQUIRED and not node.children:
        constant = zero(node)

    def change(values: pa.Array, mask: Mask, here: Node) -> pa.Array | None:
        new = emptied(values, mask, here, constant=constant)
        if new is not None:
            held = int((mask & values.is_valid().to_numpy(zero_copy_only=False)).sum())
            counts[cells.path] = counts.get(cells.path, 0) + held
        return new

    return Target(node, change, [_stored(leaf, cells.gone) for leaf in node.leaves()] if cells.gone else None)


def _stored(leaf: Node, values: Sequence[Plain]) -> pa.Array:
    """Those of the values that a leaf can hold."""
    found = pa.array([], arrow_type(leaf))
    for value in values:
        # What does not fit can't be in it.
        with contextlib.suppress(CantEditError):
            found = pa.concat_arrays([found, pa.array([stored(leaf, value).as_py()], found.type)])
    return found
