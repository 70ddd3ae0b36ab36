"""How old the newest data of a table is, against what the config expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from lakehouse.config.durations import format_duration
from lakehouse.config.models.tables import Expectation
from lakehouse.delta.actions import AddFile, RemoveFile
from lakehouse.delta.log import read_commit
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import VersionNotFoundError
from lakehouse.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How an expectation with ``freshness`` fared.

    Args:
        name: Its name in the config.
        on_fail: ``warn``: it is said; ``fail``: it is a finding.
        allowed: How old the newest data may be.
        newest: When rows were last added, changed or removed (UTC).
        age: How long ago that was.
    """

    name: str
    on_fail: Literal["warn", "fail"]
    allowed: timedelta
    newest: datetime
    age: timedelta

    @property
    def ok(self) -> bool:
        """Whether the data is as fresh as expected."""
        return self.age <= self.allowed

    @property
    def detail(self) -> str:
        """A sentence for people."""
        verdict = "at most" if self.ok else "more than"
        return (
            f"the expectation {self.name}: the newest data is of {self.newest:%Y-%m-%d %H:%M:%SZ}, {verdict} "
            f"{format_duration(self.allowed)} ago"
        )


def freshness(
    storage: Storage, snapshot: Snapshot, expect: Sequence[Expectation], *, now: datetime
) -> tuple[Freshness, ...]:
    """Judges a table by the expectations on its freshness.

    Args:
        storage: The table's folder.
        snapshot: Its newest version.
        expect: The expectations; those with a ``check`` are no matter of the table.
        now: The time.
    """
    wanted = [each for each in expect if each.freshness is not None]
    if not wanted:
        return ()
    newest = newest_data(storage, snapshot)
    return tuple(
        Freshness(
            name=each.name,
            on_fail="fail" if each.on_fail == "fail" else "warn",
            allowed=each.freshness or timedelta(),
            newest=newest,
            age=max(now - newest, timedelta()),
        )
        for each in wanted
    )


def newest_data(storage: Storage, snapshot: Snapshot) -> datetime:
    """When a table's rows last changed, read from its log, newest commit first.

    Commits that leave the rows as they are (compaction, offsets, properties) don't count. Where none that the
    log still has changed a row, it is the time of the oldest of them: the data is at least that old.

    Args:
        storage: The table's folder.
        snapshot: Its newest version.
    """
    moment_ms = snapshot.timestamp_ms
    for version in range(snapshot.version, -1, -1):
        try:
            commit = read_commit(storage, version)
        except VersionNotFoundError:
            break
        moment_ms = commit.timestamp_ms
        if any(isinstance(each, AddFile | RemoveFile) and each.data_change for each in commit.actions):
            break
    return datetime.fromtimestamp(moment_ms / 1000, tz=UTC)
