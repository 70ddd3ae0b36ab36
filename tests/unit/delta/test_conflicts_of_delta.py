"""The scenarios of Delta Lake's own suites, told to our checks.

After delta-io/delta: ``OptimisticTransactionSuite`` and ``OptimisticTransactionLegacySuite`` (allowed and
disallowed concurrent actions), what ``ConflictChecker`` expects of a merge, and the tests of
``conflict_checker.rs`` of delta-io/delta-rs. Merges that are overtaken for real:
``tests/unit/merge/test_company_of_delta.py``. Where Delta lets more pass than we do (it may, under weaker
isolation), the test says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from lakehouse.delta.actions import (
    Action,
    AddFile,
    CommitInfo,
    DeletionVector,
    Metadata,
    Protocol,
    RemoveFile,
    SetTransaction,
)
from lakehouse.delta.conflicts import ReadSet, check
from lakehouse.delta.log import Commit


def file(path: str, x: str = "1", *, vector: DeletionVector | None = None, moved: bool = False) -> AddFile:
    return AddFile(path, {"x": x}, 1, 1, data_change=not moved, deletion_vector=vector)


def where_x(*values: str) -> Callable[[AddFile], bool]:
    return lambda add: add.partition_values["x"] in values


def vector(name: str) -> DeletionVector:
    return DeletionVector("u", name * 20, 40, 2, 1)


NOTHING = ReadSet()
X1 = ReadSet(files={"a"}, matches=where_x("1"))
A, B, C = file("a"), file("b"), file("c")
PROTOCOL = Protocol(3, 7, (), ())
METADATA = Metadata("t", "{}")

ALLOWED: dict[str, tuple[ReadSet, Sequence[Action], Sequence[Action]]] = {
    "append / append": (NOTHING, [A], [B]),
    "disjoint transactions": (ReadSet(applications=["t1"]), [SetTransaction("t2", 0)], []),
    "disjoint delete / read": (ReadSet(matches=where_x("1")), [RemoveFile("other")], []),
    "disjoint add / read": (X1, [file("n", "2")], [B]),
    "adds in different partitions": (ReadSet(matches=where_x("1")), [file("n", "2")], [file("m", "1")]),
    "deletes in different partitions": (X1, [RemoveFile("z")], [RemoveFile("a")]),
    "append / overwrite of what is there": (NOTHING, [RemoveFile("a"), B], [C]),
    "merge / compaction of other files": (
        X1,
        [RemoveFile("p", data_change=False), RemoveFile("q", data_change=False), file("pq", moved=True)],
        [RemoveFile("a"), C],
    ),
    "compaction / append into the same partition": (
        ReadSet(files={"a", "b"}),
        [file("n")],
        [RemoveFile("a", data_change=False), RemoveFile("b", data_change=False), file("ab", moved=True)],
    ),
    "a read that found no file / add elsewhere": (ReadSet(matches=where_x("1")), [file("n", "5")], [B]),
    "other applications": (
        ReadSet(applications=["t1"]),
        [SetTransaction("t2", 1), file("n", "2")],
        [SetTransaction("t1", 1)],
    ),
    "merge / vectors of files that it did not look at": (
        X1,
        [RemoveFile("z"), file("z", "2", vector=vector("v"))],
        [RemoveFile("a"), file("a", vector=vector("w"))],
    ),
}

DISALLOWED: dict[str, tuple[ReadSet, Sequence[Action], Sequence[Action], str]] = {
    "append / new schema": (NOTHING, [METADATA], [A], "metadata_changed"),
    "append / protocol upgrade": (NOTHING, [PROTOCOL], [A], "protocol_changed"),
    "upgrade / upgrade": (NOTHING, [PROTOCOL], [PROTOCOL], "protocol_changed"),
    "schema change / schema change": (NOTHING, [METADATA], [METADATA], "metadata_changed"),
    "delete / delete": (NOTHING, [RemoveFile("a")], [RemoveFile("a")], "concurrent_delete_delete"),
    "add / read + write": (X1, [file("n")], [B], "concurrent_append"),
    "add / read + delete": (X1, [file("n")], [RemoveFile("a")], "concurrent_append"),
    "add in one of two partitions that were read": (
        ReadSet(matches=where_x("1", "2")),
        [file("n", "1")],
        [file("m", "2")],
        "concurrent_append",
    ),
    "delete / read": (X1, [RemoveFile("a")], [B], "concurrent_delete_read"),
    "conflicting transactions": (
        ReadSet(applications=["t1"]),
        [SetTransaction("t1", 0)],
        [],
        "concurrent_transaction",
    ),
    "the whole table is read / add anywhere": (
        ReadSet.everything(),
        [file("n", "3")],
        [file("m", "4")],
        "concurrent_append",
    ),
    "the whole table is read / remove": (
        ReadSet.everything(),
        [RemoveFile("a")],
        [B],
        "concurrent_delete_read",
    ),
    "two merges mark rows of one file": (
        X1,
        [RemoveFile("a"), file("a", vector=vector("v"))],
        [RemoveFile("a"), file("a", vector=vector("w"))],
        "concurrent_delete_delete",
    ),
    "merge / compaction of a file that it marks": (
        X1,
        [RemoveFile("a", data_change=False), file("ab", moved=True)],
        [RemoveFile("a"), file("a", vector=vector("w"))],
        "concurrent_delete_delete",
    ),
    "a read that found no file / add that it would have read": (
        ReadSet(matches=where_x("1")),
        [file("n")],
        [B],
        "concurrent_append",
    ),
    "one of two removals takes rows": (
        ReadSet(files={"a", "b"}),
        [RemoveFile("a", data_change=False), RemoveFile("b")],
        [C],
        "concurrent_delete_read",
    ),
    "two compactions take the same file": (
        NOTHING,
        [RemoveFile("a", data_change=False)],
        [RemoveFile("a", data_change=False)],
        "concurrent_delete_delete",
    ),
    # delta-rs lets the next two pass, since a compaction moves rows only; our vectors need to know where.
    "the whole table is read / compaction": (
        ReadSet.everything(),
        [RemoveFile("a", data_change=False)],
        [B],
        "concurrent_delete_read",
    ),
    "merge / compaction of a file in which it found nothing": (
        ReadSet(files={"a", "b"}, matches=where_x("1")),
        [RemoveFile("b", data_change=False), file("bc", moved=True)],
        [RemoveFile("a"), C],
        "concurrent_delete_read",
    ),
    "compaction / vector of a file that it takes": (
        ReadSet(files={"a", "b"}),
        [RemoveFile("a"), file("a", vector=vector("v"))],
        [RemoveFile("a", data_change=False), RemoveFile("b", data_change=False), file("ab", moved=True)],
        "concurrent_delete_delete",
    ),
    "compaction / compaction": (
        ReadSet(files={"a", "b"}),
        [RemoveFile("b", data_change=False), RemoveFile("c", data_change=False), file("bc", moved=True)],
        [RemoveFile("a", data_change=False), RemoveFile("b", data_change=False), file("ab", moved=True)],
        "concurrent_delete_delete",
    ),
    # Delta lets an insert of a merge pass after a blind append (WriteSerializable); it could double a key.
    "insert of a merge / blind append of the same key": (
        ReadSet(matches=where_x("1")),
        [file("n")],
        [file("m")],
        "concurrent_append",
    ),
    # Delta lets a read without a write pass; nobody asks us to commit one.
    "add / read + no write": (X1, [file("n")], [], "concurrent_append"),
}


def findings(reads: ReadSet, theirs: Sequence[Action], ours: Sequence[Action]) -> list[str]:
    winner = Commit(7, 0, (CommitInfo(operation="WRITE"), *theirs))
    return [finding.name for finding in check(ours, [winner], reads=reads)]


@pytest.mark.parametrize("scenario", ALLOWED)
def test_allowed(scenario: str) -> None:
    assert findings(*ALLOWED[scenario]) == []


@pytest.mark.parametrize("scenario", DISALLOWED)
def test_disallowed(scenario: str) -> None:
    reads, theirs, ours, name = DISALLOWED[scenario]
    assert name in findings(reads, theirs, ours)


def test_the_finding_names_the_version_that_was_in_the_way() -> None:
    quiet, loud = Commit(7, 0, (file("n", "2"),)), Commit(8, 0, (RemoveFile("a"),))
    (found,) = check([B], [quiet, loud], reads=X1)
    assert (found.version, found.rebase) == (8, True)
