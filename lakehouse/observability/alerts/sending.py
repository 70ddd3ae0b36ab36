"""Sends messages by Apprise, bounded in time. The only place that knows the library."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from lakehouse.errors import UsageError
from lakehouse.observability.alerts.words import Text

_STATUS: Final = re.compile(r"error=(\d{3})\b")
_THREAD: Final = "lakehouse alert"
_SPARE: Final = 0.5
_LOADING: Final = threading.Lock()
_HERE: Final = threading.local()


class SendError(Exception):
    """A message could not be sent; its text says why, and has nothing of the address in it."""


Send = Callable[[str, Text, timedelta], None]
"""Sends a message to an address, or raises `SendError`; in not much more time than is given."""


def send(url: str, text: Text, timeout: timedelta) -> None:
    """Sends a message.

    Args:
        url: An Apprise URL.
        text: The message.
        timeout: How long that may take.

    Raises:
        SendError: It could not be sent.
        UsageError: Apprise is not installed.
    """
    library = _library()
    going = _Going()
    work = threading.Thread(
        target=_send, args=(library, url, text, timeout, going), name=_THREAD, daemon=True
    )
    work.start()
    # The library's own limits are for each answer of the network; services can ask several times.
    work.join(timeout.total_seconds() + _SPARE)
    if work.is_alive():
        raise SendError(f"no answer in {timeout.total_seconds():g} s")
    if going.reason:
        raise SendError(going.reason)


@dataclass(slots=True)
class _Going:
    reason: str = ""
    said: list[str] = field(default_factory=list)


def _send(library: Any, url: str, text: Text, timeout: timedelta, going: _Going) -> None:
    try:
        asset = library.AppriseAsset(app_id="Lakehouse", app_desc="Lakehouse", async_mode=False)
        place = library.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if place is None:
            going.reason = "it is no address that Apprise knows"
            return
        seconds = max(timeout.total_seconds(), 0.1)
        place.socket_connect_timeout = min(seconds, float(place.socket_connect_timeout))
        place.socket_read_timeout = seconds
        _HERE.said = going.said
        if not place.notify(title=text.title, body=text.body, notify_type=text.tone):
            going.reason = _reason(going.said)
    except Exception as error:  # noqa: BLE001 - whatever a service's module raises; its text can hold the address
        going.reason = f"{type(error).__name__} within Apprise"


def _reason(said: list[str]) -> str:
    """Why, as far as it can be told without what the library says: that can hold the address."""
    for line in said:
        found = _STATUS.search(line)
        if found is not None:
            return f"it answered with {found.group(1)}"
    return "it can't be reached, or did not answer"


def _heard(record: logging.LogRecord) -> bool:
    """Hears what the library says, and lets nobody else: it can have addresses in it, with their tokens."""
    said = getattr(_HERE, "said", None)
    if said is not None:
        said.append(record.getMessage())
    return False


def _not_ours(record: logging.LogRecord) -> bool:
    return record.threadName != _THREAD


def _library() -> Any:
    try:
        import apprise  # noqa: PLC0415 - takes a quarter of a second, and is an extra
    except ImportError:
        raise UsageError(
            "alerts need Apprise, which is not installed", advice="pip install 'lakehouse[daemon]'"
        ) from None
    with _LOADING:
        log, connections = logging.getLogger("apprise"), logging.getLogger("urllib3.connectionpool")
        if _heard not in log.filters:
            log.addFilter(_heard)
            connections.addFilter(_not_ours)
            with warnings.catch_warnings():
                # The first address loads the modules of all services; what they warn of is not ours to mend.
                warnings.simplefilter("ignore")
                apprise.Apprise.instantiate("json://localhost")
    return apprise
