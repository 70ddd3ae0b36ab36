"""The word that work should end: asked for between tables and steps, so that nothing is left half-done."""

from __future__ import annotations

import threading
from typing import ClassVar, Literal, TypeAlias

from lakehouse.errors import LakehouseError

Why: TypeAlias = Literal["timeout", "cancelled", "handed_over", "lost"]

_WORDS: dict[Why, str] = {
    "timeout": "it took longer than its `timeout`",
    "cancelled": "it was stopped",
    "handed_over": "another process is to go on with it",
    "lost": "somebody else has begun it since: its lease had ended",
}


class RunStoppedError(LakehouseError):
    """A run of a job ends before its work is done."""

    retryable: ClassVar[bool] = False

    def __init__(self, why: Why) -> None:
        super().__init__(_WORDS[why])
        self.why = why


class Stop:
    """Whether work should end, and why. Can be used from many threads; the first reason stays."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self.why: Why | None = None

    def ask(self, why: Why) -> None:
        """Asks the work to end.

        Args:
            why: What for.
        """
        with self._lock:
            if self.why is None:
                self.why = why
        self._event.set()

    def check(self) -> None:
        """Goes on, unless the work should end.

        Raises:
            RunStoppedError: It should.
        """
        if self.why is not None:
            raise RunStoppedError(self.why)

    def wait(self, seconds: float) -> None:
        """Waits, unless the work should end.

        Args:
            seconds: How long.

        Raises:
            RunStoppedError: It should.
        """
        self._event.wait(seconds)
        self.check()
