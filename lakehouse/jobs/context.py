"""What work is told about its run, and how it takes tables, says what it does, and asks whether to go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from lakehouse.config import Config
from lakehouse.config.models.jobs import JobConfig
from lakehouse.errors import LakehouseError
from lakehouse.jobs.leases import Held
from lakehouse.jobs.stop import RunStoppedError, Stop

if TYPE_CHECKING:
    from lakehouse.pii.verbs import Pii
    from lakehouse.requests.verbs import Requests
    from lakehouse.retention.verbs import Retention
    from lakehouse.state.database import State
    from lakehouse.storage import Storage
    from lakehouse.table import Table

_LOG: Final = logging.getLogger("lakehouse.jobs")


class Lake(Protocol):
    """A lake, as jobs see it: the room that composes it lies above this one."""

    config: Config

    @property
    def storage(self) -> Storage:
        """Its root."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of its tables."""

    @property
    def retention(self) -> Retention:
        """Its rules for rows."""

    @property
    def requests(self) -> Requests:
        """What people ask for."""

    @property
    def pii(self) -> Pii:
        """Personal data."""

    def table(self, name: str) -> Table:
        """One of its tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """What work is told about its run.

    Args:
        job: The job's name.
        config: Its section of the config.
        run: The run's id.
        fire_time: The moment that the run is for (UTC): its schedule's, not when it began.
        tables: The tables that the job is for.
        author: On whose order.
    """

    job: str
    config: JobConfig
    run: str
    fire_time: datetime
    tables: tuple[str, ...]
    author: str
    lake: Lake = field(repr=False)
    state: State = field(repr=False)
    _stop: Stop = field(repr=False)
    _held: Held = field(repr=False)
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)

    def check(self) -> None:
        """Goes on, unless the run should end: it took too long, was stopped, or somebody else has it now.

        Long work calls it now and then, where it can end without leaving anything half-done.

        Raises:
            RunStoppedError: It should end; let it pass.
        """
        self._stop.check()

    def step(self, _what: str, _done: int, _total: int) -> None:
        """The same as `check`, for verbs that tell how far they are."""
        self._stop.check()

    def log(self, text: str) -> None:
        """Says something, which is kept with the run. Not a place for personal data.

        Args:
            text: A line.
        """
        _LOG.info("%s", text)

    @contextmanager
    def alone(self, *tables: str) -> Iterator[None]:
        """Has tables for itself, among all jobs of all processes that ask for that.

        Args:
            *tables: Their names.

        Raises:
            RunStoppedError: The run should end.
        """
        with self._held.tables(tables):
            yield

    def made(self) -> Iterator[Table]:
        """The job's tables that have been made, one by one; between them the run can be ended."""
        for name in self.tables:
            self.check()
            table = self.lake.table(name)
            if table.exists():
                yield table


def one_by_one(context: JobContext, work: Callable[[Table], None], *, alone: bool) -> None:
    """Does something to each table; one that fails does not keep the others from their turn.

    Args:
        context: The run.
        work: What to do.
        alone: Whether to have each table for itself meanwhile.

    Raises:
        LakehouseError: The first that was raised, after all had their turn.
    """
    errors: list[tuple[str, LakehouseError]] = []
    for table in context.made():
        try:
            if alone:
                with context.alone(table.name):
                    work(table)
            else:
                work(table)
        except RunStoppedError:
            raise
        except LakehouseError as error:
            context.log(f"{table.name}: {error.message}")
            errors.append((table.name, error))
    if errors:
        raise _first([error for _, error in errors])


def _first(errors: Sequence[Any]) -> Any:
    """An error that stays as it is makes trying again useless only if there is no other."""
    return next((each for each in errors if each.retryable), errors[0])
