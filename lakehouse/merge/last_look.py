"""Whether somebody was erased since a merge looked, asked right before it commits.

Who must not come back is written down before the people are erased. So a merge that looked too early
builds on a version from before the erasure: it loses the race for the next version, and looks again; or it
wins, and the erasure finds what it brought. What is left to this look are erasures that found nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from lakehouse.errors import ConflictError
from lakehouse.merge.target import ErasedMeanwhileError, Suppressing


def looking(suppressing: Suppressing | None) -> Callable[[], None]:
    """Makes what looks whether somebody was erased since a batch was looked at.

    Args:
        suppressing: What looked at the batch; None where nobody can be erased.

    Returns:
        Raises an `ErasedMeanwhileError` if somebody was.
    """

    def look() -> None:
        if suppressing is not None and suppressing.changed():
            raise ErasedMeanwhileError

    return look


def looking_once(*looks: Callable[[], None]) -> Callable[[], None]:
    """Makes what looks before each time that a commit is sent.

    After the first time the commit may be there although no answer came: then nothing can be taken away and
    made anew, and an `ErasedMeanwhileError` becomes a `ConflictError`.

    Args:
        looks: What looks.
    """
    sent = False

    def look() -> None:
        nonlocal sent
        try:
            for each in looks:
                each()
        except ErasedMeanwhileError:
            if not sent:
                raise
            raise ConflictError(
                "people were erased while the store did not answer, so the changes were not sent again",
                advice="merge them again",
            ) from None
        sent = True

    return look
