"""Several processes on one folder of keys, and processes that die while they make one."""

from __future__ import annotations

import hmac
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.errors import RefusedError
from tests.integration.keys.work import MASKED
from tests.unit.pii.keys.lakes import keys_of

ROOT = Path(__file__).parents[3]


def start(root: Path, what: str, times: int) -> subprocess.Popen[str]:
    """A process that has opened the lake and waits for `go`."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.keys.work", str(root), what, str(times)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def go(*children: subprocess.Popen[str]) -> None:
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()


def answers(*children: subprocess.Popen[str]) -> list[list[str]]:
    ends = [child.communicate(timeout=120) for child in children]
    assert [child.returncode for child in children] == [0] * len(children), [err for _, err in ends]
    return [out.splitlines() for out, _ in ends]


@pytest.mark.slow
def test_of_several_processes_that_make_a_key_at_once_one_does(tmp_path: Path) -> None:
    children = [start(tmp_path, "create", 3) for _ in range(3)]
    go(*children)
    told = sorted(line for lines in answers(*children) for line in lines)
    assert told == ["RefusedError"] * 8 + ["made 1"]
    assert [each.name for each in (tmp_path / "keys").iterdir()] == ["mask.1.key"]
    (made,) = keys_of(tmp_path).list()
    assert (made.version, made.problem) == (1, "")


@pytest.mark.slow
def test_of_several_processes_that_rotate_each_makes_versions_of_its_own(tmp_path: Path) -> None:
    keys = keys_of(tmp_path)
    keys.create("mask")
    before = (tmp_path / "keys" / "mask.1.key").read_bytes()
    children = [start(tmp_path, "rotate", 10) for _ in range(3)]
    go(*children)
    made = [int(line.split()[1]) for lines in answers(*children) for line in lines if line != "conflict"]
    assert sorted(made) == list(range(2, len(made) + 2)), "a version was made twice, or left out"
    assert len(made) >= 10
    assert keys.versions("mask") == tuple(range(1, len(made) + 2))
    assert len({keys.version("mask", version).material for version in keys.versions("mask")}) == len(made) + 1
    assert (tmp_path / "keys" / "mask.1.key").read_bytes() == before
    assert not [each for each in (tmp_path / "keys").iterdir() if each.name.startswith(".")]
    assert len(keys.list()) == len(made) + 1


def test_a_process_goes_on_masking_while_another_rotates(tmp_path: Path) -> None:
    keys = keys_of(tmp_path)
    keys.create("mask")
    child = start(tmp_path, "mask", 1_000_000)
    go(child)
    assert child.stdout is not None
    lines = []
    for version in range(2, 7):
        keys.rotate("mask")
        # It takes the new version without being told.
        while True:
            lines.append(child.stdout.readline())
            assert lines[-1], child.communicate(timeout=10)
            if int(lines[-1].split()[0]) == version:
                break
    found = [line.split() for line in (*lines, *stop(child))]
    versions = [int(version) for version, _ in found]
    assert versions == sorted(versions)
    assert set(versions) == set(range(1, 7))
    masks = {
        version: hmac.digest(keys.version("mask", version).material, MASKED, "sha256").hex()
        for version in keys.versions("mask")
    }
    assert {mask for _, mask in found} <= set(masks.values())
    assert all(masks[int(version)] == mask for version, mask in found)


def stop(child: subprocess.Popen[str]) -> list[str]:
    """What it says until it ends. Not by ``communicate``, which forgets what was read ahead."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("stop\n")
    child.stdin.flush()
    lines = child.stdout.read().splitlines()
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    return lines


@pytest.mark.parametrize("at", range(1, 11))
def test_a_process_that_dies_leaves_a_whole_key_or_none(tmp_path: Path, at: int) -> None:
    child = subprocess.run(
        [sys.executable, "-m", "tests.integration.keys.dying", str(tmp_path / "keys"), str(at)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    # One more call than there are: it is known that each of them was tried.
    assert child.returncode == (0 if at == 10 else 9)
    keys = keys_of(tmp_path)
    if keys.versions("mask"):
        assert len(keys.current("mask").material) == 32
        with pytest.raises(RefusedError):
            keys.create("mask")
    else:
        assert keys.create("mask").version == 1
    assert [each.problem for each in keys.list()] == [""]
    assert keys.rotate("mask").version == 2
