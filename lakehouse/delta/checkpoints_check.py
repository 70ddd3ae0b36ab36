"""Whether checkpoints say the same as the commits that they stand for.

Delta protocol, sections "Checkpoints" and "Action Reconciliation". A reader that starts from a checkpoint
believes it, so one that differs from the log is a table of other rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from lakehouse.delta.actions import AddFile
from lakehouse.delta.checkpoints_read import read_checkpoint
from lakehouse.delta.log_files import LOG_FOLDER, Checkpoint, LogListing
from lakehouse.delta.log_reading import list_log
from lakehouse.delta.replay import Replay
from lakehouse.delta.snapshot import Snapshot, build_without
from lakehouse.errors import CorruptTableError
from lakehouse.storage.objects import Storage


@dataclass(frozen=True, slots=True)
class CheckpointProblem:
    """A checkpoint that is not what it should be.

    Args:
        version: The version that it stands for.
        path: The file that is named for it.
        detail: What is wrong with it.
        objects: All of its files that are there, sidecars aside, which others can use.
        replaceable: Whether its version can be read without any checkpoint that has a problem.
    """

    version: int
    path: str
    detail: str
    objects: tuple[str, ...]
    replaceable: bool = False


def check_checkpoints(
    storage: Storage, version: int, *, listing: LogListing | None = None, every: bool = False
) -> list[CheckpointProblem]:
    """Check the newest checkpoint from which a version can be read, in all of its forms.

    Args:
        storage: The table's root.
        version: The version.
        listing: What the log holds, where it was listed before.
        every: Whether older ones are checked too.

    Returns:
        A problem for each file and each thing that is wrong with it. Where the log was cleaned up there is
        nothing to compare a checkpoint with; then it is only read.
    """
    listing = list_log(storage) if listing is None else listing
    numbers = sorted({item.version for item in listing.newest_first(version)}, reverse=True)
    newest = next(iter(numbers), None)
    found = [
        CheckpointProblem(number, name, "this part of the checkpoint is missing", _other_parts(storage, name))
        for number, names in listing.broken.items()
        if number <= version and (every or newest is None or number >= newest)
        for name in names
    ]
    broken: list[Checkpoint] = []
    for number in numbers if every else numbers[:1]:
        checkpoints = listing.checkpoints[number]
        expected = _expected(storage, listing, number)
        for checkpoint in checkpoints:
            differences = _differences(storage, checkpoint, expected=expected)
            objects = tuple(info.path for info in checkpoint.files)
            broken += [checkpoint] if differences else []
            found += [CheckpointProblem(number, objects[0], what, objects) for what in differences]
    return [replace(item, replaceable=_stands(storage, listing, item.version, broken)) for item in found]


def _other_parts(storage: Storage, missing: str) -> tuple[str, ...]:
    """The parts that are there of a checkpoint that lacks one."""
    start, _, count = missing.removesuffix(".parquet").rsplit(".", 2)
    names = (info.path for info in storage.list(LOG_FOLDER))
    return tuple(name for name in names if name.startswith(start) and name.endswith(f".{count}.parquet"))


def _expected(storage: Storage, listing: LogListing, version: int) -> Snapshot | None:
    """What a checkpoint of a version should say: by the commits alone, else by those since an older one."""
    everything = [item for items in listing.checkpoints.values() for item in items]
    for without in (everything, listing.checkpoints[version]):
        with suppress(CorruptTableError):
            return build_without(storage, listing, version, without)
    return None


def _stands(storage: Storage, listing: LogListing, version: int, broken: Collection[Checkpoint]) -> bool:
    try:
        build_without(storage, listing, version, broken)
    except CorruptTableError:
        return False
    return True


def _differences(storage: Storage, checkpoint: Checkpoint, *, expected: Snapshot | None) -> list[str]:
    state = Replay()
    try:
        state.apply(read_checkpoint(storage, checkpoint))
    except CorruptTableError as error:
        # Findings name files below the table's root.
        return [error.message.replace(f"{storage.url}/", "")]
    if expected is None:
        return []
    told: list[str] = []
    if state.protocol != expected.protocol:
        told.append("it has another protocol than the log")
    here, there = state.metadata, expected.metadata
    if here is None or [
        (item.id, item.schema_string, item.partition_columns, dict(item.configuration)) for item in (here,)
    ] != [(there.id, there.schema_string, there.partition_columns, dict(there.configuration))]:
        told.append("it has other metadata than the log")
    told += _compared("file", _files(state.files), _files(expected.files))
    # Old transactions may be left out (section "Transaction Identifiers"), made up ones may not be there.
    numbers = {name: item.version for name, item in expected.transactions.items()}
    kept = {name: item.version for name, item in state.transactions.items()}
    told += _compared("transaction", kept, {name: item for name, item in numbers.items() if name in kept})
    domains = (
        {name: item.configuration for name, item in side.items()}
        for side in (state.domains, expected.domains)
    )
    told += _compared("domain", *domains)
    return told


def _files(files: Mapping[str, AddFile]) -> dict[str, Any]:
    return {
        path: (add.size, dict(add.partition_values), add.deletion_vector, add.physical_records)
        for path, add in files.items()
    }


def _compared(what: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    counts = {
        "too many": len(found.keys() - expected.keys()),
        "too few": len(expected.keys() - found.keys()),
        "that differ": sum(found[name] != expected[name] for name in found.keys() & expected.keys()),
    }
    return [
        f"compared with the log it has {count} {what}{'s' if count > 1 else ''} {how}"
        for how, count in counts.items()
        if count
    ]
