"""Which files go, and why: pure. What is there, what versions need and what is held is handed in."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from lakehouse.config.durations import format_duration
from lakehouse.delta.log_files import LogListing
from lakehouse.maintenance.vacuum.log_cleanup import IN_USE, LogRules, plan_log
from lakehouse.maintenance.vacuum.names import Place, place_of, tables_inside
from lakehouse.maintenance.vacuum.plan import Amount, Going, Kind, VacuumPlan, ranges
from lakehouse.maintenance.vacuum.references import References
from lakehouse.protection.versions import NEWEST, Verdict
from lakehouse.storage import ObjectInfo

ORPHANS: Final = timedelta(days=7)
"""How old leftovers must be where no rule says so."""

_KINDS: Final[Mapping[Place, Kind]] = {
    "data": "leftover",
    "vector": "leftover",
    "changes": "leftover",
    "tombstones": "tombstones",
    "temporary": "temporary",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a decision rests on.

    Args:
        table: The table's name.
        objects: What is in the table's folder, links that lead elsewhere left out.
        references: What each version needs.
        verdicts: What becomes of each version that can be read.
        held: Paths of files that holds keep by themselves, and which hold it is.
        memories: Paths of the tombstones that kept versions have.
        partition_columns: The names of folders that may begin with an underscore.
        log: The log, told by its names.
        sidecars: Path of a checkpoint to the paths of its sidecars.
        hint: What ``_last_checkpoint`` points at.
        tombstones: The folder of the tombstones.
        now: The time.
        orphans: How old leftovers must be.
        log_retention: How old commits must be.
        interval: How many commits are worth a checkpoint.
    """

    table: str
    objects: Sequence[ObjectInfo]
    references: References
    verdicts: Sequence[Verdict]
    held: Mapping[str, str]
    memories: Collection[str]
    partition_columns: Collection[str]
    log: LogListing
    sidecars: Mapping[str, Collection[str]]
    hint: int | None
    tombstones: str
    now: datetime
    orphans: timedelta
    log_retention: timedelta
    interval: int

    @property
    def kept(self) -> list[int]:
        """The versions that stay readable, ascending."""
        return [each.version for each in self.verdicts if each.keep]


@dataclass(slots=True)
class _Sorting:
    """The plan while it is made."""

    going: list[Going] = field(default_factory=list)
    files: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)

    def keep(self, item: ObjectInfo, why: str) -> None:
        self.files[why] += 1
        self.bytes[why] += item.size


def decide(facts: Facts, *, only: Collection[str] | None = None) -> VacuumPlan:
    """Says of every file whether it goes.

    Args:
        facts: What it rests on.
        only: Nothing goes but these paths; None means whatever may go.

    Returns:
        The plan.
    """
    needs = Needs.of(facts)
    others = tables_inside(item.path for item in facts.objects)
    log = plan_log(
        [item for item in facts.objects if item.path.startswith("_delta_log/")],
        facts.log,
        kept=facts.kept,
        sidecars=facts.sidecars,
        hint=facts.hint,
        rules=LogRules(
            now=facts.now,
            retention=facts.log_retention,
            leftovers=facts.orphans,
            interval=facts.interval,
        ),
    )
    from_log = {each.path: each for each in log.going}
    sorting = _Sorting()
    for item in facts.objects:
        place = place_of(
            item.path, tombstones=facts.tombstones, partition_columns=facts.partition_columns, others=others
        )
        if place == "log":
            if item.path in from_log:
                sorting.going.append(from_log[item.path])
            else:
                sorting.keep(item, "the log")
        elif place in ("own", "other_table"):
            sorting.keep(item, "a table of its own" if place == "other_table" else "Lakehouse's own notes")
        else:
            _sort(item, place, facts, needs, sorting)
    going = [each for each in sorting.going if only is None or each.path in only]
    feed = facts.references.change_data
    commits = [each.version for each in going if each.kind == "commit" and each.version is not None]
    return VacuumPlan(
        table=facts.table,
        version=facts.references.version,
        files=tuple(going),
        kept={
            why: Amount(count, sorting.bytes[why])
            for why, count in sorted(
                sorting.files.items(), key=lambda pair: (-sorting.bytes[pair[0]], pair[0])
            )
        },
        versions=tuple(facts.verdicts),
        pruned=unreadable_after(facts, {each.path for each in going}),
        feed=ranges([feed[each.path] for each in going if each.path in feed]),
        # What was agreed to, or still stands, is a shorter beginning of the log than might go by now.
        log_before=None if log.before is None or not commits else min(log.before, max(commits) + 1),
        checkpoint_at=log.checkpoint_at,
    )


