"""Child processes that start at once: forked from a process that has imported everything and done nothing.

    with Nursery() as nursery:
        child = nursery.start("tests.faults.children:die_at", root=..., at=3)
        assert nursery.wait(child) == KILLED

A child runs ``function(**arguments)`` and ends with what that returns as its exit code; 70 means that it
raised (the traceback is on stderr), -9 or -14 that it was killed or took longer than it may.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
RAISED = 70
LONGEST = int(os.environ.get("RACE_SECONDS", "0")) + 90


class Nursery:
    """Starts and awaits children; a context manager."""

    def __init__(self, *modules: str) -> None:
        self._modules = modules

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.faults.nursery", *self._modules]
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._mother = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        self._mother.stdin.close()
        try:
            self._mother.wait(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            self._mother.kill()
            self._mother.wait()
        self._mother.stdout.close()

    def start(self, function: str, **arguments: Any) -> int:
        """Starts a child; gives its number."""
        return self._ask({"start": function, "arguments": arguments})

    def wait(self, child: int) -> int:
        """Waits for a child; gives its exit code, or minus the signal that ended it."""
        return self._ask({"wait": child})

    def run(self, function: str, **arguments: Any) -> int:
        """Starts a child and waits for it."""
        return self.wait(self.start(function, **arguments))

    def _ask(self, question: dict[str, Any]) -> int:
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        self._mother.stdin.write(json.dumps(question) + "\n")
        self._mother.stdin.flush()
        answer = self._mother.stdout.readline()
        if not answer:
            raise RuntimeError("the process that starts children has ended")
        return int(answer)


def _bear(question: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    code = RAISED
    try:
        signal.alarm(LONGEST)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        module, name = question["start"].split(":")
        code = getattr(importlib.import_module(module), name)(**question["arguments"])
    except BaseException:  # noqa: BLE001 - whatever it is, the child ends here
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _serve() -> None:
    for line in sys.stdin:
        question = json.loads(line)
        if "start" in question:
            answer = _bear(question)
        else:
            _, status = os.waitpid(question["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        importlib.import_module(name)
    _serve()
