"""Local folders under kills, races of processes, full disks and vanishing files."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.errors import StorageError
from lakehouse.storage import open_storage
from tests.fixtures.faults import KILLED

ROOT = Path(__file__).parents[3]


def start(script: str, *args: object) -> subprocess.Popen[str]:
    """A child process that runs a script with the repository on its path."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    return out


WRITE_FOR_EVER = """
import itertools, sys
from lakehouse.storage import open_storage
storage = open_storage(sys.argv[1], options={"fsync": "false"})
for number in itertools.count(int(sys.argv[2])):
    content = bytes([number % 251]) * 300_000
    assert storage.put_if_absent(f"new/{number}", content)
    storage.put("same", content)
    print(number, flush=True)
"""


def test_a_kill_leaves_whole_objects_or_none(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    started = 0
    for _ in range(6):
        child = start(WRITE_FOR_EVER, tmp_path, started)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(random.uniform(0, 0.03))
        child.kill()
        out, _ = child.communicate()
        done = started + 1 + out.count("\n")

        names = [int(info.path.removeprefix("new/")) for info in storage.list("new")]
        # What was acknowledged is there; at most the one under way may be there besides.
        assert set(range(done)) <= set(names) <= set(range(done + 1))
        for number in names[-3:]:
            assert storage.get(f"new/{number}") == bytes([number % 251]) * 300_000
        assert len(set(storage.get("same"))) == 1
        assert storage.head("same").size == 300_000
        started = max(names) + 1


RACE = """
import json, sys, time
from lakehouse.storage import open_storage
storage = open_storage(sys.argv[1])
while time.time() < float(sys.argv[3]):
    pass
print(json.dumps([storage.put_if_absent(f"log/{n}", sys.argv[2].encode()) for n in range(100)]))
"""


def test_processes_that_race_never_both_win(tmp_path: Path) -> None:
    begin = time.time() + 1.0
    children = [start(RACE, tmp_path, me, begin) for me in range(4)]
    won = [json.loads(finish(child)) for child in children]

    storage = open_storage(tmp_path)
    for number in range(100):
        winners = [str(me) for me, wins in enumerate(won) if wins[number]]
        assert winners == [storage.get(f"log/{number}").decode()]
    assert len(list((tmp_path / "log").iterdir())) == 100


FILL = """
import json, resource, sys
from lakehouse.errors import StorageError
from lakehouse.storage import open_storage
storage = open_storage(sys.argv[1])
storage.put("before", b"old")
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
told = []
for write in (storage.put, storage.put_if_absent):
    for path in ("before", "after"):
        try:
            write(path, bytes(3_000_000))
        except StorageError as error:
            told.append([error.message, error.advice])
print(json.dumps(told))
"""


@pytest.fixture
def tiny_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True
        )
        if mounted.returncode:
            pytest.skip("mounting a tiny disk needs root; the file size limit is tested instead")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def check_full(folder: Path, how: str) -> None:
    told = json.loads(finish(start(FILL, folder, how)))

    assert len(told) == 4
    for message, advice in told:
        assert f"in {folder}: no space is left" in message
        assert "free space" in advice
    storage = open_storage(folder)
    assert [info.path for info in storage.list()] == ["before"]
    assert storage.get("before") == b"old"
    # Nothing of the failed writes takes up the space that is missing.
    assert [entry.name for entry in folder.iterdir()] == ["before"]


def test_a_full_disk(tiny_disk: Path) -> None:
    check_full(tiny_disk, "disk")


def test_a_file_size_limit(tmp_path: Path) -> None:
    check_full(tmp_path, "limit")


FORBIDDEN = """
import json, os, sys
from lakehouse.errors import StorageError
from lakehouse.storage import open_storage
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
storage = open_storage(sys.argv[1])
told = []
for call in (
    lambda: storage.get("secret"),
    lambda: storage.put("a", b"x"),
    lambda: storage.put_if_absent("a", b"x"),
    lambda: storage.delete(["secret"]),
    lambda: storage.list(),
):
    try:
        told.append(str(call()))
    except StorageError as error:
        told.append(error.message)
print(json.dumps(told))
"""


