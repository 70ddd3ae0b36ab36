"""Who hears of runs: lineage, control charts, alerts. None of them can make a run fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from lakehouse.jobs.status import RunView

_LOG: Final = logging.getLogger("lakehouse.jobs")


class RunObserver(Protocol):
    """Hears of the runs that a process carries out, in that process, one after the other per run."""

    def began(self, run: RunView, tables: tuple[str, ...]) -> None:
        """A run was begun.

        Args:
            run: The run as it is now.
            tables: The tables that its job is for.
        """

    def ended(self, run: RunView, tables: tuple[str, ...]) -> None:
        """A run that was begun here is over, or somebody else's by now (then its status says running).

        Args:
            run: The run as it is now.
            tables: The tables that its job is for.
        """


def tell_began(observers: Sequence[RunObserver], run: RunView, tables: tuple[str, ...]) -> None:
    """Tells all that a run was begun; those that fail are named in the log.

    Args:
        observers: Whom.
        run: The run.
        tables: The tables that its job is for.
    """
    _tell(observers, lambda each: each.began(run, tables))


def tell_ended(observers: Sequence[RunObserver], run: RunView, tables: tuple[str, ...]) -> None:
    """Tells all that a run is over; those that fail are named in the log.

    Args:
        observers: Whom.
        run: The run.
        tables: The tables that its job is for.
    """
    _tell(observers, lambda each: each.ended(run, tables))


def _tell(observers: Sequence[RunObserver], what: Callable[[RunObserver], None]) -> None:
    for each in observers:
        try:
            what(each)
        except Exception as error:  # noqa: BLE001 - what is seen from outside never fails the work
            # Only its kind: a message could carry an address with a token in it.
            _LOG.warning("%s could not be told of a run (%s)", type(each).__name__, type(error).__name__)
