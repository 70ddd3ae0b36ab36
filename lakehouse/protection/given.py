"""What people give when they place a hold: texts that can be kept, names, identifiers. Errors repeat none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lakehouse.errors import UsageError

LONGEST_REASON: Final = 1_000
LONGEST_AUTHOR: Final = 200
LONGEST_VALUE: Final = 1_000


def ensure_plain(text: str, *, what: str, longest: int) -> str:
    """Refuses texts that a database can't keep or nobody could read.

    Args:
        text: Any text.
        what: What it is, for errors.
        longest: Characters that it may have.

    Returns:
        The text without blanks around it.

    Raises:
        UsageError: It is empty, too long, or has characters that can't be kept.
    """
    stripped = text.strip()
    if not stripped:
        raise UsageError(f"{what} is empty")
    if len(stripped) > longest:
        raise UsageError(f"{what} has {len(stripped):,} characters and may have {longest:,}")
    try:
        stripped.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{what} has characters that are no Unicode") from None
    if "\0" in stripped:
        raise UsageError(f"{what} has a null character in it")
    return stripped


def pairs_of(identifiers: Mapping[str, str | int | Sequence[str | int]]) -> tuple[tuple[str, str], ...]:
    """Reads the identifiers of a person.

    Args:
        identifiers: Name to value, or to values.

    Raises:
        UsageError: They are something else, or can't be kept.
    """
    if not isinstance(identifiers, Mapping):
        raise UsageError(
            f"identifiers are names and values, not {type(identifiers).__name__}",
            advice='write {"email": "..."}',
        )
    found: list[tuple[str, str]] = []
    for name, given in identifiers.items():
        values: Sequence[object] = [given] if isinstance(given, str | int) else given
        for value in values:
            if not isinstance(value, str | int):
                raise UsageError("the value of an identifier is a text or a whole number")
            # Blanks around it can be part of the value.
            ensure_plain(str(value), what="the value of an identifier", longest=LONGEST_VALUE)
            found.append((text_of(name, "the name of an identifier"), str(value)))
    return tuple(dict.fromkeys(found))


def author_of(name: str) -> str:
    """Who orders something.

    Args:
        name: As given.

    Raises:
        UsageError: It can't be kept.
    """
    return ensure_plain(text_of(name, "the author"), what="the author", longest=LONGEST_AUTHOR)


def text_of(value: object, what: str) -> str:
    """Refuses what is no text.

    Args:
        value: What was given.
        what: What it is, for errors.

    Raises:
        UsageError: It is something else.
    """
    if not isinstance(value, str):
        raise UsageError(f"{what} is a text, not {type(value).__name__}")
    return value
