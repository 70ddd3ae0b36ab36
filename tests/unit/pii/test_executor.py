"""Work in several processes: in order, with what fails told, and closed cleanly."""

from __future__ import annotations

import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lakehouse.config.models import PiiConfig
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.pii.detect.finder import TextFinder
from lakehouse.pii.executor import Here, Processes


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    with Processes(2) as pool:
        yield pool


def test_results_come_in_the_order_of_the_items(processes: Processes) -> None:
    items = list(range(50))
    assert list(processes.map(partial(operator.mul, 2), items)) == list(
        Here().map(partial(operator.mul, 2), items)
    )


def test_the_work_is_done_in_two_processes_that_are_kept(processes: Processes) -> None:
    def workers() -> set[int]:
        return {int(each) for each in processes.map(_process_of, range(40))}

    first = workers()
    assert len(first) == 2
    assert os.getpid() not in first
    assert workers() == first


def _process_of(_: int) -> int:
    time.sleep(0.005)
    return os.getpid()


def test_items_are_taken_as_they_are_needed(processes: Processes) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = processes.map(partial(operator.add, 1), items())
    assert next(results) == 1
    assert len(taken) <= 2 * processes.workers + 1


def test_what_fails_is_raised_here_and_the_next_work_goes_on(processes: Processes) -> None:
    with pytest.raises(ZeroDivisionError):
        list(processes.map(partial(operator.truediv, 1), [1, 0, 2]))
    assert list(processes.map(partial(operator.add, 1), [1])) == [2]


def test_a_process_that_was_killed_is_an_error_that_says_so() -> None:
    with Processes(1) as pool, pytest.raises(LakehouseError, match="worker process ended"):
        list(pool.map(partial(signal.raise_signal), [signal.SIGKILL]))


def test_what_a_worker_prints_does_not_get_between_the_answers(processes: Processes) -> None:
    assert list(processes.map(print, ["to stderr"])) == [None]


def test_no_process_is_left_when_it_is_closed() -> None:
    pool = Processes(2)
    ids = set(pool.map(_process_of, range(20)))
    pool.close()
    for process in ids:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_script_without_a_guard_is_not_run_again_by_the_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import operator\n"
        "from functools import partial\n"
        "from lakehouse.pii.executor import Processes\n"
        "print('once')\n"
        "with Processes(2) as pool:\n"
        "    print(list(pool.map(partial(operator.add, 1), [1, 2])))\n"
    )
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert done.stdout == "once\n[2, 3]\n", done.stderr


@pytest.mark.xdist_group("presidio")
def test_texts_are_looked_at_in_several_processes_with_the_same_spans(processes: Processes) -> None:
    config = PiiConfig.model_validate({"nlp": {"engine": "none"}})
    texts = [f"call phone 212-555-{number:04d} or mail a{number}@example.com" for number in range(1500)]
    here = TextFinder(config).find(texts, entities=["PHONE_NUMBER", "EMAIL_ADDRESS"])
    assert (
        TextFinder(config, executor=processes).find(texts, entities=["PHONE_NUMBER", "EMAIL_ADDRESS"]) == here
    )
    assert all(len(spans) == 2 for spans in here)


@pytest.mark.xdist_group("presidio")
def test_a_mistake_is_told_from_another_process_as_from_here(processes: Processes) -> None:
    finder = TextFinder(PiiConfig.model_validate({"nlp": {"engine": "none"}}), executor=processes)
    with pytest.raises(UsageError, match="did you mean `EMAIL_ADDRESS`") as caught:
        finder.find(["x"], entities=["EMAIL_ADRESS"])
    assert caught.value.advice
