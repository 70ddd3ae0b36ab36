"""The daemon's loop: one thread that everything is told to, and that decides what happens next."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from lakehouse.config import Config
from lakehouse.daemon.desk import Desk
from lakehouse.daemon.health import Health
from lakehouse.daemon.jumps import Jumps
from lakehouse.daemon.logs import Log
from lakehouse.daemon.outage import Outage
from lakehouse.daemon.runs import Runs
from lakehouse.daemon.workers import Pool, Worker
from lakehouse.errors import LakehouseError
from lakehouse.jobs.leases import LEASE
from lakehouse.state.job_rows import Lease

_T = TypeVar("_T")

SWEEP: Final = 5.0
"""So many seconds between two looks at everything."""
_TICK: Final = 1.0
_GATHER: Final = 0.01
_CLOSE: Final = 5.0


class Loop:
    """Runs jobs until it is told to end, or until nothing is due.

    Args:
        desk: The state database.
        pool: Makes the workers; called with what is to be told of them.
        config: The config.
        log: Where to say what happens.
        health: How the daemon is.
        once: Ends when all is done that is due.
        clock: Gives the time, timezone-aware.
        steady: Gives seconds that never jump.
        lease: How long after its last sign of life a run is taken for abandoned.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        pool: Callable[[Callable[[Worker, dict[str, Any] | None], None]], Pool],
        config: Config,
        log: Log,
        health: Health,
        once: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        steady: Callable[[], float] = time.monotonic,
        lease: timedelta = LEASE,
    ) -> None:
        self._desk = desk
        self._pool = pool(self._heard)
        self._runs = Runs(self._pool, log=log, health=health, steady=steady, succeeded=self._succeeded)
        self._log = log
        self._health = health
        self._once = once
        self._clock = clock
        self._steady = steady
        self._lease = lease
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._outage = Outage()
        self._jumps = Jumps(clock, steady)
        self._hints: dict[str, None] = {}
        self._sweep_at = 0.0
        self._more = False
        self._stage = 0
        self._drain_until = 0.0
        self.jumped: Callable[[], None] = lambda: None
        self.stopping: Callable[[], None] = lambda: None
        self.swept: Callable[[], None] = lambda: None
        self.set(config)

    @property
    def failures(self) -> int:
        """So many runs failed here."""
        return self._runs.failures + self._runs.hopeless

    # -- What others may call, from any thread -----------------------------------------------------------

    def post(self, do: Callable[[], None]) -> None:
        """Lets the loop do something soon.

        Args:
            do: What.
        """
        self._inbox.put(do)

    def could_be_due(self, job: str) -> None:
        """Tells that a job could be due.

        Args:
            job: Its name.
        """
        self._inbox.put(lambda: self._hints.__setitem__(job, None))

    def end(self) -> None:
        """Tells it to end: the first time in peace, then sooner, then at once. For handlers of signals."""
        self._inbox.put(self._hurry)

    def _heard(self, worker: Worker, message: dict[str, Any] | None) -> None:
        runs = self._runs
        self._inbox.put(lambda: runs.gone(worker) if message is None else runs.heard(worker, message))

    def _succeeded(self, job: str) -> None:
        self._hints.update(dict.fromkeys(self._followers.get(job, ())))

    # -- The loop ----------------------------------------------------------------------------------------

    def set(self, config: Config) -> None:
        """Goes on with a config; workers that have another one end when their runs do.

        Args:
            config: Which.
        """
        self._config = config
        self._desk.jobs = self._runs.jobs = config.jobs
        self._followers: dict[str, list[str]] = {}
        for name, job in config.jobs.items():
            for each in job.after:
                self._followers.setdefault(each, []).append(name)
        self._pool.size = config.daemon.workers
        self._pool.grace = config.daemon.grace.total_seconds()
        self._pool.retire(self._steady())
        self._sweep_at = 0.0

    def run(self) -> None:
        """Turns until the end."""
        while not self._finished():
            self._turn()

    def close(self) -> None:
        """Ends the workers; those that don't end by themselves, by force."""
        self._pool.retire(self._steady())
        give_up = self._steady() + _CLOSE
        while self._pool.workers:
            if self._steady() > give_up:
                for worker in self._pool.workers:
                    self._pool.kill(worker, self._steady() - _CLOSE)
                self._pool.tick(self._steady())
            self._take(0.1)

    def _turn(self) -> None:
        self._take(self._pause())
        now = self._steady()
        self._health.turned = now
        if self._jumps.happened():
            self._log.say("clock_jumped", level="warning", by_seconds=round(self._jumps.last, 3))
            self._sweep_at = 0.0
            self.jumped()
        self._pool.tick(now)
        if self._stage == 1 and now > self._drain_until and self._pool.tasks:
            self._hurry()
        if not self._outage.wait(now):
            self._settle()
            self._ask(now)
        self._health.running, self._health.workers = len(self._pool.tasks), len(self._pool.workers)

    def _pause(self) -> float:
        now = self._steady()
        wanted = self._runs.owed or (not self._stage and (self._hints or (self._more and self._runs.hands)))
        if wanted and not self._outage.on:
            return 0.0
        return min(_TICK, max(self._sweep_at - now, self._outage.wait(now), 0.01))

    def _take(self, pause: float) -> None:
        """Does all that was posted; waits for it for a while."""
        try:
            (self._inbox.get(timeout=pause) if pause else self._inbox.get_nowait())()
            if self._hints:
                # Jobs fire together: they are written down together.
                time.sleep(_GATHER)
            while True:
                self._inbox.get_nowait()()
        except queue.Empty:
            pass

    def _ask(self, now: float) -> None:
        """Looks at everything now and then; otherwise begins what could be due, if hands are free."""
        done = self._stage or (self._once and self._health.swept is not None)
        if now >= self._sweep_at:
            # One that is to end, or to run only what was due, only looks after its own.
            self._watch_own(now) if done else self._sweep(now)
        if self._stage:
            self._hints.clear()
            if self._runs.ends:
                self._exchange(most=0)
        elif self._hints or self._runs.ends or (self._more and self._runs.hands):
            self._exchange(most=self._pool.free)

    def _exchange(self, *, most: int) -> None:
        """Tells the database what is over, and asks for what to begin: in one transaction."""
        ends, names = self._runs.ends, list(self._hints)
        self._hints.clear()
        taken = self._try(lambda: self._desk.ask(names, ends=ends, most=most))
        if taken is None:
            return
        self._runs.written(ends)
        self._more, self._runs.lost = taken.waiting > 0, False
        self._health.waiting = taken.waiting
        for run, event in taken.ended:
            self._runs.left_out(run, event)
        self._runs.begin(taken.claimed, waiting=taken.waiting)

    def _sweep(self, now: float) -> None:
        found = self._try(self._desk.look)
        if found is None:
            return
        self._sweep_at = now + SWEEP
        leases, due = found
        self._hints.update(dict.fromkeys(due))
        self._more = self._more or any(not each.alive for each in leases)
        self._watch(leases)
        self._health.swept = self._clock()
        self.swept()

    def _watch_own(self, now: float) -> None:
        self._sweep_at = now + SWEEP
        leases = self._try(self._desk.state.leases.open)
        self._watch(leases or [])

    def _watch(self, leases: list[Lease]) -> None:
        for task in self._runs.watch(leases, lease=self._lease):
            beat = self._desk.state.leases.beat
            self._try(lambda: beat(task.id, task.claimed.token, lease=self._lease) or "lost")  # noqa: B023

    # -- The database, and the end -----------------------------------------------------------------------

    def _try(self, do: Callable[[], _T]) -> _T | None:
        """Asks the database; None where it can't be reached."""
        try:
            found = do()
            if self._outage.on:
                self._desk.state.stay_open()
        except LakehouseError as error:
            if self._outage.failed(self._steady()):
                self._health.outages += 1
                self._log.say("database_gone", level="warning", reason=error.message, advice=error.advice)
            self._desk.state.close()
            self._health.database = False
            self._sweep_at = 0.0
            return None
        self._health.database = True
        gone = self._outage.back(self._steady())
        if gone is not None:
            self._log.say("database_back", seconds=round(gone, 1))
        return found

    def _settle(self) -> None:
        while self._runs.debts:
            debt, tell = self._runs.debts[0]
            if self._try(lambda: debt(self._desk.state)) is None:  # noqa: B023 - called at once
                return
            del self._runs.debts[0]
            tell()
        self._more = self._more or self._runs.lost

    def _hurry(self) -> None:
        self._stage += 1
        if self._stage == 1:
            self.stopping()
            self._health.draining = True
            self._drain_until = self._steady() + self._config.daemon.drain.total_seconds()
            self._log.say("draining", running=len(self._pool.tasks))
            # Those that were not begun are another one's at once.
            for task in self._pool.tasks:
                if task.begun is None:
                    self._pool.stop(task, "handed_over", now=self._steady())
        elif self._stage == 2:
            self._runs.stop_all("handed_over")
        else:
            self._runs.kill_all()

    def _finished(self) -> bool:
        if self._pool.tasks:
            return False
        if self._runs.owed and not (self._stage and self._outage.on and self._steady() > self._drain_until):
            # Also where the database is gone just now: what is not written down is done again.
            return False
        if self._stage or (self._once and self._runs.hopeless):
            return True
        done = self._once and self._health.swept is not None and not self._hints and not self._more
        return done and not self._outage.on and self._inbox.empty()
