from __future__ import annotations

from collections.abc import Sequence

import pytest

from lakehouse.delta.actions import (
    Action,
    AddFile,
    CommitInfo,
    DeletionVector,
    DomainMetadata,
    Metadata,
    Protocol,
    RemoveFile,
    SetTransaction,
)
from lakehouse.delta.conflicts import ReadSet, check
from lakehouse.delta.log import Commit

VECTOR = DeletionVector("u", "x" * 20, 40, 2, 1)


def winner(*actions: Action, version: int = 5) -> Commit:
    return Commit(version, 0, (CommitInfo(operation="WRITE"), *actions))


def add(path: str, *, data_change: bool = True, partition: str = "1") -> AddFile:
    return AddFile(path, {"d": partition}, 1, 1, data_change=data_change)


def in_partition_one(file: AddFile) -> bool:
    return file.partition_values["d"] == "1"


MERGE: Sequence[Action] = (
    RemoveFile("touched"),
    AddFile("touched", {}, 1, 1, deletion_vector=VECTOR),
    add("mine"),
    SetTransaction("app", 7),
)
READS = ReadSet(files={"touched", "read"}, matches=in_partition_one, metadata_id="table")


def names(*winners: Commit, ours: Sequence[Action] = MERGE, reads: ReadSet = READS) -> list[str]:
    return [finding.name for finding in check(ours, winners, reads=reads)]


def test_nothing_in_common() -> None:
    assert (
        names(winner(add("other", partition="2"), RemoveFile("elsewhere"), SetTransaction("another", 1)))
        == []
    )
    assert names() == []


@pytest.mark.parametrize(
    ("action", "name"),
    [
        (Protocol(3, 7, (), ()), "protocol_changed"),
        (Metadata("table", "{}"), "metadata_changed"),
        (add("new"), "concurrent_append"),
        (RemoveFile("read"), "concurrent_delete_read"),
        (RemoveFile("touched"), "concurrent_delete_delete"),
        (RemoveFile("touched", deletion_vector=VECTOR), "concurrent_delete_delete"),
        (SetTransaction("app", 7), "concurrent_transaction"),
    ],
)
def test_each_check(action: Action, name: str) -> None:
    found = check(MERGE, [winner(action)], reads=READS)
    assert [finding.name for finding in found] == [name]
    assert found[0].version == 5
    assert found[0].rebase
    assert found[0].message
    assert found[0].advice


def test_a_replaced_table_is_no_case_for_another_try() -> None:
    (finding,) = check(MERGE, [winner(Metadata("another table", "{}"))], reads=READS)
    assert finding.name == "table_replaced"
    assert not finding.rebase
    assert names(winner(Metadata("another", "{}")), reads=ReadSet()) == ["metadata_changed"]


def test_moved_rows_are_no_append_but_a_lost_file_is_noticed() -> None:
    compaction = winner(RemoveFile("a", data_change=False), add("ab", data_change=False))
    assert names(compaction) == []
    hit = winner(RemoveFile("read", data_change=False), add("ab", data_change=False))
    assert names(hit) == ["concurrent_delete_read"]


def test_a_blind_append_stands_after_anything_but_a_new_schema() -> None:
    ours = [add("mine")]
    busy = winner(add("new"), RemoveFile("read"), SetTransaction("app", 1))
    assert names(busy, ours=ours, reads=ReadSet()) == []
    assert names(winner(Metadata("table", "{}")), ours=ours, reads=ReadSet()) == ["metadata_changed"]


def test_a_read_of_everything_minds_everything() -> None:
    whole = ReadSet.everything(metadata_id="table")
    assert names(winner(add("new", partition="2")), ours=[], reads=whole) == ["concurrent_append"]
    assert names(winner(RemoveFile("x")), ours=[], reads=whole) == ["concurrent_delete_read"]
    assert names(winner(SetTransaction("a", 1)), ours=[], reads=ReadSet(applications=["a"])) == [
        "concurrent_transaction"
    ]


def test_the_same_domain() -> None:
    ours = [DomainMetadata("mine", "1"), DomainMetadata("both", "1")]
    assert names(winner(DomainMetadata("theirs", "1")), ours=ours) == []
    assert names(winner(DomainMetadata("both", "2")), ours=ours) == ["domain_metadata_changed"]


def test_findings_come_by_version_and_all_of_them() -> None:
    found = check(
        MERGE,
        [
            winner(add("x"), RemoveFile("touched"), RemoveFile("read"), version=5),
            winner(version=6),
            winner(SetTransaction("app", 8), version=7),
        ],
        reads=READS,
    )
    assert [(finding.version, finding.name) for finding in found] == [
        (5, "concurrent_append"),
        (5, "concurrent_delete_delete"),
        (5, "concurrent_delete_read"),
        (7, "concurrent_transaction"),
    ]


def test_messages_name_no_paths() -> None:
    found = check(MERGE, [winner(RemoveFile("read"), add("new"))], reads=READS)
    assert all("read.parquet" not in finding.message and "new" not in finding.message for finding in found)
