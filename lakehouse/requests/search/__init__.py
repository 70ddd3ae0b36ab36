"""Proving that a person is gone: every remaining object opened, and searched for all needles at once.

Its names are loaded when they are first used: processes that search need but a part of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakehouse.requests.search.places import Folder, Place, StateDatabase, lake_places
    from lakehouse.requests.search.report import NotSearched, Searched, SearchReport
    from lakehouse.requests.search.run import Progress, search

__all__ = [
    "Folder",
    "NotSearched",
    "Place",
    "Progress",
    "SearchReport",
    "Searched",
    "StateDatabase",
    "lake_places",
    "search",
]

_MODULES = {
    **dict.fromkeys(("Folder", "Place", "StateDatabase", "lake_places"), "places"),
    **dict.fromkeys(("NotSearched", "SearchReport", "Searched"), "report"),
    **dict.fromkeys(("Progress", "search"), "run"),
}


def __getattr__(name: str) -> Any:
    """Loads a public name on first use (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
