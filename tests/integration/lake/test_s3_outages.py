"""A real S3 server that stands still in the middle of a merge, and the command line on it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse import Lakehouse, StorageError
from lakehouse.cli import main
from lakehouse.storage import Storage
from lakehouse.table import Table
from tests.fixtures.faults import FaultyStorage, Plan
from tests.fixtures.servers import S3Server, run_seaweedfs

pytestmark = pytest.mark.server

FROZEN_SECONDS = 12.0
FIRST = [{"id": number, "v": "a", "at": 1} for number in range(20)]
SECOND = [{"id": 1, "v": "b", "at": 2}, {"id": 2, "at": 2, "_op": "delete"}, {"id": 99, "v": "new", "at": 2}]
CONFIG = """\
version: 1
storage:
  root: s3://{bucket}/lake
  options: {{endpoint_url: "{endpoint}", access_key_id: {key}, secret_access_key: "${{S3_SECRET}}",
    timeout: 2s, max_retries: 1}}
tables:
  t: {{key: [id], changes: {{sequence: at}}}}
"""


@pytest.fixture(scope="module")
def own_server() -> Iterator[S3Server]:
    """A server of its own, since it is made to stand still."""
    with run_seaweedfs() as server:
        yield server


@pytest.fixture
def config(own_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("S3_SECRET", own_server.secret_access_key)
    path = tmp_path / "lakehouse.yaml"
    with own_server.bucket() as bucket:
        path.write_text(
            CONFIG.format(bucket=bucket, endpoint=own_server.endpoint, key=own_server.access_key_id)
        )
        yield path


class Freezing(Plan):
    """Stops the server before the first write of an object whose path has some text in it, for a while."""

    def __init__(self, server: S3Server, text: str) -> None:
        super().__init__()
        assert server.pid is not None
        self.pid, self.text = server.pid, text
        self.timer: threading.Timer | None = None

    def strikes(self, operation: str, path: str) -> bool:
        with self.lock:
            if self.timer is None and operation.startswith("put") and self.text in path:
                os.kill(self.pid, signal.SIGSTOP)
                self.timer = threading.Timer(FROZEN_SECONDS, os.kill, (self.pid, signal.SIGCONT))
                self.timer.start()
        return False

    def thaw(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer.join()
        os.kill(self.pid, signal.SIGCONT)


def patient(config: Path) -> Table:
    """The table with time enough for a server that is only slow."""
    path = config.with_name("patient.yaml")
    path.write_text(config.read_text().replace("timeout: 2s, max_retries: 1", "timeout: 60s"))
    return Lakehouse.open(path).table("t")


def freezing(table: Table, plan: Plan) -> Table:
    storage: Storage = FaultyStorage(table.storage, plan=plan)
    return Table(name="t", config=table.config, storage=storage, lake=storage)


def test_a_server_that_stands_still_while_a_merge_writes(own_server: S3Server, config: Path) -> None:
    table = patient(config)
    table.merge(FIRST)
    plan = Freezing(own_server, "part-")
    try:
        with pytest.raises(StorageError, match="did not answer in time") as caught:
            freezing(Lakehouse.open(config).table("t"), plan).merge(SECOND)
    finally:
        plan.thaw()
    assert "run it again" in caught.value.advice
    assert caught.value.retryable
    assert table.snapshot().version == 1
    assert table.read().height == len(FIRST)

    again = table.merge(SECOND)
    assert (again.version, again.inserted, again.updated, again.deleted) == (2, 1, 1, 1)
    assert table.read()["id"].sort().to_list() == [0, 1, *range(3, 20), 99]
    assert table.verify().ok


def test_a_server_that_stands_still_at_the_commit(own_server: S3Server, config: Path) -> None:
    table = patient(config)
    table.merge(FIRST)
    plan = Freezing(own_server, f"_delta_log/{2:020}")
    try:
        # The answer to the commit is lost, and it is looked up once the server is back.
        assert freezing(Lakehouse.open(config).table("t"), plan).merge(SECOND).version == 2
    except StorageError:
        assert table.snapshot().version == 1
    finally:
        plan.thaw()
    result = table.merge(SECOND)
    assert (result.inserted, result.deleted) in {(0, 0), (1, 1)}
    assert table.snapshot().version == 2
    assert table.read()["id"].sort().to_list() == [0, 1, *range(3, 20), 99]
    assert table.verify().ok


def test_a_bucket_of_a_misspelled_name_is_not_made(
    own_server: S3Server, config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    changes = tmp_path / "changes.jsonl"
    changes.write_text('{"id": 1, "at": 1}\n')
    config.write_text(config.read_text().replace("s3://lake-", "s3://misspelled-"))
    assert main(["-c", str(config), "merge", "t", str(changes)]) == 1
    assert "the bucket does not exist" in capfd.readouterr().err
    names = [each["Name"] for each in own_server.client().list_buckets()["Buckets"]]
    assert not [name for name in names if name.startswith("misspelled")]


def test_https_to_a_server_that_speaks_http(
    own_server: S3Server, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text().replace("http://", "https://"))
    assert main(["-c", str(config), "status"]) == 1
    told = capfd.readouterr().err
    assert "does not speak TLS" in told
    assert "http://" in told
