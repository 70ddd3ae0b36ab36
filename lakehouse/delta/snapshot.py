"""A snapshot: the whole state of a table at one version.

Delta protocol, sections "Action Reconciliation", "Checkpoints" and "Last Checkpoint File".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from lakehouse.delta.actions import (
    Action,
    AddFile,
    CommitInfo,
    DomainMetadata,
    Metadata,
    Protocol,
    SetTransaction,
)
from lakehouse.delta.checkpoints_read import read_checkpoint
from lakehouse.delta.closed import is_closed
from lakehouse.delta.features import in_commit_timestamps
from lakehouse.delta.log_files import Checkpoint, LogListing, commit_path
from lakehouse.delta.log_reading import (
    in_parallel,
    last_checkpoint,
    list_log,
    parse_actions,
    read_actions,
    read_commit_info,
    to_millis,
)
from lakehouse.delta.missing import check_there, no_table
from lakehouse.delta.replay import Replay
from lakehouse.delta.schema import StructType, parse_schema
from lakehouse.delta.segments import LogSegment, plan_segment
from lakehouse.errors import CorruptTableError, NotFoundError
from lakehouse.storage.objects import ObjectInfo, Storage

# From so many new commits on, starting again from a newer checkpoint is less work than replaying them.
_MANY_COMMITS: Final = 50


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A table at one version. It never changes and can be shared between threads.

    Args:
        version: The version.
        timestamp_ms: When it was committed, in milliseconds since the epoch: the in-commit timestamp where
            the table has them, else the modification time of the commit's file.
        protocol: What a client must know.
        metadata: Schema text, partitioning, properties.
        schema: The schema.
        files: Path (as in the log) to file.
        transactions: Application to how far it has come.
        domains: Name to domain; removed ones are left out.
        checkpoint_version: The newest checkpoint that was seen at or before this version; None for none.
        commit: The version's commit file as it was listed; None where only a checkpoint is left of it.
    """

    version: int
    timestamp_ms: int
    protocol: Protocol
    metadata: Metadata
    schema: StructType
    files: Mapping[str, AddFile]
    transactions: Mapping[str, SetTransaction]
    domains: Mapping[str, DomainMetadata]
    checkpoint_version: int | None = None
    commit: ObjectInfo | None = None

    @property
    def partition_columns(self) -> tuple[str, ...]:
        """Display names of the partition columns, in order."""
        return self.metadata.partition_columns

    @property
    def configuration(self) -> Mapping[str, str]:
        """The table's properties."""
        return self.metadata.configuration


def load_snapshot(
    storage: Storage,
    *,
    version: int | None = None,
    base: Snapshot | None = None,
    known: Mapping[int, bytes] | None = None,
) -> Snapshot:
    """Work out a table's state.

    Args:
        storage: The table's root.
        version: Which version; None means the newest.
        base: An older snapshot of the same table: only commits after it are listed and read. It comes back
            itself where nothing is new. A base that the table no longer agrees with is not used.
        known: Commits after the base whose content is at hand, since they were just made here. They are
            not read again if the log lists them with the same size.

    Returns:
        The snapshot. Whether its features are understood is for `features.ensure_readable` to say.

    Raises:
        TableNotFoundError: There is no table.
        VersionNotFoundError: The version was never made, or is gone; says which versions remain.
        CorruptTableError: The log has a gap or a file of it can't be read; the message names the file.
    """
    if base is not None and (version is None or version >= base.version):
        found = _advance(storage, base, version, known or {})
        if found is not None:
            return found
    hint = last_checkpoint(storage)
    if hint is not None and (version is None or hint <= version):
        listing = list_log(storage, start=hint)
        latest = listing.latest
        if hint in listing.checkpoints and latest is not None and (version is None or version <= latest):
            try:
                return _build(storage, listing, latest if version is None else version)
            except CorruptTableError:
                # The hint's checkpoint may be broken, or the log was cleaned meanwhile: see all there is.
                pass
    listing = list_log(storage)
    if listing.latest is None:
        raise no_table(storage)
    if version is not None:
        check_there(storage, listing, version)
    return _build(storage, listing, listing.latest if version is None else version)


def _advance(
    storage: Storage, base: Snapshot, version: int | None, known: Mapping[int, bytes]
) -> Snapshot | None:
    """Bring an older snapshot forward, or None where that can't be done."""
    listing = list_log(storage, start=base.version)
    latest = listing.latest
    if latest is None or latest < (base.version if version is None else version):
        return None
    target = latest if version is None else version
    newer = range(base.version + 1, target + 1)
    checkpoint = next((item.version for item in listing.newest_first(target)), base.checkpoint_version)
    known_one = _same_commit(base.commit, listing.commits.get(base.version))
    if not known_one or any(number not in listing.commits for number in newer):
        return None
    if len(newer) > _MANY_COMMITS and checkpoint != base.checkpoint_version:
        return None
    if not newer:
        return base if checkpoint == base.checkpoint_version else replace(base, checkpoint_version=checkpoint)
    state = Replay(
        protocol=base.protocol,
        metadata=base.metadata,
        files=base.files,
        transactions=base.transactions,
        domains=base.domains,
    )
    commit = listing.commits[target]
    contents = {commit_path(number): content for number, content in known.items()}
    steps = [listing.commits[number] for number in newer]
    stamp = _replay_steps(storage, state, steps, commit, contents)
    if state.protocol is not None and is_closed(state.protocol):
        # A commit on the way was emptied; the checkpoint behind it says what it did.
        return None
    return _finish(
        storage, state, version=target, commit=commit, stamp=stamp, checkpoint=checkpoint, base=base
    )


