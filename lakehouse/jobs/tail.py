"""The last lines of what a run says: what it logs, and what a Python function prints. Bounded."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO, Any, Final

LINES: Final = 200
"""So many lines are kept."""
WIDTH: Final = 500
"""So many characters of each."""
LOGGER: Final = "lakehouse"


class Tail:
    """Keeps the last lines of a text. Can be written to from many threads."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES)
        self._part = ""
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Adds text, in pieces of any size.

        Args:
            text: A piece.
        """
        with self._lock:
            if "\n" not in text:
                self._part = (self._part + text[:WIDTH])[:WIDTH]
                return
            first, *lines, last = text.split("\n") if len(text) < 65536 else _last_of(text)
            self._lines.append((self._part + first[:WIDTH])[:WIDTH])
            self._lines.extend(line[:WIDTH] for line in lines[-LINES:])
            self._part = last[:WIDTH]

    @property
    def text(self) -> str:
        """What is kept."""
        with self._lock:
            lines = [*self._lines, *([self._part] if self._part else [])]
        return "\n".join(line.rstrip("\r").replace("\x00", "") for line in lines[-LINES:])


def _last_of(text: str) -> list[str]:
    """The end of a long text, split without making a list of all of it."""
    parts = text.rsplit("\n", LINES + 1)
    return ["", *parts[1:]]


_CURRENT: Final[ContextVar[Tail | None]] = ContextVar("lakehouse_job_tail", default=None)
_PATCH: Final = threading.Lock()


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tail = _CURRENT.get()
        if tail is not None:
            tail.write(f"{record.levelname.lower()} {record.getMessage()}\n")


class _Stream(io.TextIOBase):
    """Standard output: of a run into its tail, of all others to where it went before."""

    def __init__(self, before: IO[str], level: int) -> None:
        self.before = before
        self.level = level
        self.users = 0

    def write(self, text: str) -> int:
        tail = _CURRENT.get()
        if tail is None:
            return self.before.write(text)
        tail.write(text)
        return len(text)

    def flush(self) -> None:
        self.before.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.before, name)


@contextmanager
def heard(tail: Tail) -> Iterator[None]:
    """Sends what this thread logs as Lakehouse, and prints, into a tail.

    Args:
        tail: Where to.
    """
    handler = _Handler()
    logger = logging.getLogger(LOGGER)
    token = _CURRENT.set(tail)
    with _PATCH:
        stream = sys.stdout if isinstance(sys.stdout, _Stream) else _Stream(sys.stdout, logger.level)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
        if not any(isinstance(each, _Handler) for each in logger.handlers):
            logger.addHandler(handler)
        stream.users += 1
        sys.stdout = stream
    try:
        yield
    finally:
        _CURRENT.reset(token)
        with _PATCH:
            stream.users -= 1
            if stream.users == 0:
                # Whoever has put another one in its place meanwhile takes care of that.
                if sys.stdout is stream:
                    sys.stdout = stream.before
                logger.setLevel(stream.level)
                for each in [each for each in logger.handlers if isinstance(each, _Handler)]:
                    logger.removeHandler(each)
