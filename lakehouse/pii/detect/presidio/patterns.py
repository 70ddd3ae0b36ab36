"""What Presidio's pattern recognizers find, looked for only where anything can match."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import regex
from presidio_analyzer import EntityRecognizer, PatternRecognizer
from presidio_analyzer.pattern_recognizer import REGEX_TIMEOUT_SECONDS
from presidio_analyzer.predefined_recognizers import IbanRecognizer, PhoneRecognizer

from lakehouse.errors import DataError, LakehouseError, UsageError
from lakehouse.pii.detect.duplicates import Hit, without_contained
from lakehouse.pii.detect.necessary import Necessary, necessary
from lakehouse.pii.detect.patience import ONE_WAY, OWN_SECONDS
from lakehouse.pii.detect.phones import Phones
from lakehouse.pii.detect.presidio.custom import CheckedRecognizer

_DIGIT: Final = regex.compile(r"\d")
_ASCII_DIGITS: Final = str.maketrans("", "", "0123456789")


class Searcher(Protocol):
    """Looks for one recognizer's patterns.

    Attributes:
        recognizer: Whose they are.
    """

    recognizer: EntityRecognizer

    def hits(self, text: str, *, digits: int, context: bool) -> list[Hit]:
        """All finds in a text that can count, before context is looked at.

        Args:
            text: The text.
            digits: How many decimal digits it has.
            context: Whether there can be a word in it that supports a find.
        """


class Counts(Protocol):
    """Whether a find of a score can count in the end."""

    def __call__(self, score: float, *, context: bool) -> bool:
        """See the class.

        Args:
            score: The score, before context is looked at.
            context: Whether there can be a word nearby that supports the find.
        """


def searcher(recognizer: EntityRecognizer, *, counts: Counts) -> Searcher | None:
    """Makes the quick way to what a recognizer finds.

    Args:
        recognizer: Any of Presidio's, or of the config.
        counts: Whether a find of a score can count in the end.

    Returns:
        The way; None for a recognizer that searches in some way of its own, or counts context itself.
    """
    kind = type(recognizer)
    if kind.enhance_using_context is not EntityRecognizer.enhance_using_context:
        return None
    if kind is PhoneRecognizer:
        return PhoneSearcher(recognizer, counts=counts)
    if kind is IbanRecognizer:
        return GuardedSearcher(recognizer)
    if isinstance(recognizer, PhoneRecognizer) and len(recognizer.supported_entities) == 1:
        return OwnSearcher(recognizer)
    if isinstance(recognizer, PatternRecognizer) and kind.analyze is PatternRecognizer.analyze:
        return PatternSearcher(recognizer, counts=counts)
    return None


def digits_of(text: str) -> int:
    """How many decimal digits, of any script, a text has."""
    if text.isascii():
        return len(text) - len(text.translate(_ASCII_DIGITS))
    return sum(1 for _ in _DIGIT.finditer(text))


@dataclass(frozen=True, slots=True)
class _Expression:
    """One pattern, compiled.

    Args:
        search: The expression.
        needs: What a text must have for it.
        letters: For each mark that a letter must follow, an expression for just that.
        name: What Presidio calls it.
        score: Of what it finds.
        alone: Whether what it finds can count without words nearby that support it.
    """

    search: Any
    needs: Necessary
    letters: tuple[Any, ...]
    name: str
    score: float
    alone: bool

    @classmethod
    def of(cls, pattern: Any, *, flags: int, alone: bool = True) -> _Expression:
        needs = necessary(pattern.regex, flags=flags)
        pairs = [
            regex.compile(f"{regex.escape(mark)}[{''.join(sorted(letters))}]", flags=flags)
            for mark, letters in needs.before_letter
        ]
        return cls(
            search=regex.compile(pattern.regex, flags=flags),
            needs=needs,
            letters=tuple(dict.fromkeys(pairs)),
            name=pattern.name,
            score=pattern.score,
            alone=alone,
        )

    def may_match(self, text: str, *, digits: int) -> bool:
        return self.needs.allows(text, digits=digits) and all(pair.search(text) for pair in self.letters)

    def finds(self, text: str, *, digits: int) -> bool:
        """Whether anything matches; also where that takes too long to tell."""
        if not self.may_match(text, digits=digits):
            return False
        try:
            return self.search.search(text, timeout=REGEX_TIMEOUT_SECONDS) is not None
        except TimeoutError:
            return True


class PatternSearcher:
    """Patterns, and what the recognizer says of each match.

    Patterns whose finds count for nothing are left out. Such a find can only take away others of the same or
    a lower score, which count for nothing either.
    """

    def __init__(self, recognizer: PatternRecognizer, *, counts: Counts) -> None:
        self.recognizer = recognizer
        self._seconds = OWN_SECONDS if isinstance(recognizer, CheckedRecognizer) else REGEX_TIMEOUT_SECONDS
        flags = recognizer.global_regex_flags
        kind = type(recognizer)
        raises = kind.validate_result is not PatternRecognizer.validate_result or "validate_result" in vars(
            recognizer
        )
        self._expressions = [
            _Expression.of(pattern, flags=flags, alone=raises or counts(pattern.score, context=False))
            for pattern in recognizer.patterns
            if raises or counts(pattern.score, context=True)
        ]

    def hits(self, text: str, *, digits: int, context: bool) -> list[Hit]:
        """All finds in a text that can count, before context is looked at."""
        found: list[Hit] = []
        for expression in self._expressions:
            if (context or expression.alone) and expression.may_match(text, digits=digits):
                found.extend(self._matches(expression, text))
        return without_contained(found) if found else found

    def _matches(self, expression: _Expression, text: str) -> Iterable[Hit]:
        found: list[Hit] = []
        try:
            for match in expression.search.finditer(text, timeout=self._seconds):
                start, end = match.span()
                if start < end and (score := self._score(text[start:end], expression.score)) > 0:
                    found.append(Hit(start, end, score))
        except TimeoutError:
            raise self._too_slow(expression, text) from None
        return found

    def _too_slow(self, expression: _Expression, text: str) -> LakehouseError:
        """Presidio goes on without what it did not find; then a text would pass for masked that is not."""
        said = f"longer than {self._seconds:g} s for a text of {len(text):,} characters, which stays unmasked"
        if isinstance(self.recognizer, CheckedRecognizer):
            return UsageError(f"the recognizer {expression.name} takes {said}", advice=ONE_WAY)
        return DataError(
            f"the pattern `{expression.name}` of Presidio takes {said}",
            advice="mask the column as a whole (`text: false`), or leave its kind of data out",
        )

    def _score(self, match: str, score: float) -> float:
        valid = self.recognizer.validate_result(match)
        if valid is not None:
            score = EntityRecognizer.MAX_SCORE if valid else EntityRecognizer.MIN_SCORE
        if self.recognizer.invalidate_result(match):
            score = EntityRecognizer.MIN_SCORE
        return score


class GuardedSearcher:
    """A recognizer that tries its patterns in a way of its own, kept from texts where none can match."""

    def __init__(self, recognizer: PatternRecognizer) -> None:
        self.recognizer = recognizer
        flags = recognizer.global_regex_flags
        self._expressions = [_Expression.of(pattern, flags=flags) for pattern in recognizer.patterns]

    def hits(self, text: str, *, digits: int, context: bool) -> list[Hit]:
        """All finds in a text that can count, before context is looked at."""
        del context
        if not any(expression.finds(text, digits=digits) for expression in self._expressions):
            return []
        results = self.recognizer.analyze(text, self.recognizer.supported_entities, None)
        return [Hit(each.start, each.end, each.score) for each in results]


class OwnSearcher:
    """A recognizer that searches in a way of its own, and by the text alone, for numbers."""

    def __init__(self, recognizer: PhoneRecognizer) -> None:
        self.recognizer = recognizer

    def hits(self, text: str, *, digits: int, context: bool) -> list[Hit]:
        """All finds in a text that can count, before context is looked at."""
        del context
        if not digits:
            return []
        results = self.recognizer.analyze(text, self.recognizer.supported_entities, None)
        return [Hit(each.start, each.end, each.score) for each in results]


class PhoneSearcher:
    """Phone numbers."""

    def __init__(self, recognizer: PhoneRecognizer, *, counts: Counts) -> None:
        self.recognizer = recognizer
        self._alone = counts(recognizer.SCORE, context=False)
        self._phones = Phones(recognizer.supported_regions, leniency=recognizer.leniency)

    def hits(self, text: str, *, digits: int, context: bool) -> list[Hit]:
        """All finds in a text that can count, before context is looked at."""
        if not digits or not (context or self._alone):
            return []
        found: Sequence[tuple[int, int]] = self._phones.find(text)
        return without_contained([Hit(start, end, self.recognizer.SCORE) for start, end in found])