def _same_commit(known: ObjectInfo | None, now: ObjectInfo | None) -> bool:
    # Another file under the same version means that the table was made anew. A cleaned one means nothing.
    if known is None or now is None:
        return True
    return (known.size, known.modified, known.etag) == (now.size, now.modified, now.etag)


def build_without(
    storage: Storage, listing: LogListing, version: int, checkpoints: Collection[Checkpoint]
) -> Snapshot:
    """Work out a version as if some checkpoints were not there.

    Args:
        storage: The table's root.
        listing: The whole log.
        version: Which version.
        checkpoints: Those that are not to be used.

    Returns:
        The snapshot.

    Raises:
        CorruptTableError: Without them the version can't be worked out.
    """
    return _build(storage, listing, version, without=checkpoints)


def _build(
    storage: Storage, listing: LogListing, version: int, *, without: Collection[Checkpoint] = ()
) -> Snapshot:
    """Work out a version from the files listed, with an older checkpoint where the newest can't be read."""
    broken = list(without)
    first_error: CorruptTableError | None = None
    compactions = True
    while True:
        try:
            segment = plan_segment(listing, version, broken=broken, compactions=compactions)
        except CorruptTableError as error:
            raise first_error or error from None
        state = Replay()
        if segment.checkpoint is not None:
            try:
                state.apply(read_checkpoint(storage, segment.checkpoint))
            except CorruptTableError as error:
                broken.append(segment.checkpoint)
                first_error = first_error or error
                continue
        try:
            stamp = _replay_steps(storage, state, segment.steps, segment.commit)
        except CorruptTableError as error:
            if not compactions:
                raise
            # It may have been a compaction; then the commits themselves tell the same.
            first_error, compactions = first_error or error, False
            continue
        return _finish(
            storage,
            state,
            version=version,
            commit=segment.commit,
            stamp=_checkpoint_stamp(segment) if stamp is None and segment.commit is None else stamp,
            checkpoint=next((item.version for item in listing.newest_first(version)), None),
        )


def _checkpoint_stamp(segment: LogSegment) -> int | None:
    return None if segment.checkpoint is None else to_millis(segment.checkpoint.files[0].modified)


def _replay_steps(
    storage: Storage,
    state: Replay,
    steps: Iterable[ObjectInfo],
    last: ObjectInfo | None,
    contents: Mapping[str, bytes] = MappingProxyType({}),
) -> int | None:
    """Apply files of the log; returns the in-commit timestamp of the last commit, where it was among them."""
    files = list(steps)
    stamp: int | None = None

    def read(info: ObjectInfo) -> tuple[Action, ...]:
        content = contents.get(info.path)
        if content is None or len(content) != info.size:
            return read_actions(storage, info.path)
        return parse_actions(content, f"{storage.url}/{info.path}")

    try:
        for info, actions in zip(files, in_parallel(read, files, storage=storage), strict=True):
            state.apply(actions)
            if last is not None and info.path == last.path:
                infos = (item for item in actions if isinstance(item, CommitInfo))
                stamp = next((item.in_commit_timestamp for item in infos), None)
    except NotFoundError as error:
        raise CorruptTableError(
            f"a file of the log of {storage.url} disappeared while it was read: {error.message}",
            advice="the log was cleaned up at that moment; try again",
        ) from error
    return stamp


def _finish(
    storage: Storage,
    state: Replay,
    *,
    version: int,
    commit: ObjectInfo | None,
    stamp: int | None,
    checkpoint: int | None,
    base: Snapshot | None = None,
) -> Snapshot:
    protocol, metadata = state.protocol, state.metadata
    if protocol is None or metadata is None:
        missing = "protocol" if protocol is None else "metadata"
        raise CorruptTableError(
            f"the log of {storage.url} has no {missing} up to version {version}",
            advice="every table's first commit holds both; this one was changed or cut",
        )
    if stamp is None and commit is not None:
        if in_commit_timestamps(protocol, metadata):
            info = read_commit_info(storage, commit)
            stamp = None if info is None else info.in_commit_timestamp
        stamp = to_millis(commit.modified) if stamp is None else stamp
    unchanged = base is not None and base.metadata.schema_string == metadata.schema_string
    return Snapshot(
        version=version,
        timestamp_ms=stamp or 0,
        protocol=protocol,
        metadata=metadata,
        schema=base.schema if base is not None and unchanged else parse_schema(metadata.schema_string),
        files=state.files,
        transactions=state.transactions,
        domains=state.domains,
        checkpoint_version=checkpoint,
        commit=commit,
    )
