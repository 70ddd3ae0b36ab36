from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse.delta.actions import (
    Action,
    AddFile,
    CheckpointMetadata,
    CommitInfo,
    DeletionVector,
    DomainMetadata,
    Metadata,
    Protocol,
    RemoveFile,
    SetTransaction,
    Sidecar,
    serialize_all,
)
from lakehouse.delta.log import commit_path, moment_of, version_at
from lakehouse.delta.schema import LONG, StructField, StructType
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.errors import CorruptTableError, TableNotFoundError, UsageError, VersionNotFoundError
from lakehouse.storage import Storage, open_storage

SCHEMA = StructType((StructField("id", LONG),))
PROTOCOL = Protocol(1, 2)
METADATA = Metadata("table-id", SCHEMA.to_json())
UUID = "80a083e8-7026-4e79-81be-64bd76c43a11"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(tmp_path)


def add(path: str, vector: DeletionVector | None = None) -> AddFile:
    return AddFile(path, {}, 1, 1, deletion_vector=vector)


def vector(number: int) -> DeletionVector:
    return DeletionVector("u", "ab^-aqEH.-t@S}K{vb[*k^", 40, 6, number)


def put(storage: Storage, version: int, *actions: Action) -> None:
    storage.put(commit_path(version), serialize_all([CommitInfo(operation="WRITE"), *actions]))


def put_checkpoint(storage: Storage, version: int, *actions: Action, uuid: str = UUID) -> str:
    path = f"_delta_log/{version:020d}.checkpoint.{uuid}.json"
    storage.put(path, serialize_all([CheckpointMetadata(version), *actions]))
    return path


def table(storage: Storage, versions: int) -> None:
    """Each version adds the file named after it."""
    put(storage, 0, PROTOCOL, METADATA, add("f0"))
    for number in range(1, versions):
        put(storage, number, add(f"f{number}"))


def upto(number: int) -> list[str]:
    return [f"f{each}" for each in range(number + 1)]


