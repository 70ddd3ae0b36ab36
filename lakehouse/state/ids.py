"""Ids that a person can read out and type: ``hold-7f3k2q``."""

from __future__ import annotations

import secrets
from typing import Final

# No vowels, so that no words come about, and nothing that is taken for something else (0 o, 1 l i).
_LETTERS: Final = "23456789bcdfghjkmnpqrstvwxz"
_LENGTH: Final = 6


def new_id(kind: str) -> str:
    """Makes an id by chance; whoever keeps it makes sure that there is only one.

    Args:
        kind: The word before the dash.

    Returns:
        Such as ``hold-7f3k2q``.
    """
    return f"{kind}-{''.join(secrets.choice(_LETTERS) for _ in range(_LENGTH))}"
