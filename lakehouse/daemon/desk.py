"""What a daemon finds out from the state database, and asks of it: what is due, and what it may begin."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lakehouse.config.models.jobs import JobConfig
from lakehouse.jobs.deciding import due_moments, newest_over, resting
from lakehouse.jobs.runner import losses_of
from lakehouse.state.database import State
from lakehouse.state.job_rows import End, Lease, Policy, Taken, Wanted


@dataclass(slots=True)
class Desk:
    """The database, as a daemon uses it. Belongs to one thread.

    Args:
        state: The database.
        owner: What the daemon is called in leases.
        author: On whose order runs are made.
        lease: How long a run stays the daemon's without a sign of life.
        clock: Gives the time.
        jobs: The jobs of the config.
        last: For each of them the latest moment that was begun, as far as is known here.
    """

    state: State
    owner: str
    author: str
    lease: timedelta
    clock: Callable[[], datetime]
    jobs: Mapping[str, JobConfig]
    last: dict[str, datetime | None]

    def ask(self, names: Iterable[str], *, ends: Sequence[End], most: int) -> Taken:
        """Writes down what is over and what is due, and claims what can be begun, whichever it is.

        Args:
            names: The jobs that could be due.
            ends: The runs that are over.
            most: At most so many runs.
        """
        wanted = self._wanted(names, self.state.jobs.paused() if names else ())
        taken = self.state.queue.work(
            wanted,
            policies={
                name: Policy(skip=job.overlap == "skip", losses=losses_of(job))
                for name, job in self.jobs.items()
            },
            most=most,
            owner=self.owner,
            lease=self.lease,
            author=self.author,
            now=self.clock(),
            ends=ends,
        )
        for each in wanted:
            before = self.last.get(each.job)
            self.last[each.job] = each.fire_time if before is None else max(before, each.fire_time)
        return taken

    def look(self) -> tuple[list[Lease], list[str]]:
        """Looks at everything anew.

        Returns:
            The runs that are not over, and the jobs of which something is due.
        """
        leases = self.state.leases.open()
        self.last = self.state.queue.lasts(self.jobs)
        wanted = self._wanted(self.jobs, self.state.jobs.paused())
        return leases, list(dict.fromkeys(each.job for each in wanted))

    def _wanted(self, names: Iterable[str], paused: Collection[str]) -> list[Wanted]:
        rest, now = resting(self.jobs, paused), self.clock()
        found: list[Wanted] = []
        for name in names:
            job = self.jobs.get(name)
            if job is None or name in rest:
                continue
            before = [newest_over(self.state, each) for each in job.after]
            moments = due_moments(name, job, last=self.last.get(name), before=before, now=now)
            found += [Wanted(name, each, job.do) for each in moments]
        return sorted(found, key=lambda each: each.fire_time)
