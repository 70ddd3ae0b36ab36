"""How a daemon is: written by its loop, read by those who ask over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

STALLED: Final = 90.0
"""A loop that has not turned for so many seconds is not alive: it waits for the database at most 40."""


@dataclass(slots=True)
class Health:
    """How a daemon is. Single values are written in one thread and read in others.

    Args:
        owner: What it is called.
        started: Since when.
        turned: When its loop last turned, by a steady clock.
        swept: When it last looked at everything.
        database: Whether the state database can be reached.
        draining: Whether it is about to end.
        running: The runs that it has.
        workers: Its child processes.
        waiting: Runs that it could begin if it had hands free.
        ended: So many runs ended here, by how.
        lost: So many workers died during a run.
        reloads: So often the config was read again, by whether it could be used.
        outages: So often the database was gone.
    """

    owner: str
    started: datetime
    turned: float
    swept: datetime | None = None
    database: bool = False
    draining: bool = False
    running: int = 0
    workers: int = 0
    waiting: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    reloads: dict[str, int] = field(default_factory=lambda: {"good": 0, "bad": 0})
    outages: int = 0

    def alive(self, now: float) -> bool:
        """Whether its loop turns.

        Args:
            now: The time, by the steady clock.
        """
        return now - self.turned < STALLED

    def ready(self, now: float) -> bool:
        """Whether it takes on work.

        Args:
            now: The time, by the steady clock.
        """
        return self.alive(now) and self.database and self.swept is not None and not self.draining

    def to_dict(self, now: float) -> dict[str, Any]:
        """What is answered to those who ask.

        Args:
            now: The time, by the steady clock.
        """
        return {
            "daemon": self.owner,
            "alive": self.alive(now),
            "ready": self.ready(now),
            "database": self.database,
            "draining": self.draining,
            "started": self.started.isoformat(),
            "swept": None if self.swept is None else self.swept.isoformat(),
            "running": self.running,
            "waiting": self.waiting,
            "workers": self.workers,
        }
