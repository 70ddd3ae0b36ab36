"""Passes on what came up to all who want to hear of it. Any number of processes call it, each few seconds."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from lakehouse.config import Config
from lakehouse.errors import LakehouseError
from lakehouse.observability.alerts.deciding import Message, decide
from lakehouse.observability.alerts.looking import look
from lakehouse.observability.alerts.problems import KEPT, judge
from lakehouse.observability.alerts.sending import Send, SendError, send
from lakehouse.observability.alerts.targets import Target, targets_of
from lakehouse.observability.alerts.words import text_of
from lakehouse.observability.moments import Moments
from lakehouse.state.alert_rows import Problem, Standing
from lakehouse.state.database import State

_LOG: Final = logging.getLogger("lakehouse.alerts")
_SPARE: Final = timedelta(seconds=20)
_SOON: Final = timedelta(seconds=30)
_LONGEST: Final = timedelta(hours=1)
_TOGETHER: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What was passed on.

    Args:
        changed: How many problems came up, went on or were over.
        sent: The names of targets that got a message.
        failed: The names of targets that could not be reached, each with the reason.
    """

    changed: int = 0
    sent: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)


def pass_on(
    config: Config,
    state: State,
    *,
    now: datetime,
    moments: Moments | None = None,
    flush: bool = False,
    send: Send = send,
) -> Passed:
    """Finds what came up and sends what is to be sent. Targets that can't be reached are no error.

    Args:
        config: The lake's config; without ``alerts`` nothing is done.
        state: Its state database.
        now: The time (timezone-aware).
        moments: Finds the moments of schedules; None means one that is new.
        flush: Does not wait for more to come up, since the process is about to end.
        send: Sends a message.

    Returns:
        What was done.

    Raises:
        StorageError: The state database can't be reached.
    """
    if not config.alerts:
        return Passed()
    moments = moments or Moments()
    seen, marks = look(config, state, now=now, moments=moments)
    since = now - KEPT
    changed = state.alerts.settle(partial(judge, seen=seen), since=since, marks=marks)
    post = _Post(config, state, now=now, flush=flush, send=send, problems=state.alerts.problems(since=since))
    ready = [each for each in targets_of(config, salt=state.id) if post.wanted(each)]
    if len(ready) < 2:
        results = [post.deliver(each) for each in ready]
    else:
        # One that does not answer does not keep the others waiting.
        with ThreadPoolExecutor(min(len(ready), _TOGETHER), thread_name_prefix="alerts") as pool:
            results = list(pool.map(post.deliver, ready))
    outcomes = list(zip(ready, results, strict=True))
    return Passed(
        changed=changed,
        sent=tuple(each.name for each, result in outcomes if result == ""),
        failed={each.name: result for each, result in outcomes if result},
    )


class _Post:
    """Sends to targets what they do not know yet."""

    def __init__(
        self,
        config: Config,
        state: State,
        *,
        now: datetime,
        flush: bool,
        send: Send,
        problems: Sequence[Problem],
    ) -> None:
        self._config = config
        self._state = state
        self._now = now
        self._flush = flush
        self._send = send
        self._problems = problems
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"

    def wanted(self, target: Target) -> bool:
        """Whether there is something to tell; without writing anything."""
        alerts, since = self._state.alerts, self._now - KEPT
        standing = alerts.standing(target.id, since=since)
        if standing is None:
            alerts.meet(target.id, name=target.name, now=self._now)
            standing = alerts.standing(target.id, since=since)
        return standing is not None and self._decide(target, standing) is not None

    def deliver(self, target: Target) -> str | None:
        """Sends what there is to tell.

        Returns:
            Empty where it was sent, else why not; None where somebody else does it.
        """
        alerts = self._state.alerts
        lease = target.timeout + _SPARE
        claim = alerts.claim(target.id, owner=self._owner, lease=lease, since=self._now - KEPT)
        if claim is None:
            return None
        message = self._decide(target, claim)
        if message is None:
            # Somebody else was faster.
            alerts.give_back(claim)
            return None
        text = text_of(message, lake=self._config.name, now=self._now, next_runs=self._next(message))
        try:
            self._send(target.url.get_secret_value(), text, target.timeout)
        except (SendError, LakehouseError) as error:
            reason = str(error)
            _LOG.warning("alerts can't be sent to %s: %s", target.name, reason)
            alerts.failed(claim, reason=reason, next_try=self._now + _pause(claim.tries))
            return reason
        alerts.sent(claim, known=message.known, title=text.title, items=len(message.items), now=self._now)
        _LOG.info("alerts were sent to %s: %s", target.name, text.title)
        return ""

    def _decide(self, target: Target, standing: Standing) -> Message | None:
        return decide(self._problems, target=target, standing=standing, now=self._now, flush=self._flush)

    def _next(self, message: Message) -> dict[str, datetime | None]:
        found: dict[str, datetime | None] = {}
        for item in message.items:
            job = self._config.jobs.get(item.problem.subject)
            if item.problem.kind == "failed" and job is not None:
                found[item.problem.subject] = Moments().next(job, after=self._now)
        return found


def _pause(tries: int) -> timedelta:
    doubled: int = 2 ** min(tries, 10)
    return min(_SOON * doubled, _LONGEST)
