"""From the config to what keeps the keys."""

from __future__ import annotations

from lakehouse.config import Config
from lakehouse.control import Control
from lakehouse.pii.keys.aws_kms import KmsWrapper
from lakehouse.pii.keys.env import EnvKeys
from lakehouse.pii.keys.file import FileKeys
from lakehouse.pii.keys.provider import KeyProvider
from lakehouse.pii.keys.vault import KEY_NAME, VaultWrapper
from lakehouse.pii.keys.wrapped import WrappedKeys


def open_provider(config: Config, *, control: Control) -> KeyProvider:
    """Opens the provider that a config names. Nothing is reached yet.

    Args:
        config: The config.
        control: The way to the state database, which keeps wrapped keys.
    """
    section = config.keys
    if section.provider == "file":
        return FileKeys(section.path)
    if section.provider == "env":
        return EnvKeys(section.prefix)
    if section.provider == "aws_kms":
        kms = KmsWrapper(
            key_id=section.key_id or "", region=section.region, endpoint_url=section.endpoint_url
        )
        return WrappedKeys(kms, control=control, lake=config.name)
    vault = VaultWrapper(
        url=section.url or "",
        mount=section.mount,
        key=section.key_id or KEY_NAME,
        namespace=section.namespace,
        token=section.token,
    )
    return WrappedKeys(vault, control=control, lake=config.name)
