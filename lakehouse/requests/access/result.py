"""What a bundle is, for those who made it; no value of a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakehouse.requests.access.sources import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """One place of which a bundle has, or could have had, rows.

    Args:
        name: What it is called in the bundle: a table, its quarantine, or one of its archives.
        table: The table of the config.
        kind: ``table``, ``rejected`` or ``archive``.
        version: The version that was read; None where there is none.
        columns: The columns that are shown.
        rows: Rows of the newest version, or of the archive or quarantine.
        earlier: Different rows that only older files still hold.
        masked: By column how many values of other people were masked, or texts in which some were.
        revealed: By column how many values that are stored masked were turned back.
        guarded: Cells of the CSV file that begin with an apostrophe, so that no spreadsheet calculates them.
        declared: Whether the config says of the table what personal data it holds (`pii`).
        pages: How many pages its rows take besides the overview.
    """

    name: str
    table: str
    kind: Kind
    version: int | None
    columns: tuple[str, ...] = ()
    rows: int = 0
    earlier: int = 0
    masked: Mapping[str, int] = field(default_factory=dict)
    revealed: Mapping[str, int] = field(default_factory=dict)
    guarded: int = 0
    declared: bool = True
    pages: int = 0

    @property
    def total(self) -> int:
        """All of its rows."""
        return self.rows + self.earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Everything about a person, as a file.

    Args:
        path: The file.
        request: The request that it answers.
        bytes: Its size.
        sha256: Of its bytes, in hexadecimal.
        sources: What was read.
        notes: What whoever sends it should know.
    """

    path: Path
    request: str
    bytes: int
    sha256: str
    sources: tuple[Bundled, ...]
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Its rows."""
        return sum(each.total for each in self.sources)

    def detail(self) -> dict[str, Any]:
        """What the request remembers of it: counts and a digest."""
        having = [each for each in self.sources if each.total]
        return {
            "tables": len({each.table for each in having}),
            "rows": sum(each.rows for each in having),
            "earlier": sum(each.earlier for each in having),
            "masked": sum(sum(each.masked.values()) for each in having),
            "revealed": sum(sum(each.revealed.values()) for each in having),
            "bytes": self.bytes,
            "sha256": self.sha256,
        }

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {
            "request": self.request,
            "path": str(self.path),
            **self.detail(),
            "sources": [
                {
                    "name": each.name,
                    "table": each.table,
                    "kind": each.kind,
                    "version": each.version,
                    "rows": each.rows,
                    "earlier": each.earlier,
                    "masked": dict(each.masked),
                    "revealed": dict(each.revealed),
                }
                for each in self.sources
            ],
            "notes": list(self.notes),
        }
