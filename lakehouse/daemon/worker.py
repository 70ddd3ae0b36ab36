"""A child process of the daemon: opens the lake once, and carries out one run after the other.

    python -m lakehouse.daemon.worker        only the daemon starts it

Runs and requests to end them come on standard input, what became of them goes to standard output. What the
work itself prints there, or lets others print, goes to standard error, which the daemon reads and forgets.
"""

from __future__ import annotations

import base64
import logging
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Any, Final

from lakehouse.daemon.messages import heard, said, to_run
from lakehouse.errors import LakehouseError

if TYPE_CHECKING:
    from lakehouse.jobs.runner import Runner
    from lakehouse.jobs.stop import Stop
    from lakehouse.jobs.working import Outcome

STUCK: Final = 75
"""Exit code of a worker whose work did not end although it was asked to."""
GONE: Final = "its daemon is gone"
_LINES: Final = 100
"""So many lines of logs of a run are passed on in a second."""


class _Out:
    """The way to the daemon. Can be used from many threads."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def say(self, **message: Any) -> None:
        with self._lock:
            try:
                self._stream.write(said(**message))
                self._stream.flush()
            except OSError:
                # Nobody listens any more: what became of the run is in the database all the same.
                pass


class _Passing(logging.Handler):
    """Passes what Lakehouse logs on to the daemon; of a flood only its beginning, each second."""

    def __init__(self, out: _Out) -> None:
        super().__init__()
        self._out = out
        self._second = 0
        self._left = _LINES
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        second = int(record.created)
        if second != self._second:
            if self._dropped:
                text = f"{self._dropped} lines were left out"
                self._out.say(told="log", level="warning", logger="lakehouse.daemon", text=text)
            self._second, self._left, self._dropped = second, _LINES, 0
        if self._left == 0:
            self._dropped += 1
            return
        self._left -= 1
        self._out.say(
            told="log", level=record.levelname.lower(), logger=record.name, text=record.getMessage()
        )


class _Worker:
    """One worker: the thread that reads, and the one that carries out. ``leave`` ends the process."""

    def __init__(self, source: IO[bytes], out: _Out, *, leave: Callable[[int], object] = os._exit) -> None:
        self._leave = leave
        self._source = source
        self._out = out
        self._change = threading.Condition()
        self._todo: deque[dict[str, Any]] = deque()
        self._enough = False
        self._run: str | None = None
        self._stop: Stop | None = None
        self._token = 0
        self._begun = 0.0
        self._grace = 30.0
        self._runner: Runner | None = None
        self._unwritten: dict[str, tuple[int, Outcome]] = {}

    def serve(self) -> None:
        """Works until the daemon says that it is enough, or is gone."""
        messages = heard(self._source)
        hello = next(messages, None)
        if hello is None:
            return
        self._grace = hello["grace"]
        self._runner = runner = self._made(hello)
        with suppress(LakehouseError):
            # One that can't be reached just now is tried again by each run.
            runner.state.stay_open()
        threading.Thread(target=self._listen, args=(messages,), name="listen", daemon=True).start()
        self._out.say(told="ready", memory=memory(), watched=bool(runner.observers))
        while (message := self._next()) is not None:
            self._carry(runner, message)
        with suppress(LakehouseError):
            runner.state.close()

    def _made(self, hello: dict[str, Any]) -> Runner:
        from lakehouse.lake import Lakehouse  # noqa: PLC0415 - only children pay for it

        sys.path[:] = hello["path"]
        # From the daemon itself, over a pipe that nobody else has.
        lake = Lakehouse(pickle.loads(base64.b64decode(hello["config"])))  # noqa: S301
        return lake.jobs.runner(
            author=hello["author"],
            owner=hello["owner"],
            lease=timedelta(seconds=hello["lease"]),
            grace=timedelta(seconds=self._grace),
            closing=self._close,
        )

    def _next(self) -> dict[str, Any] | None:
        from lakehouse.jobs.stop import Stop  # noqa: PLC0415

        with self._change:
            self._run = self._stop = None
            self._change.notify_all()
            self._change.wait_for(lambda: self._todo or self._enough)
            if not self._todo:
                return None
            message = self._todo.popleft()
            self._run, self._token, self._stop = message["run"]["id"], message["token"], Stop()
            self._begun = time.monotonic()
            return message

    def _carry(self, runner: Runner, message: dict[str, Any]) -> None:
        try:
            outcome = runner.carry(to_run(message["run"]), message["token"], stop=self._stop)
        except Exception as error:  # noqa: BLE001 - such as a database that does not come back
            self._say_ended("lost", {"reason": str(getattr(error, "message", type(error).__name__))})
        else:
            if outcome.event == "lost":
                self._say_ended("lost", outcome.detail)
        if runner.observers:
            self._out.say(told="free")

    def _close(self, outcome: Outcome, ended: bool) -> None:
        """The daemon writes down what became of the run, together with what became of others."""
        run = str(self._run)
        if not ended:
            # It goes on whatever it is told: only the end of the process ends it, and then its run.
            detail = dict(outcome.detail)
            self._out.say(told="stuck", run=run, event=outcome.event, detail=detail, log=outcome.log)
            self._leave(STUCK)
        with self._change:
            self._unwritten[run] = (self._token, outcome)
        self._say_ended(outcome.event, outcome.detail, outcome.log)
        if self._runner is not None and self._runner.observers:
            # They look at the database.
            with self._change:
                self._change.wait_for(lambda: run not in self._unwritten)

    def _say_ended(self, event: str, detail: Mapping[str, Any], log: str = "") -> None:
        self._out.say(
            told="ended",
            run=self._run,
            event=event,
            detail=dict(detail),
            log=log,
            seconds=round(time.monotonic() - self._begun, 6),
            memory=memory(),
        )

    # -- What the daemon says ----------------------------------------------------------------------------

    def _listen(self, messages: Iterator[dict[str, Any]]) -> None:
        for message in messages:
            with self._change:
                self._hear(message)
                self._change.notify_all()
        self._alone()

    def _hear(self, message: dict[str, Any]) -> None:
        ask = message["ask"]
        if ask == "run":
            self._todo.append(message)
        elif ask == "return":
            found = [each for each in self._todo if each["run"]["id"] in message["runs"]]
            for each in found:
                self._todo.remove(each)
            self._out.say(told="returned", runs=[each["run"]["id"] for each in found])
        elif ask == "stop" and self._stop is not None and message["run"] == self._run:
            self._stop.ask(message["why"])
        elif ask == "written":
            for each in message["runs"]:
                self._unwritten.pop(each, None)
        elif ask == "end":
            self._enough = True

    def _alone(self) -> None:
        """The daemon is gone: another one is to go on, and what is over is written down here."""
        assert self._runner is not None  # noqa: S101 - it listens only then
        with self._change:
            waiting, self._enough = list(self._todo), True
            self._todo.clear()
            if self._stop is not None:
                self._stop.ask("handed_over")
            self._change.notify_all()
        for each in waiting:
            with suppress(LakehouseError):
                self._runner.state.leases.give_back(each["run"]["id"], each["token"], reason=GONE)
        give_up = time.monotonic() + self._grace + 5
        while time.monotonic() < give_up:
            with self._change:
                found = dict(self._unwritten)
            for run, (token, outcome) in found.items():
                self._write_down(self._runner, run, token, outcome)
            with self._change:
                if self._run is None and not self._unwritten:
                    break
                self._change.wait(0.05)
        self._leave(STUCK)

    def _write_down(self, runner: Runner, run: str, token: int, outcome: Outcome) -> None:
        leases, reason = runner.state.leases, str(outcome.detail.get("reason", ""))
        try:
            if outcome.event == "queued":
                leases.give_back(run, token, reason=reason, log=outcome.log)
            else:
                leases.end(run, outcome.event, outcome.detail, token=token, log=outcome.log)
        except LakehouseError:
            # Once more in a moment; in the end its lease runs out.
            return
        with self._change:
            self._unwritten.pop(run, None)
            self._change.notify_all()


def memory() -> int:
    """The memory of this process, in bytes; 0 where that is not known."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - for each run: as fast as can be
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def main() -> None:
    """Serves the daemon that has started this process."""
    # Ctrl-C is the daemon's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    out = _Out(target)
    logger = logging.getLogger("lakehouse")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(_Passing(out))
    _Worker(source, out).serve()
    # Threads of work that was given up, or of libraries, are not waited for.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
