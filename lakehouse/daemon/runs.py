"""The runs that a daemon has: given to workers, watched, and what became of them told to the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from lakehouse.config.models.jobs import JobConfig
from lakehouse.daemon.health import Health
from lakehouse.daemon.logs import Log
from lakehouse.daemon.settling import Debt, settle
from lakehouse.daemon.workers import Pool, Task, Worker
from lakehouse.jobs.stop import Why
from lakehouse.state.database import State
from lakehouse.state.job_rows import Claimed, End, JobRun, Lease

_LONGEST_HOLD: float = 30.0


class Runs:
    """The runs of a daemon. Belongs to one thread.

    Args:
        pool: The workers.
        log: Where to say what happens.
        health: How the daemon is.
        steady: Gives seconds that never jump.
        succeeded: Called with the job of a run that has.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        log: Log,
        health: Health,
        steady: Callable[[], float],
        succeeded: Callable[[str], None],
    ) -> None:
        self._succeeded = succeeded
        self.pool = pool
        self.jobs: Mapping[str, JobConfig] = {}
        self.debts: list[tuple[Debt, Callable[[], None]]] = []
        self.failures = 0
        self.lost = False
        self._log = log
        self._health = health
        self._steady = steady
        self._ends: dict[str, tuple[Worker, End, Callable[[], None]]] = {}
        self._hold_off = 0.0
        self._failed_starts = 0

    @property
    def ends(self) -> list[End]:
        """What became of runs, and is not written down yet."""
        return [end for _, end, _ in self._ends.values()]

    @property
    def owed(self) -> bool:
        """Whether there is anything to write down."""
        return bool(self._ends or self.debts)

    @property
    def hands(self) -> bool:
        """Whether there is anybody to begin what waits, or room for one."""
        return self.pool.free > 0 or (self.pool.room and self._steady() >= self._hold_off)

    @property
    def hopeless(self) -> bool:
        """Whether workers die before they do anything, again and again."""
        return self._failed_starts >= 3

    def begin(self, claimed: Iterable[Claimed], *, waiting: int) -> None:
        """Gives runs to workers, and starts more of them for those that wait.

        Args:
            claimed: The runs.
            waiting: So many others could be begun.
        """
        now = self._steady()
        for each in claimed:
            job = self.jobs[each.run.job]
            timeout = None if job.timeout is None else job.timeout.total_seconds()
            self.pool.give(each, timeout=timeout, now=now)
            self._say("run_started", each.run, again=each.again or None)
        if waiting and now >= self._hold_off:
            try:
                self.pool.grow(waiting, now=now)
            except OSError as error:
                self._hold_off = now + _LONGEST_HOLD
                reason = f"no process could be started: {error.strerror}"
                self._log.say("worker_failed", level="error", reason=reason)

    def left_out(self, run: JobRun, event: str) -> None:
        """Tells of a run that was ended without work.

        Args:
            run: The run.
            event: How.
        """
        self._count(event)
        self._say(f"run_{event}", run, level="warning")

    def written(self, ends: Iterable[End]) -> None:
        """What became of some runs was written down: now it is said.

        Args:
            ends: Of which.
        """
        told: dict[Worker, list[str]] = {}
        for each in ends:
            worker, _, tell = self._ends.pop(each.run)
            told.setdefault(worker, []).append(each.run)
            tell()
        for worker, runs in told.items():
            worker.tell(ask="written", runs=runs)

    def watch(self, leases: Iterable[Lease], *, lease: timedelta) -> list[Task]:
        """Ends those of our runs that somebody wants to end.

        Args:
            leases: All runs that are not over.
            lease: How long a run stays ours without a sign of life.

        Returns:
            Those whose worker gave none for a long time, although its process lives.
        """
        mine = {each.id: each for each in self.pool.tasks}
        silent: list[Task] = []
        for each in leases:
            task = mine.get(each.run)
            if task is None or task.claimed.token != each.token:
                continue
            if each.cancelled:
                self.pool.stop(task, "cancelled", now=self._steady())
            if each.left < lease / 2:
                silent.append(task)
        return silent

    def stop_all(self, why: Why) -> None:
        """Asks all runs to end.

        Args:
            why: What for.
        """
        for task in self.pool.tasks:
            self.pool.stop(task, why, now=self._steady())

    def kill_all(self) -> None:
        """Ends all runs at once, with their workers; others go on with them."""
        for worker in self.pool.workers:
            for task in worker.tasks:
                task.why = task.why or "handed_over"
            self.pool.kill(worker, self._steady())

    # -- What workers say --------------------------------------------------------------------------------

    def heard(self, worker: Worker, message: dict[str, Any]) -> None:
        """A worker said something.

        Args:
            worker: Which.
            message: What.
        """
        told, now = message.get("told"), self._steady()
        task = worker.tasks[0] if worker.tasks else None
        if told == "ready":
            worker.ready, worker.memory, worker.watched = True, message["memory"], message["watched"]
            worker.idle_since = now
            self._failed_starts = 0
        elif told == "free":
            worker.telling, worker.idle_since = False, now
        elif told == "log":
            about = {} if task is None else {"job": task.claimed.run.job, "run": task.id}
            text, level = message["text"], message["level"]
            self._log.say("log", level=level, logger=message["logger"], message=text, **about)
        elif told == "returned":
            for each in [each for each in worker.tasks if each.id in message["runs"]]:
                worker.tasks.remove(each)
                self._settle(each, event="queued", reason="the run before it took longer than usual")
        elif task is not None and message.get("run") == task.id:
            if told == "stuck":
                task.stuck = message
            elif told == "ended":
                seconds = message["seconds"]
                self.pool.over(worker, seconds=seconds, memory=message["memory"], now=now)
                self._ended(worker, task.claimed, message)

    def gone(self, worker: Worker) -> None:
        """A worker is gone.

        Args:
            worker: Which.
        """
        tasks, code = self.pool.gone(worker), worker.process.returncode
        if not worker.ready and worker.terminated is None:
            self._failed_starts += 1
            self._hold_off = self._steady() + min(2.0**self._failed_starts, _LONGEST_HOLD)
            words = b"".join(worker.words).decode(errors="replace").strip().splitlines()
            self._log.say("worker_failed", level="error", code=code, reason=words[-1] if words else "")
        for each in tasks[:1]:
            debt, event, detail = settle(each, code, self.jobs.get(each.claimed.run.job))
            if event == "lost":
                self._health.lost += 1
                self.lost = True
            self.debts.append((debt, self._telling(each.claimed.run, event, detail)))
        for each in tasks[1:]:
            self._settle(each, event="queued", reason="its worker is gone")

    def _ended(self, worker: Worker, claimed: Claimed, message: dict[str, Any]) -> None:
        run, event, detail, log = claimed.run, message["event"], message["detail"], message["log"]
        tell = self._telling(run, event, detail, seconds=message["seconds"])
        if event == "queued":
            reason = detail.get("reason", "")

            def give_back(state: State) -> bool:
                return state.leases.give_back(run.id, claimed.token, reason=reason, log=log)

            def handed_over() -> None:
                worker.tell(ask="written", runs=[run.id])
                tell()

            self.debts.append((give_back, handed_over))
        elif event != "lost":
            self._ends[run.id] = worker, End(run.id, claimed.token, event, detail, log), tell
        else:
            tell()

    def _settle(self, task: Task, *, event: str, reason: str) -> None:
        """A run that waited behind another one, and was not begun."""
        run, token = task.claimed.run, task.claimed.token
        if task.why == "cancelled":
            event, reason = "cancelled", "it was stopped"
            detail = {"reason": reason}
            tell = self._telling(run, event, detail)
            self.debts.append((lambda state: state.leases.end(run.id, event, detail, token=token), tell))
        else:
            tell = self._telling(run, event, {"reason": reason})
            self.debts.append((lambda state: state.leases.give_back(run.id, token, reason=reason), tell))
            self.lost = True

    def _telling(
        self, run: JobRun, event: str, detail: Mapping[str, Any], *, seconds: float | None = None
    ) -> Callable[[], None]:
        """Says what became of a run, when it is called: once it is written down."""
        return lambda: self._tell(run, event, detail, seconds)

    def _tell(self, run: JobRun, event: str, detail: Mapping[str, Any], seconds: float | None) -> None:
        self._count(event)
        if event == "succeeded":
            self._succeeded(run.job)
        good = event in {"succeeded", "queued"}
        self._say(
            "run_handed_over" if event == "queued" else f"run_{event}",
            run,
            level="info" if good else "warning",
            seconds=seconds,
            error=detail.get("error"),
            reason=detail.get("reason"),
            counts=detail.get("counts") or None,
        )

    def _say(self, event: str, run: JobRun, **more: Any) -> None:
        self._log.say(event, job=run.job, run=run.id, fire_time=run.fire_time, **more)

    def _count(self, event: str) -> None:
        self._health.ended[event] = self._health.ended.get(event, 0) + 1
        self.failures += event == "failed"
