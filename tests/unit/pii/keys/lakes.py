"""Lakes with keys, for the tests of keys."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakehouse.config import load_config
from lakehouse.control import Control
from lakehouse.pii.keys.provider import KeyProvider
from lakehouse.pii.keys.verbs import Keys
from lakehouse.storage import open_storage

NOW = datetime(2026, 6, 1, 12, 30, 15, 123456, tzinfo=UTC)


def now() -> datetime:
    return NOW


def keys_of(root: Path, *, name: str = "shop", keeper: KeyProvider | None = None, **section: Any) -> Keys:
    """The keys of a lake in a folder, with a clock that stands still."""
    config = load_config(
        {
            "version": 1,
            "name": name,
            "storage": {"root": str(root / "lake")},
            "keys": section or {"path": str(root / "keys")},
        }
    )
    control = Control(
        config.state.get_secret_value(), lake=open_storage(config.storage.root, options={"fsync": "false"})
    )
    return Keys(config, control=control, clock=now, provider=keeper)
