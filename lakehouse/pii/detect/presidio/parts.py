"""The parts of a language model's pipeline, where it is made as spaCy's usual ones are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from spacy.language import Language
from spacy.parts_of_speech import IDS as SPEECH
from spacy.pipeline import AttributeRuler, DependencyParser, EntityRecognizer, Lemmatizer, Tagger, Tok2Vec

from lakehouse.pii.detect.lemmas import Assignment, Lemmas, assignment

# The layers of spaCy's usual models, whose input is the words alone, and what they look at.
_LAYERS: Final = frozenset(
    {
        "dropout", "expand_window", "extract_features", "hashembed", "ints-getitem", "layernorm", "linear",
        "list2array", "list2ragged", "maxout", "parser_model", "precomputable_affine", "ragged2list",
        "softmax", "static_vectors", "tok2vec-listener", "concatenate",
    }
)  # fmt: skip
_OF_THE_WORD: Final = frozenset({"NORM", "LOWER", "ORTH", "PREFIX", "SUFFIX", "SHAPE", "SPACY", "IS_SPACE"})
_OF_ENTITIES: Final = frozenset({"ENT_TYPE", "ENT_IOB", "ENT_ID", "ENT_KB_ID"})


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a pipeline that is made as spaCy's usual ones are.

    Args:
        nlp: The pipeline.
        vectors: What parser and tagger look at.
        parser: Says where sentences begin.
        recognizer: Finds entities by the words alone.
        rest: Tagger, exceptions and lemmatizer, in their order.
        possible: The lemmas that words can have; None where the lemmatizer is another.
    """

    nlp: Language
    vectors: Tok2Vec
    parser: DependencyParser
    recognizer: EntityRecognizer
    rest: tuple[Any, ...]
    possible: Lemmas | None

    @classmethod
    def of(cls, nlp: Language) -> Parts | None:
        """Takes a pipeline apart; None for one of another make."""
        parts = dict(nlp.pipeline)
        kinds: Mapping[type, list[Any]] = {
            kind: [part for part in parts.values() if type(part) is kind]
            for kind in (Tok2Vec, DependencyParser, EntityRecognizer)
        }
        rest = tuple(part for part in parts.values() if _gives_words_only(part))
        if any(len(found) != 1 for found in kinds.values()) or len(rest) + 3 != len(parts):
            return None
        (vectors,), (parser,), (recognizer,) = kinds.values()
        order = list(parts.values())
        if not order.index(vectors) < order.index(parser) < order.index(recognizer):
            return None
        if not (_is_usual(parser, listens=True) and _is_usual(recognizer, listens=False)):
            return None
        return cls(nlp, vectors, parser, recognizer, rest, _possible(rest))


def _gives_words_only(part: Any) -> bool:
    """Whether a part says something of single words that neither parser nor recognizer looks at."""
    if isinstance(part, AttributeRuler):
        keys = {
            key
            for rule in part.patterns
            for pattern in rule["patterns"]
            for token in pattern
            for key in token
        }
        given = {name for rule in part.patterns for name in rule["attrs"]}
        return not keys & _OF_ENTITIES and given <= {"LEMMA", "POS", "TAG", "MORPH", "DEP"}
    return type(part) is Tagger or isinstance(part, Lemmatizer)


def _is_usual(part: Any, *, listens: bool) -> bool:
    """Whether a part decides greedily, by words or by the shared vectors alone."""
    if part.cfg.get("beam_width", 1) != 1 or part.cfg.get("incorrect_spans_key") is not None:
        return False
    layers = list(part.model.walk())
    names = {layer.name.split(">>")[0] for layer in layers}
    columns = {name for layer in layers for name in layer.attrs.get("columns", ())}
    known = all(name in _LAYERS or name.startswith(("residual(", "with_array(")) for name in names)
    return known and ("tok2vec-listener" in names) == listens and columns <= _OF_THE_WORD


def _possible(rest: Iterable[Any]) -> Lemmas | None:
    """The lemmas that words can have, where the lemmatizer goes by spaCy's rules."""
    lemmatizer = None
    rulers = []
    for part in rest:
        if isinstance(part, AttributeRuler):
            rulers.append(part)
        elif isinstance(part, Lemmatizer):
            lemmatizer = part
    own = type(lemmatizer).rule_lemmatize is Lemmatizer.rule_lemmatize if lemmatizer is not None else False
    if lemmatizer is None or not own or lemmatizer.mode != "rule" or lemmatizer.overwrite:
        return None
    exceptions, rules = (lemmatizer.lookups.get_table(name, {}) for name in ("lemma_exc", "lemma_rules"))
    names = [name.lower() for name in SPEECH if name]
    if any(sum(name in table for name in names) != len(table) for table in (exceptions, rules)):
        return None
    lemmas = Lemmas(
        exceptions={
            name: {str(word): list(forms) for word, forms in exceptions[name].items()}
            for name in names
            if name in exceptions
        },
        rules={name: [(old, new) for old, new in rules[name]] for name in names if name in rules},
        assignments=[each for ruler in rulers for each in _assignments(ruler, "LEMMA")],
        speech=[
            replace(each, gives=each.gives.lower()) for ruler in rulers for each in _assignments(ruler, "POS")
        ],
    )
    return None if lemmas.makes(":") else lemmas


def _assignments(ruler: AttributeRuler, attribute: str) -> Iterator[Assignment]:
    """What a ruler's exceptions give to words as one of their attributes."""
    for rule in ruler.patterns:
        if attribute in rule["attrs"]:
            for pattern in rule["patterns"]:
                yield assignment(rule["attrs"][attribute], pattern[rule["index"]])
