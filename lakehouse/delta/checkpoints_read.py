"""Reading checkpoints: classic, multi-part and V2, the latter with its sidecars.

Delta protocol, sections "Checkpoints", "Checkpoint Specs" and "Checkpoint Schema". Files are read column by
column; ``remove`` tombstones are passed over, as a checkpoint's adds and removes are reconciled already.
Old writers leave columns out: "any missing column should be treated as null".
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.delta.actions import Action, AddFile, DeletionVector, RemoveFile, Sidecar, parse_action
from lakehouse.delta.log_files import SIDECAR_FOLDER, Checkpoint
from lakehouse.delta.log_reading import in_parallel, read_actions
from lakehouse.delta.paths import decode_path
from lakehouse.delta.stats_json import stats_to_json
from lakehouse.errors import CorruptTableError, NotFoundError
from lakehouse.storage.objects import Storage

_V2: Final = re.compile(r"\d{20}\.checkpoint\.(?:[0-9A-Za-z-]+\.)?(?:json|parquet)$")
_SINGLE_ROWS: Final = ("protocol", "metaData", "txn", "domainMetadata", "checkpointMetadata", "sidecar")
_REQUIRED: Final = ("protocol", "metaData")
_ADVICE: Final = (
    "an older checkpoint is used where the log still reaches back to one; otherwise restore the file"
)


def read_checkpoint(storage: Storage, checkpoint: Checkpoint) -> Iterator[Action]:
    """Everything that a checkpoint holds, except tombstones.

    Args:
        storage: The table's root.
        checkpoint: A complete one.

    Yields:
        Protocol, metadata, transactions, domains and files.

    Raises:
        CorruptTableError: A file or sidecar is missing or can't be read; the message names it.
    """
    sidecars: list[Sidecar] = []
    seen: set[str] = set()
    for actions in in_parallel(
        lambda info: _read_file(storage, info.path), checkpoint.files, storage=storage
    ):
        for action in actions:
            seen.add(type(action).__name__)
            if isinstance(action, Sidecar):
                sidecars.append(action)
            else:
                yield action
    if not {"Protocol", "Metadata"} <= seen:
        raise CorruptTableError(
            f"the checkpoint {storage.url}/{checkpoint.files[0].path} holds no protocol or no metadata",
            advice=_ADVICE,
        )
    for actions in in_parallel(
        lambda sidecar: _read_file(storage, _sidecar_path(sidecar)), sidecars, storage=storage
    ):
        yield from actions


def checkpoint_removes(storage: Storage, checkpoint: Checkpoint) -> Iterator[RemoveFile]:
    """The tombstones of a checkpoint: files that the table had, and that a vacuum may not have taken yet.

    Args:
        storage: The table's root.
        checkpoint: A complete one.

    Yields:
        Path and vector of each; the other fields are left out.

    Raises:
        CorruptTableError: A file or sidecar is missing or can't be read; the message names it.
    """
    waiting = [info.path for info in checkpoint.files]
    while waiting:
        path = waiting.pop()
        if path.endswith(".json"):
            actions = _read_file(storage, path)
            waiting += [_sidecar_path(item) for item in actions if isinstance(item, Sidecar)]
            yield from (item for item in actions if isinstance(item, RemoveFile))
            continue
        file = _opened(storage, path)
        top = set(file.schema_arrow.names)
        if "sidecar" in top:
            sidecars = _rows("sidecar", file.read(columns=["sidecar"]).column("sidecar"))
            waiting += [_sidecar_path(item) for item in sidecars if isinstance(item, Sidecar)]
        if "remove" in top:
            inner = {item.name for item in file.schema_arrow.field("remove").type.fields}
            wanted = [f"remove.{name}" for name in ("path", "deletionVector") if name in inner]
            table = file.read(columns=wanted).flatten()
            table = table.filter(table.column("remove.path").is_valid())
            vector = table.column("remove.deletionVector") if "deletionVector" in inner else None
            places = table.column("remove.path").to_pylist()
            for place, dead in zip(places, _vectors(vector, len(places)), strict=True):
                yield RemoveFile(path=place, deletion_vector=dead)


def count_actions(storage: Storage, checkpoint: Checkpoint) -> int:
    """How many actions a checkpoint holds, as ``_last_checkpoint`` tells them.

    Args:
        storage: The table's root.
        checkpoint: A complete one.

    Returns:
        The number, those in sidecars included.

    Raises:
        CorruptTableError: A file or sidecar is missing or can't be read; the message names it.
    """
    total = 0
    waiting = [info.path for info in checkpoint.files]
    while waiting:
        path = waiting.pop()
        if path.endswith(".json"):
            actions = _read_file(storage, path)
            total += len(actions)
            waiting += [_sidecar_path(item) for item in actions if isinstance(item, Sidecar)]
            continue
        file = _opened(storage, path)
        total += file.metadata.num_rows
        if "sidecar" in file.schema_arrow.names:
            sidecars = _rows("sidecar", file.read(columns=["sidecar"]).column("sidecar"))
            waiting += [_sidecar_path(item) for item in sidecars if isinstance(item, Sidecar)]
    return total


def _opened(storage: Storage, path: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(pa.BufferReader(storage.get(path)))
    except NotFoundError as error:
        raise CorruptTableError(
            f"{storage.url}/{path} is missing, a checkpoint needs it", advice=_ADVICE
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise CorruptTableError(
            f"{storage.url}/{path} is no readable Parquet file, a checkpoint needs it", advice=_ADVICE
        ) from error


def sidecar_paths(storage: Storage, checkpoint: Checkpoint) -> list[str]:
    """The sidecars of a checkpoint.

    Args:
        storage: The table's root.
        checkpoint: A complete one.

    Returns:
        Their paths below the table's root; none for checkpoints that have no such.

    Raises:
        CorruptTableError: The checkpoint can't be read; the message names it.
    """
    if not any(has_sidecars(file.path) for file in checkpoint.files):
        return []
    found = [action for info in checkpoint.files for action in _read_file(storage, info.path)]
    return [_sidecar_path(action) for action in found if isinstance(action, Sidecar)]


def has_sidecars(path: str) -> bool:
    """Whether a checkpoint's file can have sidecars: only V2 checkpoints can, and their names have a UUID.

    Args:
        path: The file.
    """
    return _V2.search(path) is not None


def _sidecar_path(sidecar: Sidecar) -> str:
    # Whatever folder the path names, sidecars always lie in this one (section "Sidecar File Information").
    return f"{SIDECAR_FOLDER}/{decode_path(sidecar.path).rsplit('/', 1)[-1]}"


def _read_file(storage: Storage, path: str) -> Sequence[Action]:
    try:
        if path.endswith(".json"):
            return read_actions(storage, path)
        return _read_parquet(storage.get(path))
    except NotFoundError as error:
        raise CorruptTableError(
            f"{storage.url}/{path} is missing, a checkpoint needs it", advice=_ADVICE
        ) from error
    except CorruptTableError as error:
        if path.endswith(".json"):
            raise
        raise CorruptTableError(
            f"{storage.url}/{path} can't be used: {error.message}", advice=_ADVICE
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise CorruptTableError(
            f"{storage.url}/{path} is no readable Parquet file, a checkpoint needs it", advice=_ADVICE
        ) from error


def _read_parquet(data: bytes) -> Sequence[Action]:
    file = pq.ParquetFile(pa.BufferReader(data))
    top = set(file.schema_arrow.names)
    actions: list[Action] = []
    rows = [name for name in _SINGLE_ROWS if name in top]
    if rows:
        table = file.read(columns=rows)
        for name in rows:
            actions.extend(_rows(name, table.column(name)))
    if "add" in top:
        actions.extend(_add_files(file))
    return actions


def _rows(name: str, column: pa.ChunkedArray) -> Iterator[Action]:
    """The actions of a kind that has few rows; field by field is fast enough for them."""
    present = column.filter(column.is_valid())
    for fields in present.to_pylist(maps_as_pydicts="lossy"):
        # Some writers mark absent actions by a struct full of nulls rather than by a null.
        if all(value is None for value in fields.values()):
            continue
        action = parse_action({name: fields})
        if action is not None:
            yield action


def _add_files(file: pq.ParquetFile) -> Iterable[AddFile]:
    """All ``add`` rows of a file, column by column."""
    inner = {item.name for item in file.schema_arrow.field("add").type.fields}
    wanted = [name for name in _ADD_COLUMNS if name in inner]
    table = file.read(columns=[f"add.{name}" for name in wanted]).flatten()
    there = table.column("add.path").is_valid()
    table = table.filter(there).combine_chunks()
    columns = {name.removeprefix("add."): table.column(name) for name in table.column_names}
    count = table.num_rows
    stats = columns.get("stats")
    if "stats_parsed" in inner and (stats is None or stats.null_count):
        parsed = file.read(columns=["add.stats_parsed"]).flatten().filter(there).column(0)
        texts = stats_to_json(parsed)
        known = itertools.repeat(None, count) if stats is None else stats.to_pylist()
        filled = [text if text is not None else other for text, other in zip(known, texts, strict=True)]
    else:
        filled = _values(stats, count)
    versions = _values(columns.get("defaultRowCommitVersion"), count)
    return map(
        AddFile,
        columns["path"].to_pylist(),
        (values or {} for values in _maps(columns.get("partitionValues"), count, empty={})),
        _values(columns.get("size"), count, default=0),
        _values(columns.get("modificationTime"), count, default=0),
        _values(columns.get("dataChange"), count, default=True),
        filled,
        _maps(columns.get("tags"), count, empty=None),
        _vectors(columns.get("deletionVector"), count),
        _values(columns.get("baseRowId"), count),
        versions,
        _values(columns.get("clusteringProvider"), count),
    )


_ADD_COLUMNS: Final = (
    "path",
    "partitionValues",
    "size",
    "modificationTime",
    "dataChange",
    "stats",
    "tags",
    "deletionVector",
    "baseRowId",
    "defaultRowCommitVersion",
    "clusteringProvider",
)


def _values(column: pa.ChunkedArray | None, count: int, *, default: Any = None) -> list[Any]:
    if column is None or column.null_count == count:
        return [default] * count
    found: list[Any] = column.to_pylist()
    if default is not None and column.null_count:
        return [default if value is None else value for value in found]
    return found


def _maps(
    column: pa.ChunkedArray | None, count: int, *, empty: Mapping[str, str | None] | None
) -> list[Mapping[str, str | None] | None]:
    """Maps as dicts. Arrow's own way makes a list of pairs for each row, ten times slower."""
    if column is None or count in (column.null_count, 0):
        return [empty] * count
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0)
    keys, items, offsets = array.keys.to_pylist(), array.items.to_pylist(), array.offsets.to_pylist()
    if not keys:
        return [empty] * count
    valid = array.is_valid().to_pylist()
    # Files of one partition share one dict: a tenth of the memory, and of the time to collect it.
    known: dict[tuple[str | None, ...], Mapping[str, str | None] | None] = {}
    found: list[Mapping[str, str | None] | None] = []
    for (start, end), here in zip(itertools.pairwise(offsets), valid, strict=True):
        if not here:
            found.append(empty)
            continue
        pairs = (*keys[start:end], *items[start:end])
        shared = known.get(pairs)
        if shared is None:
            shared = known[pairs] = dict(zip(keys[start:end], items[start:end], strict=True))
        found.append(shared)
    return found


def _vectors(column: pa.ChunkedArray | None, count: int) -> list[DeletionVector | None]:
    if column is None or column.null_count == count:
        return [None] * count
    return [
        None
        if fields is None or fields["storageType"] is None
        else DeletionVector(
            storage_type=fields["storageType"],
            path_or_inline_dv=fields["pathOrInlineDv"],
            size_in_bytes=fields["sizeInBytes"],
            cardinality=fields["cardinality"],
            offset=fields.get("offset"),
        )
        for fields in column.to_pylist()
    ]
