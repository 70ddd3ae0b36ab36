"""The people in the tables and what they may ask for: ``subjects``, ``requests``, ``roles``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from lakehouse.config.durations import Period
from lakehouse.config.models.base import (
    Count,
    Duration,
    Flag,
    Model,
    Name,
    Names,
    PeriodOfTime,
    RuleError,
    Share,
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
        default_factory=dict,
        description=(
            "Column of the table, or path into it (`profile.email`, `contacts[].email`, `labels{}`): "
            "identifier of the subject that it holds. All of them must match; at most one goes through a "
            "list or map."
        ),
    )
    text: Names | None = Field(
        default=None,
        description=(
            "In place of `where`: columns with free text. The rows are those in whose text an identifier of "
            "the person stands as a word. anonymize takes out these words and keeps the rest of the text. "
            "Short identifiers are not looked for: less than 6 characters, or 9 where all are digits."
        ),
    )
    do: Literal["delete", "anonymize", "keep"] = Field(
        description=(
            "delete: the rows go; anonymize: the cells in `columns` are emptied; keep: they stay, for the "
            "reason in `ground`."
        )
    )
    columns: Names | None = Field(
        default=None,
        description=(
            "anonymize: which columns, or paths into them. Of a list or map through which `where` goes too, "
            "only the elements that match are taken out or emptied."
        ),
    )
    ground: Text = Field(default="", description="keep: the legal ground, shown in the certificate.")

    @model_validator(mode="after")
    def _complete(self) -> SubjectRows:
        if self.where and self.text:
            raise RuleError("`where` and `text` are two ways to find rows; give one of them", at="text")
        if not self.where and not self.text:
            raise RuleError(
                "`where` is missing: by which columns the rows are found; or `text`: in which texts"
            )
        if self.do == "anonymize" and not self.columns and not self.text:
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
    max_share: Share = Field(
        default=0.01,
        description=(
            "The largest share of a table's rows that one request may find, from 0 to 1; up to 1,000 rows "
            "are never too many. A request that finds more is refused, unless the run allows it."
        ),
    )
    max_values: Count = Field(
        default=20,
        description=(
            "How many values of one identifier a request may lead to before it is refused: an e-mail of "
            "forty customers is nobody's. Identifiers of what people have many of, as orders, do not count."
        ),
    )
    placeholders: Names = Field(
        default=(),
        description=(
            "Values of identifiers that stand for nobody, as `unknown@example.com`: nobody is found by them. "
            "Empty ones, and such as `null` and `n/a`, never are anybody's."
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
