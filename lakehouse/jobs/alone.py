"""Tables for oneself, for verbs that people call: as jobs have them, and against jobs too."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from lakehouse.errors import ConflictError, LakehouseError
from lakehouse.jobs.leases import LEASE
from lakehouse.state.database import State
from lakehouse.state.ids import new_id

WAIT: Final = timedelta(minutes=1)
"""So long others are waited for."""
_PAUSE: Final = 0.5
_BEATS: Final = 4
_LOG: Final = logging.getLogger("lakehouse.jobs")


@contextmanager
def alone(
    state: State,
    tables: Sequence[str],
    *,
    wait: timedelta = WAIT,
    lease: timedelta = LEASE,
    waiting: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Has tables for itself, among all jobs and all who call such verbs.

    Args:
        state: The state database.
        tables: Their names.
        wait: How long to wait for others that have one of them.
        lease: How long they stay taken, should this process die.
        waiting: Called once, with a sentence, where others are waited for.

    Raises:
        ConflictError: Somebody else has one of them all the time.
    """
    holder, give_up, said = new_id("cli"), time.monotonic() + wait.total_seconds(), False
    while not state.locks.take(tables, holder=holder, lease=lease):
        who = _who(state, tables)
        if time.monotonic() > give_up:
            raise ConflictError(
                who, advice="try again when that is over; `lakehouse jobs history` shows runs"
            )
        if not said:
            waiting(f"{who}: waiting for it")
            said = True
        time.sleep(_PAUSE)
    over = threading.Event()
    heart = threading.Thread(target=_beat, args=(state, holder, lease, over), name="heart", daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()
        try:
            state.locks.unlock(tables, run_id=holder)
        except LakehouseError as error:
            # What was done is done; they are free when their time is over.
            _LOG.warning("%s could not be given back yet: %s", ", ".join(tables), error.message)


def _beat(state: State, holder: str, lease: timedelta, over: threading.Event) -> None:
    while not over.wait(lease.total_seconds() / _BEATS):
        try:
            state.locks.keep(holder=holder, lease=lease)
        except LakehouseError as error:
            _LOG.warning("a sign of life could not be given: %s", error.message)


def _who(state: State, tables: Sequence[str]) -> str:
    for table in tables:
        holder = state.locks.holder(table)
        if holder is None:
            continue
        found = state.jobs.get(holder)
        whose = "another command" if found is None else f"the run {holder} of the job {found[0].job}"
        return f"{whose} works on {table} and can take something away from it"
    return "somebody else works on these tables"
