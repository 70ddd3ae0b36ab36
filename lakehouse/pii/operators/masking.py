"""``mask``: characters covered, as many as there were."""

from __future__ import annotations

import polars as pl

from lakehouse.config.models.operators import MaskSettings
from lakehouse.pii.operators.common import Basic


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

    def on_values(self, values: pl.Series, *, entity: str) -> pl.Series:  # noqa: ARG002
        """Covers texts."""
        text, length = pl.col("text"), pl.col("text").str.len_chars()
        shown = length > self._first + self._last
        first = text.str.head(pl.when(shown).then(self._first).otherwise(0))
        last = text.str.tail(pl.when(shown).then(self._last).otherwise(0))
        covered = first.str.pad_end(length - last.str.len_chars(), self._char)
        return values.alias("text").to_frame().select(covered + last).to_series().alias(values.name)
