"""Which lemmas a word can have, whatever the model makes of its sentence.

The rules of a spaCy lemmatizer take a word's text and its part of speech, which only the model knows. All
that they can give for any part of speech is a handful of forms, and often all or none of them are a word
that is looked for: then the model need not be asked. Where the word's tag is known, which is less than its
part of speech, the forms are fewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_REMEMBERED: Final = 50_000
_FEW: Final = 40


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the model's exceptions give to some words.

    Args:
        gives: A lemma, or a part of speech.
        words: The words, in small letters; None for any word.
        pattern: Or what they match, in small letters.
        tags: Their tags; None for any tag.
        other_tags: Whether it is given to words of all other tags instead.
    """

    gives: str
    words: frozenset[str] | None = None
    pattern: re.Pattern[str] | None = None
    tags: frozenset[str] | None = None
    other_tags: bool = False

    def takes(self, word: str, tag: str | None) -> bool:
        """Whether it can be given to a word in small letters, of a tag or of any."""
        if tag is not None and self.tags is not None and (tag in self.tags) == self.other_tags:
            return False
        if self.pattern is not None:
            return self.pattern.search(word) is not None
        return self.words is None or word in self.words


@dataclass(frozen=True, slots=True)
class Lemmas:
    """The forms that words can take.

    Args:
        exceptions: Irregular forms, by part of speech and word.
        rules: By part of speech endings and what stands for them.
        assignments: Lemmas that are given to words before the rules are asked.
        speech: Parts of speech, in small letters, that are given to words; a word can also have none.
    """

    exceptions: Mapping[str, Mapping[str, Sequence[str]]]
    rules: Mapping[str, Sequence[tuple[str, str]]]
    assignments: Sequence[Assignment]
    speech: Sequence[Assignment]
    _known: dict[tuple[str, str | None], tuple[str, ...]] = field(default_factory=dict, repr=False)

    def of(self, word: str, tag: str | None = None) -> tuple[str, ...]:
        """All lemmas that a word can have.

        Args:
            word: As it stands in the text.
            tag: The model's tag of it; None where that is not known.

        Returns:
            In small letters, at least one.
        """
        forms = self._known.get((word, tag))
        if forms is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            forms = self._known[word, tag] = tuple(dict.fromkeys(self._forms(word.lower(), tag)))
        return forms

    def makes(self, character: str) -> bool:
        """Whether a lemma can have a character that its word does not have."""
        forms = [form for table in self.exceptions.values() for each in table.values() for form in each]
        forms += [new for rules in self.rules.values() for _, new in rules]
        forms += [each.gives for each in self.assignments]
        return any(character in form for form in forms)

    def traces(self, parts: Sequence[str]) -> tuple[str, ...] | None:
        """What shows in a text where one of its words can have a lemma with something in it.

        Args:
            parts: What the lemma is to have in it, any of them; in small letters.

        Returns:
            A text in which, in small letters, none of these is has no such word; None where that can't be
            told, or by too many.
        """
        found = dict.fromkeys(parts)
        for table in self.exceptions.values():
            all_forms = "\n".join(form for forms in table.values() for form in forms).lower()
            rare = [part for part in parts if part in all_forms]
            if rare:
                found.update(
                    (word, None)
                    for word, forms in table.items()
                    if any(part in form.lower() for form in forms for part in rare)
                )
        for old, new in {rule for rules in self.rules.values() for rule in rules}:
            for part in parts:
                if part in new.lower():
                    found[old] = None
                for length in range(1, min(len(new), len(part)) + 1):
                    # The part ends within what is put in the place of the ending.
                    if part.endswith(new[:length].lower()):
                        found[part[: len(part) - length] + old] = None
        for each in self.assignments:
            if any(part in each.gives.lower() for part in parts):
                if each.words is None:
                    return None
                found.update(dict.fromkeys(each.words))
        # A sigma is small in one way or another by what comes after it.
        if "" in found or any(set(each) & set("\u03c3\u03c2") for each in found):
            return None
        shortest = [one for one in found if not any(other != one and other in one for other in found)]
        return tuple(shortest) if len(shortest) <= _FEW else None

    def _forms(self, word: str, tag: str | None) -> Iterable[str]:
        yield word
        speech: Iterable[str] = {*self.exceptions, *self.rules}
        if tag is not None:
            speech = {each.gives for each in self.speech if each.takes(word, tag)}
        for part in sorted(speech):
            yield from (form.lower() for form in self.exceptions.get(part, {}).get(word, ()))
            for old, new in self.rules.get(part, ()):
                if word.endswith(old) and (form := word[: len(word) - len(old)] + new):
                    yield form.lower()
        for assignment in self.assignments:
            if assignment.takes(word, tag):
                yield assignment.gives.lower()


NO_RULES: Final = Lemmas(exceptions={}, rules={}, assignments=(), speech=())
"""Words that stand for themselves."""


def assignment(gives: str, token: Mapping[str, Any]) -> Assignment:
    """Reads which words one token of an exception's pattern can be.

    Args:
        gives: What it gives them.
        token: The token's description in spaCy's matcher language.

    Returns:
        The assignment; to any word, or to any tag, where the description is not understood.
    """
    tags, other_tags = _tags(token.get("TAG"))
    lower = token.get("LOWER")
    words, pattern = None, None
    if isinstance(lower, str):
        words = frozenset({lower})
    elif isinstance(lower, Mapping) and set(lower) == {"IN"}:
        words = frozenset(lower["IN"])
    elif isinstance(lower, Mapping) and set(lower) == {"REGEX"}:
        pattern = re.compile(lower["REGEX"])
    return Assignment(gives, words=words, pattern=pattern, tags=tags, other_tags=other_tags)


def _tags(tag: Any) -> tuple[frozenset[str] | None, bool]:
    """The tags that a description names, and whether it is for all others."""
    if isinstance(tag, str):
        return frozenset({tag}), False
    if isinstance(tag, Mapping) and len(tag) == 1:
        for name in ("IN", "NOT_IN"):
            if name in tag:
                return frozenset(tag[name]), name == "NOT_IN"
    return None, False
