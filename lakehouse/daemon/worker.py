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
import queue
import signal
import sys
import threading
import time
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Any, Final

from lakehouse.daemon.messages import heard, said, to_run

if TYPE_CHECKING:
    from lakehouse.jobs.runner import Runner
    from lakehouse.jobs.stop import Stop, Why
    from lakehouse.jobs.working import Outcome

STUCK: Final = 75
"""Exit code of a worker whose work did not end although it was asked to."""
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
    """One worker: the thread that reads, and the one that carries out."""

    def __init__(self, source: IO[bytes], out: _Out) -> None:
        self._source = source
        self._out = out
        self._todo: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._run: str | None = None
        self._stop: Stop | None = None
        self._grace = 30.0

    def serve(self) -> None:
        """Works until the daemon says that it is enough, or is gone."""
        messages = heard(self._source)
        hello = next(messages, None)
        if hello is None:
            return
        self._grace = hello["grace"]
        runner = self._runner(hello)
        threading.Thread(target=self._listen, args=(messages,), name="listen", daemon=True).start()
        self._out.say(told="ready", memory=memory())
        while (message := self._todo.get()) is not None:
            self._carry(runner, message)

    def _runner(self, hello: dict[str, Any]) -> Runner:
        from lakehouse.lake import Lakehouse  # noqa: PLC0415 - only children pay for it

        sys.path[:] = hello["path"]
        # From the daemon itself, over a pipe that nobody else has.
        lake = Lakehouse(pickle.loads(base64.b64decode(hello["config"])))  # noqa: S301
        return lake.jobs.runner(
            author=hello["author"],
            owner=hello["owner"],
            lease=timedelta(seconds=hello["lease"]),
            grace=timedelta(seconds=self._grace),
            stuck=self._stuck,
        )

    def _carry(self, runner: Runner, message: dict[str, Any]) -> None:
        from lakehouse.jobs.stop import Stop  # noqa: PLC0415

        run = to_run(message["run"])
        with self._lock:
            self._run, self._stop = run.id, Stop()
        begun = time.monotonic()
        try:
            outcome = runner.carry(run, message["token"], stop=self._stop)
            event, detail = outcome.event, outcome.detail
        except Exception as error:  # noqa: BLE001 - such as a database that does not come back
            event, detail = "unknown", {"reason": str(getattr(error, "message", type(error).__name__))}
        with self._lock:
            self._run = self._stop = None
        self._out.say(
            told="ended",
            run=run.id,
            event=event,
            reason=str(detail.get("reason", "")),
            error=str(detail.get("error", "")),
            counts=detail.get("counts", {}),
            seconds=round(time.monotonic() - begun, 6),
            memory=memory(),
        )

    def _stuck(self, outcome: Outcome) -> None:
        """The work goes on whatever it is told: only the end of the process ends it, and then its run."""
        self._out.say(
            told="stuck", run=self._run, event=outcome.event, detail=dict(outcome.detail), log=outcome.log
        )
        os._exit(STUCK)

    def _listen(self, messages: Any) -> None:
        for message in messages:
            if message["ask"] == "run":
                self._todo.put(message)
            elif message["ask"] == "stop":
                self._ask(message["run"], message["why"])
            elif message["ask"] == "end":
                self._todo.put(None)
        # The daemon is gone: another one is to go on, whatever happens here.
        self._todo.put(None)
        self._ask(None, "handed_over")
        time.sleep(self._grace + 5)
        os._exit(STUCK)

    def _ask(self, run: str | None, why: Why) -> None:
        with self._lock:
            if self._stop is not None and run in {None, self._run}:
                self._stop.ask(why)


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
