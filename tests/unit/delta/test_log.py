from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.delta.actions import Action, AddFile, CommitInfo, Protocol, serialize_all
from lakehouse.delta.log import (
    commit_path,
    commits,
    earliest_commit,
    earliest_version,
    last_checkpoint,
    list_log,
    plan_segment,
    read_commit,
)
from lakehouse.delta.log_files import LogListing, commit_version, sort_files
from lakehouse.errors import CorruptTableError, TableNotFoundError, VersionNotFoundError
from lakehouse.storage import ObjectInfo, Storage, open_storage

EARLY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(tmp_path)


def listing(*names: str) -> LogListing:
    return sort_files(ObjectInfo(f"_delta_log/{name}", 1, EARLY) for name in names)


def v(number: int) -> str:
    return f"{number:020d}"


def json_commits(*numbers: int) -> list[str]:
    return [f"{v(number)}.json" for number in numbers]


def part(version: int, number: int, count: int) -> str:
    return f"{v(version)}.checkpoint.{number:010d}.{count:010d}.parquet"


def put(storage: Storage, version: int, *actions: Action) -> None:
    storage.put(commit_path(version), serialize_all(actions))


class TestNames:
    def test_files_are_told_by_their_names(self) -> None:
        uuid = "80a083e8-7026-4e79-81be-64bd76c43a11"
        found = listing(
            *json_commits(0, 1, 2),
            f"{v(1)}.checkpoint.parquet",
            f"{v(1)}.checkpoint.{uuid}.json",
            part(2, 1, 2),
            part(2, 2, 2),
            f"{v(1)}.{v(2)}.compacted.json",
        )
        assert sorted(found.commits) == [0, 1, 2]
        assert [item.files[0].path for item in found.checkpoints[1]] == [
            f"_delta_log/{v(1)}.checkpoint.{uuid}.json",
            f"_delta_log/{v(1)}.checkpoint.parquet",
        ]
        assert len(found.checkpoints[2][0].files) == 2
        assert [(item.start, item.end) for item in found.compactions] == [(1, 2)]
        assert found.latest == 2

    def test_other_files_are_ignored(self) -> None:
        found = listing(
            f"{v(0)}.crc",
            f"_staged_commits/{v(1)}.3a0d65cd-4056-49b8-937b-95f9e3ee90e5.json",
            "_sidecars/x.parquet",
            "_last_checkpoint",
            "5.json",
            f"{v(3)}.json.tmp",
            f".{v(3)}.json.crc",
        )
        assert found == LogListing()
        assert found.latest is None

    def test_a_multi_part_checkpoint_with_missing_parts_does_not_count(self) -> None:
        found = listing(part(4, 1, 3), part(4, 3, 3))
        assert found.checkpoints == {}
        assert found.broken == {4: (f"_delta_log/{part(4, 2, 3)}",)}

    def test_parts_of_two_attempts_are_not_mixed(self) -> None:
        found = listing(part(4, 1, 2), part(4, 2, 3), part(4, 1, 3), part(4, 3, 3))
        assert [len(item.files) for item in found.checkpoints[4]] == [3]

    def test_paths_of_commits(self) -> None:
        assert commit_path(7) == "_delta_log/00000000000000000007.json"
        assert commit_version(commit_path(7)) == 7
        assert commit_version("_delta_log/00000000000000000007.crc") is None


class TestReadableVersions:
    @pytest.mark.parametrize(
        ("names", "ranges"),
        [
            (json_commits(0, 1, 2), [(0, 2)]),
            (json_commits(1, 2), []),
            ([*json_commits(3, 4), f"{v(3)}.checkpoint.parquet"], [(3, 4)]),
            ([*json_commits(4), f"{v(3)}.checkpoint.parquet"], [(3, 4)]),
            ([f"{v(3)}.checkpoint.parquet"], [(3, 3)]),
            ([*json_commits(0, 1, 3), f"{v(3)}.checkpoint.parquet"], [(0, 1), (3, 3)]),
            ([*json_commits(0, 1), f"{v(2)}.checkpoint.parquet"], [(0, 2)]),
            ([*json_commits(0, 1, 3, 4), f"{v(1)}.checkpoint.parquet"], [(0, 1)]),
        ],
    )
    def test_ranges(self, names: list[str], ranges: list[tuple[int, int]]) -> None:
        assert listing(*names).readable() == ranges


