"""The daemon as a whole: opens what it needs, listens to signals, reads its config again, and closes all."""

from __future__ import annotations

import base64
import hashlib
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Final

import orjson

from lakehouse import __version__
from lakehouse.config import Config
from lakehouse.control import Control
from lakehouse.daemon import metrics
from lakehouse.daemon.desk import Desk
from lakehouse.daemon.health import Health
from lakehouse.daemon.http import Answer, Server, json_answer
from lakehouse.daemon.logs import Log
from lakehouse.daemon.loop import Loop
from lakehouse.daemon.messages import said
from lakehouse.daemon.outage import Outage
from lakehouse.daemon.telling import Telling
from lakehouse.daemon.timing import Timing
from lakehouse.daemon.workers import Pool
from lakehouse.errors import ConfigError, LakehouseError, UsageError
from lakehouse.jobs.leases import LEASE
from lakehouse.jobs.runner import new_owner
from lakehouse.observability.moments import Moments
from lakehouse.records import operator
from lakehouse.state.database import State
from lakehouse.storage import open_storage

_BEAT: Final = 15.0


class Daemon:
    """Runs the jobs of a config, until it is told to end.

    Args:
        config: The config.
        reload: Reads the config again; None where it can't be.
        once: Only what is due now, then it ends.
        stream: Where it logs; None means standard error.
        clock: Gives the time, timezone-aware.
        steady: Gives seconds that never jump.
        lease: How long after its last sign of life a run is taken for abandoned.
    """

    def __init__(
        self,
        config: Config,
        *,
        reload: Callable[[], Config] | None = None,
        once: bool = False,
        stream: IO[str] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        steady: Callable[[], float] = time.monotonic,
        lease: timedelta = LEASE,
    ) -> None:
        self._config = config
        self._reload = reload
        self._once = once
        self._clock = clock
        self._steady = steady
        self._lease = lease
        self._owner = new_owner()
        self._author = operator()
        self._log = Log(config.logs, stream)
        self._moments = Moments()
        self._health = Health(owner=self._owner, started=clock(), turned=steady())
        self._ended = threading.Event()
        self._loop: Loop | None = None
        self._timing = Timing(self._could_be_due)
        self._telling: Telling | None = None
        self._server: Server | None = None
        self._state: State | None = None
        self._beat_at = 0.0
        self._reread = False

    @property
    def address(self) -> str:
        """Where it listens; empty where it does not."""
        return "" if self._server is None else self._server.address

    def run(self) -> int:
        """Runs until the end.

        Returns:
            The exit code: 0; with ``once`` 1 if a run failed.

        Raises:
            UsageError: The address to listen on can't be had.
            RefusedError: The state database is not the one of this lake.
        """
        self._log.listen()
        try:
            with self._signals():
                self._server = None if self._once else self._listening(self._config)
                state = self._opened()
                if state is None:
                    return 0
                return self._run(state)
        finally:
            self._timing.stop()
            if self._server is not None:
                self._server.close()
            if self._state is not None:
                self._state.close()
            self._log.close()

    def _run(self, state: State) -> int:
        self._state = state
        desk = Desk(
            state=state,
            owner=self._owner,
            author=self._author,
            lease=self._lease,
            clock=self._clock,
            jobs=self._config.jobs,
            last={},
        )
        loop = Loop(
            desk,
            pool=lambda heard: Pool(
                size=1, hello=self._hello, heard=heard, grace=self._config.daemon.grace.total_seconds()
            ),
            config=self._config,
            log=self._log,
            health=self._health,
            once=self._once,
            clock=self._clock,
            steady=self._steady,
            lease=self._lease,
        )
        loop.jumped = lambda: self._timing.set(self._config.jobs)
        loop.stopping = self._timing.stop
        loop.swept = self._present
        self._loop = loop
        if self._ended.is_set():
            loop.end()
        if self._reread:
            loop.post(self._read_again)
        telling = self._telling = Telling(state, clock=self._clock)
        telling.set(self._config)
        if not self._once:
            self._timing.start()
            self._timing.set(self._config.jobs)
        self._log.say(
            "daemon_started",
            daemon=self._owner,
            version=__version__,
            jobs=len(self._config.jobs),
            workers=self._config.daemon.workers,
            listen=self.address,
        )
        if not self._config.jobs:
            self._log.say("no_jobs", level="warning", advice="name some in `jobs:`, then send SIGHUP")
        try:
            loop.run()
        finally:
            loop.close()
            telling.stop()
            self._absent()
        self._log.say("daemon_ended", failed=loop.failures or None)
        return 1 if self._once and loop.failures else 0

    # -- The state database ------------------------------------------------------------------------------

    def _opened(self) -> State | None:
        """The state database, waited for if need be; None where somebody ends the daemon meanwhile."""
        storage = self._config.storage
        lake = open_storage(storage.root, options=storage.plain_options())
        control = Control(self._config.state.get_secret_value(), lake=lake)
        outage = Outage()
        while not self._ended.is_set():
            try:
                state = control.made(now=self._clock())
                state.stay_open()
            except LakehouseError as error:
                if not error.retryable:
                    raise
                if outage.failed(self._steady()):
                    self._log.say("database_gone", level="warning", reason=error.message, advice=error.advice)
                self._health.turned = self._steady()
                self._ended.wait(outage.wait(self._steady()))
                continue
            gone = outage.back(self._steady())
            if gone is not None:
                self._log.say("database_back", seconds=round(gone, 1))
            return state
        return None

    def _present(self) -> None:
        """Says now and then that this daemon lives."""
        now = self._steady()
        if self._state is None or self._once or now < self._beat_at:
            return
        try:
            self._state.daemons.beat(
                self._owner,
                host=socket.gethostname(),
                pid=os.getpid(),
                started=self._health.started,
                version=__version__,
                config=digest_of(self._config),
            )
            self._beat_at = now + _BEAT
        except LakehouseError:
            # The loop finds out too, and says it.
            pass

    def _absent(self) -> None:
        try:
            if self._state is not None and not self._once:
                self._state.daemons.gone(self._owner)
        except LakehouseError:
            pass

    # -- From outside ------------------------------------------------------------------------------------

    def _could_be_due(self, job: str) -> None:
        if self._loop is not None:
            self._loop.could_be_due(job)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            each: signal.signal(each, lambda number, _frame: self.signal(number))
            for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def signal(self, number: int) -> None:
        """Does what a signal asks for; can be called from any thread.

        Args:
            number: SIGTERM or SIGINT: end; SIGHUP: read the config again.
        """
        loop = self._loop
        if number == signal.SIGHUP:
            if loop is None:
                # It was read a moment ago, perhaps before it was changed.
                self._reread = True
            else:
                loop.post(self._read_again)
            return
        self._ended.set()
        if loop is not None:
            loop.end()

    def _listening(self, config: Config) -> Server | None:
        if not config.daemon.listen:
            return None
        return Server(
            config.daemon.listen,
            {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics},
        )

    def _healthz(self) -> Answer:
        now = self._steady()
        return json_answer(200 if self._health.alive(now) else 503, self._health.to_dict(now))

    def _readyz(self) -> Answer:
        now = self._steady()
        return json_answer(200 if self._health.ready(now) else 503, self._health.to_dict(now))

    def _metrics(self) -> Answer:
        state = self._state
        if state is None or not self._health.database:
            return 200, metrics.KIND, metrics.of_daemon(self._health)
        body = metrics.exposition(
            self._health, state=state, config=self._config, now=self._clock(), moments=self._moments
        )
        return 200, metrics.KIND, body

    def _hello(self) -> bytes:
        return said(
            config=base64.b64encode(pickle.dumps(self._config)).decode(),
            owner=self._owner,
            author=self._author,
            lease=self._lease.total_seconds(),
            grace=self._config.daemon.grace.total_seconds(),
            path=sys.path,
        )

    # -- Another config ----------------------------------------------------------------------------------

    def _read_again(self) -> None:
        """Takes the config as it is now; one with problems is said, and the old one goes on."""
        try:
            if self._reload is None:
                raise UsageError("this daemon was not started from a config file")
            config = self._reload()
            self._ensure_same_lake(config)
            server = self._server
            if config.daemon.listen != self._config.daemon.listen:
                server = self._listening(config)
        except LakehouseError as error:
            self._health.reloads["bad"] += 1
            problems = [str(each) for each in error.problems] if isinstance(error, ConfigError) else None
            self._log.say(
                "config_refused",
                level="error",
                reason=f"{len(problems)} problem{'s' * (len(problems) > 1)}" if problems else error.message,
                problems=problems,
                advice=error.advice,
            )
            return
        if self._server is not None and server is not self._server:
            self._server.close()
        self._server, self._config = server, config
        self._log.set(config.logs)
        self._health.reloads["good"] += 1
        assert self._loop is not None  # noqa: S101 - it is its thread
        self._loop.set(config)
        self._timing.set(config.jobs)
        if self._telling is not None:
            self._telling.set(config)
        self._beat_at = 0.0
        self._log.say("config_taken", jobs=len(config.jobs), config=digest_of(config), listen=self.address)

    def _ensure_same_lake(self, config: Config) -> None:
        old, new = self._config, config
        if old.storage.root != new.storage.root or old.state != new.state:
            raise UsageError(
                "`storage` or `state` names another lake than before",
                advice="for that, start the daemon anew",
            )


def digest_of(config: Config) -> str:
    """Tells configs from one another; secrets don't count.

    Args:
        config: The config.
    """
    document: Any = config.model_dump(mode="json")
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
