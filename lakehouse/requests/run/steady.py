"""Looking at files that come and go: a writer that gave up takes its files away while they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from lakehouse.errors import ConflictError, CorruptTableError, NotFoundError

_T = TypeVar("_T")
_TRIES: Final = 10


def steadily(look: Callable[[], _T], *, what: str) -> _T:
    """Looks again where a file went between its listing and its reading.

    A file that is missing for good is in no listing, so it does not come to be read.

    Args:
        look: Lists files and reads them.
        what: What is looked at, for people.

    Raises:
        ConflictError: Files went in every try.
        CorruptTableError: Something can't be read.
    """
    for _ in range(_TRIES):
        try:
            return look()
        except FileNotFoundError:
            continue
        except CorruptTableError as error:
            if not isinstance(error.__cause__, NotFoundError):
                raise
    raise ConflictError(f"files of {what} went while they were read, in every try", advice="run it again")
