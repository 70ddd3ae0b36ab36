"""The child processes that carry runs out: started when one is needed, ended when they are not, or stuck."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any, Final

from lakehouse.daemon.messages import heard, of_run, said
from lakehouse.jobs.stop import Why
from lakehouse.state.job_rows import Claimed

RUNS: Final = 2000
"""After so many runs a worker is replaced by a fresh one."""
BIG: Final = 768 << 20
"""A worker that has more memory than this after a run is replaced, so that others get it back."""
IDLE: Final = 90.0
"""So many seconds without a run, and a worker ends."""
_LATE: Final = 5.0
"""A worker that should have ended its run, or itself, gets so much longer."""
_TERM: Final = 2.0
_TAIL: Final = 4096


@dataclass(slots=True)
class Task:
    """A run that a worker has.

    Args:
        claimed: The run, and that it is ours.
        begun: Since when, by the daemon's steady clock.
        deadline: When its time is over, by the same clock.
        why: What for it was asked to end.
        give_up: When its process is killed.
        stuck: What its worker said before it ended itself.
    """

    claimed: Claimed
    begun: float
    deadline: float | None = None
    why: Why | None = None
    give_up: float | None = None
    stuck: dict[str, Any] | None = None


@dataclass(slots=True, eq=False)
class Worker:
    """A child process."""

    process: subprocess.Popen[bytes]
    task: Task | None = None
    ready: bool = False
    retiring: bool = False
    runs: int = 0
    memory: int = 0
    idle_since: float = 0.0
    terminated: float | None = None
    words: deque[bytes] = field(default_factory=lambda: deque(maxlen=4))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _early: list[bytes] | None = field(default_factory=list)

    @property
    def free(self) -> bool:
        """Whether it could begin a run."""
        return self.ready and self.task is None and not self.retiring

    def greet(self, hello: bytes) -> None:
        """Says the first word, which can be long; in a thread of its own."""
        self._write(hello)
        with self._lock:
            early, self._early = self._early or [], None
            for each in early:
                self._write(each)

    def tell(self, **message: Any) -> None:
        """Says something; if it is gone, that shows elsewhere."""
        line = said(**message)
        with self._lock:
            if self._early is None:
                self._write(line)
            else:
                self._early.append(line)

    def kill(self, how: signal.Signals) -> None:
        """Ends the process, and all that it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, how)

    def _write(self, line: bytes) -> None:
        stream = self.process.stdin
        assert stream is not None  # noqa: S101 - made with one
        try:
            stream.write(line)
            stream.flush()
        except (OSError, ValueError):
            pass