def test_no_permission() -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Path(folder, "lake")
        lake.mkdir(mode=0o755)
        (lake / "secret").write_bytes(b"x")
        (lake / "secret").chmod(0)
        (lake / "shut").mkdir(mode=0)
        lake.chmod(0o555)
        Path(folder).chmod(0o755)
        told = json.loads(finish(start(FORBIDDEN, lake)))
        lake.chmod(0o755)
        (lake / "shut").chmod(0o755)

    assert ["permission was denied" in message for message in told] == [True] * 5
    assert "read 'secret'" in told[0]


def test_listing_while_files_come_and_go(tmp_path: Path) -> None:
    storage = open_storage(tmp_path, options={"fsync": "false"})
    for number in range(200):
        storage.put(f"stays/{number:03}", b"x")
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for number in range(50):
                storage.put(f"stays/{number:03}-goes/deep/{number}", b"y")
            for number in range(50):
                storage.delete([f"stays/{number:03}-goes/deep/{number}"])
                (tmp_path / f"stays/{number:03}-goes/deep").rmdir()
                (tmp_path / f"stays/{number:03}-goes").rmdir()

    churning = threading.Thread(target=churn)
    churning.start()
    try:
        for _ in range(60):
            stays = [info.path for info in storage.list("stays") if "goes" not in info.path]
            assert stays == [f"stays/{number:03}" for number in range(200)]
    finally:
        stop.set()
        churning.join()


FAULTY = """
import sys
from lakehouse.storage import open_storage
from tests.fixtures.faults import FaultyStorage
storage = FaultyStorage(open_storage(sys.argv[1]), at=int(sys.argv[2]), when=sys.argv[3], how="exit")
storage.put("a", b"12345678")
storage.put_if_absent("log/0", b"12345678")
storage.child("log").get("0")
storage.delete(["a", "log/0"])
"""


@pytest.mark.parametrize(
    ("at", "when", "left"),
    [
        (1, "before", []),
        (1, "during", []),
        (1, "after", ["a"]),
        (2, "before", ["a"]),
        (2, "during", ["a"]),
        (2, "after", ["a", "log/0"]),
        (3, "after", ["a", "log/0"]),
        (4, "before", ["a", "log/0"]),
        (4, "during", ["log/0"]),
        (4, "after", []),
    ],
)
def test_a_death_at_each_call(tmp_path: Path, at: int, when: str, left: list[str]) -> None:
    child = start(FAULTY, tmp_path, at, when)
    child.communicate(timeout=60)

    assert child.returncode == KILLED
    storage = open_storage(tmp_path)
    assert [info.path for info in storage.list()] == left
    # Whatever a death left behind, the next try goes through.
    storage.put("a", b"again")
    assert storage.put_if_absent("log/0", b"again") is ("log/0" not in left)


def test_a_file_in_the_way(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    storage.put("a", b"x")
    storage.put("folder/b", b"x")

    with pytest.raises(StorageError, match="in the way"):
        storage.put("a/below", b"x")
    with pytest.raises(StorageError, match="in the way"):
        storage.put("folder", b"x")
    with pytest.raises(StorageError, match="too long"):
        storage.put("n" * 300, b"x")
    assert [info.path for info in storage.list()] == ["a", "folder/b"]


FORK = """
import os, sys
from lakehouse.errors import UsageError
from lakehouse.storage import open_storage
storage = open_storage(sys.argv[1])
storage.put("a", b"x")
storage.get("a")
child = os.fork()
if child == 0:
    try:
        storage.get("a")
    except UsageError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_fork_is_told_instead_of_hanging(tmp_path: Path) -> None:
    assert "spawn" in finish(start(FORK, tmp_path))
