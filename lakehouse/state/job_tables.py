"""The tables of the state database that jobs work with.

Runs and what happened to them are only inserted, like all that others will ask for. Leases and locks are
written over, since they say what is now; the tails of logs can be taken away, since they can say anything.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from lakehouse.state.columns import ID, Moment, Number, number
from lakehouse.state.tables import metadata

runs: Final = Table(
    "lakehouse_job_runs",
    metadata,
    number(),
    Column("id", ID, nullable=False, unique=True),
    Column("job", Text, nullable=False),
    Column("fire_time", Moment, nullable=False, comment="of a job and a moment there is one run"),
    Column("kind", Text, nullable=False, comment="what the job does"),
    Column("cause", String(16), nullable=False, comment="schedule, manual, backfill"),
    Column("queued", Moment, nullable=False),
    Column("author", Text, nullable=False),
    UniqueConstraint("job", "fire_time"),
    Index("ix_lakehouse_job_runs_job_seq", "job", "seq"),
    comment="each time a job was to run",
)

events: Final = Table(
    "lakehouse_job_events",
    metadata,
    number(),
    Column("run_id", ID, ForeignKey("lakehouse_job_runs.id"), nullable=False),
    Column("number", Integer, nullable=False, comment="from 1"),
    Column("event", String(16), nullable=False),
    Column("at", Moment, nullable=False),
    Column("detail", JSON, nullable=False, comment="counts, versions, errors; no values of rows"),
    UniqueConstraint("run_id", "number"),
    Index("ix_lakehouse_job_events_event_seq", "event", "seq"),
    comment="what happened to runs",
)

leases: Final = Table(
    "lakehouse_job_leases",
    metadata,
    Column("run_id", ID, ForeignKey("lakehouse_job_runs.id"), primary_key=True),
    Column("job", Text, nullable=False, index=True),
    Column("owner", Text, comment="the process that works on it; none while it waits"),
    Column("token", BigInteger, nullable=False, comment="rises each time somebody begins it"),
    Column("expires", Moment),
    Column("cancelled_by", Text, comment="who wants it to end"),
    comment="the runs that are not over; the row goes when the run is",
)

logs: Final = Table(
    "lakehouse_job_logs",
    metadata,
    number(),
    Column("run_id", ID, ForeignKey("lakehouse_job_runs.id"), nullable=False, index=True),
    Column("lines", Text, nullable=False, comment="the last lines of what it said"),
)

locks: Final = Table(
    "lakehouse_table_locks",
    metadata,
    Column("table_name", Text, primary_key=True),
    Column("run_id", ID, comment="who has it; none while it is free"),
    Column("token", BigInteger, nullable=False, comment="rises each time somebody takes it"),
    Column("expires", Moment),
    comment="of jobs that take something away, one at a time works on a table",
)

pauses: Final = Table(
    "lakehouse_job_pauses",
    metadata,
    number(),
    Column("job", Text, nullable=False, index=True),
    Column("event", String(16), nullable=False, comment="paused, resumed"),
    Column("at", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

files: Final = Table(
    "lakehouse_job_files",
    metadata,
    number(),
    Column("job", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("mark", Text, nullable=False, comment="what the store says of the content: its etag"),
    Column("number", BigInteger, nullable=False, comment="from 1: the offset that the table remembers"),
    Column("found", Moment, nullable=False),
    UniqueConstraint("job", "path", "mark"),
    UniqueConstraint("job", "number", name="uq_lakehouse_job_files_number"),
    comment="files that appeared for a job to merge",
)

file_ends: Final = Table(
    "lakehouse_job_file_ends",
    metadata,
    Column("file_seq", Number, ForeignKey("lakehouse_job_files.seq"), primary_key=True, autoincrement=False),
    Column("outcome", String(16), nullable=False, comment="merged, refused"),
    Column("run_id", ID, nullable=False),
    Column("at", Moment, nullable=False),
    comment="what became of them",
)

daemons: Final = Table(
    "lakehouse_daemons",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("started", Moment, nullable=False),
    Column("seen", Moment, nullable=False),
    Column("version", Text, nullable=False),
    Column("config", Text, nullable=False, comment="digest of its config"),
    comment="the daemons that share the work; the row goes with the daemon",
)

APPEND_ONLY: Final = ("job_runs", "job_events", "job_pauses", "job_files", "job_file_ends")
"""Tables (without their common beginning) that refuse updates and deletes."""
