"""The tour that ``lakehouse demo`` gives: a lake made, filled, read back in time, checked, in seconds.

tour.py        the story, chapter by chapter
stage.py       the folder of the demo: made, and made anew
shop.py        the changes of a small shop, generated, the same every time
typed.py       commands as a person types them, run in this process
postgres/      events that Debezium recorded from a PostgreSQL database
lakehouse.yaml the config of the demo's lake
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakehouse.demo.tour import run

__all__ = ["run"]


def __getattr__(name: str) -> Any:
    """Loads `run` on first use (PEP 562): the help page of the verb needs none of it."""
    if name != "run":
        raise AttributeError(f"module 'lakehouse.demo' has no attribute {name!r}")
    return import_module("lakehouse.demo.tour").run
