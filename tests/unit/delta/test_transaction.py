from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread

import orjson
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
    SetTransaction,
)
from lakehouse.delta.log import commit_path, read_commit
from lakehouse.delta.schema import LONG, StructField, StructType
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import Committed, Conflicted, commit
from lakehouse.errors import CommitUnknownError, StorageError, StoreRefusedError, UsageError
from lakehouse.storage import Storage, open_storage

METADATA = Metadata("id", StructType((StructField("id", LONG),)).to_json())
INFO = CommitInfo(operation="WRITE", operation_parameters={"mode": "Append"}, operation_metrics={"rows": 3})


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(tmp_path)


@pytest.fixture
def base(storage: Storage) -> Snapshot:
    commit(storage, version=0, actions=[Protocol(1, 2), METADATA], commit_info=INFO)
    return load_snapshot(storage)


def add(path: str = "a", vector: DeletionVector | None = None) -> AddFile:
    return AddFile(path, {}, 1, 1, deletion_vector=vector)


class Shaky:
    """A storage whose put_if_absent and get do what the test says, call by call, and work afterwards."""

    def __init__(
        self,
        storage: Storage,
        *,
        puts: Sequence[Callable[[Storage, str, bytes], bool]] = (),
        gets: Sequence[Exception] = (),
    ) -> None:
        self._storage = storage
        self._puts = list(puts)
        self._gets = list(gets)
        self.url = storage.url

    def put_if_absent(self, path: str, data: bytes) -> bool:
        if self._puts:
            return self._puts.pop(0)(self._storage, path, data)
        return self._storage.put_if_absent(path, data)

    def get(self, path: str) -> bytes:
        if self._gets:
            raise self._gets.pop(0)
        return self._storage.get(path)


def lost_before(storage: Storage, path: str, data: bytes) -> bool:
    raise StorageError("connection refused")


def lost_after(storage: Storage, path: str, data: bytes) -> bool:
    storage.put_if_absent(path, data)
    raise StorageError("answer lost")


def repeated(storage: Storage, path: str, data: bytes) -> bool:
    storage.put_if_absent(path, data)
    return False


def somebody_else(storage: Storage, path: str, data: bytes) -> bool:
    storage.put(path, b'{"commitInfo":{"txnId":"theirs"}}\n')
    return False


def somebody_else_and_lost(storage: Storage, path: str, data: bytes) -> bool:
    somebody_else(storage, path, data)
    raise StorageError("answer lost")


def run(storage: object, base: Snapshot, *, pauses: list[float] | None = None) -> Committed | Conflicted:
    waited = [] if pauses is None else pauses
    return commit(
        storage,  # type: ignore[arg-type]
        version=1,
        actions=[add()],
        commit_info=INFO,
        base=base,
        sleep=waited.append,
    )


class TestContent:
    def test_what_is_written(self, storage: Storage, base: Snapshot) -> None:
        outcome = commit(
            storage, version=1, actions=[add()], commit_info=INFO, base=base, now_ms=lambda: 1234
        )
        assert isinstance(outcome, Committed)
        assert outcome.version == 1
        assert outcome.timestamp_ms == 1234
        first, second = (orjson.loads(line) for line in storage.get(commit_path(1)).splitlines())
        info = first["commitInfo"]
        assert info["engineInfo"].startswith("lakehouse/")
        assert info["txnId"] == outcome.txn_id
        assert {
            name: info[name] for name in ("timestamp", "operation", "operationParameters", "readVersion")
        } == {
            "timestamp": 1234,
            "operation": "WRITE",
            "operationParameters": {"mode": "Append"},
            "readVersion": 0,
        }
        assert info["operationMetrics"] == {"rows": 3}
        assert "inCommitTimestamp" not in info
        assert second["add"]["path"] == "a"
        assert sorted(load_snapshot(storage).files) == ["a"]

    def test_each_commit_has_its_own_id(self, storage: Storage, base: Snapshot) -> None:
        ids = {orjson.loads(storage.get(commit_path(0)).splitlines()[0])["commitInfo"]["txnId"]}
        outcome = run(storage, base)
        assert isinstance(outcome, Committed)
        assert outcome.txn_id not in ids

    def test_what_the_caller_knows_better_is_kept(self, storage: Storage, base: Snapshot) -> None:
        info = replace(
            INFO, txn_id="mine", read_version=0, engine_info="test/1", is_blind_append=True, extra={"x": [1]}
        )
        commit(storage, version=1, actions=[], commit_info=info, base=base)
        found = read_commit(storage, 1).info
        assert found is not None
        assert (found.txn_id, found.read_version, found.engine_info) == ("mine", 0, "test/1")
        assert found.is_blind_append
        assert found.extra == {"x": [1]}


