"""Shows a config as it is understood: defaults filled in, secrets masked."""

from __future__ import annotations

import io
from typing import Any

from pydantic import SecretStr
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from lakehouse.config.models import Config
from lakehouse.config.secrets import MASK, AlertUrl, SecretUrl
from lakehouse.config.variables import escape

_ENDLESS = 1_000_000
_LINE_BREAKS = frozenset("\x85\u2028\u2029")


def render(config: Config, *, secrets_masked: bool = True) -> str:
    """Writes a config as YAML.

    Args:
        config: The config.
        secrets_masked: Whether ``********`` stands for secrets, and for the passwords in URLs. Without it the
            text must not be shown; read as a mapping, it gives an equal config.

    Returns:
        YAML, in the order of the reference. Keys without a value are left out.
    """
    yaml = YAML(typ="rt", pure=True)
    yaml.width = _ENDLESS
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(_escaped(as_dict(config, secrets_masked=secrets_masked)), stream)
    return stream.getvalue()


def as_dict(config: Config, *, secrets_masked: bool = True) -> dict[str, Any]:
    """Makes a config into plain values, as for JSON.

    Args:
        config: The config.
        secrets_masked: As in `render`.

    Returns:
        The keys of the file with their values: mappings, lists, texts, numbers, true and false.
    """
    dumped = config.model_dump(by_alias=True)
    return {name: _plain(value, secrets_masked) for name, value in dumped.items()}


def _plain(value: Any, masked: bool) -> Any:
    match value:
        case SecretUrl() | AlertUrl() if masked:
            return str(value)
        case SecretStr():
            return MASK if masked else value.get_secret_value()
        case dict():
            return {name: _plain(each, masked) for name, each in value.items() if each is not None}
        case list() | tuple():
            return [_plain(each, masked) for each in value]
    return value


def _escaped(value: Any) -> Any:
    """Texts that happen to hold ``${`` are read again as what they are."""
    match value:
        case str() if _LINE_BREAKS & set(value):
            # ruamel.yaml writes these as they are and reads them as blanks; in double quotes it escapes them.
            return DoubleQuotedScalarString(escape(value))
        case str():
            return escape(value)
        case dict():
            return {name: _escaped(each) for name, each in value.items()}
        case list():
            return [_escaped(each) for each in value]
    return value
