"""How personal data is found and masked: ``pii``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from lakehouse.config.models.base import (
    KIND,
    Model,
    Name,
    RuleError,
    Share,
    distinct,
    one_or_many,
    parsed,
)
from lakehouse.config.models.entities import EntityName
from lakehouse.config.models.operators import SETTINGS, names_a_key
from lakehouse.config.models.patterns import Pattern
from lakehouse.config.nearest import nearest
from lakehouse.config.secrets import is_secret_name
from lakehouse.config.variables import Expanded, plain

OPERATORS: Final = tuple(SETTINGS)
COUNTRIES: Final = (
    "au", "ca", "de", "es", "fi", "in", "it", "kr", "ng", "ph", "pl", "se", "sg", "th", "tr", "uk", "us",
    "za",
)  # fmt: skip
"""Those that Presidio has recognizers for."""
_LANGUAGE: Final = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
_OPERATOR: Final = re.compile(r"[a-z][a-z0-9_]*")


def _operator(text: str) -> str:
    if text in OPERATORS:
        return text
    near = nearest(text, OPERATORS, cutoff=0.75)
    if near is not None:
        raise ValueError(f"unknown operator `{text}`; did you mean `{near}`?")
    if _OPERATOR.fullmatch(text) is None:
        raise ValueError(f"`{text}` is no name of an operator")
    return text


OperatorName = Annotated[
    str,
    PlainValidator(parsed(_operator, example="the name of an operator")),
    WithJsonSchema({"type": "string", "examples": list(OPERATORS), KIND: "operator"}),
]


def _country(text: str) -> str:
    if text in (*COUNTRIES, "all"):
        return text
    near = "uk" if text.lower() == "gb" else nearest(text.lower(), COUNTRIES, cutoff=0.75)
    if near is not None:
        raise ValueError(f"nothing is known of `{text}`; did you mean `{near}`?")
    raise ValueError(f"nothing is known of `{text}`; known: {', '.join(COUNTRIES)}, or all")


def _language(text: str) -> str:
    if _LANGUAGE.fullmatch(text) is None:
        raise ValueError(f"`{text}` is no code of a language: two small letters, as en or de (ISO 639-1)")
    return text


Countries = Annotated[
    tuple[
        Annotated[
            str,
            PlainValidator(parsed(_country, example="a country such as de")),
            WithJsonSchema({"type": "string", "enum": [*COUNTRIES, "all"]}),
        ],
        ...,
    ],
    BeforeValidator(one_or_many),
    AfterValidator(distinct),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            KIND: "country or countries",
        }
    ),
]


Language = Annotated[
    str,
    PlainValidator(parsed(_language, example="a code of a language such as en")),
    WithJsonSchema({"type": "string", "pattern": f"^{_LANGUAGE.pattern}$", KIND: "language"}),
]


def _plain(name: str, value: object) -> object:
    """The value without its template; that of the operator stays, for its own check."""
    return value if name == "operator" else plain(value)


def _is_secret(operator: str, name: str, value: object) -> bool:
    if name == "key" and not isinstance(value, Expanded) and names_a_key(operator, value):
        return False
    return isinstance(value, str) and is_secret_name(name)


class NlpConfig(Model):
    """The language model that finds names and places in free text."""

    engine: Literal["none", "spacy", "stanza", "transformers"] = Field(
        default="spacy",
        description="none: patterns only, which is fast; otherwise the library that runs the model.",
    )
    model: Name = Field(default="en_core_web_sm", description="The model, which must be installed.")


class Recognizer(Model):
    """A kind of personal data of your own."""

    name: EntityName = Field(description="The entity that it finds, in capitals.")
    regex: Pattern | None = Field(default=None, description="A regular expression that its values match.")
    deny_list: tuple[Name, ...] | None = Field(
        default=None, min_length=1, description="Its values, if they can be listed."
    )
    score: Share = Field(
        default=0.5, description="How sure a match is, from 0 to 1, before context is looked at."
    )
    context: tuple[Name, ...] = Field(default=(), description="Words nearby that make a match surer.")
    checksum: Literal["luhn", "mod97", "mod11", "verhoeff"] | None = Field(
        default=None,
        description="The check digits of its numbers: what passes is certain, what does not is no match.",
    )

    @model_validator(mode="after")
    def _finds_something(self) -> Recognizer:
        if (self.regex is None) == (self.deny_list is None):
            raise RuleError("needs `regex` or `deny_list`, and not both")
        return self


class OperatorConfig(Model):
    """What masks a kind of personal data; keys besides `operator` are settings of the operator."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    operator: OperatorName = Field(
        description=(
            "redact, replace, mask, hash, tokenize, encrypt, fpe, date_shift, generalize, fake, nullify, "
            "keep, or any Presidio operator."
        )
    )

    @model_validator(mode="before")
    @classmethod
    def _hide(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        operator = str(data.get("operator"))
        return {
            name: SecretStr(value) if _is_secret(operator, name, value) else _plain(name, value)
            for name, value in data.items()
        }

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the operator; those whose names say so are secret."""
        return dict(self.model_extra or {})


class PiiConfig(Model):
    """How personal data is found and masked."""

    language: Language = Field(default="en", description="Language of the free texts, as an ISO 639-1 code.")
    nlp: NlpConfig = Field(default_factory=NlpConfig, description="The language model.")
    countries: Countries | None = Field(
        default=None,
        description=(
            "Whose numbers and documents are looked for besides what is of no country, as [us, de], or all. "
            "Without it those that Presidio itself looks for in that language. An entity that is asked for "
            "by name is always looked for."
        ),
    )
    min_score: Share = Field(default=0.5, description="How sure a finding must be, from 0 to 1, to count.")
    recognizers: tuple[Recognizer, ...] = Field(default=(), description="Kinds of personal data of your own.")
    mask_at: Literal["read", "merge"] = Field(
        default="read",
        description=(
            "Where tables that do not say it themselves are masked. read: for roles and in copies; merge: "
            "before rows are stored."
        ),
    )
    operators: dict[EntityName, OperatorConfig] = Field(
        default_factory=dict,
        description="Entity: how it is masked. `DEFAULT` is for all others; without it they are redacted.",
    )
