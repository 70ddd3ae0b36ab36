"""Tells of runs in OpenLineage's way: bounded in time, and never at the cost of a run."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lakehouse.config.models.config import absolute
from lakehouse.config.models.lineage import LineageConfig
from lakehouse.errors import LakehouseError
from lakehouse.jobs.context import Lake
from lakehouse.jobs.status import RunView
from lakehouse.observability.lineage.describing import describe
from lakehouse.observability.lineage.story import THREAD, RunStory, story_of
from lakehouse.state.database import State
from lakehouse.state.totals import LINEAGE_FAILURES

_LOG: Final = logging.getLogger("lakehouse.lineage")
_SPARE: Final = 0.5


class LineageObserver:
    """Hears of runs, and tells of them as the config's ``lineage`` says.

    Args:
        lake: The lake.
        state: Its state database.
        config: Where to.
        clock: Gives the time, timezone-aware.
    """

    def __init__(
        self,
        lake: Lake,
        state: State,
        config: LineageConfig,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._lake = lake
        self._state = state
        self._config = config
        self._clock = clock
        self._starting: dict[str, threading.Thread] = {}

    def began(self, run: RunView, tables: tuple[str, ...]) -> None:
        """Tells that a run was begun, without keeping it waiting.

        Args:
            run: The run.
            tables: The tables that its job is for.
        """
        story = self._story(run, tables)
        if story is not None:
            self._starting[run.id] = self._send(story)

    def ended(self, run: RunView, tables: tuple[str, ...]) -> None:
        """Tells that a run is over; waits until that is told, or its time is up.

        Args:
            run: The run.
            tables: The tables that its job is for.
        """
        before = self._starting.pop(run.id, None)
        limit = self._config.timeout.total_seconds() + _SPARE
        if before is not None:
            before.join(limit)
        story = self._story(run, tables)
        if story is not None:
            thread = self._send(story)
            thread.join(limit)
            if thread.is_alive():
                # It counts itself when it is over.
                _LOG.warning("an event of lineage to %s got no answer in time", self._config.to)

    def _story(self, run: RunView, tables: tuple[str, ...]) -> RunStory | None:
        others = tuple(each for each in run.versions if each not in tables and each in self._lake.tables)
        return story_of(
            run,
            namespace=self._config.namespace or self._lake.config.name,
            database=self._state.id,
            tables=tuple(
                describe(self._lake, each, version=run.versions.get(each)) for each in (*tables, *others)
            ),
            at=self._clock(),
            certificates=self._certificates(run),
        )

    def _certificates(self, run: RunView) -> tuple[int, ...]:
        if run.kind != "erase" or run.started is None or run.ended is None:
            return ()
        return self._state.certificates.numbers(since=run.started, until=run.ended)

    def _send(self, story: RunStory) -> threading.Thread:
        thread = threading.Thread(target=self._go, args=(story,), name=THREAD, daemon=True)
        thread.start()
        return thread

    def _go(self, story: RunStory) -> None:
        try:
            from lakehouse.observability.lineage import events  # noqa: PLC0415 - an extra, and slow
        except ImportError:
            self._failed("openlineage-python is not installed: pip install 'lakehouse[daemon]'")
            return
        try:
            document = events.document_of(story)
            to = self._config.to.get_secret_value()
            if self._config.to.is_url:
                key = self._config.api_key.get_secret_value() if self._config.api_key else None
                events.post(document, url=to, api_key=key, timeout=self._config.timeout.total_seconds())
            else:
                _append(absolute(to, self._lake.config.base_dir), document)
        except Exception as error:  # noqa: BLE001 - whatever the library raises; its text can hold the address
            self._failed(type(error).__name__)

    def _failed(self, reason: str) -> None:
        _LOG.warning("an event of lineage can't be sent to %s: %s", self._config.to, reason)
        try:
            self._state.totals.count(LINEAGE_FAILURES)
        except LakehouseError:
            _LOG.warning("and that could not be counted")


def lineage_of(lake: Lake, state: State) -> tuple[LineageObserver, ...]:
    """The observer of a lake, if its config wants one.

    Args:
        lake: The lake.
        state: Its state database.
    """
    config = lake.config.lineage
    return () if config is None else (LineageObserver(lake, state, config),)


def _append(path: str, document: str) -> None:
    """Adds a line in one write, so that those of several processes don't mix."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, document.encode() + b"\n")
    finally:
        os.close(file)
