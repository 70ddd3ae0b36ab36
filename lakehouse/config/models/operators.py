"""The settings of the operators that mask values: the keys besides ``operator`` in ``pii.operators``.

Operators of Presidio that are not named here take whatever is given; Presidio itself checks it.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from lakehouse.config.models.base import Model, Name, RuleError
from lakehouse.config.nearest import nearest, suggestion

ALPHABETS: Final = {
    "digits": string.digits,
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "letters": string.ascii_letters,
    "alphanumeric": string.digits + string.ascii_letters,
    "hex": "0123456789abcdef",
}
_PURPOSE: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*")
_LONGEST_PURPOSE: Final = 48


def _alphabet(text: str) -> str:
    if text in ALPHABETS:
        return text
    near = nearest(text, ALPHABETS, cutoff=0.75)
    if near is not None:
        raise ValueError(f"is no alphabet; did you mean `{near}`?")
    if len(set(text)) != len(text):
        raise ValueError("names a character twice")
    if len(text) < 2:
        raise ValueError("needs at least two characters")
    return text


def names_a_key(operator: str, value: object) -> bool:
    """Whether the setting ``key`` of an operator names a key of the lake, and so is no secret.

    Args:
        operator: Its name; those of Presidio take keys themselves.
        value: As written.
    """
    model = SETTINGS.get(operator)
    if model is None or "key" not in model.model_fields or not isinstance(value, str):
        return False
    return len(value) <= _LONGEST_PURPOSE and _PURPOSE.fullmatch(value) is not None


def _purpose(text: str) -> str:
    if len(text) > _LONGEST_PURPOSE or _PURPOSE.fullmatch(text) is None:
        raise ValueError("names a key of the lake, as `mask`; keys themselves come from `keys` alone")
    return text


Whole = Annotated[int, Field(ge=0, le=100_000)]
Version = Annotated[int, Field(ge=1)]
Purpose = Annotated[str, AfterValidator(_purpose)]


class RedactSettings(Model):
    """``redact``: an empty text, or null."""


class NullifySettings(Model):
    """``nullify``: null."""


class KeepSettings(Model):
    """``keep``: the value as it is."""


class ReplaceSettings(Model):
    """``replace``: a constant."""

    new_value: str | bool | int | float | None = Field(
        default=None,
        description="What stands in place of the value; the entity, as `<PERSON>`, if not given.",
    )


class MaskSettings(Model):
    """``mask``: characters covered, as many as there were."""

    keep_first: Whole = Field(default=0, description="Characters at the beginning that stay.")
    keep_last: Whole = Field(default=0, description="Characters at the end that stay.")
    char: Annotated[str, StringConstraints(min_length=1, max_length=1)] = Field(
        default="*", description="What covers the others."
    )


class KeyedSettings(Model):
    """What all operators with a key can be told."""

    key: Purpose = Field(default="mask", description="The purpose of the key that is used.")
    version: Version | None = Field(
        default=None, description="The version of the key, where it must not be the newest."
    )


class HashSettings(KeyedSettings):
    """``hash``: a keyed digest of 128 bits, which nobody can turn back."""


class TokenizeSettings(KeyedSettings):
    """``tokenize``: AES-SIV, the same token for the same value."""


class EncryptSettings(KeyedSettings):
    """``encrypt``: AES-GCM, another text for each row."""


class FpeSettings(KeyedSettings):
    """``fpe``: FF1, a value of the same format."""

    alphabet: Annotated[str, AfterValidator(_alphabet)] | None = Field(
        default=None,
        description=(
            "The characters that are encrypted: digits, lower, upper, letters, alphanumeric, hex, or all of "
            "them written out; others stay. Without it digits become digits and letters letters."
        ),
    )


class DateShiftSettings(KeyedSettings):
    """``date_shift``: moved by days, the same for all dates of a person."""

    days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        default=180, description="The greatest shift in days, either way; never none at all."
    )
    by: Name | None = Field(
        default=None,
        description=(
            "The column that says whose row it is. Without it the identifier of the first of `subjects` that "
            "has the table, or else the table's key."
        ),
    )


class GeneralizeSettings(Model):
    """``generalize``: a coarser value of the same type."""

    step: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Numbers: the width of the ranges; the value becomes where its begins."
    )
    bins: tuple[float, ...] | None = Field(
        default=None, min_length=1, description="Numbers: where ranges begin, rising."
    )
    to: Literal["hour", "day", "week", "month", "quarter", "year", "network"] | None = Field(
        default=None, description="Dates and times: the first moment of it. network: IP addresses."
    )
    keep_first: Whole | None = Field(
        default=None, description="Texts: how many characters of the beginning stay, as of a postal code."
    )
    ipv4: Annotated[int, Field(ge=1, le=31)] = Field(default=24, description="network: bits that stay.")
    ipv6: Annotated[int, Field(ge=1, le=127)] = Field(default=48, description="network: bits that stay.")

    @model_validator(mode="after")
    def _one_way(self) -> GeneralizeSettings:
        given = [name for name in ("step", "bins", "to", "keep_first") if getattr(self, name) is not None]
        if not given:
            raise RuleError("`generalize` needs `step`, `bins`, `to` or `keep_first`")
        if len(given) > 1:
            raise RuleError(f"`{given[0]}` and `{given[1]}` are two ways: one of them", at=given[1])
        if self.bins is not None and any(low >= high for low, high in pairwise(self.bins)):
            raise RuleError("must rise", at="bins")
        return self


class FakeSettings(KeyedSettings):
    """``fake``: an invented value."""

    locale: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$")] = Field(
        default="en_US", description="The language and country of the invented values."
    )
    provider: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")] | None = Field(
        default=None, description="Which method of Faker invents them; otherwise one that suits the entity."
    )


SETTINGS: Final[Mapping[str, type[Model]]] = {
    "redact": RedactSettings,
    "replace": ReplaceSettings,
    "mask": MaskSettings,
    "hash": HashSettings,
    "tokenize": TokenizeSettings,
    "encrypt": EncryptSettings,
    "fpe": FpeSettings,
    "date_shift": DateShiftSettings,
    "generalize": GeneralizeSettings,
    "fake": FakeSettings,
    "nullify": NullifySettings,
    "keep": KeepSettings,
}
"""Operator: the model of its settings."""

_KEYED: Final = "it is keyed: `key` names a key of the lake, and `mask` is used without it"


def setting_problems(operator: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Checks the settings of an operator.

    Args:
        operator: Its name.
        settings: The keys besides ``operator``.

    Yields:
        For each that is wrong its name, empty for all of them together, and what is wrong: never a value.
    """
    model = SETTINGS.get(operator)
    if model is None:
        return
    known = tuple(model.model_fields)
    for name in settings:
        if name == "salt" and "key" in known:
            yield name, f"`{operator}` takes no `salt`: {_KEYED}"
        elif name not in known:
            end = suggestion(name, known, what="settings") if known else "; it takes none"
            yield name, f"`{operator}` has no setting `{name}`{end}"
    try:
        model.model_validate(
            {name: value for name, value in plain_settings(settings).items() if name in known}
        )
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            yield _explained(each)


def _explained(error: ErrorDetails) -> tuple[str, str]:
    name = str(error["loc"][0]) if error["loc"] else ""
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            cause = context.get("error")
            return (cause.at or name if isinstance(cause, RuleError) else name), str(cause)
        case "literal_error":
            return name, f"expected {context.get('expected')}"
        case "string_pattern_mismatch":
            return name, f"is not of the form {context.get('pattern')}"
    message = error["msg"].removeprefix("Input ")
    return name, message[:1].lower() + message[1:]


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with their secrets as plain values, for the operator itself.

    Args:
        settings: As in the config.

    Returns:
        Never to be shown.
    """
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in settings.items()
    }
