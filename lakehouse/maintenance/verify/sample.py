"""Which files, and which of their row groups, have their rows read: all, or a sample that a seed decides."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

SAMPLED_FILES: Final = 16
"""Files whose rows are read by a check that is not full."""
SAMPLED_GROUPS: Final = 2
"""Row groups that are read of each of them."""


def pick_files(count: int, *, full: bool, seed: int) -> frozenset[int]:
    """Choose files.

    Args:
        count: How many there are.
        full: Whether all are wanted.
        seed: The same one chooses the same files.

    Returns:
        Their numbers.
    """
    if full or count <= SAMPLED_FILES:
        return frozenset(range(count))
    return frozenset(random.Random(seed).sample(range(count), SAMPLED_FILES))  # noqa: S311 - no secret


def pick_groups(count: int, *, full: bool, seed: int, path: str) -> Sequence[int]:
    """Choose row groups of a file.

    Args:
        count: How many it has.
        full: Whether all are wanted.
        seed: The same one chooses the same row groups.
        path: The file, so that not all files have the same ones chosen.

    Returns:
        Their numbers, ascending.
    """
    if full or count <= SAMPLED_GROUPS:
        return range(count)
    return sorted(random.Random(f"{seed} {path}").sample(range(count), SAMPLED_GROUPS))  # noqa: S311
