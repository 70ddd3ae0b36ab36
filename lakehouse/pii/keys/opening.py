"""From the config to what keeps the keys."""

from __future__ import annotations

from lakehouse.config import Config
from lakehouse.control import Control
from lakehouse.errors import NotBuiltError
from lakehouse.pii.keys.file import FileKeys
from lakehouse.pii.keys.provider import KeyProvider


def open_provider(config: Config, *, control: Control) -> KeyProvider:
    """Opens the provider that a config names. Nothing is reached yet.

    Args:
        config: The config.
        control: The way to the state database, which keeps wrapped keys.

    Raises:
        MissingPackageError: The provider needs a package that is not installed.
    """
    del control
    if config.keys.provider == "file":
        return FileKeys(config.keys.path)
    raise NotBuiltError(f"the provider `{config.keys.provider}` is not there yet")
