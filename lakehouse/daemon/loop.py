"""The daemon's loop: one thread that everything is told to, and that decides what happens next."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from lakehouse.config import Config
from lakehouse.daemon.desk import Desk
from lakehouse.daemon.health import Health
from lakehouse.daemon.jumps import Jumps
from lakehouse.daemon.logs import Log
from lakehouse.daemon.outage import Outage
from lakehouse.daemon.settling import Debt, settle
from lakehouse.daemon.workers import Pool, Worker
from lakehouse.errors import LakehouseError
from lakehouse.jobs.leases import LEASE
from lakehouse.jobs.stop import Why
from lakehouse.state.job_rows import Claimed, Lease, Taken

_T = TypeVar("_T")

SWEEP: Final = 5.0
"""So many seconds between two looks at everything."""
_TICK: Final = 1.0
_GATHER: Final = 0.01
_HOLD_OFF: Final = 30.0


class Loop:
    """Runs jobs until it is told to end, or until nothing is due.

    Args:
        desk: The state database.
        pool: Makes the workers; called with what is to be told of them.
        config: The config.
        log: Where to say what happens.
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
        self._log = log
        self.health = health
        self._once = once
        self._clock = clock
        self._steady = steady
        self._lease = lease
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._outage = Outage()
        self._jumps = Jumps(clock, steady)
        self._hints: dict[str, None] = {}
        self._debts: list[Debt] = []
        self._sweep_at = 0.0
        self._more = False
        self._hold_off = 0.0
        self._failed_starts = 0
        self._stage = 0
        self._drain_until = 0.0
        self.failures = 0
        self.jumped: Callable[[], None] = lambda: None
        self.stopping: Callable[[], None] = lambda: None
        self.swept: Callable[[], None] = lambda: None
        self.set(config)

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

    # -- The loop ----------------------------------------------------------------------------------------

    def set(self, config: Config) -> None:
        """Goes on with a config; workers that have another one end when their runs do.

        Args:
            config: Which.
        """
        self._config = config
        self._desk.jobs = config.jobs
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
        """Ends the workers; those that don't, by force."""
        self._pool.retire(self._steady())
        give_up = self._steady() + 5
        while self._pool.workers and self._steady() < give_up + 5:
            if self._steady() > give_up:
                for worker in self._pool.workers:
                    self._pool.kill(worker, self._steady() - 10)
                self._pool.tick(self._steady())
            self._take(0.1)

    def _turn(self) -> None:
        self._take(self._pause())
        now = self._steady()
        self.health.turned = now
        if self._jumps.happened():
            self._log.say("clock_jumped", level="warning", by_seconds=round(self._jumps.last, 3))
            self._sweep_at = 0.0
            self.jumped()
        self._pool.tick(now)
        self._drain(now)
        if not self._outage.wait(now):
            self._settle()
            self._ask(now)
        self.health.running, self.health.workers = len(self._pool.busy), len(self._pool.workers)

    def _pause(self) -> float:
        now = self._steady()
        wanted = self._debts or (not self._stage and (self._hints or (self._more and self._hands())))
        if wanted and not self._outage.on:
            return 0.0
        return min(_TICK, max(self._sweep_at - now, self._outage.wait(now), 0.01))

    def _take(self, pause: float) -> None:
        """Does all that was posted; waits for it for a while."""
        try:
            self._inbox.get(timeout=pause)() if pause else self._inbox.get_nowait()()
            if self._hints:
                # Jobs fire together: they are written down together.
                time.sleep(_GATHER)
            while True:
                self._inbox.get_nowait()()
        except queue.Empty:
            pass

    def _ask(self, now: float) -> None:
        """Looks at everything now and then; otherwise begins what could be due, if hands are free."""
        if self._stage:
            self._hints.clear()
            if now >= self._sweep_at:
                self._sweep_at = now + SWEEP
                self._try(lambda: self._watch(self._desk.state.leases.open()))
            return
        if now >= self._sweep_at:
            if self._once and self.health.swept is not None:
                # What becomes due later is not asked for.
                self._sweep_at = now + SWEEP
                self._try(lambda: self._watch(self._desk.state.leases.open()))
            else:
                self._sweep(now)
        if self._hints or (self._more and self._hands()):
            names = list(self._hints)
            self._hints.clear()
            taken = self._try(lambda: self._desk.ask(names, most=self._pool.free))
            if taken is not None:
                self._begin(taken)

    def _sweep(self, now: float) -> None:
        found = self._try(self._desk.look)
        if found is None:
            return
        self._sweep_at = now + SWEEP
        leases, due = found
        self._hints.update(dict.fromkeys(due))
        self._more = self._more or any(not each.alive for each in leases)
        self._watch(leases)
        self.health.swept = self._clock()
        self.swept()

    def _watch(self, leases: Iterable[Lease]) -> None:
        """Looks after our own runs: those that are to end, and those whose worker can't beat for them."""
        mine = {each.claimed.run.id: each for each in self._pool.busy}
        for each in leases:
            task = mine.get(each.run)
            if task is None or task.claimed.token != each.token:
                continue
            if each.cancelled:
                self._pool.stop(each.run, "cancelled", now=self._steady())
            if each.left < self._lease / 2:
                run, token = each.run, each.token
                self._try(lambda: self._desk.state.leases.beat(run, token, lease=self._lease))  # noqa: B023

    def _begin(self, taken: Taken) -> None:
        self._more = taken.waiting > 0
        self.health.waiting = taken.waiting
        for run, event in taken.ended:
            self._ended(event)
            self._log.say(f"run_{event}", level="warning", job=run.job, run=run.id, fire_time=run.fire_time)
        now = self._steady()
        for each in taken.claimed:
            job = self._config.jobs[each.run.job]
            timeout = None if job.timeout is None else job.timeout.total_seconds()
            self._pool.give(each, timeout=timeout, now=now)
            self._log.say(
                "run_started",
                job=each.run.job,
                run=each.run.id,
                fire_time=each.run.fire_time,
                again=each.again or None,
            )

        if taken.waiting and now >= self._hold_off:
            try:
                self._pool.grow(taken.waiting, now=now)
            except OSError as error:
                self._hold_off = now + _HOLD_OFF
                self._log.say(
                    "worker_failed", level="error", reason=f"no process could be started: {error.strerror}"
                )

    def _hands(self) -> bool:
        """Whether there is anybody to begin what waits, or room for one."""
        return self._pool.free > 0 or (self._pool.room and self._steady() >= self._hold_off)

    # -- What workers say --------------------------------------------------------------------------------

    def _heard(self, worker: Worker, message: dict[str, Any] | None) -> None:
        self._inbox.put(lambda: self._gone(worker) if message is None else self._said(worker, message))

    def _said(self, worker: Worker, message: dict[str, Any]) -> None:
        task = worker.task
        told = message.get("told")
        run = None if task is None else task.claimed.run
        if told == "ready":
            worker.ready, worker.memory = True, message["memory"]
            self._failed_starts = 0
        elif told == "log":
            about = {} if run is None else {"job": run.job, "run": run.id}
            self._log.say(
                "log", level=message["level"], logger=message["logger"], message=message["text"], **about
            )
        elif task is not None and run is not None and message.get("run") == run.id:
            if told == "stuck":
                task.stuck = message
            elif told == "ended":
                self._pool.over(worker, memory=message["memory"], now=self._steady())
                self._run_ended(task.claimed, message)

    def _run_ended(self, claimed: Claimed, message: dict[str, Any]) -> None:
        run, event = claimed.run, message["event"]
        self._ended(event)
        if event == "succeeded":
            self._hints.update(dict.fromkeys(self._followers.get(run.job, ())))
        self._log.say(
            "run_handed_over" if event == "queued" else f"run_{event}",
            level="info" if event in {"succeeded", "queued"} else "warning",
            job=run.job,
            run=run.id,
            fire_time=run.fire_time,
            seconds=message.get("seconds"),
            error=message.get("error"),
            reason=message.get("reason"),
            **({"counts": message["counts"]} if message.get("counts") else {}),
        )

    def _gone(self, worker: Worker) -> None:
        task = self._pool.gone(worker)
        code = worker.process.returncode
        if not worker.ready:
            self._failed_starts += 1
            self._hold_off = self._steady() + min(2.0**self._failed_starts, _HOLD_OFF)
            words = b"".join(worker.words).decode(errors="replace").strip().splitlines()
            self._log.say("worker_failed", level="error", code=code, reason=words[-1] if words else "")
        if task is None:
            return
        debt, event, detail = settle(task, code, timeout=self._config.jobs.get(task.claimed.run.job))
        self._debts.append(debt)
        if event == "lost":
            self.health.lost += 1
            self._more = True
        self._run_ended(task.claimed, {**detail, "event": event})

    def _ended(self, event: str) -> None:
        self.health.ended[event] = self.health.ended.get(event, 0) + 1
        self.failures += event == "failed"

    # -- The database, and the end -----------------------------------------------------------------------

    def _try(self, do: Callable[[], _T]) -> _T | None:
        """Asks the database; None where it can't be reached."""
        try:
            found = do()
        except LakehouseError as error:
            if self._outage.failed(self._steady()):
                self.health.outages += 1
                self._log.say("database_gone", level="warning", reason=error.message, advice=error.advice)
            self.health.database = False
            self._sweep_at = 0.0
            return None
        self.health.database = True
        gone = self._outage.back(self._steady())
        if gone is not None:
            self._log.say("database_back", seconds=round(gone, 1))
        return found

    def _settle(self) -> None:
        while self._debts:
            debt = self._debts[0]
            if self._try(lambda: debt(self._desk.state)) is None:  # noqa: B023 - called at once
                return
            del self._debts[0]

    def _hurry(self) -> None:
        self._stage += 1
        now = self._steady()
        if self._stage == 1:
            self.stopping()
            self.health.draining = True
            self._drain_until = now + self._config.daemon.drain.total_seconds()
            self._log.say("draining", running=len(self._pool.busy))
        elif self._stage == 2:
            self._stop_all("handed_over")
        else:
            self._kill_all()

    def _drain(self, now: float) -> None:
        if self._stage == 1 and now > self._drain_until and self._pool.busy:
            self._stage = 2
            self._stop_all("handed_over")

    def _stop_all(self, why: Why) -> None:
        for task in self._pool.busy:
            self._pool.stop(task.claimed.run.id, why, now=self._steady())

    def _kill_all(self) -> None:
        for worker in self._pool.workers:
            if worker.task is not None:
                worker.task.why = worker.task.why or "handed_over"
            self._pool.kill(worker, self._steady())

    def _finished(self) -> bool:
        if self._pool.busy or (self._debts and not self._outage.on):
            return False
        if self._stage:
            return True
        done = self._once and self.health.swept is not None and not self._hints and not self._more
        return done and not self._outage.on and self._inbox.empty()
