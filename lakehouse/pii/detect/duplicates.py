"""Finds that say nothing new: the same again, or a part of a surer one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Hit(NamedTuple):
    """What a recognizer found, of one entity.

    Args:
        start: Where it begins, in characters.
        end: Where it ends; exclusive.
        score: How sure it is, from 0 to 1.
    """

    start: int
    end: int
    score: float


def without_contained(hits: Iterable[Hit]) -> list[Hit]:
    """Leaves out the finds of one entity that lie within another of the same or a higher score.

    Args:
        hits: Finds of one entity.

    Returns:
        The others, by start and the longer first, as Presidio's ``EntityRecognizer.remove_duplicates``.
    """
    ordered = sorted(set(hits), key=lambda hit: (hit.start, hit.start - hit.end, -hit.score))
    kept: list[Hit] = []
    open_: list[Hit] = []
    for hit in ordered:
        if hit.score == 0:
            continue
        # Whatever has ended before this one begins can't contain it, nor any that comes later.
        open_ = [other for other in open_ if other.end >= hit.start]
        if not any(hit.end <= other.end and hit.score <= other.score for other in open_):
            kept.append(hit)
            open_.append(hit)
    return kept
