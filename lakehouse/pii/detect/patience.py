"""How long expressions of a config may take, and what to do about those that take longer."""

from __future__ import annotations

from typing import Final

OWN_SECONDS: Final = 5.0
"""So long a recognizer of the config may take for a text, or for all whole values of a column."""

ONE_WAY: Final = (
    "write its `regex` so that a text can be read in one way only: no repeat within a repeat, no two "
    "alternatives that begin alike"
)
"""What to do about an expression that takes longer."""
