"""Environment variables in the texts of a config: ``${NAME}``, ``${NAME:-default}``, and ``$${`` for ``${``.

As in a shell, a default stands in for a variable that is not set or is empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

UNDEFINED: Final = "\0"
"""Stands in `written` for what a file does not say: the value of a variable without a default."""

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)", re.DOTALL)
_BODY: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class Expanded(str):
    """A text whose variables were replaced.

    It knows how it is written in the file, so that messages never show what came from the environment.
    """

    __slots__ = ("template",)
    template: str

    @classmethod
    def of(cls, text: str, *, template: str) -> Expanded:
        """Joins a text and its template.

        Args:
            text: The text with its variables replaced.
            template: The text as written in the file.

        Returns:
            The text, knowing its template.
        """
        expanded = cls(text)
        expanded.template = template
        return expanded


def expand(text: str, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Replaces the variables in a text.

    Args:
        text: The text, as written.
        environ: The variables.

    Returns:
        The text, an `Expanded` where there was a variable in it, and what is wrong with it.
    """
    if "${" not in text:
        return text, []
    problems: list[str] = []
    found = False

    def replace(match: re.Match[str]) -> str:
        nonlocal found
        if match.group(1) is None:
            return "${"
        body = _BODY.fullmatch(match.group(1))
        default = body.group(2) if body else None
        if body is None or not match.group(2):
            problems.append("a variable is not understood: write ${NAME} or ${NAME:-default}, and $${ for ${")
            return ""
        if default is not None and "${" in default:
            problems.append(f"the default of `${{{body.group(1)}}}` can't name a variable itself")
            return ""
        found = True
        value = environ.get(body.group(1))
        if value is None and default is None:
            name = body.group(1)
            problems.append(
                f"the environment variable `{name}` is not set; set it, or write ${{{name}:-default}}"
            )
        return value or default or ""

    result = _REFERENCE.sub(replace, text)
    return (Expanded.of(result, template=text) if found else result), problems


def written(template: str) -> str:
    """What a file itself says: defaults stay, other variables become `UNDEFINED`.

    Args:
        template: The text as written, variables and all.

    Returns:
        The text that anyone who reads the file can know.
    """

    def replace(match: re.Match[str]) -> str:
        if match.group(1) is None:
            return "${"
        body = _BODY.fullmatch(match.group(1))
        return UNDEFINED if body is None or body.group(2) is None else body.group(2)

    return _REFERENCE.sub(replace, template)


def plain(value: Any) -> Any:
    """Takes the memory of their templates from all texts in a value.

    Args:
        value: Texts, numbers, lists and mappings of them.

    Returns:
        The same with ordinary texts.
    """
    if isinstance(value, Expanded):
        return str(value)
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def escape(text: str) -> str:
    """Writes a text so that reading it replaces nothing.

    Args:
        text: Any text.

    Returns:
        The text with ``${`` written as ``$${``.
    """
    return text.replace("${", "$${")


def template_of(value: object) -> str:
    """How a value may be shown in a message: never with what came from the environment.

    Args:
        value: A value of the config.

    Returns:
        The template of an `Expanded`, else the value itself, shortened.
    """
    text = value.template if isinstance(value, Expanded) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
