"""A state database that can't be reached: said once, and tried again after growing pauses."""

from __future__ import annotations

from typing import Final

_FIRST: Final = 0.5
_LONGEST: Final = 5.0


class Outage:
    """Whether the database can be reached, and when to try again. Belongs to one thread."""

    def __init__(self) -> None:
        self.since: float | None = None
        self._pause = _FIRST
        self._next = 0.0

    @property
    def on(self) -> bool:
        """Whether it can't be reached."""
        return self.since is not None

    def wait(self, now: float) -> float:
        """How long to leave it alone.

        Args:
            now: The time, by a steady clock.
        """
        return max(self._next - now, 0.0) if self.on else 0.0

    def failed(self, now: float) -> bool:
        """It could not be reached.

        Args:
            now: The time.

        Returns:
            Whether that is new.
        """
        new = self.since is None
        if new:
            self.since, self._pause = now, _FIRST
        self._next = now + self._pause
        self._pause = min(self._pause * 2, _LONGEST)
        return new

    def back(self, now: float) -> float | None:
        """It was reached.

        Args:
            now: The time.

        Returns:
            How long it was gone; None where it was not.
        """
        since, self.since = self.since, None
        return None if since is None else now - since
