"""The quickest way to what a language model says."""

from __future__ import annotations

from presidio_analyzer.nlp_engine import NlpEngine, SpacyNlpEngine

from lakehouse.pii.detect.presidio.by_parts import PartsReader
from lakehouse.pii.detect.presidio.models import TokenEngine
from lakehouse.pii.detect.presidio.parts import Parts
from lakehouse.pii.detect.presidio.reading import Reader, TokenReader, WholeReader


def reader(engine: NlpEngine, *, language: str) -> Reader:
    """Makes the quickest reader that gives the engine's own results.

    Args:
        engine: Presidio's.
        language: Of the texts.

    Returns:
        The reader.
    """
    if isinstance(engine, TokenEngine):
        return TokenReader(engine.get_nlp(language))
    if type(engine) is SpacyNlpEngine:
        parts = Parts.of(engine.get_nlp(language))
        if parts is not None:
            return PartsReader(parts, settings=engine.ner_model_configuration)
    return WholeReader(engine, language=language)
