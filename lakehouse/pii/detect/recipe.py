"""What decides which spans are found: all of it in one small value that pickles and can be a key."""

from __future__ import annotations

from dataclasses import dataclass

from lakehouse.config.models import NlpConfig, PiiConfig, Recognizer


@dataclass(frozen=True, slots=True)
class Recipe:
    """The part of the config that an engine is made from. Holds no secrets.

    Args:
        language: Of the texts, as an ISO 639-1 code.
        nlp: The language model.
        min_score: The score from which on a finding counts.
        countries: Whose recognizers are wanted besides those of no country; None for Presidio's own choice.
        recognizers: The user's own.
    """

    language: str
    nlp: NlpConfig
    min_score: float
    countries: tuple[str, ...] | None
    recognizers: tuple[Recognizer, ...]

    @classmethod
    def of(cls, config: PiiConfig) -> Recipe:
        """Takes from the ``pii`` section what finding needs."""
        return cls(
            language=config.language,
            nlp=config.nlp,
            min_score=config.min_score,
            countries=config.countries,
            recognizers=config.recognizers,
        )
