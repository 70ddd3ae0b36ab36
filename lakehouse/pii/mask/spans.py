"""Overlapping spans, resolved as Presidio's ``AnonymizerEngine`` does, and masks put in their places.

Presidio's ``ConflictResolutionStrategy.MERGE_SIMILAR_OR_CONTAINED`` with ``merge_entities_with_spaces``, its
defaults: spans of one entity that overlap become one; of what lies inside another span only the other stays;
of two at the same place the surer one; neighbours of one entity with only blanks between them become one.
Spans of two entities that overlap in part are both masked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from lakehouse.pii.spans import Span


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text that gets masked.

    Args:
        start: Where it begins, in characters.
        end: Where it ends; exclusive.
        entity: What it is.
    """

    start: int
    end: int
    entity: str


def pieces_of(text: str, spans: Sequence[Span]) -> list[Piece]:
    """What gets masked in a text.

    Args:
        text: The text.
        spans: What was found in it.

    Returns:
        The parts, by start; parts of different entities can overlap.
    """
    ordered = sorted(spans, key=attrgetter("start", "end"))
    if len(ordered) > 1:
        ordered = _with_neighbours(text, _without_contained(_merged(ordered)))
    pieces = [Piece(span.start, span.end, span.entity) for span in ordered]
    # The engine works from the end to the start, and takes the later of two at one place first.
    return sorted(pieces, key=attrgetter("start", "end"))


def spliced(text: str, pieces: Sequence[Piece], masks: Sequence[str]) -> str:
    """A text with masks in the places of its pieces.

    Args:
        text: The text.
        pieces: As `pieces_of` gives them.
        masks: One for each.
    """
    parts: list[str] = []
    at = 0
    for index, (piece, mask) in enumerate(zip(pieces, masks, strict=True)):
        parts += (text[at : piece.start], mask)
        # Where the next piece begins inside this one, this one ends there.
        later = pieces[index + 1].start if index + 1 < len(pieces) else len(text)
        at = min(piece.end, later)
    parts.append(text[at:])
    return "".join(parts)


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Overlapping spans of one entity as one; it takes the place of the last of them."""
    by_entity: dict[str, list[tuple[int, Span]]] = {}
    for place, span in enumerate(spans):
        group = by_entity.setdefault(span.entity, [])
        if group and min(group[-1][1].end, span.end) > max(group[-1][1].start, span.start):
            _, last = group.pop()
            wider = replace(last, end=max(last.end, span.end), score=max(last.score, span.score))
            group.append((place, wider))
        else:
            group.append((place, span))
    return [span for _, span in sorted((pair for group in by_entity.values() for pair in group), key=_place)]


def _place(pair: tuple[int, Span]) -> int:
    return pair[0]


def _without_contained(spans: list[Span]) -> list[Span]:
    kept = []
    for place, span in enumerate(spans):
        beaten = any(
            other is not span
            and other.start <= span.start
            and other.end >= span.end
            and (
                (other.start, other.end) != (span.start, span.end) or (other.score, at) > (span.score, place)
            )
            for at, other in enumerate(spans)
        )
        if not beaten:
            kept.append(span)
    return kept


def _with_neighbours(text: str, spans: list[Span]) -> list[Span]:
    kept: list[Span] = []
    before: Span | None = None
    for span in spans:
        current = span
        if before is not None and before.entity == span.entity:
            between = text[before.end : span.start]
            if between and not between.strip(" "):
                kept.remove(before)
                current = replace(span, start=before.start)
        kept.append(current)
        before = current
    return kept
