"""What all models of the config share, and the scalars they are made of.

A scalar accepts what YAML makes of it and, so that a variable can stand anywhere, the text that a variable
gave. Messages never show such a text, only how it is written in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from lakehouse.config.columns import canonical_type
from lakehouse.config.durations import (
    DURATION_PATTERN,
    PERIOD_PATTERN,
    Period,
    format_duration,
    parse_duration,
)
from lakehouse.config.schedules import Schedule
from lakehouse.config.variables import Expanded, template_of

_T = TypeVar("_T")

KIND: Final = "x-kind"
"""Key in a field's JSON schema that says in a word what it takes; only the written reference reads it."""


class RuleError(ValueError):
    """A rule between the keys of one section is broken.

    Args:
        message: What is wrong.
        at: The key that it is about, below the section.
    """

    def __init__(self, message: str, *, at: str = "") -> None:
        super().__init__(message)
        self.at = at


class Model(BaseModel):
    """A section of the config: can't be changed, refuses keys that it does not know.

    A key with nothing after it means its default.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nothings(cls, data: object) -> object:
        if data is None:
            return {}
        if isinstance(data, Mapping):
            known = {field.alias or name for name, field in cls.model_fields.items()}
            return {key: value for key, value in data.items() if value is not None or key not in known}
        return data


def parsed(parse: Callable[[str], _T], *, example: str) -> Callable[[object], _T]:
    """Makes a reader of texts into a validator.

    Args:
        parse: Reads a text; raises ValueError with what is wrong.
        example: What is expected, with an example, where the value is no text at all.

    Returns:
        The validator. It says nothing about a text that came out of a variable but its name.
    """

    def validate(value: object) -> _T:
        if not isinstance(value, str):
            raise ValueError(f"expected {example}")
        try:
            return parse(str(value))
        except ValueError:
            if isinstance(value, Expanded):
                raise ValueError(f"`{template_of(value)}` does not give {example}") from None
            raise

    return validate


def _flag(value: object) -> object:
    if isinstance(value, Expanded) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def whole(value: object) -> object:
    """Takes whole numbers, also as the text that a variable gave."""
    if (
        isinstance(value, Expanded)
        and value.strip().isascii()
        and value.strip().isdigit()
        and len(value) < 19
    ):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("expected a whole number")
    return value


def _number(value: object) -> object:
    if isinstance(value, Expanded):
        try:
            return float(value)
        except ValueError:
            raise ValueError(f"`{template_of(value)}` does not give a number") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected a number")
    return value


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta) and value >= timedelta():
        return value
    return parsed(parse_duration, example="a duration such as 30m, 12h or 7d")(value)


def _period(value: object) -> Period:
    if isinstance(value, Period):
        return value
    return parsed(Period.parse, example="a period such as 10d, 2w, 6mo or 3y")(value)


def _schedule(value: object) -> Schedule:
    if isinstance(value, Schedule):
        return value
    text = value.isoformat() if isinstance(value, date) else value
    example = 'a schedule such as "0 3 * * *", every 15m or 2026-01-31T03:00'
    return parsed(Schedule.parse, example=example)(text)


def one_or_many(value: object) -> object:
    """Lets a single name stand for a list of one.

    Args:
        value: A text, or anything else.

    Returns:
        A list of the text; anything else as it is.
    """
    return [value] if isinstance(value, str) else value


def distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuses a list that names something twice.

    Args:
        names: The names.

    Returns:
        The same names.

    Raises:
        ValueError: One of them is there twice.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"`{name}` is named twice")
        seen.add(name)
    return names


def _selection(value: object) -> tuple[str, ...] | Literal["all"]:
    if isinstance(value, str):
        return "all" if value == "all" else (str(value),)
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return distinct(tuple(str(name) for name in value))
    raise ValueError("expected `all` or a list of tables")


SHOWN: Final = PlainSerializer(str, return_type=str, when_used="json")
"""Writes secrets as they are shown, masked, where a model is dumped as JSON."""

_NAME_LIST: Final = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "uniqueItems": True}],
    KIND: "name or list of names",
}

Text: TypeAlias = str
Name = Annotated[str, StringConstraints(min_length=1)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Count = Annotated[int, Field(ge=0), BeforeValidator(whole)]
Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(_number)]
Duration = Annotated[
    timedelta,
    PlainValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, KIND: "duration"}),
]
PeriodOfTime = Annotated[
    Period,
    PlainValidator(_period),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PERIOD_PATTERN, KIND: "period"}),
]
When = Annotated[
    Schedule,
    PlainValidator(_schedule),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", KIND: "schedule"}),
]
ColumnType = Annotated[
    str,
    PlainValidator(parsed(canonical_type, example="a type such as long, string or decimal(12,4)")),
    WithJsonSchema({"type": "string", KIND: "column type"}),
]
Names = Annotated[
    tuple[Name, ...], BeforeValidator(one_or_many), AfterValidator(distinct), WithJsonSchema(_NAME_LIST)
]
TableSelection = Annotated[
    Any,
    PlainValidator(_selection),
    WithJsonSchema(
        {
            "anyOf": [{"const": "all"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            KIND: "`all` or a list of tables",
        }
    ),
]
