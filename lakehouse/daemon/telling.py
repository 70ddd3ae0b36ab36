"""Passes alerts on, beside the loop: a slow service never holds it up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from lakehouse.config import Config
from lakehouse.control import Control
from lakehouse.errors import LakehouseError
from lakehouse.observability.alerts import Alerts, Passed
from lakehouse.storage import open_storage

EVERY: Final = 5.0
"""So many seconds between two looks."""


class Telling:
    """A thread that passes alerts on.

    Args:
        every: Seconds between two looks.
        pass_on: Passes on what there is by a config, and says whether messages wait for their group no more.
    """

    def __init__(
        self, *, every: float = EVERY, pass_on: Callable[[Config, bool], Passed] | None = None
    ) -> None:
        self._every = every
        self._pass_on = pass_on or passed_on
        self._config: Config | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def set(self, config: Config) -> None:
        """Goes on with a config; begins with the first one that names somebody.

        Args:
            config: Which.
        """
        self._config = config
        if config.alerts and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends it, after a last look: the runs that ended last are told too."""
        if self._thread is None:
            return
        self._over.set()
        self._thread.join()
        self._thread = None

    def _run(self) -> None:
        while not self._over.wait(self._every):
            self._look()
        self._look(flush=True)

    def _look(self, *, flush: bool = False) -> None:
        config = self._config
        if config is None or not config.alerts:
            return
        try:
            # Who can't be reached is logged there.
            self._pass_on(config, flush)
        except LakehouseError:
            # The state database is gone: the loop says so.
            return


def passed_on(config: Config, flush: bool) -> Passed:
    """Passes on what there is, by the state database of a config.

    Args:
        config: The config.
        flush: Whether messages wait for their group no more.

    Raises:
        StorageError: The state database can't be reached.
    """
    lake = open_storage(config.storage.root, options=config.storage.plain_options())
    control = Control(config.state.get_secret_value(), lake=lake)
    return Alerts(config, control=control).pass_on(flush=flush)
