"""A process is killed while others commit, or in a compaction: nothing is lost, doubled or left half done."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from deltalake import DeltaTable

from lakehouse.delta.actions import AddCdcFile, AddFile
from lakehouse.delta.log import commits
from lakehouse.table import Table
from tests.faults import work
from tests.faults.moments import copy, rows, some
from tests.faults.nursery import Nursery
from tests.fixtures.faults import KILLED
from tests.properties.tables import NAME, Row, files_below


@dataclass(frozen=True)
class Case:
    """A piece of work, what others do meanwhile, and what its result tells where nobody is killed."""

    task: str
    told: Mapping[str, Any]
    section: dict[str, Any] = field(default_factory=dict)
    company: tuple[str, ...] = ()
    fill: Callable[..., None] = work.fill
    target_size: int | None = None

    def __str__(self) -> str:
        kind = [str(self.section[name]) for name in ("merge", "history") if name in self.section]
        return "-".join([self.task, *kind, *self.company])

    def base(self, root: Path) -> None:
        """The table as it is before."""
        made = {name: value for name, value in self.section.items() if name != "compact"}
        self.fill(root, **made)
        if self.target_size is not None:
            there = DeltaTable(str(root / NAME))
            there.alter.set_table_properties({"delta.targetFileSize": str(self.target_size)})

    def table(self, root: Path) -> Table:
        return work.table(root, **self.section)

    def others(self, root: Path, *, upto: int | None = None) -> None:
        """What others do, done here."""
        for name in self.company[:upto]:
            work.COMPANY[name](self.table(root))


OVERTAKEN = {"attempts": 2, "rebased": 0}
ON_READ, ON_WRITE = {"merge": "on_read"}, {"merge": "on_write"}
FEED = {"merge": "on_read", "change_feed": True}
CLUSTERED = {**work.PARTED, **ON_READ, "compact": {"cluster_by": ["v"]}}

MERGES = [
    Case("merge", {"attempts": 2, "rebased": 1}, ON_READ, ("elsewhere",)),
    Case("merge", {"attempts": 2, "rebased": 1}, ON_WRITE, ("elsewhere",)),
    Case("merge", OVERTAKEN, ON_READ, ("rival",)),
    Case("merge", OVERTAKEN, ON_WRITE, ("rival",)),
    Case("merge", OVERTAKEN, ON_READ, ("compact",)),
    Case("merge", OVERTAKEN, ON_WRITE, ("compact",)),
    Case("merge", {"attempts": 4, "rebased": 1}, FEED, ("elsewhere", "rival", "compact")),
    Case("merge", OVERTAKEN, {"merge": "on_read", "history": "full"}, ("rival",)),
]
COMPACTIONS = [
    Case("compact", {"groups": 2, "added": 4}, CLUSTERED, fill=work.fill_parts, target_size=1500),
    Case("compact", {"groups": 2}, CLUSTERED, ("new_part",), fill=work.fill_parts),
    Case("compact", {"groups": 2}, CLUSTERED, ("even",), fill=work.fill_parts),
    Case("compact", {"groups": 2, "added": 4}, CLUSTERED, ("even", "odd"), work.fill_parts, 1500),
    Case("compact", {"groups": 1}, CLUSTERED, ("most",), fill=work.fill_parts),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", MERGES, ids=str)
def test_a_merge_that_others_overtake(tmp_path: Path, nursery: Nursery, case: Case) -> None:
    for root, wanted in killed(tmp_path, nursery, case):
        table = case.table(root)
        known = table.snapshot().transactions["shop"].version == work.OFFSET
        case.others(root)
        again = work.merge(table)
        assert (again["committed"], again["counts"]["duplicate"]) == (not known, len(work.BATCH) * known)
        assert rows(table, root) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("merge", ["on_read", "on_write"])
def test_a_merge_and_the_compaction_after_it(tmp_path: Path, nursery: Nursery, merge: str) -> None:
    case = Case("merge", {"compacted": 3}, {"merge": merge, "compact": {"after": 2}})
    for root, wanted in killed(tmp_path, nursery, case):
        table = case.table(root)
        work.merge(table)
        assert rows(table, root) == wanted
        # Whatever the dead one has not put together, a later merge does.
        table.merge([{"id": 7000, "seq": 3, "v": "more"}], source="shop", offset=work.OFFSET + 1)
        assert len(table.snapshot().files) <= 2
        assert [row for row in rows(table, root) if row["id"] != 7000] == wanted


@pytest.mark.slow
@pytest.mark.parametrize("case", COMPACTIONS, ids=str)
def test_a_compaction(tmp_path: Path, nursery: Nursery, case: Case) -> None:
    for root, wanted in killed(tmp_path, nursery, case):
        table = case.table(root)
        case.others(root)
        table.compact()
        assert rows(table, root) == wanted
        assert table.compact(dry_run=True).changes_nothing


def killed(folder: Path, nursery: Nursery, case: Case) -> Iterator[tuple[Path, list[Row]]]:
    """A lake for each moment of the work at which its process was killed, and the rows as all is done.

    Before it is handed out, and when it comes back, it is checked.
    """
    base = folder / "base"
    case.base(base)
    kept = files_below(base)
    steps = []
    for count in range(len(case.company) + 1):
        with copied(base, folder / f"steps-{count}") as root:
            case.others(root, upto=count)
            steps.append(rows(case.table(root), root))
    calls, wanted = as_a_whole(folder, base, nursery, case)
    seen = set()
    for at, when in some(calls):
        with copied(base, folder / f"{at}-{when}") as root:
            code = nursery.run("tests.faults.children:die_at", root=str(root), at=at, when=when, **told(case))
            place = f"{when} call {at}, {calls[at - 1]}"
            assert code == KILLED, place
            table = case.table(root)
            found = rows(table, root)
            assert found in (*steps, wanted), place
            assert table.verify().findings == (), place
            assert untouched(kept, files_below(root)), place
            seen.add(found == wanted)
            try:
                yield root, wanted
            except BaseException as error:
                error.add_note(place)
                raise
            final = rows(table, root)
            sweep(table, root)
            assert rows(case.table(root), root) == final, place
            assert table.verify().findings == (), place
    assert seen == {True} if wanted == steps[0] else {False, True}


def as_a_whole(
    folder: Path, base: Path, nursery: Nursery, case: Case
) -> tuple[list[tuple[str, str]], list[Row]]:
    """The calls of the work where nobody is killed, and the rows after it."""
    report = folder / "calls.json"
    with copied(base, folder / "whole") as root:
        done = nursery.run(
            "tests.faults.children:die_at",
            root=str(root),
            at=None,
            when="before",
            report=str(report),
            **told(case),
        )
        assert done == 0
        wanted = rows(case.table(root), root)
    told_here = json.loads(report.read_text())
    assert {name: told_here["result"][name] for name in case.told} == case.told
    return [(method, path) for method, path in told_here["calls"]], wanted


def told(case: Case) -> dict[str, Any]:
    return {"task": case.task, "section": case.section, "company": case.company}


@contextmanager
def copied(source: Path, target: Path) -> Iterator[Path]:
    """A copy of a lake, gone afterwards."""
    try:
        yield copy(source, target)
    finally:
        shutil.rmtree(target)


def untouched(before: Mapping[str, tuple[int, int]], now: Mapping[str, tuple[int, int]]) -> bool:
    """Whether all files that were there are there as they were; a pointer to a checkpoint may move."""
    return {
        path: stamp[0] for path, stamp in before.items() if not path.endswith("_last_checkpoint")
    }.items() <= {path: stamp[0] for path, stamp in now.items()}.items()


def sweep(table: Table, root: Path) -> None:
    """Takes away all data files, vectors and change data that no commit speaks of: nobody needs them."""
    folder = root / NAME
    told_of: set[str | None] = set()
    for commit in commits(table.storage, start=0, end=table.snapshot().version):
        for action in commit.actions:
            if isinstance(action, AddCdcFile):
                told_of.add(unquote(action.path))
            if isinstance(action, AddFile):
                told_of.add(action.relative_path(table.storage.url))
                told_of.add(action.deletion_vector.relative_path() if action.deletion_vector else None)
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if name.startswith(("_delta_log", "_lakehouse")) or path.is_dir() or name in told_of:
            continue
        path.unlink()
