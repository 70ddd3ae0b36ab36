"""Regular expressions of the config: those that can't be used are refused where they are written."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Annotated, Any, Final

from pydantic import PlainValidator, WithJsonSchema

from lakehouse.config.models.base import KIND, parsed

# What the `regex` package, which Presidio searches with, understands beyond the standard library.
_BEYOND: Final = ("bad escape", "look-behind requires", "unknown extension", "global flags")
_REPEATS: Final = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)


def expression(text: str) -> str:
    """Checks a regular expression.

    Args:
        text: As the standard library or the package ``regex`` understands it.

    Returns:
        The same text.

    Raises:
        ValueError: It is none, finds nothing in particular, or can take longer than anybody waits.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            matches_nothing = re.compile(text).fullmatch("") is not None
            endless = _is_endless(_parser.parse(text))
        except re.error as error:
            if not str(error).startswith(_BEYOND):
                raise ValueError(f"is no regular expression: {error}") from None
            matches_nothing, endless = _compiled_beyond(text), False
    if matches_nothing:
        raise ValueError("matches the empty text, so it would be found everywhere")
    if endless:
        raise ValueError("has a repeat right within a repeat, as `(a+)+`: that takes forever on some texts")
    return text


def _compiled_beyond(text: str) -> bool:
    """Whether it matches the empty text; unknown, so not, where the package is not installed."""
    if find_spec("regex") is None:
        return False
    import regex  # noqa: PLC0415 - only for what the standard library does not know

    try:
        return regex.compile(text).fullmatch("") is not None
    except regex.error as error:
        raise ValueError(f"is no regular expression: {error}") from None


def _is_endless(parts: Any) -> bool:
    """Whether some text can be read in ever more ways: a repeat of a repeat, with nothing fixed between."""
    for operation, about in parts:
        inside = list(_inside(about))
        if operation in _REPEATS and _is_open(about):
            body = _unwrapped(about[2])
            if any(kind in _REPEATS and _is_open(more) for kind, more in body) and all(
                _can_be_empty(each) or (each[0] in _REPEATS and _is_open(each[1])) for each in body
            ):
                return True
        if any(_is_endless(each) for each in inside):
            return True
    return False


def _inside(about: Any) -> Iterator[Any]:
    """The expressions within one part."""
    if isinstance(about, _parser.SubPattern):
        yield about
    elif isinstance(about, list | tuple):
        for each in about:
            yield from _inside(each)


def _is_open(about: Any) -> bool:
    return about[1] is _constants.MAXREPEAT


def _unwrapped(parts: Any) -> Sequence[tuple[Any, Any]]:
    """What is repeated, without the brackets around it."""
    found = list(parts)
    while len(found) == 1 and found[0][0] is _constants.SUBPATTERN:
        found = list(found[0][1][-1])
    return found


def _can_be_empty(part: tuple[Any, Any]) -> bool:
    operation, about = part
    return operation is _constants.AT or (operation in _REPEATS and about[0] == 0)


Pattern = Annotated[
    str,
    PlainValidator(parsed(expression, example="a regular expression")),
    WithJsonSchema({"type": "string", KIND: "regular expression"}),
]
