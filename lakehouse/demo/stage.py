"""The folder of the demo: the config, the change files, and what an earlier run left."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Final

from lakehouse.demo.shop import Shop
from lakehouse.errors import RefusedError

CONFIG: Final = "lakehouse.yaml"
POSTGRES: Final = "postgres"
SHOP: Final = "shop"
LAKE: Final = "lake"
KEYS: Final = "keys"
ARRIVALS: Final = "arrivals"
_OURS: Final = b"# Made by `lakehouse demo`"


def config_text() -> str:
    """The config of the demo's lake.

    Returns:
        YAML.
    """
    return (files("lakehouse.demo") / CONFIG).read_text(encoding="utf-8")


def set_stage(directory: Path, shop: Shop) -> bool:
    """Makes the demo's folder; what an earlier demo made there is made anew, and nothing else is touched.

    Args:
        directory: The folder; made if need be.
        shop: The shop's change files.

    Returns:
        Whether an earlier demo was there.

    Raises:
        RefusedError: The folder has something in it and is not a demo's.
    """
    again = _is_ours(directory)
    if again:
        for name in (LAKE, KEYS, POSTGRES, SHOP, ARRIVALS):
            _remove(directory / name)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / CONFIG).write_text(config_text(), encoding="utf-8")
    _write_events(directory / POSTGRES)
    _write_shop(directory / SHOP, shop)
    return again


def _is_ours(directory: Path) -> bool:
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return False
    config = directory / CONFIG
    if config.is_file() and config.read_bytes().startswith(_OURS):
        return True
    raise RefusedError(
        f"{directory} has something in it that is not a demo's",
        advice="name a folder that is empty or not there yet, with --dir",
    )


def _remove(path: Path) -> None:
    """Takes away what the demo made; a link goes, and what it points at stays."""
    if path.is_symlink():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)


def _write_events(folder: Path) -> None:
    folder.mkdir()
    for event_file in (files("lakehouse.demo") / POSTGRES).iterdir():
        if event_file.name.endswith(".jsonl"):
            (folder / event_file.name).write_bytes(event_file.read_bytes())


def _write_shop(folder: Path, shop: Shop) -> None:
    folder.mkdir()
    named = {
        "customers-1.jsonl": shop.customers,
        "customers-2.jsonl": shop.moved,
        "orders-1.jsonl": shop.orders,
        "orders-2.jsonl": shop.second,
        "orders-3.jsonl": shop.third,
        "orders-mistake.jsonl": shop.mistake,
    }
    for name, day in named.items():
        (folder / name).write_bytes(day.data)
