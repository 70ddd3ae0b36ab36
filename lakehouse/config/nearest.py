"""Nearest names: what somebody probably meant when they wrote a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, names: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known name that looks most like a word.

    Args:
        word: What was written.
        names: The names that are known.
        cutoff: How alike they must be, from 0 to 1.

    Returns:
        The nearest name; None where none is near.
    """
    known = list(dict.fromkeys(names))
    folded = _fold(word)
    for name in known:
        if _fold(name) == folded:
            return name
    by_folded = {_fold(name): name for name in reversed(known)}
    swapped = next((name for name in by_folded if len(name) > 2 and sorted(name) == sorted(folded)), None)
    if swapped is not None:
        # The same letters in another order: the commonest slip, and a small ratio in short words.
        return by_folded[swapped]
    close = difflib.get_close_matches(folded, list(by_folded), n=1, cutoff=cutoff)
    return by_folded[close[0]] if close else None


def suggestion(word: str, names: Iterable[str], *, what: str = "known") -> str:
    """The end of a sentence about an unknown name.

    Args:
        word: What was written.
        names: The names that are known.
        what: What the names are called when they are listed, as ``known tables``.

    Returns:
        Such as ``; did you mean `key`?`` or ``; known: `a`, `b```; empty where there are no names.
    """
    known = list(dict.fromkeys(names))
    near = nearest(word, known)
    if near is not None:
        return f"; did you mean `{near}`?"
    return f"; {what}: {listed(known)}" if known else ""


def listed(names: Iterable[str], *, limit: int = 24) -> str:
    """Names in a row, in backticks, the last ones left out where there are too many.

    Args:
        names: The names, in the order to show.
        limit: How many to show.

    Returns:
        Such as ```a`, `b`, `c```.
    """
    known = list(names)
    shown = ", ".join(f"`{name}`" for name in known[:limit])
    return f"{shown} and {len(known) - limit} more" if len(known) > limit else shown


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")
