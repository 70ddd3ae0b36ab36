"""The people in the tables and what they may ask for: ``subjects``, ``requests``, ``roles``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from lakehouse.config.durations import Period
from lakehouse.config.models.base import (
    Duration,
    Flag,
    Model,
    Name,
    Names,
    PeriodOfTime,
    RuleError,
    TableSelection,
    Text,
)


def _table_and_column(text: str) -> str:
    table, dot, column = text.partition(".")
    if not (table and dot and column):
        raise ValueError("names a column as `table.column`")
    return text


ColumnOfTable = Annotated[Name, AfterValidator(_table_and_column)]


class SubjectRows(Model):
    """Rows of one table that belong to a subject, and what an erasure does to them."""

    table: Name = Field(description="The table.")
    where: dict[Name, Name] = Field(
        min_length=1,
        description="Column of the table: identifier of the subject that it holds. All of them must match.",
    )
    do: Literal["delete", "anonymize", "keep"] = Field(
        description=(
            "delete: the rows go; anonymize: the cells in `columns` are emptied; keep: they stay, for the "
            "reason in `ground`."
        )
    )
    columns: Names | None = Field(default=None, description="anonymize: which columns.")
    ground: Text = Field(default="", description="keep: the legal ground, shown in the certificate.")

    @model_validator(mode="after")
    def _complete(self) -> SubjectRows:
        if self.do == "anonymize" and not self.columns:
            raise RuleError("`do: anonymize` needs `columns`")
        if self.do != "anonymize" and self.columns is not None:
            raise RuleError("`columns` belongs to `do: anonymize`", at="columns")
        if self.do == "keep" and not self.ground:
            raise RuleError("`do: keep` needs `ground`: the legal ground for keeping the rows")
        return self


class SubjectConfig(Model):
    """A kind of person whose data is in the tables."""

    identifiers: dict[Name, ColumnOfTable] = Field(
        min_length=1,
        description=(
            "What a person is known by: a name of the identifier, and the `table.column` that holds it."
        ),
    )
    rows: tuple[SubjectRows, ...] = Field(default=(), description="Where the person's rows are.")


class RequestsConfig(Model):
    """How requests for erasure and access are handled."""

    due: PeriodOfTime = Field(
        default=Period(30, "d"), description="When a request must be done, from its arrival."
    )
    approval: Literal["none", "optional", "required"] = Field(
        default="none", description="Whether someone else than the submitter approves a request first."
    )
    purge_after: Duration = Field(
        default=timedelta(0), description="How long after the erasure the old files are physically removed."
    )
    history: Literal["cut", "redact"] = Field(
        default="cut",
        description=(
            "cut: versions from before the erasure can't be read any more; redact: every version stays "
            "readable, with the person's cells empty."
        ),
    )


class RoleConfig(Model):
    """What somebody who reads in this role sees."""

    tables: TableSelection = Field(
        default="all", description="The tables that the role may read: `all`, or a list."
    )
    columns: Literal["masked", "clear"] = Field(
        default="masked",
        description="How columns with personal data appear: masked as in `pii.operators`, or clear.",
    )
    rows: dict[Name, Name] = Field(
        default_factory=dict,
        description="Table: SQL condition of the rows that the role sees; others: all rows.",
    )
    reveal: Flag = Field(
        default=False, description="Whether the role may turn reversible masks back; each use is recorded."
    )
