"""Which of Presidio's recognizers are loaded: its choice for the language, countries, what is asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from presidio_analyzer import EntityRecognizer
from presidio_analyzer.recognizer_registry import RecognizerRegistryProvider
from presidio_analyzer.recognizer_registry.recognizers_loader_utils import (
    RecognizerConfigurationLoader,
    RecognizerListLoader,
)

from lakehouse.config.nearest import suggestion
from lakehouse.errors import UsageError

# Others call models or services of their own.
_PATTERNS: Final = (
    "presidio_analyzer.predefined_recognizers.generic.",
    "presidio_analyzer.predefined_recognizers.country_specific.",
)


@dataclass(frozen=True, slots=True)
class Predefined:
    """Presidio's recognizers for a language.

    Args:
        loaded: Those that are used whatever is asked for.
        further: By entity the others, ready to be used for who asks for it.
    """

    loaded: tuple[EntityRecognizer, ...]
    further: Mapping[str, tuple[EntityRecognizer, ...]]


def predefined(*, language: str, countries: Collection[str] | None) -> Predefined:
    """Loads Presidio's recognizers, as far as they need neither model nor service.

    Args:
        language: Of the texts.
        countries: Whose recognizers are loaded besides those of no country; ``all`` for every country;
            None for those that Presidio loads for the language.

    Returns:
        The recognizers.

    Raises:
        UsageError: Presidio has nothing for one of the countries.
    """
    entries = [entry for entry in _entries(language) if _class_of(entry).__module__.startswith(_PATTERNS)]
    own_choice = _made([entry for entry in entries if _for(language, entry)], language=language)
    kinds = {type(recognizer) for recognizer in own_choice}
    others = _made(
        [
            {**entry, "enabled": True, "supported_languages": [language]}
            for entry in entries
            if _class_of(entry) not in kinds
        ],
        language=language,
    )
    if countries is None:
        return Predefined(loaded=tuple(own_choice), further=_by_entity(others))
    _check(countries, known=sorted({code for each in (*own_choice, *others) if (code := _country(each))}))
    loaded = [each for each in own_choice if _country(each) is None]
    of_countries = [each for each in (*own_choice, *others) if _country(each) is not None]
    chosen = [each for each in of_countries if "all" in countries or _country(each) in countries]
    left = [each for each in of_countries if each not in chosen]
    left.extend(each for each in others if _country(each) is None)
    return Predefined(loaded=(*loaded, *chosen), further=_by_entity(left))


def _entries(language: str) -> Sequence[dict[str, Any]]:
    """Presidio's own list, as `AnalyzerEngine` reads it."""
    return [entry for entry in _settings(language)["recognizers"] if isinstance(entry, dict)]


def _settings(language: str) -> dict[str, Any]:
    return dict(RecognizerConfigurationLoader.get(registry_configuration={"supported_languages": [language]}))


def _class_of(entry: dict[str, Any]) -> type[EntityRecognizer]:
    name = RecognizerListLoader.get_recognizer_name(entry)
    kind: type[EntityRecognizer] = RecognizerListLoader.get_existing_recognizer_cls(recognizer_name=name)
    return kind


def _for(language: str, entry: dict[str, Any]) -> bool:
    """Whether Presidio itself would use it; what it drops again for its language, it warns of."""
    languages = entry.get("supported_languages")
    named = [each if isinstance(each, str) else each["language"] for each in languages or [language]]
    return language in named and RecognizerListLoader.is_recognizer_enabled(entry)


def _in(language: str, entry: dict[str, Any]) -> dict[str, Any]:
    languages = entry.get("supported_languages")
    if languages is None:
        return entry
    return {
        **entry,
        "supported_languages": [
            each for each in languages if language == (each if isinstance(each, str) else each["language"])
        ],
    }


def _made(entries: Sequence[dict[str, Any]], *, language: str) -> list[EntityRecognizer]:
    settings = {**_settings(language), "recognizers": [_in(language, entry) for entry in entries]}
    provider = RecognizerRegistryProvider(registry_configuration=settings)
    return list(provider.create_recognizer_registry().recognizers)


def _country(recognizer: EntityRecognizer) -> str | None:
    code = recognizer.country_code()
    return str(code).lower() if code else None


def _by_entity(recognizers: Iterable[EntityRecognizer]) -> Mapping[str, tuple[EntityRecognizer, ...]]:
    entities: dict[str, tuple[EntityRecognizer, ...]] = {}
    for recognizer in recognizers:
        for entity in recognizer.supported_entities:
            entities[entity] = (*entities.get(entity, ()), recognizer)
    return entities


def _check(countries: Collection[str], *, known: Sequence[str]) -> None:
    for code in countries:
        if code != "all" and code not in known:
            raise UsageError(
                f"`pii.countries`: nothing is known of `{code}`{suggestion(code, known)}",
                advice=f"there are {', '.join(known)}",
            )
