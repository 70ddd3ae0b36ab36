"""Where work on many pieces is done: here, on all cores, or wherever functions can be sent."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Protocol, Self, TypeVar

from lakehouse.errors import LakehouseError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_AHEAD: Final = 2


class Executor(Protocol):
    """Does the same with many items. All that it is given pickles: the work may be done elsewhere."""

    def map(self, function: Callable[[_Item], _Result], items: Iterable[_Item], /) -> Iterator[_Result]:
        """Calls a function with each item.

        Args:
            function: Found by its module and name where it is called; instances of classes are functions too.
            items: Taken as they are needed.

        Yields:
            The results, in the order of the items. What the function raises is raised here.
        """


class Here:
    """One after the other, in this process."""

    def map(self, function: Callable[[_Item], _Result], items: Iterable[_Item], /) -> Iterator[_Result]:
        """Calls the function with each item, when its result is asked for."""
        return map(function, items)


class Suited:
    """Here for little work, in several processes for much: these take a while to start.

    Args:
        weight: How much work an item is.
        least: From how much of it on processes are started.
        first: An item of the work: what it takes to understand one is loaded by `begin`.
    """

    def __init__(self, weight: Callable[[Any], int], least: int = 64 << 20, first: object = None) -> None:
        self._weight = weight
        self._least = least
        self._first = first
        self._processes: Processes | None = None

    def begin(self, work: int) -> None:
        """Starts the processes ahead, where there will be enough for them to do.

        Args:
            work: How much there will be, about.
        """
        if self._processes is None and work >= self._least:
            self._processes = Processes()
            self._processes.begin(self._first)

    def map(self, function: Callable[[_Item], _Result], items: Iterable[_Item], /) -> Iterator[_Result]:
        """Calls the function with each item, where it suits."""
        every = list(items)
        if self._processes is None and sum(map(self._weight, every)) < self._least:
            return map(function, every)
        if self._processes is None:
            self._processes = Processes()
        return self._processes.map(function, every)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._processes is not None:
            self._processes.close()
            self._processes = None


class Processes:
    """Several processes of this machine, started when they are first needed and then kept.

    They import what functions need, and never the main module, so a script needs no guard against running
    twice. At most two items for each process are on their way at any time.

    Args:
        workers: How many; as many as this process may use processors where it is not said.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._count = workers or len(os.sched_getaffinity(0))
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._all: list[_Worker] = []
        self._idle: SimpleQueue[_Worker] = SimpleQueue()

    @property
    def workers(self) -> int:
        """How many processes there are, or will be."""
        return self._count

    def map(self, function: Callable[[_Item], _Result], items: Iterable[_Item], /) -> Iterator[_Result]:
        """Calls the function with each item, in whichever process is free.

        Raises:
            LakehouseError: A process ended before it answered.
        """
        threads = self._started()
        waiting: deque[Future[_Result]] = deque()
        try:
            for item in items:
                if len(waiting) >= self._count * _AHEAD:
                    yield waiting.popleft().result()
                waiting.append(threads.submit(self._call, function, item))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def begin(self, item: object) -> None:
        """Starts the processes, and lets each load what an item needs; does not wait for it.

        Args:
            item: Of the work that will come.
        """
        threads = self._started()
        for _ in range(self._count):
            threads.submit(self._call, bool, item)

    def close(self) -> None:
        """Ends the processes."""
        with self._lock:
            threads, self._threads = self._threads, None
            workers, self._all = self._all, []
            self._idle = SimpleQueue()
        if threads is not None:
            threads.shutdown(wait=True, cancel_futures=True)
        for worker in workers:
            worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _started(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="lakehouse-worker")
                self._all = [_Worker() for _ in range(self._count)]
                for worker in self._all:
                    self._idle.put(worker)
            return self._threads

    def _call(self, function: Callable[[_Item], _Result], item: _Item) -> _Result:
        idle = self._idle
        worker = idle.get()
        try:
            result: _Result = worker.call(function, item)
        finally:
            idle.put(worker)
        return result


class _Worker:
    """One process, spoken to through its pipes."""

    def __init__(self) -> None:
        environment = {
            # One core each: libraries that share a matrix out among all cores would be in each other's way.
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lakehouse.pii.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def call(self, function: Callable[[Any], Any], item: Any) -> Any:
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        message = pickle.dumps((function, item), protocol=pickle.HIGHEST_PROTOCOL)
        try:
            self._process.stdin.write(message)
            self._process.stdin.flush()
            failed, answer = pickle.load(self._process.stdout)  # noqa: S301 - from our own child
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise LakehouseError(
                f"a worker process ended before it was done (exit code {self._process.poll()})",
                advice="is there enough memory? Fewer workers need less",
            ) from error
        if failed:
            raise answer
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        # It holds nothing that is not done, and would take a while to leave by itself.
        self._process.kill()
        with suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
