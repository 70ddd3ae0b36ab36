"""What a text must have for a regular expression to match in it, read from the expression itself.

Searching a text for a character is a hundred times quicker than trying an expression at each place of it.
Only what holds for every match is told, so leaving out the texts that do not have it changes no result:
elements that can be absent, look-arounds and letters (whose case may be ignored) tell nothing.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

_MARKS: Final = frozenset(chr(point) for point in range(128) if not chr(point).isalnum())
_LETTERS: Final = frozenset(chr(point) for point in range(128) if chr(point).isalpha())
# Written the same for the `regex` package and meaning something else there: fuzzy matching, classes by name.
_CLASS_OR_ESCAPE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_FUZZY: Final = re.compile(r"\{(?!\d*(?:,\d*)?\})")
_NAMED_CLASS: Final = re.compile(r"\[:\^?\w+:\]|\\[pPXRGhHvVmMLKN]")
_FLAGS: Final = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE


@dataclass(frozen=True, slots=True)
class Necessary:
    """What every text with a match has.

    Args:
        length: Characters, at least.
        digits: Decimal digits (of any script), at least.
        marks: For each set one of its characters, none of them a letter or digit.
        before_letter: A mark that one of the letters (of either case) follows at once.
    """

    length: int = 0
    digits: int = 0
    marks: tuple[frozenset[str], ...] = ()
    before_letter: tuple[tuple[str, frozenset[str]], ...] = ()

    def allows(self, text: str, *, digits: int) -> bool:
        """Whether a text has all but the letters.

        Args:
            text: The text.
            digits: How many decimal digits it has.

        Returns:
            False only where nothing can match.
        """
        if digits < self.digits or len(text) < self.length:
            return False
        return all(any(mark in text for mark in marks) for marks in self.marks)


def necessary(pattern: str, *, flags: int) -> Necessary:
    """Reads an expression.

    Args:
        pattern: As the `regex` package takes it (its version 0, the default).
        flags: Those that it is compiled with.

    Returns:
        What a text needs; nothing where the expression is not understood.
    """
    if _NAMED_CLASS.search(pattern) or _FUZZY.search(_CLASS_OR_ESCAPE.sub("x", pattern)):
        return Necessary()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = parser.parse(pattern, int(flags) & int(_FLAGS))
    except (re.error, Warning, OverflowError, RecursionError):
        return Necessary()
    low, _ = tree.getwidth()
    found = _of_all(tree)
    return Necessary(
        length=int(low), digits=found.digits, marks=found.marks, before_letter=found.before_letter
    )


@dataclass(frozen=True, slots=True)
class _Found:
    digits: int = 0
    marks: tuple[frozenset[str], ...] = ()
    before_letter: tuple[tuple[str, frozenset[str]], ...] = ()


def _of_all(items: Iterable[tuple[Any, Any]]) -> _Found:
    """Elements one after the other: all of them are there."""
    sequence = list(items)
    parts = [_of(*item) for item in sequence]
    pairs = [pair for part in parts for pair in part.before_letter]
    for here, following in pairwise(sequence):
        mark, letters = _only(*here), _first(*following)
        if mark is not None and len(mark) == 1 and mark <= _MARKS and letters and letters <= _LETTERS:
            pairs.append((next(iter(mark)), letters))
    return _Found(
        digits=sum(part.digits for part in parts),
        marks=tuple(dict.fromkeys(marks for part in parts for marks in part.marks)),
        before_letter=tuple(pairs),
    )


def _of(kind: Any, detail: Any) -> _Found:
    if kind in (code.SUBPATTERN, code.ATOMIC_GROUP):
        return _of_all(detail[3] if kind is code.SUBPATTERN else detail)
    if kind in (code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT):
        least, _, items = detail
        inner = _of_all(items) if least else _Found()
        return _Found(inner.digits * int(least), inner.marks, inner.before_letter)
    if kind is code.BRANCH:
        return _of_any([_of_all(branch) for branch in detail[1]])
    members = _only(kind, detail)
    if members is None:
        return _Found(digits=int(_only_digits(kind, detail)))
    only_digits = all(member.isdigit() for member in members)
    return _Found(digits=int(only_digits), marks=(members,) if members <= _MARKS else ())


def _of_any(branches: Sequence[_Found]) -> _Found:
    """Alternatives: what is in each of them."""
    marks: tuple[frozenset[str], ...] = ()
    if all(branch.marks for branch in branches):
        marks = (frozenset().union(*(min(branch.marks, key=len) for branch in branches)),)
    return _Found(digits=min(branch.digits for branch in branches), marks=marks)


def _only(kind: Any, detail: Any) -> frozenset[str] | None:
    """The ASCII characters of which an element takes exactly one; None where it can take others."""
    if kind is code.LITERAL:
        return frozenset(chr(detail)) if detail < 128 else None
    if kind is not code.IN:
        return None
    members: set[str] = set()
    for member, value in detail:
        if member is code.LITERAL and value < 128:
            members.add(chr(value))
        elif member is code.RANGE and value[1] < 128:
            members.update(chr(point) for point in range(value[0], value[1] + 1))
        else:
            return None
    return frozenset(members)


def _only_digits(kind: Any, detail: Any) -> bool:
    """Whether an element takes exactly one decimal digit, of whatever script."""
    if kind is not code.IN:
        return False
    return all(
        (member is code.CATEGORY and value is code.CATEGORY_DIGIT)
        or (member is code.LITERAL and value < 128 and chr(value).isdigit())
        or (member is code.RANGE and value[0] >= ord("0") and value[1] <= ord("9"))
        for member, value in detail
    )


def _first(kind: Any, detail: Any) -> frozenset[str] | None:
    """The ASCII characters with one of which an element begins; None where it can begin with others."""
    if kind is code.SUBPATTERN:
        return _first_of(detail[3])
    if kind is code.BRANCH:
        firsts = [_first_of(branch) for branch in detail[1]]
        known = [first for first in firsts if first is not None]
        return frozenset().union(*known) if len(known) == len(firsts) else None
    return _only(kind, detail)


def _first_of(items: Any) -> frozenset[str] | None:
    return _first(*items[0]) if len(items) else None
