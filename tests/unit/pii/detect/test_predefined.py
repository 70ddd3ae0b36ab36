"""Each recognizer that Presidio has, and that needs no model or service, can be turned on and finds."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from lakehouse.config.models import PiiConfig
from lakehouse.config.models.pii import COUNTRIES
from lakehouse.errors import UsageError
from lakehouse.pii.detect.finder import TextFinder

pytestmark = pytest.mark.xdist_group("presidio")

# Country, entity, and an invented text that it is found in; made from the recognizers' own patterns.
LINES = (Path(__file__).parents[3] / "data/pii/recognizers.tsv").read_text("utf-8").splitlines()
EXAMPLES = [tuple(line.split("\t")) for line in LINES]
# Others call a language model or somebody's service.
NOT_HERE = {
    "AzureAILanguageRecognizer", "AzureHealthDeidRecognizer", "AzureOpenAILangExtractRecognizer",
    "BasicLangExtractRecognizer", "GLiNERRecognizer", "HuggingFaceNerRecognizer", "LangExtractRecognizer",
    "MedicalNERRecognizer", "SpacyRecognizer", "StanzaRecognizer", "TransformersRecognizer",
}  # fmt: skip


def test_each_finds_its_example_in_any_language_that_is_asked_for() -> None:
    for language in ("en", "de"):
        config = {"nlp": {"engine": "none"}, "countries": "all", "min_score": 0, "language": language}
        finder = TextFinder(PiiConfig.model_validate(config))
        texts = [text for _, _, text in EXAMPLES]
        found = finder.find(texts, entities=[entity for _, entity, _ in EXAMPLES])
        missed = [
            entity
            for (_, entity, _), spans in zip(EXAMPLES, found, strict=True)
            if entity not in {each.entity for each in spans}
        ]
        assert missed == []


def test_there_is_an_example_of_every_recognizer_and_countries_turn_on_their_own() -> None:
    from presidio_analyzer import predefined_recognizers  # noqa: PLC0415 - seconds

    from lakehouse.pii.detect.presidio.registry import predefined  # noqa: PLC0415 - seconds

    every = predefined(language="en", countries=["all"]).loaded
    named = {name for name in predefined_recognizers.__all__ if name.endswith("Recognizer")}
    assert {type(each).__name__ for each in every} == named - NOT_HERE
    assert {entity for each in every for entity in each.supported_entities} == {each[1] for each in EXAMPLES}
    by_country = defaultdict(set)
    for country, entity, _ in EXAMPLES:
        by_country[country].add(entity)
    assert sorted(set(by_country) - {"-"}) == sorted(COUNTRIES)
    for country in ("de", "us", "za"):
        loaded = predefined(language="en", countries=[country]).loaded
        assert {name for each in loaded for name in each.supported_entities} >= by_country[country]
        assert not {name for each in loaded for name in each.supported_entities} & by_country["kr"]


def test_a_country_that_an_older_presidio_lacks_is_named() -> None:
    from lakehouse.pii.detect.presidio.registry import predefined  # noqa: PLC0415 - seconds

    with pytest.raises(UsageError, match=r"nothing is known of `xx`"):
        predefined(language="en", countries=["xx"])
