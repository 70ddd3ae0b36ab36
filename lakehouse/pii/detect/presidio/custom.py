"""The user's own recognizers, as Presidio's, and e-mail addresses without the network."""

from __future__ import annotations

from collections.abc import Iterable

import tldextract
from presidio_analyzer import EntityRecognizer, Pattern, PatternRecognizer
from presidio_analyzer.predefined_recognizers import EmailRecognizer

from lakehouse.config.models import Recognizer
from lakehouse.pii.detect.checksums import CHECKSUMS


class CheckedRecognizer(PatternRecognizer):  # type: ignore[misc]
    """Finds by patterns and, where there is a checksum, believes what passes and drops what does not.

    Args:
        recognizer: From the config.
        language: Of the texts.
    """

    def __init__(self, recognizer: Recognizer, *, language: str) -> None:
        self._check = CHECKSUMS[recognizer.checksum] if recognizer.checksum else None
        patterns = (
            [Pattern(name=recognizer.name, regex=recognizer.regex, score=recognizer.score)]
            if recognizer.regex is not None
            else None
        )
        super().__init__(
            supported_entity=recognizer.name,
            name=f"{recognizer.name} of the config",
            supported_language=language,
            patterns=patterns,
            deny_list=list(recognizer.deny_list) if recognizer.deny_list else None,
            deny_list_score=recognizer.score,
            context=list(recognizer.context),
        )

    def validate_result(self, pattern_text: str) -> bool | None:
        """What the checksum says of a match; None where there is none."""
        return None if self._check is None else self._check(pattern_text)


def own_recognizers(recognizers: Iterable[Recognizer], *, language: str) -> list[EntityRecognizer]:
    """Makes the recognizers of a config.

    Args:
        recognizers: From the config.
        language: Of the texts.

    Returns:
        One each.
    """
    return [CheckedRecognizer(each, language=language) for each in recognizers]


def keep_offline(recognizers: Iterable[EntityRecognizer]) -> None:
    """Lets the recognizers of e-mail addresses use the list of public suffixes that is installed.

    Presidio's way fetches the newest list and keeps it in the user's cache folder.

    Args:
        recognizers: Of one engine.
    """
    extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    def ends_in_a_domain(pattern_text: str) -> bool:
        return bool(extract(pattern_text).fqdn)

    for recognizer in recognizers:
        if isinstance(recognizer, EmailRecognizer):
            recognizer.validate_result = ends_in_a_domain
