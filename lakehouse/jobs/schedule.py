"""When jobs run: see `lakehouse.config.firing`, which rooms below this one ask too."""

from __future__ import annotations

from lakehouse.config.firing import MISSED, MOST, due, fires, jitter, last_fire, next_fire

__all__ = ["MISSED", "MOST", "due", "fires", "jitter", "last_fire", "next_fire"]
