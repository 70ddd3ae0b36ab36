"""Recognizers of the config, asked of whole values."""

from __future__ import annotations

import re
import time
from importlib.util import find_spec
from typing import Any, Final

import polars as pl

from lakehouse.config.models import Recognizer
from lakehouse.errors import UsageError
from lakehouse.pii.detect.checksums import CHECKSUMS
from lakehouse.pii.detect.patience import ONE_WAY, OWN_SECONDS

_LONGEST: Final = 256
"""Longer values are no match of a recognizer as a whole."""


class OwnPattern:
    """One recognizer.

    Args:
        recognizer: From the config.
        seconds: How long it may take for one column.
    """

    def __init__(self, recognizer: Recognizer, *, seconds: float = OWN_SECONDS) -> None:
        self._name, self._seconds = recognizer.name, seconds
        self._check = CHECKSUMS[recognizer.checksum] if recognizer.checksum else None
        written = recognizer.regex
        if written is None:
            written = "|".join(re.escape(word) for word in recognizer.deny_list or ())
        self._timed = find_spec("regex") is not None
        if self._timed:
            import regex  # noqa: PLC0415 - Presidio searches with it; it knows more, and can stop

            self._pattern: Any = regex.compile(written, regex.IGNORECASE)
        else:
            self._pattern = re.compile(written, re.IGNORECASE)

    def whole(self, texts: pl.Series) -> pl.Series:
        """Which values it finds as a whole, and with the right check digits where it has a checksum.

        Args:
            texts: Distinct values.

        Raises:
            UsageError: It takes too long.
        """
        end = time.monotonic() + self._seconds
        return pl.Series([self._is_whole(text, end) for text in texts.to_list()], dtype=pl.Boolean)

    def _is_whole(self, text: str, end: float) -> bool:
        if len(text) > _LONGEST:
            return False
        if not self._timed:
            found = self._pattern.fullmatch(text)
        else:
            try:
                found = self._pattern.fullmatch(text, timeout=max(0.001, end - time.monotonic()))
            except TimeoutError:
                raise UsageError(
                    f"the recognizer {self._name} takes longer than {self._seconds:g} s for one column",
                    advice=ONE_WAY,
                ) from None
        return found is not None and (self._check is None or self._check(text))
