"""Clocks that are set, and machines that sleep: seen by comparing the clock with one that only counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

_MUCH: Final = 2.0
"""So many seconds between two looks are a jump; clocks that are corrected slowly are not."""


class Jumps:
    """Whether the clock has jumped since the last look.

    Args:
        clock: Gives the time.
        steady: Gives seconds that never jump.
    """

    def __init__(self, clock: Callable[[], datetime], steady: Callable[[], float]) -> None:
        self._clock = clock
        self._steady = steady
        self._offset = self._now()
        self.last = 0.0

    def happened(self) -> bool:
        """Looks; `last` says how far it jumped."""
        offset = self._now()
        self.last, self._offset = offset - self._offset, offset
        return abs(self.last) > _MUCH

    def _now(self) -> float:
        return self._clock().timestamp() - self._steady()