class TestInCommitTimestamps:
    METADATA = replace(METADATA, configuration={"delta.enableInCommitTimestamps": "true"})
    PROTOCOL = Protocol(1, 7, None, ("inCommitTimestamp",))

    def test_they_always_rise(self, storage: Storage) -> None:
        clock = itertools.chain([5000, 5000, 3000], itertools.count(9000))
        now = clock.__next__
        commit(storage, version=0, actions=[self.PROTOCOL, self.METADATA], commit_info=INFO, now_ms=now)
        snapshot = load_snapshot(storage)
        for number in range(1, 4):
            outcome = commit(storage, version=number, actions=[], commit_info=INFO, base=snapshot, now_ms=now)
            assert isinstance(outcome, Committed)
            snapshot = load_snapshot(storage, base=snapshot)
            assert snapshot.timestamp_ms == outcome.timestamp_ms
        stamps = [read_commit(storage, number).info for number in range(4)]
        assert [info and info.in_commit_timestamp for info in stamps] == [5000, 5001, 5002, 9000]

    def test_they_start_after_the_commit_before(self, storage: Storage, base: Snapshot) -> None:
        commit(
            storage,
            version=1,
            actions=[self.PROTOCOL, self.METADATA],
            commit_info=INFO,
            base=base,
            now_ms=lambda: 1,
        )
        assert load_snapshot(storage).timestamp_ms == base.timestamp_ms + 1