def _sort(item: ObjectInfo, place: Place, facts: Facts, needs: Needs, sorting: _Sorting) -> None:
    why = needs.why(item.path)
    if why is None and item.path in facts.held:
        why = f"hold {facts.held[item.path]}"
    if why is not None:
        sorting.keep(item, why)
        return
    known = needs.known.get(item.path)
    if known is not None:
        kind, reason = known
        sorting.going.append(Going(item.path, kind, item.size, reason))
        return
    if place in ("hidden", "foreign"):
        sorting.keep(item, "not Delta's")
        return
    least = IN_USE if place == "tombstones" else facts.orphans
    if facts.now - item.modified <= least:
        sorting.keep(item, f"no version needs it, but it is younger than {format_duration(least)}")
        return
    reason = "no kept version remembers by it" if place == "tombstones" else "no version ever had it"
    sorting.going.append(Going(item.path, _KINDS[place], item.size, reason))


@dataclass(frozen=True, slots=True)
class Needs:
    """Which files kept versions need, and which are known without being needed.

    Args:
        needed: Path to the reason.
        known: Path to what it is, and why it goes.
    """

    needed: Mapping[str, str]
    known: Mapping[str, tuple[Kind, str]]

    @classmethod
    def of(cls, facts: Facts) -> Needs:
        """Works them out."""
        kept = facts.kept
        reasons = {each.version: each.reasons[0] for each in facts.verdicts if each.keep}
        needed: dict[str, str] = {}
        known: dict[str, tuple[Kind, list[tuple[int, int]]]] = {}
        for life in facts.references.lifetimes:
            version = life.needed(kept)
            for path, kind in ((life.path, "data"), (life.vector, "vector")):
                if path is None:
                    continue
                if version is not None:
                    _need(needed, path, _spoken(version, reasons))
                else:
                    last = facts.references.version if life.last is None else life.last
                    known.setdefault(path, (kind, []))[1].append((life.first, last))  # type: ignore[arg-type]
            if version is not None:
                # As it stands in the log: a writer may have forgotten to encode it.
                _need(needed, life.add.path, _spoken(version, reasons))
        there = set(kept)
        for path, version in facts.references.change_data.items():
            if version in there:
                _need(needed, path, _spoken(version, reasons))
            else:
                known[path] = ("change_data", [(version, version)])
        for path in facts.memories:
            needed[path] = "tombstones of kept versions"
        spoken = cache(lambda spans: f"only {_versions(spans)} had it")
        told = {
            path: (kind, spoken(tuple(spans))) for path, (kind, spans) in known.items() if path not in needed
        }
        return cls(needed, told)

    def why(self, path: str) -> str | None:
        """Why a file stays; None where no kept version needs it."""
        found = self.needed.get(path)
        if found is None and not path.isascii():
            # Some file systems give back another spelling of a name than it was written with.
            found = self.needed.get(unicodedata.normalize("NFC", path))
        return found


def _need(needed: dict[str, str], path: str, why: str) -> None:
    if why == "the newest version" or path not in needed:
        needed[path] = why
        if not path.isascii():
            needed[unicodedata.normalize("NFC", path)] = why


def _spoken(version: int, reasons: Mapping[int, str]) -> str:
    reason = reasons[version]
    if reason == NEWEST:
        return "the newest version"
    word = reason.partition(" ")[0]
    return reason if word in ("tag", "hold") else f"kept versions ({word})"


def _versions(spans: Sequence[tuple[int, int]]) -> str:
    numbers: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if numbers and first <= numbers[-1][1] + 1:
            numbers[-1] = numbers[-1][0], max(last, numbers[-1][1])
        else:
            numbers.append((first, last))
    spoken = ", ".join(f"{first} to {last}" if last > first else str(first) for first, last in numbers)
    return f"{'version' if spoken.isdecimal() else 'versions'} {spoken}"


def unreadable_after(facts: Facts, gone: Collection[str]) -> tuple[tuple[int, int], ...]:
    """The versions of which a file is among those that go.

    Args:
        facts: What the decision rests on.
        gone: The paths that go.

    Returns:
        Ranges of versions. Some may have lost other files before: another vacuum at work may have noted
        them too, and each must tell of all that it takes.
    """
    could = sorted(facts.references.made)
    change: defaultdict[int, int] = defaultdict(int)
    for life in facts.references.lifetimes:
        if life.path in gone or life.vector in gone:
            change[life.first] += 1
            change[(facts.references.version if life.last is None else life.last) + 1] -= 1
    found: list[int] = []
    depth, marks = 0, sorted(change)
    at = 0
    for version in could:
        while at < len(marks) and marks[at] <= version:
            depth += change[marks[at]]
            at += 1
        if depth:
            found.append(version)
    return ranges(found)
