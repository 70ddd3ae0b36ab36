"""``mask``: characters covered, as many as there were."""

from __future__ import annotations

from typing import Final

import polars as pl

from lakehouse.config.models.operators import MaskSettings
from lakehouse.pii.operators.blocks import TOGETHER
from lakehouse.pii.operators.common import Basic, in_parts
from lakehouse.pii.operators.content import Bytes, Content, items, windows
from lakehouse.pii.operators.texts import PART, Writer

_ASCII: Final = 128
_FEW: Final = 64


class Mask(Basic):
    """Covers characters (code points); the length stays.

    What the settings leave uncovered is less than the whole text: a text of ``keep_first + keep_last``
    characters or fewer is covered altogether.
    """

    name = "mask"

    def __init__(self, settings: MaskSettings) -> None:
        self._first = settings.keep_first
        self._last = settings.keep_last
        self._char = settings.char

    def looks_for_equal(self, values: pl.Series) -> bool:  # noqa: ARG002
        """Masks are made faster than equal values are found."""
        return False

    def on_values(self, values: pl.Series, *, entity: str) -> pl.Series:  # noqa: ARG002
        """Covers texts."""
        return in_parts(values, self._written, size=PART)

    def _written(self, values: pl.Series) -> pl.Series:
        writer = Writer(len(values))
        # A character beyond ASCII slows down those that are covered together with it, and no others.
        for at in range(0, len(values), TOGETHER):
            part = values.slice(at, TOGETHER)
            content = Content(part)
            if self._bytewise(content):
                texts, begin = writer.space(len(content.data), count=len(part))
                self._cover(content, texts)
            else:
                content = Content(self._covered(part))
                texts, begin = writer.space(len(content.data), count=len(part))
                texts[:] = content.data
            writer.lay(at, content, texts, begin)
        return writer.series(values)

    def _bytewise(self, content: Content) -> bool:
        """Whether characters are bytes."""
        if not self._char.isascii() or self._first + self._last > _FEW:
            return False
        return not len(content.data) or int(content.data.max()) < _ASCII

    def _cover(self, content: Content, into: Bytes) -> None:
        """Covers texts whose characters are bytes."""
        into.fill(ord(self._char))
        kept = self._first + self._last
        if content.width is not None:
            if content.width > kept:
                given, done = (each.reshape(-1, content.width) for each in (content.data, into))
                for width, at in ((self._first, 0), (self._last, content.width - self._last)):
                    if width:
                        items(done, width, at=at)[:] = items(given, width, at=at)
            return
        shown = content.lengths > kept
        ends = content.offsets[1:]
        for width, starts in ((self._first, content.starts), (self._last, ends - self._last)):
            if width and shown.any():
                places = starts if shown.all() else starts[shown]
                windows(into, width)[places] = windows(content.data, width)[places]

    def _covered(self, values: pl.Series) -> pl.Series:
        """Covers texts of any characters."""
        text, length = pl.col("text"), pl.col("text").str.len_chars()
        shown = length > self._first + self._last
        first = text.str.head(pl.when(shown).then(self._first).otherwise(0))
        last = text.str.tail(pl.when(shown).then(self._last).otherwise(0))
        covered = first.str.pad_end(length - last.str.len_chars(), self._char)
        return values.alias("text").to_frame().select(covered + last).to_series()
