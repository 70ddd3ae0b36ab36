"""What is secret in a config, and how it is shown: never as it is."""

from __future__ import annotations

import re
from typing import Final

from pydantic import SecretStr

from lakehouse.config.variables import UNDEFINED

MASK: Final = "********"

_PARTS: Final = ("secret", "password", "passwd", "passphrase", "token", "credential", "signature")
_WORDS: Final = frozenset({"key", "sas", "pwd", "pass", "apikey", "accesskey"})
# Names of things around a secret: where it lies, whether it is used.
_AROUND: Final = (
    "_file",
    "_path",
    "_uri",
    "_url",
    "_enabled",
    "_provider",
    "_type",
    "_version",
    "application_credentials",
)
_FLAGS: Final = ("skip_", "use_", "allow_")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PARAMETER: Final = re.compile(r"(?<=[?&;])([^=&;#]+)=([^&;#]*)")
# Addresses of alerts that carry no token of their own.
_OPEN_ALERTS: Final = frozenset(
    {"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos", "syslog", "file"}
)


def is_secret_name(name: str) -> bool:
    """Whether a name says that its value must not be shown.

    Args:
        name: Name of an option, such as ``secret_access_key``; case doesn't matter.

    Returns:
        True for names of secrets, passwords, keys, tokens, SAS and credentials.
    """
    lowered = name.lower().replace("-", "_")
    if lowered.endswith(_AROUND) or lowered.startswith(_FLAGS):
        return False
    return any(part in lowered for part in _PARTS) or not _WORDS.isdisjoint(lowered.split("_"))


def may_be_written(name: str) -> bool:
    """Whether the value of a secret name may stand in a file all the same.

    An id of a key says which key it is, not what it is: it is masked when shown and that is all.

    Args:
        name: Name of an option.

    Returns:
        True for names such as ``access_key_id``.
    """
    return name.lower().replace("-", "_").endswith(("_id", "_name"))


class SecretUrl(SecretStr):
    """A URL whose password, and secret parameters, are never shown."""

    def _display(self) -> str:
        return mask_url(self.get_secret_value())


class AlertUrl(SecretStr):
    """An address of alerts: of it only the scheme is shown, since the rest is made of tokens."""

    def _display(self) -> str:
        match = _SCHEME.match(self.get_secret_value())
        return f"{match.group(1)}://{MASK}" if match else MASK


def mask_url(url: str) -> str:
    """Takes the password and secret parameters out of a URL.

    Args:
        url: Any URL.

    Returns:
        The URL with ``********`` in their place. Where it can't be told where a password ends, more is
        masked than need be.
    """
    match = _SCHEME.match(url)
    if match is None:
        return url if url.startswith("sqlite:") or not url else MASK
    rest = url[match.end() :]
    before, at, after = rest.rpartition("@")
    user, colon, _ = before.partition(":")
    if at and colon:
        rest = f"{user}:{MASK}@{after}"

    def masked(parameter: re.Match[str]) -> str:
        name = parameter.group(1)
        secret = is_secret_name(name) or name.lower() == "odbc_connect"
        return f"{name}={MASK}" if secret else parameter.group(0)

    return match.group(0) + _PARAMETER.sub(masked, rest)


def written_secret(written: str) -> bool:
    """Whether a text gives its secret away to everybody who can read the file.

    Args:
        written: A text as `lakehouse.config.variables.written` gives it.

    Returns:
        True where it says something and no part of it comes from a variable without a default.
    """
    return bool(written) and UNDEFINED not in written


def written_password(written: str) -> bool:
    """Whether a URL gives its password, or a secret parameter, away.

    Args:
        written: A URL as `lakehouse.config.variables.written` gives it.

    Returns:
        True where a password or secret parameter is written out.
    """
    match = _SCHEME.match(written)
    if match is None:
        return False
    rest = written[match.end() :]
    before, _, _ = rest.rpartition("@")
    password = before.partition(":")[2]
    parameters = [value for name, value in _PARAMETER.findall(rest) if is_secret_name(name)]
    return any(written_secret(each) for each in (password, *parameters))


def written_alert(written: str) -> bool:
    """Whether an address of alerts gives its tokens away.

    Args:
        written: An address as `lakehouse.config.variables.written` gives it.

    Returns:
        True where the address is written out and is of a kind that carries tokens or has a password.
    """
    match = _SCHEME.match(written)
    if match is None or not written_secret(written):
        return False
    return match.group(1).lower() not in _OPEN_ALERTS or written_password(written)
