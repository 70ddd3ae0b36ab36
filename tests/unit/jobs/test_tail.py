"""The tail of what a run says stays small, whatever comes."""

from __future__ import annotations

import logging
import sys
import threading

import pytest

from lakehouse.jobs.tail import LINES, WIDTH, Tail, heard


def test_a_hundred_megabytes_leave_a_tail() -> None:
    tail = Tail()
    for number in range(100):
        tail.write(f"{number:07}\n" * 125_000)
    tail.write("x" * 50_000_000)
    tail.write("\nend")
    lines = tail.text.split("\n")
    assert len(lines) == LINES
    assert lines[-1] == "end"
    assert lines[-2] == "x" * WIDTH
    assert lines[-3] == "0000099"


def test_pieces_become_lines() -> None:
    tail = Tail()
    for piece in ("a", "b\nc", "\r\n", "\n", "d\x00"):
        tail.write(piece)
    assert tail.text == "ab\nc\n\nd"


def test_only_what_the_run_says_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    tails = [Tail(), Tail()]
    together = threading.Barrier(3)

    def work(number: int) -> None:
        with heard(tails[number]):
            together.wait()
            print("said by", number)  # noqa: T201
            logging.getLogger("lakehouse.jobs").info("logged by %s", number)
            together.wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for each in threads:
        each.start()
    together.wait()
    print("not by a run")  # noqa: T201
    together.wait()
    for each in threads:
        each.join()
    assert [tail.text for tail in tails] == [f"said by {n}\ninfo logged by {n}" for n in (0, 1)]
    assert capsys.readouterr().out == "not by a run\n"
    assert not hasattr(sys.stdout, "users")
    assert logging.getLogger("lakehouse").level == logging.NOTSET
