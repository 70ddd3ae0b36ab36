"""The control columns: stored beside the rows of a table where merges need them."""

from __future__ import annotations

from typing import Final

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.changes import SEQUENCE
from lakehouse.cdc.generations import GENERATION
from lakehouse.cdc.timeline import EVENTS

CONTROL_COLUMNS: Final = frozenset({SEQUENCE, CELLS, EVENTS, GENERATION})
"""Shown only when they are asked for by name; no part of what a row says."""
