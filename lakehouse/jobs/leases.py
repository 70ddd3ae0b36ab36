"""Keeps a run, and the tables that it has taken, somebody's as long as they are alive."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, Self

from lakehouse.errors import LakehouseError
from lakehouse.jobs.stop import RunStoppedError, Stop
from lakehouse.state.leases import SqlLeases
from lakehouse.state.locks import SqlLocks

LEASE: Final = timedelta(seconds=60)
"""So long after its last sign of life a run is taken for abandoned."""
PATIENCE: Final = timedelta(minutes=10)
"""So long a run that is over tries to say so, while the state database can't be reached."""
_BEATS: Final = 4
_PAUSE: Final = 0.5
_LOG: Final = logging.getLogger("lakehouse.jobs")


class Held:
    """A run that this process works on: its heart beats in a thread of its own.

    While the state database can't be reached, the work goes on and the heart tries again. If somebody else
    has begun the run in the meantime, that is noticed by the token, and the work is asked to end.

    Args:
        leases: Where.
        locks: Where tables are taken.
        run_id: The run.
        token: That it is ours.
        stop: Tells the work to end.
        lease: How long it stays ours without a beat.
        deadline: When the work has to be done, by `time.monotonic`; None where it may take its time.
        patience: How long to try to write down the end, while the database can't be reached.
    """

    def __init__(
        self,
        leases: SqlLeases,
        locks: SqlLocks,
        *,
        run_id: str,
        token: int,
        stop: Stop,
        lease: timedelta = LEASE,
        deadline: float | None = None,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._leases = leases
        self._locks = locks
        self._run = run_id
        self._token = token
        self._stop = stop
        self._lease = lease
        self._deadline = deadline
        self._patience = patience
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heart of {run_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @contextmanager
    def tables(self, names: Sequence[str]) -> Iterator[None]:
        """Has tables for itself: waits until no other job that takes something away has them.

        Args:
            names: Their names.

        Raises:
            RunStoppedError: The work should end, or the run is not ours any more.
        """
        said = False
        while not self._got(names):
            if not said:
                _LOG.info("waiting for another job on %s", ", ".join(names))
                said = True
            self._stop.wait(_PAUSE)
        try:
            yield
        finally:
            # A run that is lost has none; one that is over gives all back with its end.
            if self._stop.why != "lost":
                self._unlock(names)

    def note(self, event: str, detail: Mapping[str, Any]) -> None:
        """Keeps what happened to the run, if the database can be reached.

        Raises:
            RunStoppedError: It is not ours any more.
        """
        try:
            ours = self._leases.note(self._run, self._token, event, detail)
        except LakehouseError as error:
            _LOG.warning("could not be kept: %s", error.message)
            return
        if not ours:
            self._stop.ask("lost")
            self._stop.check()

    def end(self, event: str, detail: Mapping[str, Any], *, log: str, keep_locks: bool = False) -> bool:
        """Ends the run; tries for a while as long as the database can't be reached.

        Returns:
            Whether it was still ours.
        """

        def end() -> bool:
            return self._leases.end(
                self._run, event, detail, token=self._token, log=log, keep_locks=keep_locks
            )

        return self._patiently(end)

    def give_back(self, *, reason: str, log: str) -> bool:
        """Lets another process go on with the run.

        Returns:
            Whether it was still ours.
        """
        return self._patiently(lambda: self._leases.give_back(self._run, self._token, reason=reason, log=log))

    def _patiently(self, do: Callable[[], bool]) -> bool:
        give_up = time.monotonic() + self._patience.total_seconds()
        while True:
            try:
                return do()
            except LakehouseError as error:
                if not error.retryable or time.monotonic() > give_up:
                    raise
            time.sleep(_PAUSE)

    def _got(self, names: Sequence[str]) -> bool:
        self._stop.check()
        got = self._locks.lock(names, run_id=self._run, token=self._token, lease=self._lease)
        if got is None:
            self._stop.ask("lost")
            raise RunStoppedError("lost")
        return got

    def _unlock(self, names: Sequence[str]) -> None:
        try:
            self._locks.unlock(names, run_id=self._run)
        except LakehouseError as error:
            # What was done is done; the tables are given back with the run's end, or when their time is over.
            _LOG.warning("%s could not be given back yet: %s", ", ".join(names), error.message)

    def _beat(self) -> None:
        pause = self._lease.total_seconds() / _BEATS
        next_ = time.monotonic() + pause
        while not self._over.wait(max(min(next_, self._deadline or next_) - time.monotonic(), 0.01)):
            now = time.monotonic()
            if self._deadline is not None and now >= self._deadline:
                self._stop.ask("timeout")
                self._deadline = None
            if now < next_:
                continue
            try:
                ours = self._leases.beat(self._run, self._token, lease=self._lease)
                if ours is None:
                    self._stop.ask("lost")
                    return
                if ours == "cancelled":
                    self._stop.ask("cancelled")
                next_ = now + pause
            except LakehouseError as error:
                _LOG.warning("the heart of run %s missed a beat: %s", self._run, error.message)
                next_ = now + min(pause, 1.0)
