"""All that is looked for, made ready once and sent wherever the work is done."""

from __future__ import annotations

import bisect
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np

from lakehouse.requests.needles import Needle
from lakehouse.requests.search.forms import Form, confirmed, forms_of, plain, whole_word
from lakehouse.requests.search.grams import Bytes, Grams, Numbers
from lakehouse.requests.search.values import Values

_NEAR: Final = 24
"""Bytes around a find that are looked at to tell words from parts of words."""

CUT_OFF: Final = 12
"""Characters from which on a cut-off statistic is taken for the beginning of a value."""


@dataclass(slots=True)
class Found:
    """What was found: how often each needle, by its number.

    Args:
        whole: As itself.
        inside: As part of a longer word or number.
    """

    whole: Counter[int] = field(default_factory=Counter)
    inside: Counter[int] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.whole or self.inside)

    def add(self, other: Found) -> None:
        """Adds what was found elsewhere."""
        self.whole.update(other.whole)
        self.inside.update(other.inside)


class Sought:
    """The needles, ready to be looked for. Pickles.

    Args:
        needles: Of all requests; a needle's number is its place here.
    """

    def __init__(self, needles: Sequence[Needle]) -> None:
        self.needles = tuple(needles)
        long = [(number, each) for number, each in enumerate(needles) if each.anywhere]
        forms = [form for number, each in long for form in forms_of(each.value, needle=number)]
        self._text_forms = [form for form in forms if form.encoding == "utf-8"]
        self._forms = forms
        self._texts = Grams([form.data for form in self._text_forms])
        self._begin = sorted((plain(each.value), number) for number, each in long)
        self._by_column: dict[tuple[str, str], list[int]] = {}
        for number, each in enumerate(needles):
            for table, column in each.columns:
                self._by_column.setdefault((table, column), []).append(number)

    def __getstate__(self) -> dict[str, Any]:
        # Made once, and not in every process.
        return {**vars(self), "_anything": self._anything}

    @cached_property
    def _anything(self) -> Grams:
        """The forms of all encodings; who only asks for names of objects does without."""
        return Grams([form.data for form in self._forms])

    def columns(self, tables: Sequence[str]) -> dict[str, Values]:
        """The columns in which needles are compared as values, and those values.

        Args:
            tables: The tables whose columns these are.
        """
        result: dict[str, dict[int, None]] = {}
        for (table, column), numbers in self._by_column.items():
            if table in tables:
                # As `emails[].value`: what leads into lists and JSON is no part of a column's name in files.
                plainly = re.sub(r"\[\]|\{(key)?\}|\$|`", "", column)
                result.setdefault(plainly, {}).update(dict.fromkeys(numbers))
        return {column: Values(self.needles, tuple(numbers)) for column, numbers in result.items()}

    def named(self, tables: Sequence[str]) -> frozenset[str]:
        """The names of columns that may be shown: the config's, wherever an identifier is or may be.

        Args:
            tables: The tables whose columns these are.
        """
        pairs = [pair for each in self.needles for pair in (*each.columns, *each.stays)]
        return frozenset(re.split(r"[.\[{$]", column)[0] for table, column in pairs if table in tables)

    def in_cells(self, data: Bytes, offsets: Numbers, *, binary: bool = False) -> Found:
        """Looks into texts that lie one after the other.

        Args:
            data: The buffer.
            offsets: Where each text begins, and where the last ends.
            binary: Whether UTF-16 and other bytes are looked for too.
        """
        found = Found()
        for _, number, whole in self.finds(data, offsets, binary=binary):
            (found.whole if whole else found.inside)[number] += 1
        return found

    def finds(
        self, data: Bytes, offsets: Numbers, *, binary: bool = False
    ) -> Iterator[tuple[int, int, bool]]:
        """The same, one by one.

        Yields:
            The number of the text, that of the needle, and whether it stands for itself there.
        """
        for cell, needle, whole, _, _ in self.places(data, offsets, binary=binary):
            yield cell, needle, whole

    def places(
        self, data: Bytes, offsets: Numbers, *, binary: bool = False
    ) -> Iterator[tuple[int, int, bool, int, int]]:
        """The same, with where in the buffer each begins and ends."""
        first, last = int(offsets[0]), int(offsets[-1])
        grams, forms = self._choice(binary=binary)
        for place, which in grams.find(data[first:last]):
            begin, form = place + first, forms[which]
            end = begin + len(form.data)
            cell = int(np.searchsorted(offsets, begin, side="right")) - 1
            if end <= offsets[cell + 1] and confirmed(form, data[begin:end].tobytes()):
                near = (max(int(offsets[cell]), begin - _NEAR), min(int(offsets[cell + 1]), end + _NEAR))
                before, after = data[near[0] : begin].tobytes(), data[end : near[1]].tobytes()
                yield cell, form.needle, whole_word(form, before=before, after=after), begin, end

    def finds_in(self, texts: Sequence[bytes], *, binary: bool = False) -> Iterator[tuple[int, int, bool]]:
        """The same for texts of their own."""
        if texts:
            yield from self.finds(*_joined(texts), binary=binary)

    def in_texts(self, texts: Sequence[bytes], *, binary: bool = False) -> Found:
        """Looks into several texts.

        Args:
            texts: Their bytes.
            binary: As for `in_cells`.
        """
        return self.in_cells(*_joined(texts), binary=binary) if texts else Found()

    def in_bytes(self, data: bytes | memoryview) -> Found:
        """Looks into bytes of which nothing is known: whatever is next to a find says nothing.

        Args:
            data: The bytes.
        """
        found = Found()
        view = np.frombuffer(data, dtype=np.uint8)
        for begin, number in self._anything.find(view):
            form = self._forms[number]
            if confirmed(form, view[begin : begin + len(form.data)].tobytes()):
                found.whole[form.needle] += 1
        return found

    def is_in(self, data: memoryview, *, binary: bool) -> bool:
        """Whether any needle is in some bytes, as a word or as a part of one.

        Args:
            data: The bytes.
            binary: As for `in_cells`.
        """
        grams, forms = self._choice(binary=binary)
        view = np.frombuffer(data, dtype=np.uint8)
        return any(
            confirmed(forms[number], view[begin : begin + len(forms[number].data)].tobytes())
            for begin, number in grams.find(view)
        )

    def spans(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Where in a short text needles are, words or parts of words.

        Args:
            text: As an object's name.

        Yields:
            Beginning and end in the UTF-8 bytes, and the needle's number.
        """
        data = np.frombuffer(text.encode("utf-8", "surrogateescape"), dtype=np.uint8)
        for begin, number in self._texts.find(data):
            form = self._text_forms[number]
            if confirmed(form, data[begin : begin + len(form.data)].tobytes()):
                yield begin, begin + len(form.data), form.needle

    def cut_off(self, text: str) -> Iterator[int]:
        """The needles that begin with a statistic that was cut off, or raised at its end.

        Args:
            text: A smallest or greatest value, perhaps of its first characters only.
        """
        if len(text) < CUT_OFF:
            return
        # A greatest value that is cut off has its last character raised, or the greatest one put behind.
        for beginning in {plain(text), plain(text.rstrip("\U0010ffff\ufffd"))[:-1]}:
            at = bisect.bisect_left(self._begin, (beginning, -1))
            while at < len(self._begin) and self._begin[at][0].startswith(beginning):
                if len(self._begin[at][0]) > len(beginning):
                    yield self._begin[at][1]
                at += 1

    def _choice(self, *, binary: bool) -> tuple[Grams, list[Form]]:
        return (self._anything, self._forms) if binary else (self._texts, self._text_forms)


def _joined(texts: Sequence[bytes]) -> tuple[Bytes, Numbers]:
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(each) for each in texts], out=offsets[1:])
    return np.frombuffer(b"".join(texts), dtype=np.uint8), offsets
