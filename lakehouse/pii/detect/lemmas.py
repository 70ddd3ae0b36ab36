"""Which lemmas a word can have, whatever the model makes of its sentence.

The rules of a spaCy lemmatizer take a word's text and its part of speech, which only the model knows. All
that they can give for any part of speech is a handful of forms, and often all or none of them are a word
that is looked for: then the model need not be asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_REMEMBERED: Final = 50_000


@dataclass(frozen=True, slots=True)
class Assignment:
    """A lemma that the model's exceptions give to some words.

    Args:
        lemma: The lemma.
        words: The words, in small letters; None for any word.
        pattern: Or what they match, in small letters.
    """

    lemma: str
    words: frozenset[str] | None = None
    pattern: re.Pattern[str] | None = None

    def takes(self, word: str) -> bool:
        """Whether it can be given to a word in small letters."""
        if self.pattern is not None:
            return self.pattern.search(word) is not None
        return self.words is None or word in self.words


@dataclass(frozen=True, slots=True)
class Lemmas:
    """The forms that words can take.

    Args:
        exceptions: Irregular forms, for each part of speech by word.
        rules: For each part of speech endings and what stands for them.
        assignments: What is given to words before the rules are asked.
    """

    exceptions: Sequence[Mapping[str, Sequence[str]]]
    rules: Sequence[Sequence[tuple[str, str]]]
    assignments: Sequence[Assignment]
    _known: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def of(self, word: str) -> tuple[str, ...]:
        """All lemmas that a word can have.

        Args:
            word: As it stands in the text.

        Returns:
            In small letters, at least one.
        """
        forms = self._known.get(word)
        if forms is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            forms = self._known[word] = tuple(dict.fromkeys(self._forms(word)))
        return forms

    def makes(self, character: str) -> bool:
        """Whether a lemma can have a character that its word does not have."""
        forms = [form for table in self.exceptions for each in table.values() for form in each]
        forms += [new for rules in self.rules for _, new in rules]
        forms += [each.lemma for each in self.assignments]
        return any(character in form for form in forms)

    def _forms(self, word: str) -> Iterable[str]:
        small = word.lower()
        yield small
        for table in self.exceptions:
            yield from (form.lower() for form in table.get(small, ()))
        for rules in self.rules:
            for old, new in rules:
                if small.endswith(old) and (form := small[: len(small) - len(old)] + new):
                    yield form.lower()
        for assignment in self.assignments:
            if assignment.takes(small):
                yield assignment.lemma.lower()


def assignment(lemma: str, token: Mapping[str, Any]) -> Assignment:
    """Reads which words one token of an exception's pattern can be.

    Args:
        lemma: The lemma that it gives.
        token: The token's description in spaCy's matcher language.

    Returns:
        The assignment; to any word where the description is not understood.
    """
    lower = token.get("LOWER")
    if isinstance(lower, str):
        return Assignment(lemma, words=frozenset({lower}))
    if isinstance(lower, Mapping) and set(lower) == {"IN"}:
        return Assignment(lemma, words=frozenset(lower["IN"]))
    if isinstance(lower, Mapping) and set(lower) == {"REGEX"}:
        return Assignment(lemma, pattern=re.compile(lower["REGEX"]))
    return Assignment(lemma)
