"""Presidio's engine as the config describes it, and what can be asked of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from presidio_analyzer import AnalyzerEngine, EntityRecognizer
from presidio_analyzer.nlp_engine import NlpEngine
from presidio_analyzer.recognizer_registry import RecognizerRegistry

from lakehouse.config.nearest import nearest
from lakehouse.errors import UsageError
from lakehouse.pii.detect.presidio.custom import keep_offline, own_recognizers
from lakehouse.pii.detect.presidio.models import ONLY_WHEN_ASKED, make_engine
from lakehouse.pii.detect.presidio.registry import predefined
from lakehouse.pii.detect.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Engine:
    """Presidio, set up.

    Args:
        recipe: What it was made from.
        analyzer: Presidio's own engine, with all recognizers that any entity needs.
        nlp: Its language model.
        recognizers: By entity those that are asked for it.
        usual: The entities that are looked for where nobody says which, in order.
    """

    recipe: Recipe
    analyzer: AnalyzerEngine
    nlp: NlpEngine
    recognizers: Mapping[str, tuple[EntityRecognizer, ...]]
    usual: tuple[str, ...]

    @property
    def entities(self) -> tuple[str, ...]:
        """All that can be found, in order."""
        return tuple(sorted(self.recognizers))

    def check(self, entities: Sequence[str]) -> None:
        """Refuses entities that nothing finds.

        Raises:
            UsageError: One of them is unknown, or only a language model finds it and there is none.
        """
        for entity in entities:
            if entity in self.recognizers:
                continue
            if self.recipe.nlp.engine == "none" and entity in _OF_MODELS:
                raise UsageError(
                    f"`{entity}` is found by a language model, and `pii.nlp.engine` is `none`",
                    advice="set `pii.nlp.engine` to `spacy`",
                )
            near = nearest(entity, self.entities)
            raise UsageError(
                f"unknown entity `{entity}`" + (f"; did you mean `{near}`?" if near else ""),
                advice="entities of your own are defined by `pii.recognizers`",
            )


_OF_MODELS = frozenset({"PERSON", "LOCATION", "NRP", "ORGANIZATION"})


def make(recipe: Recipe) -> Engine:
    """Makes an engine: imports, loads the model, compiles nothing yet.

    Args:
        recipe: What it is made from.

    Returns:
        The engine. It never connects anywhere.

    Raises:
        MissingPackageError: A library or a language model is not installed.
        UsageError: The model is for another language; a country is unknown.
    """
    _keep_values_out_of_logs()
    language = recipe.language
    nlp = make_engine(recipe.nlp, language=language)
    known = predefined(language=language, countries=recipe.countries)
    own = own_recognizers(recipe.recognizers, language=language)
    registry = RecognizerRegistry(recognizers=[*known.loaded, *own], supported_languages=[language])
    if nlp.get_supported_entities():
        registry.add_nlp_recognizer(nlp_engine=nlp)
    by_entity: dict[str, tuple[EntityRecognizer, ...]] = {}
    for recognizer in registry.recognizers:
        for entity in recognizer.supported_entities:
            by_entity[entity] = (*by_entity.get(entity, ()), recognizer)
    usual = tuple(sorted(set(by_entity) - ONLY_WHEN_ASKED))
    for entity, further in known.further.items():
        if entity not in by_entity:
            by_entity[entity] = further
            registry.recognizers.extend(each for each in further if each not in registry.recognizers)
    keep_offline(registry.recognizers)
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=[language])
    return Engine(recipe=recipe, analyzer=analyzer, nlp=nlp, recognizers=by_entity, usual=usual)


class _WithoutValues(logging.Filter):
    """Takes the values out of Presidio's errors: a number that can't be checked would be logged as it is."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR and record.args:
            record.msg, record.args = "a value that looked like a number with check digits has none", ()
        return True


def _keep_values_out_of_logs() -> None:
    logger = logging.getLogger("presidio-analyzer")
    if not any(isinstance(each, _WithoutValues) for each in logger.filters):
        logger.addFilter(_WithoutValues())
