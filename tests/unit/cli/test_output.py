from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.cli.output import Fields, Output, listing, plural

ROOT = Path(__file__).parents[3]
GRID = (
    "from lakehouse.cli.entry import main\n"
    "from lakehouse.cli.app import root\n"
    "from lakehouse.cli.grid import Grid\n"
    "import click\n"
    "@click.command()\n"
    "@click.pass_obj\n"
    "def wide(session):\n"
    "    rows = [[number, None, 'x' * 200] for number in range(ROWS)]\n"
    "    session.out.emit({'rows': rows}, Grid(['id', 'nothing', 'text'], rows))\n"
    "root._places['wide'] = 'wide:wide'\n"
    "import sys, types\n"
    "sys.modules['wide'] = types.SimpleNamespace(wide=wide)\n"
    "sys.exit(main(sys.argv[1:]))\n"
)


def start(rows: int, *words: str) -> list[str]:
    return [sys.executable, "-c", GRID.replace("ROWS", str(rows)), *words, "wide"]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "TERM"}}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **more}


def on_a_terminal(*words: str, **more: str) -> str:
    """What the command writes to a terminal that is 60 columns wide."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        start(3, *words),
        stdout=theirs,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
        env=environment(COLUMNS="60", **more),
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert process.wait(timeout=30) == 0
    return written.decode()


def test_a_terminal_gets_colours_and_its_width() -> None:
    text = on_a_terminal()
    assert "\x1b[" in text
    assert "…" in text
    assert "x" * 60 not in text


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_where_they_are_not_wanted(more: dict[str, str]) -> None:
    text = on_a_terminal(**more)
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 60


def test_a_pipe_gets_everything_and_no_colours() -> None:
    done = subprocess.run(start(3), capture_output=True, text=True, check=True, env=environment())
    assert "\x1b" not in done.stdout
    assert "x" * 200 in done.stdout


def test_a_terminal_gets_json_over_lines_and_a_pipe_on_one() -> None:
    assert on_a_terminal("--json").count("\n") > 3
    done = subprocess.run(start(3, "--json"), capture_output=True, text=True, check=True, env=environment())
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_reader_that_goes_away_is_no_error(words: list[str], unbuffered: str) -> None:
    with subprocess.Popen(
        start(20_000, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(PYTHONUNBUFFERED=unbuffered),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            start(3), stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment()
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_text_that_the_terminal_can_not_show_is_escaped() -> None:
    done = subprocess.run(
        start(1),
        capture_output=True,
        text=True,
        check=True,
        env=environment(PYTHONIOENCODING="latin-1", PYTHONUTF8="0"),
    )
    assert "\\u2500" in done.stdout


def test_hints_are_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=False, quiet=False)
    out.emit({}, "the result", Fields(("name", "a"), ("missing", None), ("longer name", 3)))
    out.next_steps(("lakehouse read a", "look"))
    written = capsys.readouterr()
    assert written.out.splitlines() == ["the result", "name         a", "longer name  3"]
    assert written.err.splitlines() == ["next:", "  lakehouse read a   # look"]


@pytest.mark.parametrize(("as_json", "quiet"), [(True, False), (False, True)])
def test_hints_can_be_left_out(as_json: bool, quiet: bool, capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=as_json, quiet=quiet)
    out.note("hint")
    assert capsys.readouterr().err == ""


def test_words() -> None:
    assert [plural(0, "row"), plural(1, "row"), plural(1234, "row")] == ["0 rows", "1 row", "1,234 rows"]
    assert plural(2, "entry", "entries") == "2 entries"
    assert [listing([]), listing(["a"]), listing(["a", "b", "c"])] == ["", "a", "a, b and c"]
