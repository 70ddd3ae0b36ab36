"""Passes alerts on, beside the loop: a slow service never holds it up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from lakehouse.config import Config
from lakehouse.errors import LakehouseError
from lakehouse.observability.alerts import pass_on
from lakehouse.observability.moments import Moments
from lakehouse.state.database import State

_EVERY: Final = 5.0
"""So many seconds between two looks."""
_LOG: Final = logging.getLogger("lakehouse.alerts")


class Telling:
    """A thread that passes alerts on.

    Args:
        state: The state database.
        clock: Gives the time, timezone-aware.
    """

    def __init__(self, state: State, *, clock: Callable[[], datetime]) -> None:
        self._state = state
        self._clock = clock
        self._config: Config | None = None
        self._moments = Moments()
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
        if self._thread is not None:
            self._over.set()
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._over.wait(_EVERY):
            self._look(flush=False)
        self._look(flush=True)

    def _look(self, *, flush: bool) -> None:
        config, state = self._config, self._state
        if config is None:
            return
        try:
            # Who can't be reached is logged there.
            pass_on(config, state, now=self._clock(), moments=self._moments, flush=flush)
        except LakehouseError:
            # The state database is gone: the loop says so.
            return
        except Exception as error:  # noqa: BLE001 - one look that fails must not be the last
            _LOG.warning("alerts could not be passed on (%s)", type(error).__name__)
