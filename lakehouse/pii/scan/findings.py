"""What a scan says: frozen, and without any value that was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

Evidence: TypeAlias = Literal[
    "pattern", "checksum", "name", "dictionary", "model", "context", "library", "range", "recognizer"
]
"""What speaks for a kind of personal data. No verdict rests on ``name`` or on ``model`` alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityFinding:
    """One kind of personal data at one path.

    Args:
        entity: The kind, as ``EMAIL_ADDRESS``.
        share: Share of the values, from 0 to 1, that are it; of texts, that hold it.
        score: How sure that is, from 0 to 1.
        evidence: What speaks for it.
        reason: The same in a sentence.
        inside: Whether it is a part of the values, and not the values as a whole.
    """

    entity: str
    share: float
    score: float
    evidence: tuple[Evidence, ...]
    reason: str
    inside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFinding:
    """A path with personal data.

    Args:
        path: Where, as the config writes it: ``address.street``.
        entities: Which kinds, that of most values first.
        examples: What a few values look like: the first letter of each word, stars, nines for digits.
        rows: Values that were looked at, nulls included.
        filled: How many were neither null nor blank.
        distinct: How many different ones.
        declared: What the config says that is in it.
        note: What a reader has to know; without values.
        prose: Whether it is text that people wrote, in which the data can be masked where it stands.
    """

    path: str
    entities: tuple[EntityFinding, ...]
    examples: tuple[str, ...] = ()
    rows: int = 0
    filled: int = 0
    distinct: int = 0
    declared: tuple[str, ...] = ()
    note: str = ""
    prose: bool = False

    @property
    def text(self) -> bool:
        """Whether all that was found is a part of longer values."""
        return all(each.inside for each in self.entities)

    @property
    def says(self) -> tuple[str, ...] | Mapping[str, Any]:
        """What the config would say of it: its kinds, or that one kind is only a part of its texts."""
        if self.prose and len(self.entities) == 1:
            return {"entity": self.names[0], "text": True}
        return self.names

    @property
    def names(self) -> tuple[str, ...]:
        """The kinds."""
        return tuple(each.entity for each in self.entities)

    @property
    def score(self) -> float:
        """That of the surest kind."""
        return max((each.score for each in self.entities), default=0.0)

    def to_dict(self, *, examples: bool = True) -> dict[str, Any]:
        """As JSON can hold it.

        Args:
            examples: Whether the masked examples are part of it.
        """
        return {
            "path": self.path,
            "entities": [
                {
                    "entity": each.entity,
                    "share": round(each.share, 4),
                    "score": round(each.score, 2),
                    "evidence": list(each.evidence),
                    "reason": each.reason,
                }
                for each in self.entities
            ],
            "text": self.text,
            **({"examples": list(self.examples)} if examples else {}),
            "rows": self.rows,
            "filled": self.filled,
            "distinct": self.distinct,
            "declared": list(self.declared),
            "note": self.note,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A path that was not judged.

    Args:
        path: Where.
        reason: Why, as ``binary, no text``.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What differs from the scan before.

    Args:
        since: When that was; None where this is the first.
        new: Paths that hold personal data now, did not then, and are not in the config.
        gone: Paths that did then and do not any more.
        changed: Paths that hold other kinds now.
        shares: Paths that hold the same kinds, in a quarter of the values more or less.
    """

    since: datetime | None = None
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LastScan:
    """What the newest scan of a table found, as it was kept.

    Args:
        at: When (timezone-aware).
        version: At which version of the table.
        columns: Kinds of personal data by path.
    """

    at: datetime
    version: int
    columns: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableScan:
    """What a scan found in one table.

    Args:
        table: Its name.
        version: Which version was looked at; None where the table has not been made.
        columns: Paths with personal data, in the order of the schema.
        paths: How many paths were judged.
        sampled: Rows that were sampled.
        unread: Paths that were not judged.
        undeclared: Paths with personal data that the config does not name.
        drift: What differs from the scan before.
    """

    table: str
    version: int | None
    columns: tuple[ColumnFinding, ...] = ()
    paths: int = 0
    sampled: int = 0
    unread: tuple[Unread, ...] = ()
    undeclared: tuple[str, ...] = ()
    drift: Drift = field(default_factory=Drift)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        drift = self.drift
        return {
            "table": self.table,
            "version": self.version,
            "columns": [each.to_dict() for each in self.columns],
            "paths": self.paths,
            "sampled": self.sampled,
            "unread": [{"path": each.path, "reason": each.reason} for each in self.unread],
            "undeclared": list(self.undeclared),
            "drift": {
                "since": drift.since,
                "new": list(drift.new),
                "gone": list(drift.gone),
                "changed": list(drift.changed),
                "shares": list(drift.shares),
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """What a scan found.

    Args:
        at: When (timezone-aware).
        seed: Of the sample.
        sample: Values that were wanted of each column.
        missing: What is not installed that was needed to look into free texts; empty where nothing is.
        tables: Each table.
    """

    at: datetime
    seed: int
    sample: int
    missing: str = ""
    tables: tuple[TableScan, ...]

    @property
    def new(self) -> dict[str, tuple[str, ...]]:
        """By table what is new since the scan before and not in the config."""
        return {each.table: each.drift.new for each in self.tables if each.drift.new}

    @property
    def undeclared(self) -> dict[str, tuple[str, ...]]:
        """By table what the config does not name."""
        return {each.table: each.undeclared for each in self.tables if each.undeclared}

    def additions(self) -> Mapping[str, Mapping[str, tuple[str, ...] | Mapping[str, Any]]]:
        """What the config could say: table, path, kinds; only paths that it does not name.

        Of texts with a single kind it is what the config writes: ``{"entity": kind, "text": True}``.
        """
        return {
            each.table: {
                column.path: column.says for column in each.columns if column.path in each.undeclared
            }
            for each in self.tables
            if each.undeclared
        }

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "at": self.at,
            "seed": self.seed,
            "sample": self.sample,
            "missing": self.missing,
            "tables": [each.to_dict() for each in self.tables],
        }
