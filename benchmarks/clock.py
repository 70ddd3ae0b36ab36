"""A clock that stands still while data is made.

Faker counts its dates back from now: the same seed gives other dates a minute later, and with them other
texts, of which each contender would then see its own.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import time_machine

_WHEN: Final = datetime(2026, 6, 1, tzinfo=ZoneInfo("UTC"))


def stopped() -> AbstractContextManager[Any]:
    """It is the first of June 2026 in UTC as long as this is open, wherever and whenever it is run."""
    return time_machine.travel(_WHEN, tick=False)
