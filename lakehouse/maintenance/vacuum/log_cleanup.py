"""Which files of the log go: pure.

Only a beginning of the log may go, since every version is worked out from a checkpoint and all commits after
it. It ends at a checkpoint that is no younger than the oldest kept version, and no commit goes that is
younger than ``delta.logRetentionDuration`` (30 days unless set): the history tells of versions long after
their files went, and other engines rely on it. Delta protocol, section "Metadata Cleanup".

Checkpoints after that go where no kept version is read from them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lakehouse.delta.log_files import LogListing
from lakehouse.maintenance.vacuum.names import LogName, log_name
from lakehouse.maintenance.vacuum.plan import Going
from lakehouse.storage import ObjectInfo

IN_USE = timedelta(days=1)
"""So long somebody may be reading a checkpoint that is not needed, or writing one that is not there yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRules:
    """What the clean-up of a log goes by.

    Args:
        now: The time.
        retention: How old commits must be.
        leftovers: How old unfinished files must be.
        interval: How many commits are worth a checkpoint of their own.
    """

    now: datetime
    retention: timedelta
    leftovers: timedelta
    interval: int


@dataclass(frozen=True, slots=True)
class LogPlan:
    """What becomes of a log.

    Args:
        going: Files that go.
        before: The commits before this version go; None where none do.
        checkpoint_at: Where a checkpoint would let more of them go; None where it would not.
    """

    going: tuple[Going, ...]
    before: int | None
    checkpoint_at: int | None


def plan_log(
    objects: Sequence[ObjectInfo],
    listing: LogListing,
    *,
    kept: Sequence[int],
    sidecars: Mapping[str, Collection[str]],
    hint: int | None,
    rules: LogRules,
) -> LogPlan:
    """Says which files of a log go.

    Args:
        objects: All of them.
        listing: The same, told by their names.
        kept: The versions that stay readable, ascending; the newest is among them.
        sidecars: Path of a checkpoint to the paths of its sidecars.
        hint: What ``_last_checkpoint`` points at.
        rules: What it goes by.
    """
    start = _reachable(listing, kept[0], rules)
    before = max((number for number in listing.checkpoints if number <= start), default=None)
    if before is not None and not any(number < before for number in listing.commits):
        before = None
    # Whatever checkpoint the log begins with afterwards, and all from which a kept version is read.
    read_from = {
        found
        for version in kept
        if (found := max((n for n in listing.checkpoints if n <= version), default=None)) is not None
    }
    needed = read_from | ({hint} if hint is not None else set()) | set(sorted(listing.checkpoints)[-1:])
    if before is not None:
        needed.add(before)
    going: list[Going] = []
    complete = {file.path for items in listing.checkpoints.values() for item in items for file in item.files}
    for item in objects:
        name = log_name(item.path)
        reason = _why(item, name, before=before, needed=needed, complete=complete, rules=rules)
        if reason:
            kind = "commit" if name.kind == "commit" else name.kind
            going.append(Going(item.path, kind, item.size, reason, name.version))  # type: ignore[arg-type]
    gone = {each.path for each in going}
    used = {path for owner, names in sidecars.items() if owner not in gone for path in names}
    going += [
        Going(item.path, "sidecar", item.size, "no checkpoint that stays has it")
        for item in objects
        if log_name(item.path).kind == "sidecar"
        and item.path not in used
        and rules.now - item.modified > IN_USE
    ]
    return LogPlan(tuple(going), before, _worth_a_checkpoint(listing, start, before, rules))


def _reachable(listing: LogListing, oldest: int, rules: LogRules) -> int:
    """The version up to which commits may go: all before it are old, and no kept version needs them."""
    for number in sorted(listing.commits):
        if number >= oldest or rules.now - listing.commits[number].modified <= rules.retention:
            return min(number, oldest)
    return oldest


def _worth_a_checkpoint(listing: LogListing, start: int, before: int | None, rules: LogRules) -> int | None:
    first = min(listing.commits, default=start)
    begins = max(first, before if before is not None else first)
    return start if start - begins >= rules.interval and start in listing.commits else None


def _why(
    item: ObjectInfo,
    name: LogName,
    *,
    before: int | None,
    needed: Collection[int],
    complete: Collection[str],
    rules: LogRules,
) -> str:
    """Why a file goes; empty where it stays."""
    if name.kind == "temporary":
        return "left by a writer that ended early" if rules.now - item.modified > rules.leftovers else ""
    if name.version is None:
        return ""
    if before is not None and name.version < before:
        return f"the log begins with version {before}"
    if name.kind != "checkpoint" or name.version in needed or rules.now - item.modified <= IN_USE:
        return ""
    if item.path not in complete:
        return "part of a checkpoint that lacks another part"
    return "no kept version is read from it"
