"""What a job has done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_MANY: Final = frozenset(
    {"bytes", "certificates", "columns", "expectations", "files", "findings", "notes", "requests", "rows"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """What a job has done. It has no personal data in it, since it is kept and shown.

    Args:
        counts: What was done, in numbers, by name.
        versions: The versions of tables that were made, by table.
        notes: What else there is to know.
        found: What a check found, in a sentence; empty where it found nothing. With it the run has failed.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    found: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {"counts": dict(self.counts), "versions": dict(self.versions), "notes": list(self.notes)}


class Tally:
    """Adds up what a job does to several tables."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.versions: dict[str, int] = {}
        self.notes: list[str] = []
        self.found: list[str] = []

    def add(self, **counts: int) -> None:
        """Counts on.

        Args:
            **counts: What was done.
        """
        for name, number in counts.items():
            self.counts[name] = self.counts.get(name, 0) + number

    def made(self, table: str, version: int | None) -> None:
        """Notes a version that was made.

        Args:
            table: Of which table.
            version: Which; None where none was made.
        """
        if version is not None:
            self.versions[table] = version

    @property
    def result(self) -> JobResult:
        """All of it."""
        return JobResult(
            counts=dict(self.counts),
            versions=dict(self.versions),
            notes=tuple(self.notes),
            found="; ".join(self.found),
        )


def in_words(counts: Mapping[str, int], *, most: int | None = None) -> str:
    """Counts for people: ``1 file, 2,000 rows deleted``; what is zero says nothing.

    Args:
        counts: Numbers by name; names are plurals where they can be counted.
        most: At most so many; None means all.
    """
    told = [_counted(number, name.replace("_", " ")) for name, number in counts.items() if number]
    return ", ".join(told[:most]) + (", …" if most is not None and len(told) > most else "")


def _counted(number: int, name: str) -> str:
    """``1 file``, ``2 files``, ``1 file removed``."""
    first, _, rest = name.partition(" ")
    if number == 1 and first in _MANY:
        first = first[:-1]
    return " ".join(filter(None, (f"{number:,}", first, rest)))
