"""What is inside free texts: patterns in all of them, a finder in a few."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Container, Sequence
from typing import Final

import polars as pl

from lakehouse.pii.scan import checks
from lakehouse.pii.scan.encoded import decoded
from lakehouse.pii.scan.facts import TextEntity
from lakehouse.pii.scan.look import fold, word_list
from lakehouse.pii.scan.patterns import CARD, CLEAR, EMAIL, IBAN, STREET, is_card, is_mail
from lakehouse.pii.scan.phones import texts_with_phones
from lakehouse.pii.spans import Span, SpanFinder

MOST_TEXTS: Final = 64
"""So many texts of a column are given to the finder."""
MOST_CHARS: Final = 1_000
"""So much of each."""
_BY_MODEL: Final = ("PERSON", "LOCATION", "NRP")
_INSIDE: Final[tuple[tuple[str, str, Callable[[str], bool]], ...]] = (
    ("EMAIL_ADDRESS", EMAIL, is_mail),
    ("IBAN_CODE", rf"\b{IBAN}\b", checks.iban),
    ("CREDIT_CARD", rf"\b(?:{CARD})\b", is_card),
    ("US_SSN", r"\b\d{3}-\d{2}-\d{4}\b", checks.us_ssn),
)
ASKED: Final = ("PERSON", "LOCATION", "PHONE_NUMBER", "IP_ADDRESS", "CRYPTO")
"""What the finder is asked for. Dates and organisations in texts are no personal data by themselves."""
_OF_THINGS: Final = re.compile(
    r"(?:order|invoice|ticket|tracking|serial|part|ref(?:erence)?|sku|item|case|batch|version|build|#)[\s:#.no-]*$",
    re.IGNORECASE,
)
_NUMBER_BEHIND: Final = re.compile(r" ?\d")
_HONORIFIC: Final = re.compile(
    r"\b(?:mr|mrs|ms|miss|dr|prof|sir|madam|customer|client|patient|colleague|herr|frau|name is|i am|i'm|"
    r"called|regards|dear|hi|hello|spoke (?:to|with)|contact(?:ed)?)[.,: ]*$",
    re.IGNORECASE,
)


def text_facts(
    texts: pl.Series,
    counts: pl.Series,
    *,
    finder: SpanFinder | None,
    own: Sequence[str] = (),
    of_things: bool = False,
    min_score: float,
    seed: int,
) -> tuple[TextEntity, ...]:
    """Looks into free texts.

    Args:
        texts: Distinct texts.
        counts: How often each was there.
        finder: Finds spans; None where only patterns are wanted.
        own: Entities of the config's own recognizers.
        of_things: Whether the name says that they are about things, as descriptions of products.
        min_score: Less sure spans do not count.
        seed: Chooses the texts for the finder.

    Returns:
        The kinds of personal data in them.
    """
    found = {each.entity: each for each in _by_pattern(texts, counts)}
    chosen: list[str] = texts.str.slice(0, MOST_CHARS).to_list()
    if len(chosen) > MOST_TEXTS:
        chosen = random.Random(seed).sample(chosen, MOST_TEXTS)  # noqa: S311 - no secret
    if finder is not None:
        spans = finder.find(chosen, entities=tuple(dict.fromkeys((*ASKED, *own))))
        known = _Known(of_things=of_things)
        for each in _by_finder(chosen, spans, known=known, min_score=min_score, own=frozenset(own)):
            # What was searched in all texts is known better than from a few of them.
            found.setdefault(each.entity, each)
    phones = sum(texts_with_phones(chosen, excluded=_OF_THINGS))
    known_share = found["PHONE_NUMBER"].share if "PHONE_NUMBER" in found else 0.0
    if phones / len(chosen) > known_share:
        found["PHONE_NUMBER"] = _found("PHONE_NUMBER", phones / len(chosen), texts=phones)
    return tuple(sorted(found.values(), key=lambda each: (-each.share, each.entity)))


def clear_inside(texts: pl.Series, counts: pl.Series) -> tuple[TextEntity, ...]:
    """What hardly anything else looks like, inside values of any kind: lines of logs, XML, Base64.

    Args:
        texts: Distinct values.
        counts: How often each was there.
    """
    return tuple(_by_pattern(*decoded(texts, counts), wanted=CLEAR))


def _by_pattern(
    texts: pl.Series, counts: pl.Series, *, wanted: Container[str] | None = None
) -> list[TextEntity]:
    found = []
    total = int(counts.sum())
    for entity, regex, check in _INSIDE:
        if wanted is not None and entity not in wanted:
            continue
        # Pages write the sign of e-mail addresses like this.
        read = texts.str.replace_all("%40", "@", literal=True) if entity == "EMAIL_ADDRESS" else texts
        hits = read.str.contains(regex)
        if not hits.any():
            continue
        pieces = [
            [piece for piece in each if check(piece)]
            for each in read.filter(hits).str.extract_all(regex).to_list()
        ]
        good = [bool(each) for each in pieces]
        # Of random numbers one in ten has the right check digit.
        if entity == "CREDIT_CARD" and sum(good) < 0.6 * len(good):
            continue
        share = int(counts.filter(hits).filter(pl.Series(good, dtype=pl.Boolean)).sum()) / total
        if share:
            different = {piece for each in pieces for piece in each} if entity in CLEAR else ()
            found.append(_found(entity, share, texts=sum(good), distinct=len(different)))
    return found


def _found(entity: str, share: float, *, texts: int, distinct: int = 0) -> TextEntity:
    return TextEntity(
        entity=entity, share=share, texts=texts, by_model=False, corroborated=share, distinct=distinct
    )


def _by_finder(
    texts: Sequence[str],
    spans: Sequence[tuple[Span, ...]],
    *,
    known: _Known,
    min_score: float,
    own: frozenset[str],
) -> list[TextEntity]:
    there: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    for text, inside in zip(texts, spans, strict=True):
        counted = [span for span in inside if span.score >= min_score or _written_as_phone(text, span)]
        counted = [span for span in counted if not _is_of_things(text, span)]
        there.update({span.entity for span in counted})
        agreed.update(
            {
                span.entity
                for span in counted
                if span.entity in own or span.entity not in _BY_MODEL or known.agrees(text, span)
            }
        )
    return [
        TextEntity(
            entity=entity,
            share=there[entity] / len(texts),
            texts=agreed[entity],
            by_model=entity in _BY_MODEL and entity not in own,
            corroborated=agreed[entity] / len(texts),
        )
        for entity in there
    ]


class _Known:
    """What agrees with a model: lists of names, words before, words that streets are called by.

    Args:
        of_things: Whether the texts are about things, which are called like people often enough.
    """

    def __init__(self, *, of_things: bool) -> None:
        self._of_things = of_things
        self._first, self._last = word_list("first_names"), word_list("last_names")
        self._places = word_list("places")

    def agrees(self, text: str, span: Span) -> bool:
        piece = text[span.start : span.end]
        words = fold(pl.Series([piece]))[0].split()
        if span.entity == "PERSON":
            numbered = any(sign.isdecimal() for sign in piece)
            before, after = text[: span.start], text[span.end :]
            return self._is_person(words, numbered=numbered, before=before, after=after)
        if span.entity == "LOCATION":
            around = text[max(0, span.start - 12) : span.end + 20]
            placed = not self._places.isdisjoint(words)
            return placed or bool(pl.Series([around]).str.contains(STREET)[0])
        return False

    def _is_person(self, words: Sequence[str], *, numbered: bool, before: str, after: str) -> bool:
        # `Victoria Lamp 230` is a thing.
        if numbered or _NUMBER_BEHIND.match(after):
            return False
        if _HONORIFIC.search(before[-24:]):
            return True
        first = [word for word in words if word in self._first]
        both = len([word for word in words if word in self._first or word in self._last]) >= 2
        return bool(first) and (both or (len(words) >= 2 and not self._of_things))


def _written_as_phone(text: str, span: Span) -> bool:
    piece = text[span.start : span.end]
    return span.entity == "PHONE_NUMBER" and (piece.startswith("+") or any(sign in piece for sign in " -()"))


def _is_of_things(text: str, span: Span) -> bool:
    """A number of an order or a version."""
    if span.entity in _BY_MODEL:
        return False
    if span.entity == "IP_ADDRESS" and all(
        part.isdecimal() and int(part) < 30 for part in text[span.start : span.end].split(".")
    ):
        return True
    return _OF_THINGS.search(text[max(0, span.start - 16) : span.start]) is not None
