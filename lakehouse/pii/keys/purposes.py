"""What keys are for. Each purpose has a key of its own, so that one that is known opens nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lakehouse.config.nearest import nearest
from lakehouse.errors import UsageError

PURPOSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mask": "masks personal data: what operators use if their `key` names no other",
        "suppress": "remembers erased identifiers as keyed hashes",
        "sign": "signs certificates",
        "shred": "wraps the keys of single people, for crypto-shredding",
        "requests": "keeps what requests are about, until they are done",
    }
)
"""The purposes that the house itself knows, each with what it is for."""

LONGEST: Final = 48
# A number at the end would be taken for a version where names are all there is, as in variables.
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*")


def is_purpose(name: str) -> bool:
    """Whether a text can name a purpose.

    Args:
        name: Any text.

    Returns:
        True for words of small letters and digits, each of which begins with a letter, joined by ``_``; of at
        most 48 characters.
    """
    return len(name) <= LONGEST and _NAME.fullmatch(name) is not None


def purpose_of(name: object) -> str:
    """Reads the name of a purpose.

    Args:
        name: What was given.

    Returns:
        The name.

    Raises:
        UsageError: It can't be one. What was given is not repeated: it could be a key.
    """
    if not isinstance(name, str):
        raise UsageError(f"the purpose of a key is a text, not {type(name).__name__}")
    if not is_purpose(name):
        near = nearest(name, PURPOSES) if len(name) <= LONGEST else None
        raise UsageError(
            "that is no name for the purpose of a key",
            advice=f"did you mean `{near}`?"
            if near
            else f"write small letters, digits and `_`, each word beginning with a letter, as `mask` or "
            f"`payroll`; at most {LONGEST} characters",
        )
    return name