class TestPlan:
    def test_the_newest_checkpoint_and_every_commit_after_it(self) -> None:
        found = listing(*json_commits(*range(8)), f"{v(2)}.checkpoint.parquet", f"{v(5)}.checkpoint.parquet")
        plan = plan_segment(found, 7)
        assert plan.checkpoint is not None
        assert plan.checkpoint.version == 5
        assert [info.path for info in plan.steps] == [commit_path(6), commit_path(7)]
        assert plan.commit is not None
        assert plan.commit.path == commit_path(7)

    def test_a_checkpoint_newer_than_the_version_is_not_used(self) -> None:
        found = listing(*json_commits(*range(8)), f"{v(2)}.checkpoint.parquet", f"{v(5)}.checkpoint.parquet")
        plan = plan_segment(found, 4)
        assert plan.checkpoint is not None
        assert plan.checkpoint.version == 2

    def test_a_compaction_stands_for_its_commits(self) -> None:
        found = listing(
            *json_commits(0, 1, 4, 5), f"{v(1)}.{v(3)}.compacted.json", f"{v(1)}.{v(2)}.compacted.json"
        )
        assert [info.path[11:] for info in plan_segment(found, 5).steps] == [
            f"{v(0)}.json",
            f"{v(1)}.{v(3)}.compacted.json",
            *json_commits(4, 5),
        ]

    def test_a_compaction_past_the_version_is_not_used(self) -> None:
        found = listing(*json_commits(0, 1, 2, 3), f"{v(1)}.{v(3)}.compacted.json")
        assert [info.path for info in plan_segment(found, 2).steps] == [
            commit_path(number) for number in range(3)
        ]

    def test_a_gap_names_the_missing_file(self) -> None:
        with pytest.raises(CorruptTableError, match=commit_path(2)):
            plan_segment(listing(*json_commits(0, 1, 3)), 3)

    def test_a_gap_names_the_missing_parts_of_the_checkpoint_that_would_have_helped(self) -> None:
        with pytest.raises(CorruptTableError, match=part(3, 2, 2)):
            plan_segment(listing(*json_commits(0, 1, 3, 4), part(3, 1, 2)), 4)


class TestReading:
    def test_a_commit_with_its_actions_and_time(self, storage: Storage) -> None:
        put(storage, 3, CommitInfo(operation="WRITE"), AddFile("a", {}, 1, 1))
        found = read_commit(storage, 3)
        assert found.version == 3
        assert found.info is not None
        assert found.info.operation == "WRITE"
        assert [type(action).__name__ for action in found.actions] == ["CommitInfo", "AddFile"]
        modified = storage.head(commit_path(3)).modified
        assert abs(found.timestamp_ms - modified.timestamp() * 1000) < 1

    def test_the_in_commit_timestamp_is_the_time_where_there_is_one(self, storage: Storage) -> None:
        put(storage, 0, CommitInfo(in_commit_timestamp=1234))
        assert read_commit(storage, 0).timestamp_ms == 1234

    def test_a_missing_commit(self, storage: Storage) -> None:
        with pytest.raises(VersionNotFoundError, match="version 9"):
            read_commit(storage, 9)

    @pytest.mark.parametrize(
        "rest", [b'{"add":{"path":"b","si', b"not json\n", b'{"add":{"size":3}}\n', b"12\n", b"[]\n"]
    )
    def test_a_broken_line_is_named(self, storage: Storage, rest: bytes) -> None:
        storage.put(commit_path(0), serialize_all([AddFile("a", {}, 1, 1)]) + b"\n" + rest)
        with pytest.raises(CorruptTableError, match=rf"line 3 of .*{commit_path(0)}"):
            read_commit(storage, 0)

    @pytest.mark.parametrize("data", [b"", b"\n \n"])
    def test_an_empty_commit_is_corrupt(self, storage: Storage, data: bytes) -> None:
        storage.put(commit_path(0), data)
        with pytest.raises(CorruptTableError, match="is empty"):
            read_commit(storage, 0)

    def test_commits_in_order(self, storage: Storage) -> None:
        for number in range(2, 30):
            put(storage, number, AddFile(f"f{number}", {}, 1, 1))
        assert [item.version for item in commits(storage)] == list(range(2, 30))
        assert [item.version for item in commits(storage, start=5, end=7)] == [5, 6, 7]
        assert list(commits(storage, start=40)) == []

    def test_commits_with_a_gap(self, storage: Storage) -> None:
        for number in (0, 1, 3):
            put(storage, number, Protocol(1, 2))
        with pytest.raises(CorruptTableError, match=commit_path(2)):
            list(commits(storage))


class TestHint:
    def test_the_hint(self, storage: Storage) -> None:
        assert last_checkpoint(storage) is None
        storage.put("_delta_log/_last_checkpoint", b'{"version":5,"size":3,"unknown":{}}')
        assert last_checkpoint(storage) == 5

    @pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"version":"5"}', b'{"version":-1}', b"{}"])
    def test_a_hint_that_cant_be_read_is_none(self, storage: Storage, text: bytes) -> None:
        storage.put("_delta_log/_last_checkpoint", text)
        assert last_checkpoint(storage) is None


class TestEarliest:
    def test_of_a_whole_log(self, storage: Storage) -> None:
        put(storage, 0, Protocol(1, 2))
        put(storage, 1, Protocol(1, 2))
        assert earliest_version(storage) == 0
        assert earliest_commit(storage) == 0

    def test_of_a_cleaned_log(self, storage: Storage) -> None:
        for number in (3, 4, 5):
            put(storage, number, Protocol(1, 2))
        storage.put(f"_delta_log/{v(4)}.checkpoint.parquet", b"x")
        assert earliest_version(storage) == 4
        assert earliest_commit(storage) == 3
        assert list_log(storage, start=5).commits.keys() == {5}

    def test_without_a_table(self, storage: Storage) -> None:
        for function in (earliest_version, earliest_commit):
            with pytest.raises(TableNotFoundError):
                function(storage)

    def test_without_a_beginning(self, storage: Storage) -> None:
        put(storage, 3, Protocol(1, 2))
        with pytest.raises(CorruptTableError, match=commit_path(0)):
            earliest_version(storage)
