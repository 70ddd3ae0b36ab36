"""What is kept, for how long, and what happens after: ``tables.<name>.retention``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from lakehouse.config.models.base import Count, Duration, Model, Name, Names, PeriodOfTime, RuleError, Share
from lakehouse.config.models.zones import TimeZone

_YOUNGEST_ORPHANS: Final = timedelta(days=1)
_ROWS_ONLY: Final = ("keep", "where", "action", "to", "columns", "unit", "max_fraction")


class VersionsToKeep(Model):
    """Which versions of a table stay readable; tags and holds always do."""

    last: Count = Field(default=0, description="The newest versions, by number.")
    hourly: Count = Field(default=0, description="The last version of an hour, for so many hours.")
    daily: Count = Field(default=0, description="The last version of a day, for so many days.")
    weekly: Count = Field(default=0, description="The last version of a week, for so many weeks.")
    monthly: Count = Field(default=0, description="The last version of a month, for so many months.")

    @model_validator(mode="after")
    def _keeps_something(self) -> VersionsToKeep:
        if not any((self.last, self.hourly, self.daily, self.weekly, self.monthly)):
            raise RuleError("keeps no version at all: give at least `last: 1`")
        return self


class RetentionRule(Model):
    """One rule: for rows (`column`), for versions (`versions`) or for leftover files (`orphans`)."""

    name: Name = Field(description="What plans and records call the rule.")
    column: Name | None = Field(
        default=None,
        description="Rows: the column that says how old a row is: a date, a timestamp, or a number (`unit`).",
    )
    keep: PeriodOfTime | None = Field(
        default=None, description="Rows: how long they are kept, by the calendar: `10d`, `2w`, `6mo`, `3y`."
    )
    where: Name | None = Field(
        default=None, description="Rows: only those for which this SQL condition holds."
    )
    action: Literal["delete", "archive", "anonymize"] | None = Field(
        default=None,
        description=(
            "Rows: what happens to those past their time: delete; archive: moved to `to`, checked there "
            "first; anonymize: personal columns are masked."
        ),
    )
    to: Name | None = Field(
        default=None,
        description="archive: where to; a path is meant from the storage root, outside of every table.",
    )
    columns: Names | None = Field(
        default=None, description="anonymize: which columns; otherwise those of the table's `pii`."
    )
    unit: Literal["days", "seconds", "millis", "micros", "nanos"] | None = Field(
        default=None, description="Rows: what a number in `column` counts since 1970."
    )
    timezone: TimeZone = Field(default="UTC", description="Where a day, month or year begins.")
    max_fraction: Share = Field(
        default=0.5, description="Rows: the share of the table that one run may take; more is refused."
    )
    versions: VersionsToKeep | None = Field(default=None, description="Versions: which stay readable.")
    orphans: Duration | None = Field(
        default=None,
        description=(
            "Files that no version needs, left by crashed writers: how old they must be to go; at least `1d`."
        ),
    )

    @property
    def kind(self) -> Literal["rows", "versions", "orphans"]:
        """What the rule is about."""
        if self.column is not None:
            return "rows"
        return "versions" if self.versions is not None else "orphans"

    @model_serializer(mode="wrap")
    def _of_kind(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        hidden = () if self.kind == "rows" else _ROWS_ONLY
        return {name: value for name, value in handler(self).items() if name not in hidden}

    @model_validator(mode="after")
    def _one_kind(self) -> RetentionRule:
        kinds = [name for name in ("column", "versions", "orphans") if getattr(self, name) is not None]
        if not kinds:
            raise RuleError(
                "says not what it is about: give `column` and `keep`, or `versions`, or `orphans`"
            )
        if len(kinds) > 1:
            raise RuleError(f"`{kinds[0]}` and `{kinds[1]}` belong into two rules", at=kinds[1])
        if self.kind == "rows":
            self._check_rows()
        else:
            if self.orphans is not None and self.orphans < _YOUNGEST_ORPHANS:
                raise RuleError(
                    "too young: a merge may take a day whose files nobody knows of before it commits; "
                    "give at least `1d`",
                    at="orphans",
                )
            stray = next((name for name in _ROWS_ONLY if name in self.model_fields_set), None)
            if stray is not None:
                raise RuleError(f"`{stray}` belongs to a rule with `column`", at=stray)
        return self

    def _check_rows(self) -> None:
        if self.keep is None:
            raise RuleError("`keep` is missing: how long are rows kept?")
        if self.action is None:
            raise RuleError("`action` is missing: one of `delete`, `archive`, `anonymize`")
        if self.action == "archive" and self.to is None:
            raise RuleError("`action: archive` needs `to`: where the rows go")
        if self.action != "archive" and self.to is not None:
            raise RuleError("`to` belongs to `action: archive`", at="to")
        if self.action != "anonymize" and self.columns is not None:
            raise RuleError("`columns` belongs to `action: anonymize`", at="columns")
