"""Makes the JSON schema of the config, which editors complete from, and the written reference of its keys."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema

from lakehouse.config.durations import Period, format_duration
from lakehouse.config.markdown import keys_of_schema, markdown
from lakehouse.config.models import Config
from lakehouse.config.models.base import KIND

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE: Final = "variable"
_SCALARS: Final = frozenset({"integer", "number", "boolean"})
_NARROW: Final = ("enum", "const", "pattern")
_ABOUT: Final = ("description", "default")
_NO_SCHEMAS: Final = frozenset({"default", "enum", "const", "examples", "propertyNames", "required"})


def json_schema() -> dict[str, Any]:
    """The JSON schema of a config file.

    Returns:
        A schema of the dialect 2020-12, with a description on every key. Where a value is not any text, one
        with a variable in it (``${NAME}``) is valid too.
    """
    generated = generated_schema()
    definitions = {name: _with_variables(_tidy(each)) for name, each in generated.pop("$defs").items()}
    definitions[_VARIABLE] = {
        "type": "string",
        "pattern": r"\$\{[A-Za-z_]",
        "description": "An environment variable: ${NAME} or ${NAME:-default}.",
    }
    return {
        "$schema": _DIALECT,
        "title": "Config of a lake (lakehouse.yaml)",
        **_with_variables(_tidy(generated)),
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """The JSON schema as a file holds it.

    Returns:
        Indented JSON with a line feed at its end.
    """
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def reference_markdown() -> str:
    """The written reference of the config: every key with its type, default and meaning.

    Returns:
        Markdown, one table for each section.
    """
    return markdown(keys_of_schema(generated_schema()))


def _tidy(schema: Any) -> Any:
    """Takes out what says nothing to an editor: titles, and what only the written reference reads."""
    if isinstance(schema, list):
        return [_tidy(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key == "properties":
            kept[key] = {name: _tidy(each) for name, each in value.items()}
        elif key != KIND and not (key == "title" and isinstance(value, str)):
            kept[key] = _tidy(value)
    return kept


def _with_variables(schema: Any) -> Any:
    """Lets a variable stand wherever a value is more than any text."""
    if isinstance(schema, list):
        return [_with_variables(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _inner_with_variables(key, value) for key, value in schema.items()}
    if not (result.get("type") in _SCALARS or any(mark in result for mark in _NARROW)):
        return result
    about = {key: result.pop(key) for key in _ABOUT if key in result}
    return {**about, "anyOf": [result, {"$ref": f"#/$defs/{_VARIABLE}"}]}


def _inner_with_variables(key: str, value: Any) -> Any:
    if key == "properties":
        return {name: _with_variables(each) for name, each in value.items()}
    return value if key in _NO_SCHEMAS else _with_variables(value)


class _Generator(GenerateJsonSchema):
    """Writes defaults as the file writes them."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return format_duration(dft)
        return str(dft) if isinstance(dft, Period) else super().encode_default(dft)


def generated_schema() -> dict[str, Any]:
    """The JSON schema as pydantic makes it of the models, with the words that the written reference needs.

    Returns:
        The schema; `json_schema` makes it fit for editors.
    """
    return Config.model_json_schema(by_alias=True, schema_generator=_Generator)
