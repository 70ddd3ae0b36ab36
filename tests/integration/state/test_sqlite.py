"""What can happen to a file: gone, damaged, locked, not to be written."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.errors import ConflictError, LakehouseError, StorageError, UsageError
from lakehouse.state import Hold, open_state
from lakehouse.state.database import State

ROOT = Path(__file__).parents[3]
CANARY = "canary-7f3a@shop.example"
HOLD = Hold(
    id="",
    reason="r",
    author="a",
    placed=datetime(2026, 1, 1, tzinfo=UTC),
    table="t",
    where=f"email = '{CANARY}'",
    columns=("email",),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "lake" / "_lakehouse" / "state.db"


@pytest.fixture
def state(file: Path) -> State:
    return open_state(f"sqlite:///{file}")


def test_readers_go_on_while_one_writes(state: State, file: Path) -> None:
    placed = state.holds.place(HOLD)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM lakehouse_hold_contents")
        assert state.holds.list() == [placed]
        other.execute("ROLLBACK")


def test_what_is_busy_for_too_long_is_an_error_that_says_try_again(state: State, file: Path) -> None:
    state.holds.place(HOLD)
    impatient = open_state(f"sqlite:///{file}?timeout=0.1")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConflictError, match="busy") as caught:
            impatient.holds.place(HOLD)
        assert caught.value.exit_code == 4
        other.execute("ROLLBACK")
    impatient.holds.place(HOLD)


def test_a_file_that_goes_is_not_made_again(state: State, file: Path) -> None:
    state.holds.place(HOLD)
    file.unlink()
    for use in (state.holds.list, lambda: state.holds.place(HOLD)):
        with pytest.raises(StorageError, match="can't be opened"):
            use()
    assert not file.exists()


@pytest.mark.parametrize(
    "content", [b"this is no database, it is a letter" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_damaged_file_is_an_error(state: State, file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    for use in (state.exists, state.holds.standing, lambda: state.holds.place(HOLD)):
        with pytest.raises(StorageError, match="damaged") as caught:
            use()
        assert "backup" in caught.value.advice
    assert file.read_bytes() == content


def test_a_file_damaged_in_the_middle_says_nothing_wrong(state: State, file: Path) -> None:
    placed = [state.holds.place(HOLD) for _ in range(50)]
    whole = file.read_bytes()
    page = 4096
    for number in range(len(whole) // page):
        file.write_bytes(whole[: number * page] + b"\xff" * page + whole[(number + 1) * page :])
        try:
            found = open_state(f"sqlite:///{file}").holds.standing()
        except LakehouseError:
            continue
        assert found == placed, f"page {number}"


def test_an_empty_file_is_a_database_that_was_not_made(state: State, file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.touch()
    assert not state.exists()
    state.holds.place(HOLD)
    assert len(state.holds.list()) == 1


def test_a_folder_in_its_place_is_an_error(state: State, file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(StorageError, match="can't be opened"):
        state.holds.place(HOLD)


def test_what_was_released_is_in_no_file(state: State, file: Path) -> None:
    hold = state.holds.place(HOLD)
    assert any(CANARY.encode() in each.read_bytes() for each in file.parent.iterdir())
    state.holds.release(hold.id, author="a", now=datetime(2026, 1, 2, tzinfo=UTC))
    for each in file.parent.iterdir():
        assert CANARY.encode() not in each.read_bytes(), each.name


def test_who_may_not_write_is_told_so(tmp_path: Path) -> None:
    """In a child that is nobody, since the tests can run as root, who may everything."""
    folder = tmp_path / "_lakehouse"
    state = open_state(f"sqlite:///{folder}/state.db")
    state.holds.place(HOLD)
    shut = tmp_path / "shut"
    shut.mkdir()
    for each in (folder, shut):
        each.chmod(0o555)
    (folder / "state.db").chmod(0o444)
    for above in [tmp_path, *tmp_path.parents]:
        if above.stat().st_uid == os.getuid() and str(above) != "/":
            above.chmod(above.stat().st_mode | 0o055)
    script = f"""
        import os, sys
        from datetime import UTC, datetime
        from lakehouse.errors import StorageError
        from lakehouse.state import Hold, open_state
        import lakehouse.state.database, lakehouse.state.migrate
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        hold = Hold(id="", reason="r", author="a", placed=datetime.now(UTC), table="t")
        for url in ("sqlite:///{folder}/state.db", "sqlite:///{shut}/state.db", "sqlite:///{shut}/new/state.db"):
            try:
                open_state(url).holds.place(hold)
            except StorageError as error:
                assert "{CANARY}" not in str(error)
                print(error)
            else:
                print("placed", url)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    for each in (folder, shut):
        each.chmod(0o755)
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stdout + done.stderr
    for line in lines:
        assert "can't be written" in line or "can't be opened" in line or "can't be reached" in line, line
        assert "folder" in line


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u:canary-7f3a@h/d", "can't be kept in mysql"),
        ("postgresql+asyncpg://u:canary-7f3a@h/d", "can't be kept in postgresql+asyncpg"),
        ("sqlite:///file:x.db?uri=true", "can't be opened so"),
        ("sqlite:////x.db?mode=ro", "no setting mode"),
        ("sqlite:////x.db?timeout=soon", "no number"),
        ("postgresql://u:canary-7f3a@h:port/d", "can be read"),
    ],
)
def test_urls_that_can_not_be_used_are_refused_and_not_shown(url: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_state(url)
    assert said in str(caught.value)
    assert "canary" not in str(caught.value)


def test_without_psycopg_the_error_says_what_to_install(tmp_path: Path) -> None:
    script = """
        import sys
        sys.modules["psycopg"] = None
        import importlib.abc, importlib.util, importlib.machinery
        class Gone(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                if name == "psycopg":
                    raise ModuleNotFoundError(name="psycopg")
        from lakehouse.state import open_state
        try:
            open_state("postgresql://u:canary-7f3a@h/d")
        except Exception as error:
            print(type(error).__name__, error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "UsageError" in done.stdout, done.stdout + done.stderr
    assert "pip install lakehouse[postgres]" in done.stdout
    assert "canary" not in done.stdout + done.stderr


def test_alembic_is_not_imported_for_a_database_that_is_up_to_date(state: State, file: Path) -> None:
    state.holds.place(HOLD)
    script = f"""
        import sys
        from lakehouse.state import open_state
        assert not any(name.split(".")[0] == "sqlalchemy" for name in sys.modules)
        assert len(open_state("sqlite:///{file}").holds.list()) == 1
        print(sorted({{name for name in sys.modules if name.split(".")[0] == "alembic"}}))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
