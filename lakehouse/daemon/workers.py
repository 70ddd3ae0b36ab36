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
DEEP: Final = 8
"""So many runs a worker has at most, where those before were over in no time."""
QUICK: Final = 0.1
"""In seconds: no time. Runs that wait behind one that takes ten times as long are taken back."""
IDLE: Final = 90.0
"""So many seconds without a run, and a worker ends."""
_LATE: Final = 3.0
"""A worker that should have ended its run, or itself, gets so much longer."""
_START: Final = 120.0
"""A worker that is not ready after so many seconds is ended."""
_TERM: Final = 2.0
_TAIL: Final = 4096


@dataclass(slots=True)
class Task:
    """A run that a worker has.

    Args:
        claimed: The run, and that it is ours.
        timeout: How many seconds it may take.
        begun: Since when, by the daemon's steady clock; None while it waits behind another one.
        why: What for it was asked to end.
        give_up: When its process is killed.
        stuck: What its worker said before it ended itself.
    """

    claimed: Claimed
    timeout: float | None = None
    begun: float | None = None
    why: Why | None = None
    give_up: float | None = None
    stuck: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        """The run."""
        return self.claimed.run.id


@dataclass(slots=True, eq=False)
class Worker:
    """A child process, and the runs that it has: the first one goes on, the others wait."""

    process: subprocess.Popen[bytes]
    tasks: list[Task] = field(default_factory=list)
    ready: bool = False
    watched: bool = False
    telling: bool = False
    retiring: bool = False
    quick: bool = False
    runs: int = 0
    memory: int = 0
    idle_since: float = 0.0
    terminated: float | None = None
    words: deque[bytes] = field(default_factory=lambda: deque(maxlen=4))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _early: list[bytes] | None = field(default_factory=list)

    @property
    def free(self) -> int:
        """So many runs it could be given: several where those before were over in no time."""
        if not self.ready or self.telling or self.retiring:
            return 0
        return (DEEP if self.quick else 1) - len(self.tasks)

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
    def tasks(self) -> list[Task]:
        """The runs that workers have."""
        return [task for each in self.workers for task in each.tasks]

    @property
    def free(self) -> int:
        """So many runs could be given out."""
        # Those with a config of yesterday don't count, whatever they still do.
        staying = [each for each in self.workers if not each.retiring]
        return sum(max(each.free, 0) for each in staying[: self.size])

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
        """Gives a run to the worker that can take the most.

        Args:
            claimed: The run.
            timeout: How many seconds it may take.
            now: The time, by a steady clock.
        """
        # One that has nothing to do comes first; of those the one that was busy last: the others can end.
        worker = max(self.workers, key=lambda each: (each.free > 0, -len(each.tasks), each.idle_since))
        worker.tasks.append(Task(claimed, timeout, begun=None if worker.tasks else now))
        worker.tell(ask="run", run=of_run(claimed.run), token=claimed.token)

    def stop(self, task: Task, why: Why, *, now: float) -> None:
        """Asks a run to end.

        Args:
            task: Which.
            why: What for.
            now: The time.
        """
        if task.why is not None:
            return
        task.why = why
        worker = next(each for each in self.workers if task in each.tasks)
        if task.begun is None:
            worker.tell(ask="return", runs=[task.id])
            return
        task.give_up = now + self.grace + _LATE
        worker.tell(ask="stop", run=task.id, why=why)

    def over(self, worker: Worker, *, seconds: float, memory: int, now: float) -> None:
        """A worker has done its run.

        Args:
            worker: Which.
            seconds: How long that took.
            memory: What it has now.
            now: The time.
        """
        del worker.tasks[0]
        self.next(worker, now=now)
        # It tells others of the run, and says when it has.
        worker.telling = worker.watched
        worker.quick = seconds < QUICK
        worker.runs += 1
        worker.memory = memory
        worker.idle_since = now
        if worker.runs >= RUNS or memory > BIG:
            worker.retiring = True
        if worker.retiring and worker.terminated is None and not worker.tasks:
            self._end(worker, now)

    def next(self, worker: Worker, *, now: float) -> None:
        """A worker begins the next of its runs, if it has one.

        Args:
            worker: Which.
            now: The time.
        """
        for task in worker.tasks[:1]:
            if task.begun is None:
                task.begun = now
                if task.why is not None:
                    why, task.why = task.why, None
                    self.stop(task, why, now=now)

    def retire(self, now: float) -> None:
        """Replaces all workers as soon as they have done what they do.

        Args:
            now: The time.
        """
        for worker in self.workers:
            worker.retiring = True
            if not worker.tasks and worker.terminated is None:
                self._end(worker, now)

    def tick(self, now: float) -> None:
        """Ends what is idle, late or stuck; takes back what waits behind it.

        Args:
            now: The time.
        """
        for worker in self.workers:
            if worker.terminated is not None:
                if now > worker.terminated + _TERM:
                    worker.kill(signal.SIGKILL)
            elif not worker.ready:
                if now > worker.idle_since + _START:
                    self.kill(worker, now)
            elif not worker.tasks:
                if not worker.telling and not worker.retiring and now > worker.idle_since + IDLE:
                    worker.retiring = True
                    self._end(worker, now)
            else:
                self._look_after(worker, worker.tasks[0], now)

    def _look_after(self, worker: Worker, task: Task, now: float) -> None:
        going = now - (task.begun or now)
        if task.timeout is not None and going > task.timeout and task.why is None:
            # Its worker knows that itself; this is for one that can't do anything any more.
            task.why, task.give_up = "timeout", now + self.grace + _LATE
        if task.give_up is not None and now > task.give_up:
            self.kill(worker, now)
        behind = [each.id for each in worker.tasks[1:] if each.why is None]
        if behind and going > QUICK * 10:
            worker.quick = False
            worker.tell(ask="return", runs=behind)

    def kill(self, worker: Worker, now: float) -> None:
        """Ends a worker whatever it does; a little later by force.

        Args:
            worker: Which.
            now: The time.
        """
        worker.kill(signal.SIGTERM)
        worker.terminated = now

    def gone(self, worker: Worker) -> list[Task]:
        """Forgets a worker that is gone.

        Args:
            worker: Which.

        Returns:
            The runs that it had.
        """
        self.workers.remove(worker)
        # What the work has started goes with it.
        worker.kill(signal.SIGKILL)
        return worker.tasks

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
