"""Work with a schedule, and who hears of it: ``jobs`` and ``alerts``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from lakehouse.config.models.base import (
    KIND,
    SHOWN,
    Count,
    Duration,
    Flag,
    Model,
    Name,
    Names,
    RuleError,
    TableSelection,
    Text,
    When,
    distinct,
    one_or_many,
    parsed,
    whole,
)
from lakehouse.config.models.zones import TimeZone
from lakehouse.config.nearest import suggestion
from lakehouse.config.secrets import AlertUrl

JOB_KINDS: Final = ("retention", "vacuum", "erase", "compact", "verify", "merge", "freshness", "pii-scan")
_FUNCTION: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*[.:][^\W\d]\w*")

AlertEvent = Literal["failed", "late", "overdue", "out_of_control", "recovered"]


def _kind(text: str) -> str:
    if text in JOB_KINDS or _FUNCTION.fullmatch(text):
        return text
    raise ValueError(
        f"unknown job `{text}`{suggestion(text, JOB_KINDS, what='kinds')}"
        + ("" if text.isidentifier() else " (or a Python function, as package.module.function)")
    )


def _address(value: object) -> AlertUrl:
    if isinstance(value, AlertUrl):
        return value
    if not isinstance(value, str):
        raise ValueError("expected an Apprise URL")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", value) is None:
        # Never shown: it can be a token.
        raise ValueError("is no Apprise URL: it begins with a service, as mailto://, slack:// or json://")
    return AlertUrl(str(value))


JobKind = Annotated[
    str,
    PlainValidator(parsed(_kind, example="a kind of job")),
    WithJsonSchema({"type": "string", "examples": list(JOB_KINDS), KIND: "kind of job"}),
]
Address = Annotated[
    AlertUrl,
    PlainValidator(_address),
    SHOWN,
    WithJsonSchema({"type": "string", "writeOnly": True, KIND: "secret URL"}),
]


class ArrivalsConfig(Model):
    """Where files appear that a job merges, and what becomes of them."""

    path: Name = Field(
        description=(
            "The folder, or s3://bucket/prefix. A relative folder is meant from the config file. What begins "
            "with _ or . in it is left alone."
        )
    )
    files: Name = Field(
        default="*", description="Which files, by their path below it, as `*.jsonl` or `orders/*.csv.gz`."
    )
    done: Literal["keep", "move", "delete"] = Field(
        default="keep",
        description=(
            "What becomes of a file that was merged: keep: it stays, and is remembered; move: to `_done` "
            "below the path; delete. One that can't be read goes to `_refused`, unless it is kept."
        ),
    )
    settle: Duration = Field(
        default=timedelta(seconds=5),
        description="How long a file must not have changed before it is taken: it could be half-written.",
    )


class JobConfig(Model):
    """Work with a schedule. Without `schedule` and `after` it runs when it is called."""

    do: JobKind = Field(
        description=(
            "retention, vacuum, erase, compact, verify, merge, freshness, pii-scan, or a Python function by "
            "its dotted name."
        )
    )
    schedule: When | None = Field(
        default=None,
        description=(
            'A cron line with five fields ("0 3 * * *"), an interval (every 15m), or a date '
            "(2026-01-31T03:00)."
        ),
    )
    timezone: TimeZone = Field(default="UTC", description="Whose clock the cron line or the date follows.")
    tables: TableSelection = Field(
        default="all", description="The tables that it works on: `all`, or a list."
    )
    arrivals: ArrivalsConfig | None = Field(
        default=None,
        alias="from",
        description="For `do: merge`: where the files are that it merges into its table, exactly once each.",
    )
    after: Names = Field(default=(), description="Jobs after whose success it runs.")
    retries: Count = Field(
        default=2, description="How often a run that failed for a passing reason is tried again."
    )
    backoff: Duration = Field(
        default=timedelta(seconds=30), description="The pause before a retry; it doubles each time."
    )
    timeout: Duration | None = Field(default=None, description="How long a run may take before it is ended.")
    overlap: Literal["skip", "queue"] = Field(
        default="skip", description="What a run does that is due while the one before still runs."
    )
    catch_up: Literal["latest", "all", "none"] = Field(
        default="latest", description="Which of the runs that were missed are made up for."
    )
    jitter: Duration = Field(
        default=timedelta(0), description="Starts each run up to so much later, by chance."
    )
    late_after: Duration = Field(
        default=timedelta(minutes=5),
        description="A run that was not begun so long after its moment is late: see `alerts`.",
    )
    pause: Flag = Field(default=False, description="Whether the schedule is at rest.")

    @model_validator(mode="after")
    def _from_is_for_merges(self) -> JobConfig:
        if self.arrivals is not None and self.do != "merge":
            raise RuleError(f"is for `do: merge`; this job does {self.do}", at="from")
        return self


class AlertConfig(Model):
    """Who hears of what."""

    name: Text = Field(
        default="",
        description="What the target is called where it is shown; without it, the kind of the address.",
    )
    to: Address = Field(description="An Apprise URL; from a variable, since it holds tokens.")
    on: Annotated[
        tuple[AlertEvent, ...], Field(min_length=1), BeforeValidator(one_or_many), AfterValidator(distinct)
    ] = Field(
        default=("failed", "late", "overdue"),
        description=(
            "failed: a run; late: a run that did not start; overdue: a request; out_of_control: a control "
            "chart; recovered: one of these is well again."
        ),
    )
    group: Duration = Field(
        default=timedelta(minutes=1),
        description="No two messages come sooner after each other: what comes up meanwhile is in the second.",
    )
    remind: Duration = Field(
        default=timedelta(hours=24),
        description="After how long something that is still wrong is told again; 0s means never.",
    )
    per_hour: Annotated[int, Field(ge=1), BeforeValidator(whole)] = Field(
        default=12,
        description="At most so many messages an hour; what is too much waits for the next hour's first one.",
    )
    timeout: Duration = Field(
        default=timedelta(seconds=10), description="How long a message may take to be sent."
    )