class TestOutcomes:
    def test_conflicted(self, storage: Storage, base: Snapshot) -> None:
        storage.put(commit_path(1), b'{"commitInfo":{"operation":"WRITE"}}\n')
        assert run(storage, base) == Conflicted(1)
        assert storage.get(commit_path(1)) == b'{"commitInfo":{"operation":"WRITE"}}\n'

    @pytest.mark.parametrize("theirs", [b"", b"broken", b'{"commitInfo":3}\n[]\n'])
    def test_conflicted_by_a_strange_file(self, storage: Storage, base: Snapshot, theirs: bytes) -> None:
        storage.put(commit_path(1), theirs)
        assert run(storage, base) == Conflicted(1)

    @pytest.mark.parametrize("put", [repeated, lost_after])
    def test_our_own_commit_is_recognised(
        self, storage: Storage, base: Snapshot, put: Callable[[Storage, str, bytes], bool]
    ) -> None:
        pauses: list[float] = []
        assert isinstance(run(Shaky(storage, puts=[put]), base, pauses=pauses), Committed)
        assert pauses == []
        assert load_snapshot(storage).version == 1

    @pytest.mark.parametrize("put", [somebody_else, somebody_else_and_lost])
    def test_somebody_elses_is_not_ours(
        self, storage: Storage, base: Snapshot, put: Callable[[Storage, str, bytes], bool]
    ) -> None:
        assert run(Shaky(storage, puts=[put]), base) == Conflicted(1)

    def test_a_request_that_never_arrived_is_sent_again(self, storage: Storage, base: Snapshot) -> None:
        pauses: list[float] = []
        assert isinstance(
            run(Shaky(storage, puts=[lost_before, lost_before]), base, pauses=pauses), Committed
        )
        assert len(pauses) == 2
        assert pauses == sorted(pauses)
        assert load_snapshot(storage).version == 1

    def test_a_store_that_can_not_be_asked_is_asked_again(self, storage: Storage, base: Snapshot) -> None:
        shaky = Shaky(storage, puts=[lost_after], gets=[StorageError("no"), StorageError("no")])
        assert isinstance(run(shaky, base), Committed)

    def test_unknown_only_where_nobody_answers(self, storage: Storage, base: Snapshot) -> None:
        shaky = Shaky(storage, puts=[lost_after, *[lost_before] * 9], gets=[StorageError("no")] * 9)
        with pytest.raises(CommitUnknownError, match="version 1"):
            run(shaky, base)

    def test_a_failure_that_left_nothing_is_a_failure(self, storage: Storage, base: Snapshot) -> None:
        pauses: list[float] = []
        with pytest.raises(StorageError, match="refused"):
            run(Shaky(storage, puts=[lost_before] * 9), base, pauses=pauses)
        assert sum(pauses) < 10
        assert load_snapshot(storage).version == 0

    def test_a_store_that_contradicts_itself(self, storage: Storage, base: Snapshot) -> None:
        with pytest.raises(StorageError, match="one answer"):
            run(Shaky(storage, puts=[lambda *_: False] * 9), base)

    def test_a_store_without_the_operation_is_refused_at_once(self, storage: Storage, base: Snapshot) -> None:
        def refuse(storage: Storage, path: str, data: bytes) -> bool:
            raise StoreRefusedError("no put-if-absent")

        pauses: list[float] = []
        with pytest.raises(StoreRefusedError):
            run(Shaky(storage, puts=[refuse]), base, pauses=pauses)
        assert pauses == []

    def test_of_many_racers_one_wins(self, storage: Storage, base: Snapshot) -> None:
        outcomes: list[Committed | Conflicted] = []
        barrier = Barrier(8)

        def race() -> None:
            barrier.wait()
            outcomes.append(run(storage, base))

        threads = [Thread(target=race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
        assert outcomes.count(Conflicted(1)) == 7
        info = read_commit(storage, 1).info
        assert info is not None
        assert info.txn_id == winner.txn_id


class TestRefused:
    VECTOR = DeletionVector("u", "x" * 20, 40, 2, 1)

    @pytest.mark.parametrize(
        "actions",
        [
            [METADATA, METADATA],
            [Protocol(1, 2), Protocol(1, 3)],
            [add(), add()],
            [add(), add(vector=VECTOR)],
            [add().remove(at_ms=1), add()],
            [add().remove(at_ms=1), add(vector=VECTOR).remove(at_ms=1)],
            [SetTransaction("a", 1), SetTransaction("a", 2)],
            [DomainMetadata("d", "1"), DomainMetadata("d", "2", removed=True)],
            [CommitInfo()],
            [CheckpointMetadata(1)],
        ],
    )
    def test_actions_that_can_not_stand_together(
        self, storage: Storage, base: Snapshot, actions: list[Action]
    ) -> None:
        with pytest.raises(UsageError):
            commit(storage, version=1, actions=actions, commit_info=INFO, base=base)
        assert not storage.exists(commit_path(1))

    def test_a_new_vector_on_a_file_is_a_remove_and_an_add(self, storage: Storage, base: Snapshot) -> None:
        actions: list[Action] = [
            add().remove(at_ms=1),
            add(vector=self.VECTOR),
            SetTransaction("a", 1),
            SetTransaction("b", 1),
        ]
        assert isinstance(commit(storage, version=1, actions=actions, commit_info=INFO, base=base), Committed)

    def test_the_base_must_be_the_version_before(self, storage: Storage, base: Snapshot) -> None:
        for version, wrong in ((0, base), (2, base), (1, None)):
            with pytest.raises(UsageError):
                commit(storage, version=version, actions=[], commit_info=INFO, base=wrong)
