"""Packages that only some operators need: they come with the extra `pii`, and are loaded on use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lakehouse.errors import MissingPackageError


def needed(module: str, *, operator: str) -> Any:
    """Loads a module of an optional package.

    Args:
        module: Its name.
        operator: Which operator needs it.

    Raises:
        MissingPackageError: It is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise MissingPackageError(
            f"the operator `{operator}` needs the package {module.partition('.')[0]}, which is not installed",
            advice="pip install 'lakehouse[pii]'",
        ) from None
