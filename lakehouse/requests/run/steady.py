"""Looking at files that come and go: a writer that gave up takes its files away while they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from lakehouse.errors import ConflictError, CorruptTableError, NotFoundError

_T = TypeVar("_T")
_TRIES: Final = 5


def steadily(look: Callable[[], _T], *, what: str) -> _T:
    """Looks again where a file went between its listing and its reading.

    Args:
        look: Lists files and reads them.
        what: What is looked at, for people.

    Raises:
        ConflictError: Files went in every try.
        NotFoundError: Something is missing in every try.
        CorruptTableError: Something can't be read, or is missing in every try.
    """
    last: NotFoundError | CorruptTableError | None = None
    for _ in range(_TRIES):
        try:
            return look()
        except FileNotFoundError:
            last = None
        except NotFoundError as error:
            last = error
        except CorruptTableError as error:
            if not isinstance(error.__cause__, NotFoundError):
                raise
            last = error
    if last is not None:
        raise last
    raise ConflictError(f"files of {what} went while they were read, in every try", advice="run it again")
