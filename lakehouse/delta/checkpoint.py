"""Writing checkpoints, through delta-rs, when the table's interval says so.

Delta protocol, section "Checkpoints". The protocol leaves the frequency open ("readers should not make any
assumptions"). Without ``delta.checkpointInterval`` one is made every 10 versions, as the reference
implementation does: delta-rs waits for 100, but every reader that starts from nothing pays for those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from deltalake import DeltaTable

from lakehouse.delta.actions import Metadata
from lakehouse.storage.objects import Storage

DEFAULT_INTERVAL: Final = 10


@dataclass(frozen=True, slots=True)
class CheckpointResult:
    """What became of a checkpoint.

    Args:
        made: Whether one was written.
        reason: Why, or why not.
    """

    made: bool
    reason: str


def checkpoint_interval(metadata: Metadata) -> int:
    """How many versions lie between two checkpoints.

    Args:
        metadata: The table's metadata.

    Returns:
        The table property ``delta.checkpointInterval``, or 10 where it is not set or no positive number.
    """
    text = metadata.configuration.get("delta.checkpointInterval", "")
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else DEFAULT_INTERVAL


def is_due(version: int, metadata: Metadata, *, last: int | None = None) -> bool:
    """Whether a version should get a checkpoint.

    Args:
        version: The version just committed.
        metadata: The table's metadata.
        last: The newest checkpoint known (`Snapshot.checkpoint_version`). Counting from it instead of taking
            every tenth version catches those that other writers left out, and spares those that they made.

    Returns:
        True where it should.
    """
    interval = checkpoint_interval(metadata)
    if version <= 0:
        return False
    return version % interval == 0 if last is None else version - last >= interval


def checkpoint_if_due(
    storage: Storage, version: int, metadata: Metadata, *, last: int | None = None
) -> CheckpointResult:
    """Write a checkpoint where one is due. It never raises: the commit before it stands either way.

    Args:
        storage: The table's root.
        version: The version just committed.
        metadata: The table's metadata.
        last: The newest checkpoint known, see `is_due`.

    Returns:
        What became of it.
    """
    if not is_due(version, metadata, last=last):
        return CheckpointResult(made=False, reason="not due")
    return write_checkpoint(storage, version)


def write_checkpoint(storage: Storage, version: int) -> CheckpointResult:
    """Write a checkpoint of a version.

    Args:
        storage: The table's root.
        version: A committed version.

    Returns:
        What became of it; it never raises.
    """
    try:
        table = DeltaTable(storage.uri(), version=version, storage_options=storage.library_options() or None)
        table.create_checkpoint()
    except Exception as error:  # noqa: BLE001 - whatever delta-rs trips over, the commit itself is safe
        # Only the kind of error: its text could hold what the table's files hold.
        return CheckpointResult(made=False, reason=f"failed: {type(error).__name__}")
    return CheckpointResult(made=True, reason=f"version {version}")
