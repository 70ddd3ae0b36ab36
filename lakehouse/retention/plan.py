"""What a retention plan says: by rule the rows that go, what is held back, and what stands in the way.

Plans are frozen, and written to JSON and read back, so that one can be looked at today and applied tomorrow.
Nothing in it is a value of a row, except the oldest and newest date of a rule's column.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from lakehouse.config.moments import iso
from lakehouse.errors import UsageError
from lakehouse.protection import Protection
from lakehouse.retention.work import TableWork

FORMAT: Final = 1

BrakeKind = Literal[
    "missing_column", "wrong_type", "condition", "append_only", "not_built", "contradiction", "max_fraction",
    "empty", "archive",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """Why a plan is not carried out.

    Args:
        kind: Which brake.
        rule: The rule that it is about; None for the whole table.
        message: What is wrong.
        advice: What to do.
    """

    kind: str
    rule: str | None
    message: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a hold keeps from a rule.

    Args:
        hold: The hold's id.
        reason: The hold's reason.
        rows: Rows past their time that it keeps; a row that several holds keep counts for each.
    """

    hold: str
    reason: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePlan:
    """What one rule does to a table.

    Args:
        rule: Its name.
        action: delete, archive or anonymize.
        column: The column that says how old a row is.
        keep: How long rows are kept.
        cutoff: Rows before this moment go (UTC).
        rows: Rows that go (or are anonymized).
        share: The same as a share of the table's rows.
        files: Files that have such rows.
        files_dropped: Those of them that go whole, by the log alone.
        bytes: Bytes of those rows: of whole files exactly, of others in proportion.
        oldest: The oldest date among those rows, as ISO 8601 or a number; None without rows.
        newest: The newest.
        undated: Rows without a date, which stay.
        undated_exact: Whether those are all; some statistics don't say.
        held_rows: Rows past their time that holds keep.
        held: The same by hold.
        taken: By rule, rows that another rule takes before this one, in files that were looked into.
        to: Where ``archive`` puts them.
        columns: What ``anonymize`` empties.
    """

    rule: str
    action: Literal["delete", "archive", "anonymize"]
    column: str
    keep: str
    cutoff: str
    rows: int = 0
    share: float = 0.0
    files: int = 0
    files_dropped: int = 0
    bytes: int = 0
    oldest: str | int | float | None = None
    newest: str | int | float | None = None
    undated: int = 0
    undated_exact: bool = True
    held_rows: int = 0
    held: tuple[Held, ...] = ()
    taken: Mapping[str, int] = field(default_factory=dict)
    to: str | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What carrying a plan out does to files.

    Args:
        files_dropped: Files that go by the log alone.
        vectors: Files that get a deletion vector, or a larger one.
        files_rewritten: Files that are written anew.
        rows_written: Rows that are written: anonymized ones, and those that share a rewritten file.
        rows_archived: Rows that are copied into archives.
    """

    files_dropped: int = 0
    vectors: int = 0
    files_rewritten: int = 0
    rows_written: int = 0
    rows_archived: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRetention:
    """What the rules do to one table.

    Args:
        table: Its name.
        version: The version that was looked at; None where the table has not been made.
        rows: Its rows.
        rules: By rule.
        cost: What it does to files.
        brakes: What stands in the way; none where the plan can be carried out.
        warnings: What looks odd.
        digest: A fingerprint of exactly which rows go; the same again as long as nothing about them changes.
        protection: The holds that were known.
        work: Which rows; None in a plan that was read from JSON.
    """

    table: str
    version: int | None
    rows: int = 0
    rules: tuple[RulePlan, ...] = ()
    cost: Cost = Cost()
    brakes: tuple[Brake, ...] = ()
    warnings: tuple[str, ...] = ()
    digest: str = ""
    protection: Protection | None = field(default=None, compare=False, repr=False)
    work: TableWork | None = field(default=None, compare=False, repr=False)

    @property
    def rows_going(self) -> int:
        """Rows that are deleted, archived or anonymized."""
        return sum(each.rows for each in self.rules)

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to do."""
        return self.rows_going == 0

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "table": self.table,
            "version": self.version,
            "rows": self.rows,
            "rules": [asdict(each) for each in self.rules],
            "cost": asdict(self.cost),
            "brakes": [asdict(each) for each in self.brakes],
            "warnings": list(self.warnings),
            "digest": self.digest,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPlan:
    """What the rules do to a lake at one moment.

    Args:
        now: The moment (UTC).
        tables: By table; only those with rules for rows.
        max_fraction: What was told in place of the rules' ``max_fraction``.
        allow_empty: Whether it was told that tables may end up empty.
    """

    now: datetime
    tables: tuple[TableRetention, ...] = ()
    max_fraction: float | None = None
    allow_empty: bool = False

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to do."""
        return all(each.changes_nothing for each in self.tables)

    @property
    def brakes(self) -> tuple[tuple[str, Brake], ...]:
        """All brakes, each with the table's name."""
        return tuple((each.table, brake) for each in self.tables for brake in each.brakes)

    def table(self, name: str) -> TableRetention:
        """The plan of one table.

        Args:
            name: The table's name.

        Raises:
            KeyError: The plan has none.
        """
        return next(each for each in self.tables if each.table == name)

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "format": FORMAT,
            "now": iso(self.now),
            "max_fraction": self.max_fraction,
            "allow_empty": self.allow_empty,
            "tables": [each.to_dict() for each in self.tables],
        }

    def to_json(self) -> str:
        """As JSON, which `from_json` reads."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes) -> RetentionPlan:
        """Reads a plan that `to_json` wrote.

        Args:
            text: JSON.

        Raises:
            UsageError: It is no plan, or one of another release.
        """
        try:
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise UsageError(
                    "the plan is of another release of Lakehouse", advice="plan again, and apply that"
                )
            return cls(
                now=datetime.fromisoformat(content["now"]),
                max_fraction=content["max_fraction"],
                allow_empty=content["allow_empty"],
                tables=tuple(_table(each) for each in content["tables"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                "this is no retention plan", advice="`lakehouse retention plan --output plan.json` writes one"
            ) from error

    def only(self, names: Sequence[str]) -> RetentionPlan:
        """The plan for some of its tables."""
        return replace(self, tables=tuple(each for each in self.tables if each.table in names))


def _table(content: Mapping[str, Any]) -> TableRetention:
    rules = tuple(
        RulePlan(
            **{
                **each,
                "held": tuple(Held(**held) for held in each["held"]),
                "columns": tuple(each["columns"]),
            }
        )
        for each in content["rules"]
    )
    return TableRetention(
        table=content["table"],
        version=content["version"],
        rows=content["rows"],
        rules=rules,
        cost=Cost(**content["cost"]),
        brakes=tuple(Brake(**each) for each in content["brakes"]),
        warnings=tuple(content["warnings"]),
        digest=content["digest"],
    )


def shown_date(value: Any) -> str | int | float | None:
    """A date of a rule's column as a plan shows it.

    Args:
        value: A date, a time, a number, or None.
    """
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value  # type: ignore[no-any-return]
