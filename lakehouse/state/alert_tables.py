"""The tables of the state database that alerts work with: what is wrong, and who was told of it.

Which messages were sent is only inserted. The rest says what is now, and is written over.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from lakehouse.state.columns import ID, Moment, Number, number
from lakehouse.state.tables import metadata

followed: Final = Table(
    "lakehouse_followed",
    metadata,
    Column("name", Text, primary_key=True, comment="who reads"),
    Column("seq", BigInteger, nullable=False, comment="all events up to this one are done with"),
    comment="how far events were read",
)

problems: Final = Table(
    "lakehouse_alert_problems",
    metadata,
    number(),
    Column("key", Text, nullable=False, comment="what is wrong, as failed:vacuum"),
    Column("kind", String(16), nullable=False, comment="failed, late, overdue, out_of_control"),
    Column("subject", Text, nullable=False, comment="the job, request or incident"),
    Column("opened", Moment, nullable=False),
    Column("last", Moment, nullable=False, comment="when it happened last"),
    Column("times", Integer, nullable=False),
    Column("upto", BigInteger, nullable=False, comment="the last event that it knows of"),
    Column("detail", JSON, nullable=False, comment="run, reason, moments; no values of rows"),
    Column("closed", Moment, comment="none while it is wrong"),
    Index("ix_lakehouse_alert_problems_closed", "closed"),
    comment="what is, or was, wrong",
)
Index(
    "uq_lakehouse_alert_problems_key",
    problems.c.key,
    unique=True,
    sqlite_where=problems.c.closed.is_(None),
    postgresql_where=problems.c.closed.is_(None),
)

targets: Final = Table(
    "lakehouse_alert_targets",
    metadata,
    Column("id", ID, primary_key=True, comment="a hash of the address"),
    Column("name", Text, nullable=False, comment="as it may be shown"),
    Column("since", Moment, nullable=False),
    Column("owner", Text, comment="the process that sends to it"),
    Column("token", BigInteger, nullable=False, comment="rises each time somebody begins to"),
    Column("expires", Moment),
    Column("tries", Integer, nullable=False, comment="that failed since the last message"),
    Column("next_try", Moment),
    Column("reason", Text, nullable=False, comment="why the last try failed; empty where it did not"),
    Column("failures", BigInteger, nullable=False, comment="tries that failed, ever"),
    comment="who hears of what is wrong",
)

told: Final = Table(
    "lakehouse_alert_told",
    metadata,
    Column("target", ID, primary_key=True),
    Column("problem", Number, ForeignKey("lakehouse_alert_problems.seq"), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("done", Boolean, nullable=False, comment="also that it is over"),
    comment="who was told of what",
)

messages: Final = Table(
    "lakehouse_alert_messages",
    metadata,
    number(),
    Column("target", ID, nullable=False),
    Column("at", Moment, nullable=False),
    Column("title", Text, nullable=False),
    Column("items", Integer, nullable=False),
    Index("ix_lakehouse_alert_messages_target_at", "target", "at"),
    comment="what was sent",
)

job_totals: Final = Table(
    "lakehouse_job_totals",
    metadata,
    Column("job", Text, primary_key=True),
    Column("status", String(16), primary_key=True),
    Column("totals", JSON, nullable=False, comment="runs, times, counts of all that were followed"),
    comment="runs added up, so that nobody has to read all of them",
)

tallies: Final = Table(
    "lakehouse_tallies",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    comment="what is only counted",
)

APPEND_ONLY: Final = ("alert_messages",)
"""Tables (without their common beginning) that refuse updates and deletes."""
