"""What the daemon says: one event a line, for people or as JSON. The only module that imports structlog."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from datetime import datetime
from typing import IO, Any, Final

import structlog

from lakehouse.config.models.daemon import LogsConfig
from lakehouse.jobs.result import in_words

_FIRST: Final = ("timestamp", "level", "event", "job", "run", "fire_time")


class Log:
    """Where events go: the daemon's own, those of its workers, and what libraries log as Lakehouse.

    Args:
        config: How they look, and which are left out.
        stream: Where they are written.
    """

    def __init__(self, config: LogsConfig, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._logger = self._made(config)
        self._handler = _Handler(self)

    def set(self, config: LogsConfig) -> None:
        """Takes other settings.

        Args:
            config: Which.
        """
        self._logger = self._made(config)

    def say(self, event: str, *, level: str = "info", **fields: Any) -> None:
        """Says that something happened. Never with personal data.

        Args:
            event: What, in words_like_this.
            level: How much it matters.
            **fields: More; what is None or empty is left out.
        """
        told = {name: value for name, value in fields.items() if value is not None and value != ""}
        self._logger.log(getattr(logging, level.upper(), logging.INFO), event, **told)

    def listen(self) -> None:
        """Takes over what this process logs as Lakehouse."""
        logger = logging.getLogger("lakehouse")
        logger.addHandler(self._handler)
        logger.propagate = False
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)

    def close(self) -> None:
        """Gives that back."""
        logger = logging.getLogger("lakehouse")
        logger.removeHandler(self._handler)
        logger.propagate = True

    def _made(self, config: LogsConfig) -> Any:
        for_people = config.format == "console" or (config.format == "auto" and self._stream.isatty())
        level = getattr(logging, config.level.upper())
        return structlog.wrap_logger(
            _Lines(self._stream),
            processors=[
                structlog.processors.add_log_level,
                *(_console(self._stream) if for_people else _JSON),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(level),
            cache_logger_on_first_use=False,
        )


class _Lines:
    """Writes lines. Somebody who closes our standard error does not end the daemon."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def msg(self, message: str) -> None:
        try:
            self._stream.write(f"{message}\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass

    log = debug = info = warning = error = critical = msg


class _Handler(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.say("log", level=record.levelname.lower(), logger=record.name, message=record.getMessage())


def _plain(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Times as texts, and what everybody looks for first."""
    found = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in event.items()
    }
    first: dict[str, Any] = {name: found[name] for name in _FIRST if name in found}
    return {**first, **found}


_JSON: Final = (
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _plain,
    structlog.processors.JSONRenderer(),
)


def _console(stream: IO[str]) -> tuple[Any, ...]:
    return (
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        _plain,
        _spoken,
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), sort_keys=False, pad_event_to=20),
    )


def _spoken(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What people want to read: sentences as they are, counts that are not zero, times without fractions."""
    told = dict(event)
    if told["event"] == "log":
        told["event"] = told.pop("message")
        del told["logger"]
    counts = told.pop("counts", None)
    if isinstance(counts, Mapping) and any(counts.values()):
        told["did"] = in_words(counts)
    if isinstance(told.get("seconds"), float):
        told["seconds"] = round(told["seconds"], 3)
    if isinstance(told.get("fire_time"), str):
        told["fire_time"] = told["fire_time"].replace("+00:00", "Z")
    return told
