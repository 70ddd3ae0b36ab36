"""Whether checkpoints say the same as the commits that they stand for.

Delta protocol, sections "Checkpoints" and "Action Reconciliation". A reader that starts from a checkpoint
believes it, so one that differs from the log is a table of other rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lakehouse.delta.actions import AddFile
from lakehouse.delta.checkpoints_read import read_checkpoint
from lakehouse.delta.log_files import Checkpoint
from lakehouse.delta.log_reading import list_log
from lakehouse.delta.replay import Replay
from lakehouse.delta.snapshot import Snapshot, build_without
from lakehouse.errors import CorruptTableError
from lakehouse.storage.objects import Storage


def check_checkpoints(storage: Storage, version: int) -> list[tuple[str, str]]:
    """Check the newest checkpoint from which a version can be read, in all of its forms.

    Args:
        storage: The table's root.
        version: The version.

    Returns:
        The file and what is wrong with it, for each that is not what it should be. Where the log was cleaned
        up there is nothing to compare it with; then it is only read.
    """
    listing = list_log(storage)
    newest = next((item.version for item in listing.newest_first(version)), None)
    found = [
        (name, "this part of the checkpoint is missing")
        for number, names in listing.broken.items()
        if number <= version and (newest is None or number >= newest)
        for name in names
    ]
    if newest is None:
        return found
    checkpoints = listing.checkpoints[newest]
    try:
        expected = build_without(storage, listing, newest, checkpoints)
    except CorruptTableError:
        expected = None
    for checkpoint in checkpoints:
        found += [
            (checkpoint.files[0].path, what) for what in _differences(storage, checkpoint, expected=expected)
        ]
    return found


def _differences(storage: Storage, checkpoint: Checkpoint, *, expected: Snapshot | None) -> list[str]:
    state = Replay()
    try:
        state.apply(read_checkpoint(storage, checkpoint))
    except CorruptTableError as error:
        return [error.message]
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
