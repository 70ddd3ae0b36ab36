"""``mask``: characters covered, as many as there were."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from lakehouse.config.models.operators import MaskSettings
from lakehouse.pii.operators.blocks import Content, texts, windows
from lakehouse.pii.operators.common import Basic, in_parts

_ASCII: Final = 128
_FEW: Final = 64
# Texts that are covered together: a character beyond ASCII slows down no others.
_TOGETHER: Final = 16_384


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

    def mask(
        self,
        values: pl.Series,
        *,
        entity: str,
        person: pl.Series | None = None,  # noqa: ARG002
        row: pl.Series | None = None,  # noqa: ARG002
    ) -> pl.Series:
        """Covers texts, equal ones too, which is faster than to look for them; see `Operator.mask`."""
        return in_parts(values, lambda part: self.on_values(part, entity=entity), size=_TOGETHER)

    def on_values(self, values: pl.Series, *, entity: str) -> pl.Series:  # noqa: ARG002
        """Covers texts."""
        if self._char.isascii() and self._first + self._last <= _FEW:
            content = Content(values)
            if not len(content.data) or content.data.max() < _ASCII:
                return self._bytewise(content, values)
        text, length = pl.col("text"), pl.col("text").str.len_chars()
        shown = length > self._first + self._last
        first = text.str.head(pl.when(shown).then(self._first).otherwise(0))
        last = text.str.tail(pl.when(shown).then(self._last).otherwise(0))
        covered = first.str.pad_end(length - last.str.len_chars(), self._char)
        return values.alias("text").to_frame().select(covered + last).to_series().alias(values.name)

    def _bytewise(self, content: Content, values: pl.Series) -> pl.Series:
        """Covers texts whose characters are bytes."""
        covered = np.full(len(content.data), ord(self._char), dtype=np.uint8)
        shown = content.lengths > self._first + self._last
        ends = content.offsets[1:]
        for width, starts in ((self._first, content.starts), (self._last, ends - self._last)):
            if width and shown.any():
                places = starts[shown]
                windows(covered, width)[places] = windows(content.data, width)[places]
        valid = values.is_not_null() if values.null_count() else None
        return texts(content.offsets, covered, valid=valid).alias(values.name)
