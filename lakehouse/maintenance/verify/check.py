"""Checks a version of a table as a file system is checked: everything that it needs, and that it says.

Every data file is looked at: there, of its size, footer, number of rows, deletion vector, partition values.
The rows of a sample of them (of all, in a full check) are decoded and compared with their statistics and the
table's rules. The log is checked as a whole: commits, checkpoints, the hint at them, change data.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias, TypeVar

from lakehouse.delta.checkpoints_check import CheckpointProblem, check_checkpoints
from lakehouse.delta.locations import is_local
from lakehouse.delta.log_files import LOG_FOLDER, LogListing
from lakehouse.delta.log_reading import list_log
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import CorruptTableError
from lakehouse.maintenance.freshness import Freshness
from lakehouse.maintenance.verify.contents import RowRule
from lakehouse.maintenance.verify.files import FileCheck, FileChecker
from lakehouse.maintenance.verify.log import check_hint, read_log
from lakehouse.maintenance.verify.mapping import check_mapping
from lakehouse.maintenance.verify.orphans import check_change_data, orphans, retention
from lakehouse.maintenance.verify.report import Finding, Notice, Repair, VerifyReport
from lakehouse.maintenance.verify.sample import pick_files
from lakehouse.storage import Storage

Step: TypeAlias = Callable[[str, int, int], None]
"""Told what is being checked, how much of it is done, and how much there is."""

# Of a remote store more is asked at once where little is read; whole row groups take memory.
_REMOTE_LOOKS: Final = 8
_REMOTE_READS: Final = 4
_LOCAL: Final = min(4, os.cpu_count() or 1)
_AHEAD: Final = 8
_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class _Found:
    """What is known so far."""

    findings: list[Finding] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)


def verify(
    storage: Storage,
    snapshot: Snapshot,
    *,
    table: str,
    fresh: Sequence[Freshness] = (),
    rules: Sequence[RowRule] = (),
    more: Sequence[Callable[[], Sequence[Finding]]] = (),
    full: bool = False,
    seed: int | None = None,
    now: datetime | None = None,
    step: Step | None = None,
) -> VerifyReport:
    """Check a version.

    Args:
        storage: The table's folder.
        snapshot: The version to check.
        table: The table's name.
        fresh: How the expectations on freshness fared.
        rules: The rules that rows meet.
        more: Other checks of this version.
        full: Whether every page of every file is decoded, and every checkpoint checked.
        seed: Which files and row groups a check that is not full reads; None means the version's own ones.
        now: The time, aware; None means that of this machine.
        step: Told how far the check is; called from one thread.

    Returns:
        What was checked, what is wrong, and what of it can be mended.
    """
    moment = datetime.now(UTC) if now is None else now
    step = _say_nothing if step is None else step
    found = _Found()
    listed = storage.list()
    sizes = {info.path: info.size for info in listed}
    checker = FileChecker(storage, snapshot, sizes, rules, full, snapshot.version if seed is None else seed)
    checks = _check_files(checker, step)
    found.findings += check_mapping(snapshot)
    for check in checks:
        found.findings += check.findings
        found.repairs += check.repairs
    unchecked = Counter(rule for check in checks for rule in check.unchecked)
    found.notices += [
        Notice("unchecked_rule", f"can't be evaluated here: {rule}", count=count)
        for rule, count in sorted(unchecked.items())
    ]
    step("the log", 0, 0)
    age = retention(snapshot.configuration)
    listing = list_log(storage)
    facts = read_log(storage, listing)
    found.findings += facts.findings
    lost, vacuumed = check_change_data(storage, facts, sizes, now=moment, age=age)
    found.findings += lost
    left = orphans(listed, facts, now=moment, age=age)
    found.notices += [item for item in (vacuumed, left) if item is not None]
    _checkpoints(storage, snapshot, listing, found, full=full)
    found.findings += [finding for one in more for finding in one()]
    found.findings += [
        Finding("stale_data", "", each.detail) for each in fresh if not each.ok and each.on_fail == "fail"
    ]
    files = snapshot.files.values()
    return VerifyReport(
        table=table,
        version=snapshot.version,
        files=len(files),
        vectors=sum(add.deletion_vector is not None for add in files),
        bytes=sum(add.size for add in files),
        findings=tuple(found.findings),
        full=full,
        files_read=sum(check.rows_read > 0 for check in checks),
        rows_read=sum(check.rows_read for check in checks),
        notices=tuple(found.notices),
        plan=tuple(found.repairs),
        freshness=tuple(fresh),
    )


def unreadable(error: CorruptTableError, *, table: str) -> VerifyReport:
    """The report on a table whose log can't be read: which files it needs is not known then.

    Args:
        error: What reading the log ended in.
        table: The table's name.
    """
    finding = Finding("bad_log", LOG_FOLDER, error.message)
    return VerifyReport(table=table, version=None, files=0, vectors=0, bytes=0, findings=(finding,))


def _say_nothing(_what: str, _done: int, _all: int) -> None:
    """Nobody wants to know how far it is."""


def _check_files(checker: FileChecker, step: Step) -> list[FileCheck]:
    """Check every file, first those that are only looked at; the answers are in the files' order."""
    adds = list(checker.snapshot.files.values())
    sampled = pick_files(len(adds), full=checker.full, seed=checker.seed)
    looks = [number for number in range(len(adds)) if number not in sampled]
    reads = sorted(sampled)
    local = is_local(checker.storage)
    answers: dict[int, FileCheck] = {}
    for numbers, workers, read in (
        (looks, _LOCAL if local else _REMOTE_LOOKS, False),
        (reads, _LOCAL if local else _REMOTE_READS, True),
    ):

        def check(number: int, *, read: bool = read) -> FileCheck:
            return checker.check(adds[number], read=read)

        for number, answer in zip(numbers, _at_once(check, numbers, workers=workers), strict=True):
            answers[number] = answer
            step("data files", len(answers), len(adds))
    return [answers[number] for number in range(len(adds))]


def _at_once(
    function: Callable[[_Item], _Answer], items: Sequence[_Item], *, workers: int
) -> Iterator[_Answer]:
    """Several at a time, in order; little is begun before what came before it is taken."""
    if workers < 2 or len(items) < 2:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(min(workers, len(items))) as pool:
        for at in range(0, len(items), workers * _AHEAD):
            yield from pool.map(function, items[at : at + workers * _AHEAD])


def _checkpoints(
    storage: Storage, snapshot: Snapshot, listing: LogListing, found: _Found, *, full: bool
) -> None:
    problems = check_checkpoints(storage, snapshot.version, listing=listing, every=full)
    found.findings += [
        Finding("bad_checkpoint", item.path, item.detail, repairable=item.replaceable) for item in problems
    ]
    found.repairs = [*_replacements(problems), *found.repairs]
    wrong, mend = check_hint(storage, listing)
    if isinstance(wrong, Finding):
        found.findings.append(wrong)
    elif wrong is not None:
        found.notices.append(wrong)
    found.repairs += [mend] if mend is not None else []


def _replacements(problems: Sequence[CheckpointProblem]) -> list[Repair]:
    """One for each checkpoint, however much is wrong with it."""
    found: dict[tuple[str, ...], Repair] = {}
    for item in problems:
        if item.replaceable:
            detail = f"it is removed, and version {item.version} gets one from the commits"
            found[item.objects] = Repair(
                "checkpoint", item.path, detail, version=item.version, objects=item.objects
            )
    return list(found.values())
