"""Words nearby that make a find surer, as Presidio's ``LemmaContextAwareEnhancer`` counts them.

It takes the token that a find begins in and, going back, up to six key words: tokens whose lemma is no stop
word and no punctuation; and the first key word from there on. If one of the recognizer's words is part of one
of theirs, the find's score rises.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from lakehouse.pii.detect.lemmas import Lemmas

Answer = Literal["yes", "no", "unknown"]
_REMEMBERED: Final = 50_000
_LEFT_OUT: Final = frozenset({"-PRON-", "be"})


@dataclass(frozen=True, slots=True)
class Rise:
    """How much surer a word nearby makes.

    Args:
        by: What is added to the score.
        least: The least score after it.
        before: How many key words before the token count, besides the token's own.
        after: How many after it.
    """

    by: float
    least: float
    before: int
    after: int

    def of(self, score: float) -> float:
        """The score with a word nearby."""
        return min(max(score + self.by, self.least), 1.0)


@dataclass(frozen=True, slots=True)
class KeyWords:
    """Tells key words from stop words and punctuation, and remembers.

    Args:
        is_common: Whether a lemma is a stop word or punctuation.
    """

    is_common: Callable[[str], bool]
    _known: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def of(self, lemma: str) -> tuple[str, ...]:
        """What a lemma adds to the key words: nothing, or its parts at colons in small letters."""
        words = self._known.get(lemma)
        if words is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            common = lemma in _LEFT_OUT or self.is_common(lemma)
            words = self._known[lemma] = () if common else tuple(lemma.lower().split(":"))
        return words


@dataclass(frozen=True, slots=True)
class Tokens:
    """Where the tokens of a text end, and what they are.

    Args:
        words: Their texts.
        ends: Where they end, in characters.
    """

    words: Sequence[str]
    ends: Sequence[int]

    def at(self, start: int) -> int | None:
        """The token that a find begins in, or the next; None where there is none."""
        place = bisect_right(self.ends, start)
        return place if place < len(self.ends) else None


class Context:
    """What is near in one text.

    Args:
        tokens: Of the text.
        key_words: Tells key words.
        rise: How far to look.
    """

    def __init__(self, tokens: Tokens, *, key_words: KeyWords, rise: Rise) -> None:
        self._tokens = tokens
        self._key_words = key_words
        self._rise = rise
        self._plain: bool | None = None

    def guess(
        self, start: int, words: Sequence[str], *, lemmas: Lemmas, tags: Sequence[str | None] | None = None
    ) -> Answer:
        """Whether a word nearby supports a find, as far as that holds for all lemmas that are possible.

        Args:
            start: Where the find begins.
            words: The recognizer's, in small letters.
            lemmas: What words can be.
            tags: The model's tags of the tokens; None where nobody has asked it.

        Returns:
            ``unknown`` where it depends on the model.
        """
        place = self._tokens.at(start)
        if place is None:
            return "no"
        if self._plain is None:
            self._plain = self._is_plain(lemmas)
        if not self._plain:
            return "unknown"
        tokens = self._tokens.words

        def forms(place: int) -> tuple[str, ...]:
            return lemmas.of(tokens[place], None if tags is None else tags[place])

        back = self._guess(words, forms, range(place, -1, -1), limit=self._rise.before + 1)
        if back == "yes":
            return back
        places = range(place, len(tokens))
        ahead = self._guess(words, forms, places, limit=self._rise.after + 1)
        if ahead == "yes":
            return ahead
        return "no" if back == ahead == "no" else "unknown"

    def _is_plain(self, lemmas: Lemmas) -> bool:
        """Whether each word is a key word or none by itself.

        A part of one word, as of an address or a time of day, can make a key word of another that alone would
        be none.
        """
        if any(word in _LEFT_OUT for word in self._tokens.words):
            return False
        mixed = [form for word in self._tokens.words if ":" in word for form in lemmas.of(word)]
        parts = {part for form in mixed if len(form) > 1 for part in form.split(":") if part}
        return all(self._key_words.of(part) for part in parts)

    def _guess(
        self, words: Sequence[str], forms_of: Callable[[int], tuple[str, ...]], places: range, *, limit: int
    ) -> Answer:
        most = least = 0
        maybe = False
        for place in places:
            forms = forms_of(place)
            # Of a word with a colon only the parts are key words, and no other word is the whole of it.
            keys = [form for form in forms if ":" not in form and self._key_words.of(form)]
            if not keys:
                continue
            near = [form for form in keys if any(word in form for word in words)]
            if len(near) == len(forms) and most < limit:
                return "yes"
            maybe = maybe or bool(near)
            most += 1
            least += len(keys) == len(forms)
            if least == limit:
                break
        return "unknown" if maybe else "no"

    def with_lemmas(self, lemmas: Sequence[str]) -> NearBy:
        """The same with the lemmas of the tokens."""
        known = frozenset(word for lemma in lemmas for word in self._key_words.of(lemma))
        return NearBy(self._tokens, [lemma.lower() for lemma in lemmas], known, self._rise)


@dataclass(frozen=True, slots=True)
class NearBy:
    """The key words of one text.

    Args:
        tokens: Of the text.
        lemmas: Of the tokens, in small letters.
        known: The key words.
        rise: How far to look.
    """

    tokens: Tokens
    lemmas: Sequence[str]
    known: frozenset[str]
    rise: Rise

    def supports(self, start: int, words: Sequence[str]) -> bool:
        """Whether one of a recognizer's words is part of a key word nearby.

        Args:
            start: Where the find begins.
            words: The recognizer's, in small letters.
        """
        place = self.tokens.at(start)
        if place is None:
            return False
        near = self._walk(range(place, -1, -1), limit=self.rise.before + 1)
        near += self._walk(range(place, len(self.lemmas)), limit=self.rise.after + 1)
        return any(word in lemma for lemma in near for word in words)

    def _walk(self, places: range, *, limit: int) -> list[str]:
        near: list[str] = []
        for place in places:
            if self.lemmas[place] in self.known:
                near.append(self.lemmas[place])
                if len(near) == limit:
                    break
        return near
