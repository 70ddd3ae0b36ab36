"""Proving that a person is gone: every remaining object opened, and searched for all needles at once."""

from __future__ import annotations

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
