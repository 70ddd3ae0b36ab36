"""Secrets that are written into a config file, where everybody who sees the file can read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from lakehouse.config.document import Document, Place, Steps, has, show_path
from lakehouse.config.models.operators import names_a_key
from lakehouse.config.secrets import (
    is_secret_name,
    may_be_written,
    written_alert,
    written_password,
    written_secret,
)
from lakehouse.config.variables import written

_WRITTEN: Final = "a secret is written into the file, where all who see it can read it"
_STATE: Final = "take the password from a variable, as postgresql://user:${STATE_PASSWORD}@host/database"
_URL: Final = "take the password from a variable, as http://user:${PASSWORD}@host"
_ALERT: Final = "the URL holds tokens: take all of it from a variable, as ${ALERT_URL}"
_API_KEY: Final = "take it from a variable, as ${LINEAGE_API_KEY}"
_NOT_IDENTIFIER: Final = str.maketrans("-. ", "___")


def written_secrets(document: Document) -> Iterator[tuple[Place, str, str]]:
    """Finds the secrets that a file gives away.

    Args:
        document: The config as written, variables not replaced yet.

    Yields:
        Place, path and message of each; never the secret.
    """
    for way, value, gives_away, advice in _secret_places(document.data):
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        if gives_away(written(str(value))):
            yield document.values.get(way, Place()), show_path(way), f"{_WRITTEN}; {advice}"


def _secret_places(data: Any) -> Iterator[tuple[Steps, Any, Callable[[str], bool], str]]:
    for way in (("storage", "options"), ("keys",), *_operators(data)):
        section = _at(data, way)
        if not isinstance(section, dict):
            continue
        for name, value in section.items():
            if name == "key" and names_a_key(str(section.get("operator")), value):
                continue
            if is_secret_name(name) and not may_be_written(name):
                variable = name.upper().translate(_NOT_IDENTIFIER)
                yield (*way, name), value, written_secret, f"take it from a variable, as ${{{variable}}}"
    options = _at(data, ("storage", "options"))
    for name, value in options.items() if isinstance(options, dict) else ():
        if not is_secret_name(name):
            yield ("storage", "options", name), value, written_password, _URL
    yield ("state",), _at(data, ("state",)), written_password, _STATE
    alerts = _at(data, ("alerts",))
    for at, alert in enumerate(alerts if isinstance(alerts, list) else []):
        yield ("alerts", at, "to"), _at(alert, ("to",)), written_alert, _ALERT
    yield ("lineage", "to"), _at(data, ("lineage", "to")), written_password, _URL
    yield ("lineage", "api_key"), _at(data, ("lineage", "api_key")), written_secret, _API_KEY


def _operators(data: Any) -> Iterator[Steps]:
    operators = _at(data, ("pii", "operators"))
    if isinstance(operators, dict):
        for entity in operators:
            yield ("pii", "operators", entity)


def _at(data: Any, way: Steps) -> Any:
    for step in way:
        if not has(data, step):
            return None
        data = data[step]
    return data
