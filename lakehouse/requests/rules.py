"""Where the config says that a person's rows are, and what an erasure does to them: by table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lakehouse.config import Config
from lakehouse.config.models import SubjectRows


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule:
    """Rows of a table that belong to a kind of person.

    Args:
        subject: The kind of person.
        table: The table.
        where: Pairs of column (or path) and identifier: all of them must match.
        do: ``delete``, ``anonymize`` or ``keep``.
        columns: The columns (or paths) that ``anonymize`` changes, those of ``text`` too.
        ground: The legal ground of ``keep``.
        text: In place of ``where``: columns with free text in which identifiers stand. ``anonymize`` takes
            out only these words there.
    """

    subject: str
    table: str
    where: tuple[tuple[str, str], ...]
    do: Literal["delete", "anonymize", "keep"]
    columns: tuple[str, ...] = ()
    ground: str = ""
    text: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that are compared."""
        return tuple(column for column, _ in self.where)


def rules_of(config: Config, *, subjects: frozenset[str] | None = None) -> dict[str, tuple[RowRule, ...]]:
    """The rules of a config.

    Args:
        config: The lake's config.
        subjects: Only of these kinds of people; None means of all.

    Returns:
        By table, in the order of the config. A table from which identifiers come, and that no rule names, has
        none: it stays as it is.
    """
    found: dict[str, list[RowRule]] = {}
    for rule in _all(config):
        if subjects is None or rule.subject in subjects:
            found.setdefault(rule.table, []).append(rule)
    return {table: tuple(rules) for table, rules in found.items()}


def _all(config: Config) -> Iterator[RowRule]:
    for name, subject in config.subjects.items():
        for rows in subject.rows:
            yield RowRule(
                subject=name,
                table=rows.table,
                where=tuple(rows.where.items()),
                do=rows.do,
                columns=_changed(rows),
                ground=rows.ground,
                text=tuple(rows.text or ()),
            )


def _changed(rows: SubjectRows) -> tuple[str, ...]:
    if rows.do != "anonymize":
        return ()
    return tuple(dict.fromkeys((*(rows.columns or ()), *(rows.text or ()))))