class Counting:
    """Wraps a storage and notes what is asked of it."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> object:
        inner = getattr(self._storage, name)
        if not callable(inner):
            return inner

        def call(*args: object, **options: object) -> object:
            self.asked.append(f"{name} {args[0] if args else ''}")
            return inner(*args, **options)

        return call


class TestReplay:
    def test_the_state_of_the_newest_version(self, storage: Storage) -> None:
        put(storage, 0, PROTOCOL, METADATA, add("a"), add("b"), SetTransaction("app", 1))
        put(storage, 1, RemoveFile("a"), add("c"), SetTransaction("app", 2), SetTransaction("other", 9))
        snapshot = load_snapshot(storage)
        assert snapshot.version == 1
        assert sorted(snapshot.files) == ["b", "c"]
        assert {name: item.version for name, item in snapshot.transactions.items()} == {"app": 2, "other": 9}
        assert snapshot.schema == SCHEMA
        assert snapshot.protocol == PROTOCOL
        assert snapshot.metadata == METADATA
        assert snapshot.checkpoint_version is None
        modified = storage.head(commit_path(1)).modified
        assert abs(snapshot.timestamp_ms - modified.timestamp() * 1000) < 1

    def test_the_order_inside_a_commit_means_nothing(self, storage: Storage) -> None:
        put(storage, 0, PROTOCOL, METADATA, add("a"))
        put(storage, 1, add("a", vector(1)), RemoveFile("a"))
        assert load_snapshot(storage).files == {"a": add("a", vector(1))}

    def test_a_remove_takes_only_the_file_with_that_vector(self, storage: Storage) -> None:
        put(storage, 0, PROTOCOL, METADATA, add("a"), add("b", vector(7)))
        put(storage, 1, RemoveFile("a"), add("a", vector(1)))
        put(storage, 2, RemoveFile("a", deletion_vector=vector(1)), add("a", vector(2)))
        put(storage, 3, RemoveFile("a", deletion_vector=vector(1)), RemoveFile("b"))
        assert load_snapshot(storage).files == {"a": add("a", vector(2)), "b": add("b", vector(7))}
        put(
            storage, 4, RemoveFile("a", deletion_vector=vector(2)), RemoveFile("b", deletion_vector=vector(7))
        )
        assert load_snapshot(storage).files == {}

    def test_a_file_can_come_back(self, storage: Storage) -> None:
        put(storage, 0, PROTOCOL, METADATA, add("a"))
        put(storage, 1, RemoveFile("a"))
        put(storage, 2, add("a"))
        assert sorted(load_snapshot(storage).files) == ["a"]

    def test_the_latest_protocol_metadata_and_domains_win(self, storage: Storage) -> None:
        put(storage, 0, PROTOCOL, METADATA, DomainMetadata("x", "1"), DomainMetadata("y", "1"))
        put(storage, 1, Protocol(1, 4), replace(METADATA, configuration={"k": "v"}))
        put(storage, 2, DomainMetadata("x", "2"), DomainMetadata("y", "1", removed=True))
        snapshot = load_snapshot(storage)
        assert snapshot.protocol == Protocol(1, 4)
        assert snapshot.configuration == {"k": "v"}
        assert snapshot.domains == {"x": DomainMetadata("x", "2")}

    def test_a_log_without_protocol_or_metadata_is_corrupt(self, storage: Storage) -> None:
        put(storage, 0, METADATA)
        with pytest.raises(CorruptTableError, match="protocol"):
            load_snapshot(storage)
        put(storage, 0, PROTOCOL)
        with pytest.raises(CorruptTableError, match="metadata"):
            load_snapshot(storage)

    def test_no_table(self, storage: Storage) -> None:
        with pytest.raises(TableNotFoundError, match="no Delta table"):
            load_snapshot(storage)
        storage.put("_delta_log/notes.txt", b"x")
        with pytest.raises(TableNotFoundError):
            load_snapshot(storage, version=0)


class TestTimeTravel:
    def test_every_version_can_be_read(self, storage: Storage) -> None:
        table(storage, 6)
        put_checkpoint(storage, 3, PROTOCOL, METADATA, *[add(name) for name in upto(3)])
        storage.put("_delta_log/_last_checkpoint", b'{"version":3,"size":6}')
        for number in range(6):
            snapshot = load_snapshot(storage, version=number)
            assert sorted(snapshot.files) == upto(number)
            assert snapshot.checkpoint_version == (3 if number >= 3 else None)

    def test_a_version_that_was_never_made(self, storage: Storage) -> None:
        table(storage, 3)
        with pytest.raises(VersionNotFoundError, match="newest is 2") as error:
            load_snapshot(storage, version=3)
        assert "versions 0 to 2 can be read" in error.value.advice
        with pytest.raises(VersionNotFoundError):
            load_snapshot(storage, version=-1)

    def test_a_version_that_is_gone(self, storage: Storage) -> None:
        table(storage, 6)
        put_checkpoint(storage, 3, PROTOCOL, METADATA, *[add(name) for name in upto(3)])
        storage.delete([commit_path(number) for number in range(3)])
        with pytest.raises(VersionNotFoundError, match="before version 3 was cleaned up") as error:
            load_snapshot(storage, version=1)
        assert "versions 3 to 5 can be read" in error.value.advice
        assert "logRetentionDuration" in error.value.advice
        assert sorted(load_snapshot(storage, version=3).files) == upto(3)

    def test_only_a_checkpoint_left(self, storage: Storage) -> None:
        path = put_checkpoint(storage, 3, PROTOCOL, METADATA, add("a"))
        snapshot = load_snapshot(storage)
        assert snapshot.version == 3
        assert snapshot.commit is None
        assert moment_of(snapshot.timestamp_ms) == storage.head(path).modified.replace(
            microsecond=storage.head(path).modified.microsecond // 1000 * 1000
        )


class TestCheckpoints:
    def test_commits_before_the_checkpoint_are_not_read(self, storage: Storage) -> None:
        table(storage, 6)
        put_checkpoint(
            storage, 4, PROTOCOL, METADATA, *[add(name) for name in upto(4)], SetTransaction("app", 5)
        )
        storage.put("_delta_log/_last_checkpoint", b'{"version":4}')
        counting = Counting(storage)
        snapshot = load_snapshot(counting)  # type: ignore[arg-type]
        assert sorted(snapshot.files) == upto(5)
        assert snapshot.transactions["app"].version == 5
        assert [asked for asked in counting.asked if asked.endswith(".json")] == [
            f"get _delta_log/{4:020d}.checkpoint.{UUID}.json",
            f"get {commit_path(5)}",
        ]

    @pytest.mark.parametrize(
        "hint", [b'{"version":0}', b'{"version":2}', b'{"version":999}', b'{"version":5}', b"{"]
    )
    def test_the_hint_may_be_wrong(self, storage: Storage, hint: bytes) -> None:
        table(storage, 6)
        put_checkpoint(storage, 2, PROTOCOL, METADATA, *[add(name) for name in upto(2)])
        put_checkpoint(storage, 4, PROTOCOL, METADATA, *[add(name) for name in upto(4)])
        storage.put("_delta_log/_last_checkpoint", hint)
        for number in range(6):
            assert sorted(load_snapshot(storage, version=number).files) == upto(number)
        assert load_snapshot(storage).version == 5

    def test_a_broken_checkpoint_falls_back_to_an_older_one(self, storage: Storage) -> None:
        table(storage, 6)
        put_checkpoint(storage, 2, PROTOCOL, METADATA, *[add(name) for name in upto(2)])
        broken = f"_delta_log/{4:020d}.checkpoint.parquet"
        storage.put(broken, b"not parquet")
        storage.put("_delta_log/_last_checkpoint", b'{"version":4}')
        assert sorted(load_snapshot(storage).files) == upto(5)
        storage.delete([commit_path(number) for number in range(3)])
        assert sorted(load_snapshot(storage).files) == upto(5)
        storage.delete([commit_path(3)])
        with pytest.raises(CorruptTableError, match=broken):
            load_snapshot(storage)

    def test_another_checkpoint_of_the_same_version_is_tried(self, storage: Storage) -> None:
        table(storage, 3)
        put_checkpoint(storage, 1, PROTOCOL, METADATA, Sidecar("gone.parquet", 1, 1), uuid="a" + UUID[1:])
        put_checkpoint(storage, 1, PROTOCOL, METADATA, add("f0"), add("f1"), uuid="b" + UUID[1:])
        storage.delete([commit_path(0), commit_path(1)])
        assert sorted(load_snapshot(storage).files) == upto(2)

    def test_a_missing_sidecar_is_named(self, storage: Storage) -> None:
        put(storage, 5, add("x"))
        put_checkpoint(storage, 5, PROTOCOL, METADATA, Sidecar("gone.parquet", 1, 1))
        with pytest.raises(CorruptTableError, match=r"_sidecars/gone\.parquet is missing"):
            load_snapshot(storage)

    def test_a_checkpoint_without_metadata_is_not_used(self, storage: Storage) -> None:
        table(storage, 3)
        put_checkpoint(storage, 2, PROTOCOL, add("wrong"))
        assert sorted(load_snapshot(storage).files) == upto(2)

    def test_a_gap_in_the_log_names_the_file(self, storage: Storage) -> None:
        table(storage, 5)
        storage.delete([commit_path(2)])
        with pytest.raises(CorruptTableError, match=commit_path(2)):
            load_snapshot(storage)
        assert sorted(load_snapshot(storage, version=1).files) == upto(1)
        with pytest.raises(CorruptTableError, match=commit_path(2)):
            load_snapshot(storage, version=3)

    def test_a_truncated_commit_names_file_and_line(self, storage: Storage) -> None:
        table(storage, 3)
        storage.put(commit_path(1), storage.get(commit_path(1))[:-10])
        with pytest.raises(CorruptTableError, match=rf"line 2 of .*{commit_path(1)}"):
            load_snapshot(storage)


class TestCompactions:
    def compaction(self, storage: Storage, first: int, last: int, *actions: Action) -> None:
        storage.put(f"_delta_log/{first:020d}.{last:020d}.compacted.json", serialize_all(actions))

    def test_it_stands_for_its_commits(self, storage: Storage) -> None:
        table(storage, 5)
        self.compaction(storage, 1, 3, *[add(name) for name in upto(3)[1:]], add("only-here"))
        assert sorted(load_snapshot(storage).files) == [*upto(4), "only-here"]
        storage.delete([commit_path(2)])
        assert sorted(load_snapshot(storage).files) == [*upto(4), "only-here"]

    def test_a_broken_one_is_passed_over(self, storage: Storage) -> None:
        table(storage, 5)
        self.compaction(storage, 1, 3, add("f1"))
        storage.put(f"_delta_log/{1:020d}.{3:020d}.compacted.json", b"{")
        assert sorted(load_snapshot(storage).files) == upto(4)

    def test_the_time_of_a_version_inside_one(self, storage: Storage) -> None:
        configuration = {"delta.enableInCommitTimestamps": "true"}
        protocol = Protocol(1, 7, None, ("inCommitTimestamp",))
        for number in range(3):
            head: list[Action] = [CommitInfo(in_commit_timestamp=1000 + number)]
            rest: list[Action] = []
            if number == 0:
                rest = [protocol, replace(METADATA, configuration=configuration)]
            storage.put(commit_path(number), serialize_all([*head, *rest, add(f"f{number}")]))
        self.compaction(storage, 1, 2, add("f1"), add("f2"))
        assert load_snapshot(storage).timestamp_ms == 1002


class TestFromAnOlderSnapshot:
    def test_only_newer_commits_are_read(self, storage: Storage) -> None:
        table(storage, 5)
        base = load_snapshot(storage, version=2)
        counting = Counting(storage)
        snapshot = load_snapshot(counting, base=base)  # type: ignore[arg-type]
        assert sorted(snapshot.files) == upto(4)
        assert counting.asked == ["list _delta_log", f"get {commit_path(3)}", f"get {commit_path(4)}"]
        assert sorted(base.files) == upto(2)
        assert snapshot == load_snapshot(storage)

    def test_it_comes_back_itself_where_nothing_is_new(self, storage: Storage) -> None:
        table(storage, 3)
        base = load_snapshot(storage)
        assert load_snapshot(storage, base=base) is base
        assert load_snapshot(storage, base=base, version=2) is base

    def test_to_a_version_in_between_or_before(self, storage: Storage) -> None:
        table(storage, 6)
        base = load_snapshot(storage, version=2)
        assert sorted(load_snapshot(storage, base=base, version=4).files) == upto(4)
        assert sorted(load_snapshot(storage, base=base, version=1).files) == upto(1)
        with pytest.raises(VersionNotFoundError):
            load_snapshot(storage, base=base, version=6)

    def test_a_table_made_anew_is_noticed(self, storage: Storage) -> None:
        table(storage, 3)
        base = load_snapshot(storage)
        storage.delete([commit_path(number) for number in range(3)])
        put(storage, 0, PROTOCOL, replace(METADATA, id="another"), add("x"))
        assert sorted(load_snapshot(storage, base=base).files) == ["x"]
        for number in (1, 2, 3):
            put(storage, number, add(f"other-table-{number}"))
        snapshot = load_snapshot(storage, base=base)
        assert snapshot.metadata.id == "another"
        assert len(snapshot.files) == 4

    def test_a_cleaned_log_is_bridged_by_its_checkpoint(self, storage: Storage) -> None:
        table(storage, 6)
        base = load_snapshot(storage, version=1)
        put_checkpoint(storage, 4, PROTOCOL, METADATA, *[add(name) for name in upto(4)])
        storage.delete([commit_path(number) for number in range(4)])
        assert sorted(load_snapshot(storage, base=base).files) == upto(5)

    def test_a_new_checkpoint_is_noted(self, storage: Storage) -> None:
        table(storage, 4)
        base = load_snapshot(storage)
        put_checkpoint(storage, 3, PROTOCOL, METADATA, *[add(name) for name in upto(3)])
        again = load_snapshot(storage, base=base)
        assert again.checkpoint_version == 3
        assert again.files is base.files
        put(storage, 4, add("f4"))
        assert load_snapshot(storage, base=again).checkpoint_version == 3

    def test_after_very_many_commits_a_newer_checkpoint_is_read_instead(self, storage: Storage) -> None:
        table(storage, 70)
        base = load_snapshot(storage, version=1)
        path = put_checkpoint(storage, 65, PROTOCOL, METADATA, *[add(name) for name in upto(65)])
        storage.put("_delta_log/_last_checkpoint", b'{"version":65}')
        counting = Counting(storage)
        snapshot = load_snapshot(counting, base=base)  # type: ignore[arg-type]
        assert sorted(snapshot.files) == sorted(upto(69))
        assert f"get {path}" in counting.asked
        assert f"get {commit_path(65)}" not in counting.asked

    def test_a_broken_new_commit_is_an_error_here_too(self, storage: Storage) -> None:
        table(storage, 3)
        base = load_snapshot(storage)
        storage.put(commit_path(3), b"{")
        with pytest.raises(CorruptTableError, match=commit_path(3)):
            load_snapshot(storage, base=base)

    def test_many_threads_share_one(self, storage: Storage) -> None:
        table(storage, 20)
        base = load_snapshot(storage, version=0)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: load_snapshot(storage, base=base), range(16)))
        assert all(snapshot == found[0] for snapshot in found)
        assert sorted(base.files) == ["f0"]


class TestVersionAt:
    start = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def age(self, storage: Storage, version: int, minutes: float) -> None:
        moment = (self.start + timedelta(minutes=minutes)).timestamp()
        os.utime(Path(storage.url) / commit_path(version), (moment, moment))

    def at(self, storage: Storage, minutes: float) -> int:
        return version_at(storage, self.start + timedelta(minutes=minutes))

    def test_the_newest_version_at_a_moment(self, storage: Storage) -> None:
        table(storage, 4)
        for number in range(4):
            self.age(storage, number, number * 10)
        assert [self.at(storage, minutes) for minutes in (0, 9.99, 10, 25, 30, 1e6)] == [0, 0, 1, 2, 3, 3]

    def test_a_time_zone_is_needed_and_minded(self, storage: Storage) -> None:
        table(storage, 2)
        self.age(storage, 0, 0)
        self.age(storage, 1, 60)
        with pytest.raises(UsageError, match="time zone"):
            version_at(storage, datetime(2026, 3, 1, 12, 30))
        assert version_at(storage, datetime.fromisoformat("2026-03-01T14:30:00+02:00")) == 0
        assert version_at(storage, datetime.fromisoformat("2026-03-01T12:30:00-01:00")) == 1

    def test_times_that_go_back_are_made_to_rise(self, storage: Storage) -> None:
        table(storage, 4)
        for number, minutes in enumerate((0, 20, 5, 30)):
            self.age(storage, number, minutes)
        # Version 2 counts as one millisecond after version 1.
        assert [self.at(storage, minutes) for minutes in (5, 19, 21, 30)] == [0, 0, 2, 3]
        assert version_at(storage, self.start + timedelta(minutes=20)) == 1

    def test_before_the_first(self, storage: Storage) -> None:
        table(storage, 3)
        for number in range(3):
            self.age(storage, number, number)
        with pytest.raises(VersionNotFoundError, match=r"oldest is 0 of 2026-03-01T12:00:00\.000Z") as error:
            self.at(storage, -1)
        assert "versions 0 to 2 can be read, the newest of 2026-03-01T12:02" in error.value.advice

    def test_only_versions_that_can_be_read_count(self, storage: Storage) -> None:
        table(storage, 5)
        for number in range(5):
            self.age(storage, number, number * 10)
        put_checkpoint(storage, 2, PROTOCOL, METADATA, *[add(name) for name in upto(2)])
        storage.delete([commit_path(0)])
        with pytest.raises(VersionNotFoundError, match="oldest is 2"):
            self.at(storage, 15)
        assert self.at(storage, 20) == 2

    def test_in_commit_timestamps_count_where_they_are_on(self, storage: Storage) -> None:
        start = int(self.start.timestamp() * 1000)
        configuration = {
            "delta.enableInCommitTimestamps": "true",
            "delta.inCommitTimestampEnablementVersion": "2",
            "delta.inCommitTimestampEnablementTimestamp": str(start + 120_000),
        }
        put(storage, 0, PROTOCOL, METADATA)
        put(storage, 1, add("f1"))
        protocol = Protocol(1, 7, None, ("inCommitTimestamp",))
        for number in range(2, 6):
            info = CommitInfo(in_commit_timestamp=start + number * 60_000)
            rest: list[Action] = (
                [protocol, replace(METADATA, configuration=configuration)] if number == 2 else []
            )
            storage.put(commit_path(number), serialize_all([info, *rest, add(f"f{number}")]))
        for number in range(6):
            # Copied files: their times say nothing, except for the versions before.
            self.age(storage, number, number if number < 2 else 600)
        assert [self.at(storage, minutes) for minutes in (0, 1.5, 2, 3.5, 5, 599)] == [0, 1, 2, 3, 5, 5]
        assert load_snapshot(storage).timestamp_ms == start + 300_000
        with pytest.raises(VersionNotFoundError):
            self.at(storage, -1)

    def test_a_log_without_a_beginning(self, storage: Storage) -> None:
        put(storage, 3, add("x"))
        with pytest.raises(CorruptTableError, match=commit_path(0)):
            self.at(storage, 0)

    def test_only_a_checkpoint_left(self, storage: Storage) -> None:
        put_checkpoint(storage, 3, PROTOCOL, METADATA, add("a"))
        assert version_at(storage, datetime.now(UTC) + timedelta(hours=1)) == 3

    def test_no_table(self, storage: Storage) -> None:
        with pytest.raises(TableNotFoundError):
            version_at(storage, self.start)
