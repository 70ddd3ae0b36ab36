"""Replacing objects of a table by their emptied selves.

An object is replaced whole: on this machine a file is written beside it, forced to the disk and renamed
over it; on object stores it is one ``put``. A killed process leaves the old or the new one, and, on this
machine, perhaps a staging file, which holds the new content and which no reader lists
(`lakehouse.storage.staging`). Doing it again changes nothing.

A reader that has read a part of the old object, most of all its footer, and reads on in the new one finds
pages where it does not look for them. It fails with an error of its Parquet library and has to read again;
since sizes and rows are the same, that is all. Readers that have the file open on this machine go on in the
old one.

On buckets that keep versions the old object stays as an older version, until it is removed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lakehouse.delta.parquet_edit.places import Step
from lakehouse.delta.parquet_edit.problems import CantEditError
from lakehouse.delta.stripping.log import drop_hadoop_checksum
from lakehouse.errors import CorruptTableError
from lakehouse.requests.redact.files import Cells, Rows, emptied_file
from lakehouse.storage import Storage

Part: TypeAlias = tuple[Rows, Sequence[Cells]]
"""Some rows, and which of their cells are emptied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """An object that was replaced.

    Args:
        path: Below the storage's root.
        size: Bytes, before and after.
        before: SHA-256 of the old content, in hexadecimal digits.
        after: SHA-256 of the new content.
        cells: By path into the file how many values were taken out.
        chunks: How many column chunks were written again.
    """

    path: str
    size: int
    before: str
    after: str
    cells: Mapping[tuple[Step, ...], int]
    chunks: int


def empty_in_place(
    storage: Storage, path: str, *, size: int, rows: Rows, columns: Sequence[Cells]
) -> Replaced | None:
    """Empty cells of a data file, or of a file of change data, where it lies.

    Args:
        storage: Where it is.
        path: The object, decoded.
        size: Its bytes, as the log says.
        rows: Positions of rows in the file, from 0.
        columns: Which cells of each of them.

    Returns:
        What was done; None where there was nothing to empty, as after an earlier try that succeeded.

    Raises:
        CantEditError: It can't be done; nothing was changed.
        NotFoundError: The object is gone.
        CorruptTableError: It is no Parquet file, or not of that size.
        StorageError: The store failed; the object is the old or the new one.
    """
    return empty_parts_in_place(storage, path, size=size, parts=lambda _: [(rows, columns)])


def empty_parts_in_place(
    storage: Storage,
    path: str,
    *,
    size: int,
    parts: Callable[[bytes], Sequence[Part]],
    before: Callable[[Replaced], None] = lambda _: None,
) -> Replaced | None:
    """Does `empty_in_place` where some rows lose other cells than others.

    Args:
        storage: Where it is.
        path: The object, decoded.
        size: Its bytes, as the log says.
        parts: Given the file, what is emptied in it.
        before: Called with what is about to be done, right before it is.

    Returns:
        As `empty_in_place`.

    Raises:
        CantEditError: As `empty_in_place`; so for the others.
    """
    source = storage.get(path)
    if len(source) != size:
        raise CorruptTableError(
            f"the file {path} of {storage.url} is not of the size that the log says",
            advice="`lakehouse verify` shows what else is wrong with the table",
        )
    data, cells, chunks = source, Counter[tuple[Step, ...]](), 0
    try:
        for rows, columns in parts(source):
            done = emptied_file(data, rows=rows, columns=columns)
            if done is not None:
                data, chunks = done.data, chunks + done.chunks
                cells.update(done.cells)
    except CantEditError as error:
        raise error.of(f"{storage.url}/{path}") from None
    except CorruptTableError as error:
        raise CorruptTableError(f"{storage.url}/{path}: {error.message}", advice=error.advice) from None
    if data is source:
        return None
    replaced = Replaced(
        path=path,
        size=size,
        before=hashlib.sha256(source).hexdigest(),
        after=hashlib.sha256(data).hexdigest(),
        cells=dict(cells),
        chunks=chunks,
    )
    before(replaced)
    drop_hadoop_checksum(storage, path)
    storage.put(path, data)
    return replaced
