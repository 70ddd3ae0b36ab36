"""``lake.alerts``: who hears of what is wrong: list, test, and what is wrong now."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lakehouse.config import Config
from lakehouse.control import Control
from lakehouse.errors import UsageError
from lakehouse.observability.alerts.passing import Passed, pass_on
from lakehouse.observability.alerts.problems import KEPT
from lakehouse.observability.alerts.sending import Send, SendError, send
from lakehouse.observability.alerts.targets import Target, targets_of
from lakehouse.observability.alerts.words import Text
from lakehouse.state.alert_rows import Problem, Standing

_TOGETHER: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetView:
    """Somebody who hears of what is wrong, as it stands.

    Args:
        name: As it may be shown; never with what is secret in the address.
        on: What it hears of.
        messages: How many messages it got, ever.
        last: When it got the last one (UTC); None where it never did.
        failing: Why the last try failed; empty where it did not.
        tries: Tries that failed since.
        next_try: When it is tried again (UTC); None where nothing waits.
        failures: Tries that failed, ever.
    """

    name: str
    on: tuple[str, ...]
    messages: int = 0
    last: datetime | None = None
    failing: str = ""
    tries: int = 0
    next_try: datetime | None = None
    failures: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {
            "target": self.name,
            "on": list(self.on),
            "messages": self.messages,
            "last": self.last,
            "failing": self.failing,
            "tries": self.tries,
            "next_try": self.next_try,
            "failures": self.failures,
        }


class Alerts:
    """The alerts of a lake. Reached as `Lakehouse.alerts`.

    Args:
        config: The lake's config.
        control: The way to its state database.
        clock: Gives the time, timezone-aware.
        send: Sends a message.
    """

    def __init__(
        self,
        config: Config,
        *,
        control: Control,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        send: Send = send,
    ) -> None:
        self._config = config
        self._control = control
        self._clock = clock
        self._send = send

    def __repr__(self) -> str:
        return f"Alerts({self._config.name!r})"

    def list(self) -> builtins.list[TargetView]:
        """All targets, in the order of the config.

        Raises:
            StorageError: The state database can't be read.
        """
        state, since = self._control.existing(), self._clock() - KEPT
        targets = targets_of(self._config, salt="" if state is None else state.id)
        standings = (
            None if state is None else state.alerts.standing(each.id, since=since) for each in targets
        )
        return [view_of(target, standing) for target, standing in zip(targets, standings, strict=True)]

    def problems(self) -> builtins.list[Problem]:
        """What is wrong and was noticed, in the order in which it came.

        Raises:
            StorageError: The state database can't be read.
        """
        state = self._control.existing()
        found = [] if state is None else state.alerts.problems(since=self._clock())
        return [each for each in found if each.closed is None]

    def test(self) -> Mapping[str, str]:
        """Sends a message to every target, whatever it hears of.

        Returns:
            By target why it could not be sent; empty where it was.

        Raises:
            UsageError: The config names no targets, or Apprise is not installed.
        """
        targets = targets_of(self._config)
        if not targets:
            raise UsageError("the config names nobody who hears of anything", advice="see `alerts:`")
        text = Text(
            title=f"[{self._config.name}] a test of alerts",
            body=f"Lake {self._config.name} can reach you. There is nothing to do.",
            tone="info",
        )

        def go(target: Target) -> str:
            try:
                self._send(target.url.get_secret_value(), text, target.timeout)
            except SendError as error:
                return str(error)
            return ""

        with ThreadPoolExecutor(min(len(targets), _TOGETHER), thread_name_prefix="alerts") as pool:
            return dict(zip((each.name for each in targets), pool.map(go, targets), strict=True))

    def pass_on(self, *, flush: bool = True) -> Passed:
        """Finds what came up since the last time, and sends it to those who want to hear of it.

        Args:
            flush: Sends at once, whatever ``group`` says.

        Raises:
            StorageError: The state database can't be reached.
        """
        if not self._config.alerts:
            return Passed()
        now = self._clock()
        state = self._control.made(now=now)
        return pass_on(
            self._config,
            state,
            now=now,
            flush=flush,
            send=self._send,
        )


def view_of(target: Target, standing: Standing | None) -> TargetView:
    """Says how it stands with a target.

    Args:
        target: The target.
        standing: What is kept of it; None where nothing is.
    """
    on = tuple(sorted(target.on))
    if standing is None:
        return TargetView(name=target.name, on=on)
    return TargetView(
        name=target.name,
        on=on,
        messages=standing.messages,
        last=standing.sent[0] if standing.sent else None,
        failing=standing.reason,
        tries=standing.tries,
        next_try=standing.next_try,
        failures=standing.failures,
    )