class Pool:
    """The workers of a daemon. Belongs to one thread.

    Args:
        size: At most so many.
        hello: Makes the first message for a new one.
        heard: Called from other threads with a worker and what it said; None when it is gone.
        grace: How long a run that was asked to end may take, in seconds.
    """

    def __init__(
        self,
        *,
        size: int,
        hello: Callable[[], bytes],
        heard: Callable[[Worker, dict[str, Any] | None], None],
        grace: float,
    ) -> None:
        self.size = size
        self.grace = grace
        self.workers: list[Worker] = []
        self._hello = hello
        self._heard = heard

    @property
    def busy(self) -> list[Task]:
        """What is being done."""
        return [each.task for each in self.workers if each.task is not None]

    @property
    def free(self) -> int:
        """So many runs could be begun at once."""
        return min(sum(each.free for each in self.workers), max(self.size - len(self.busy), 0))

    @property
    def room(self) -> bool:
        """Whether another worker could be started, and none is on its way."""
        there = [each for each in self.workers if not each.retiring]
        return len(there) < self.size and all(each.ready for each in there)

    def grow(self, wanted: int, *, now: float) -> None:
        """Starts workers for runs that wait; they say when they are ready.

        Args:
            wanted: So many runs wait.
            now: The time, by a steady clock.

        Raises:
            OSError: The host lets no more processes start.
        """
        coming = sum(not each.ready and not each.retiring for each in self.workers)
        there = sum(not each.retiring for each in self.workers)
        for _ in range(min(wanted - coming, self.size - there)):
            self._start(now)

    def give(self, claimed: Claimed, *, timeout: float | None, now: float) -> None:
        """Gives a run to a worker that is free.

        Args:
            claimed: The run.
            timeout: How many seconds it may take.
            now: The time, by a steady clock.
        """
        # The one that was busy last: the others can end.
        worker = max((each for each in self.workers if each.free), key=lambda each: each.idle_since)
        worker.task = Task(claimed, begun=now, deadline=None if timeout is None else now + timeout)
        worker.tell(ask="run", run=of_run(claimed.run), token=claimed.token)

    def stop(self, run: str, why: Why, *, now: float) -> None:
        """Asks a run to end.

        Args:
            run: Which.
            why: What for.
            now: The time.
        """
        for worker in self.workers:
            task = worker.task
            if task is not None and task.claimed.run.id == run and task.why is None:
                task.why, task.give_up = why, now + self.grace + _LATE
                worker.tell(ask="stop", run=run, why=why)

    def over(self, worker: Worker, *, memory: int, now: float) -> None:
        """A worker has done its run.

        Args:
            worker: Which.
            memory: What it has now.
            now: The time.
        """
        worker.task = None
        worker.runs += 1
        worker.memory = memory
        worker.idle_since = now
        if worker.runs >= RUNS or memory > BIG:
            worker.retiring = True
        if worker.retiring:
            self._end(worker, now)

    def retire(self, now: float) -> None:
        """Replaces all workers as soon as they have done what they do.

        Args:
            now: The time.
        """
        for worker in self.workers:
            worker.retiring = True
            if worker.task is None:
                self._end(worker, now)

    def tick(self, now: float) -> None:
        """Ends what is idle, late or stuck.

        Args:
            now: The time.
        """
        for worker in self.workers:
            task = worker.task
            if worker.terminated is not None:
                if now > worker.terminated + _TERM:
                    worker.kill(signal.SIGKILL)
            elif task is None:
                if not worker.retiring and now > worker.idle_since + IDLE:
                    worker.retiring = True
                    self._end(worker, now)
            else:
                if task.why is None and task.deadline is not None and now > task.deadline:
                    # Its worker knows that itself; this is for one that can't do anything any more.
                    task.why, task.give_up = "timeout", now + self.grace + _LATE
                if task.give_up is not None and now > task.give_up:
                    self.kill(worker, now)

    def kill(self, worker: Worker, now: float) -> None:
        """Ends a worker whatever it does; a little later by force.

        Args:
            worker: Which.
            now: The time.
        """
        worker.kill(signal.SIGTERM)
        worker.terminated = now

    def gone(self, worker: Worker) -> Task | None:
        """Forgets a worker that is gone.

        Args:
            worker: Which.

        Returns:
            The run that it had.
        """
        self.workers.remove(worker)
        # What the work has started goes with it.
        worker.kill(signal.SIGKILL)
        return worker.task

    def _end(self, worker: Worker, now: float) -> None:
        worker.tell(ask="end")
        worker.terminated = now + self.grace

    def _start(self, now: float) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "lakehouse.daemon.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C on our terminal is not for it, and what it starts can be ended with it.
            start_new_session=True,
        )
        worker = Worker(process, idle_since=now)
        self.workers.append(worker)
        threading.Thread(
            target=self._listen, args=(worker, self._hello()), name=f"worker {process.pid}", daemon=True
        ).start()
        threading.Thread(
            target=_swallow, args=(process.stderr, worker.words), name=f"output {process.pid}", daemon=True
        ).start()

    def _listen(self, worker: Worker, hello: bytes) -> None:
        worker.greet(hello)
        stream = worker.process.stdout
        assert stream is not None  # noqa: S101 - made with one
        for message in heard(stream):
            self._heard(worker, message)
        worker.process.wait()
        for each in (worker.process.stdin, worker.process.stdout):
            with suppress(OSError):
                each.close()  # type: ignore[union-attr]
        self._heard(worker, None)


def _swallow(stream: IO[bytes], words: deque[bytes]) -> None:
    """Reads what work prints, however much it is, and keeps only the end."""
    with stream:
        while part := stream.read1(65536):  # type: ignore[attr-defined]
            words.append(part[-_TAIL:])
