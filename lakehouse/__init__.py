"""Lakehouse keeps Delta Lake tables alive and lawful: CDC merges with deletion vectors, time travel.

    from lakehouse import Lakehouse

    lake = Lakehouse.open("lakehouse.yaml")
    lake.table("customers").merge(changes)

The public names are loaded when they are first used, so that importing one module never loads the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakehouse.errors import (
        CommitUnknownError,
        ConfigError,
        ConflictError,
        CorruptTableError,
        DataError,
        KeysError,
        LakehouseError,
        MissingPackageError,
        NotBuiltError,
        NotFoundError,
        ProtectedError,
        RefusedError,
        StorageError,
        TableNotFoundError,
        UnsupportedFeatureError,
        UsageError,
        VerificationError,
        VersionNotFoundError,
    )
    from lakehouse.lake import Lakehouse
    from lakehouse.merge.result import MergeResult
    from lakehouse.table import Table

__version__ = "0.1.0"

__all__ = [
    "CommitUnknownError",
    "ConfigError",
    "ConflictError",
    "CorruptTableError",
    "DataError",
    "KeysError",
    "Lakehouse",
    "LakehouseError",
    "MergeResult",
    "MissingPackageError",
    "NotBuiltError",
    "NotFoundError",
    "ProtectedError",
    "RefusedError",
    "StorageError",
    "Table",
    "TableNotFoundError",
    "UnsupportedFeatureError",
    "UsageError",
    "VerificationError",
    "VersionNotFoundError",
    "__version__",
]

_ROOMS = {"Lakehouse": "lakehouse.lake", "Table": "lakehouse.table", "MergeResult": "lakehouse.merge.result"}


def __getattr__(name: str) -> Any:
    """Loads a public name on first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'lakehouse' has no attribute {name!r}")
    return getattr(import_module(_ROOMS.get(name, "lakehouse.errors")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
