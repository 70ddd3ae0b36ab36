"""The tables of the state database that control charts work with.

Points are no evidence: old ones go, and one that can still grow is written over. They are many and often
read, so their times are numbers. Incidents and what happened to them are only inserted; which of them are
open is told by a table of its own, whose key lets no series have two.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
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

series: Final = Table(
    "lakehouse_series",
    metadata,
    number(),
    Column("scope", String(8), nullable=False, comment="job, table"),
    Column("subject", Text, nullable=False, comment="which"),
    Column("measure", String(32), nullable=False),
    Column("column_name", Text, nullable=False, comment="empty where it is about no column"),
    Column("number", BigInteger, nullable=False, comment="of the newest point, which is told here too"),
    Column("at", BigInteger, comment="microseconds since 1970, UTC"),
    Column("value", Double),
    Column("version", BigInteger),
    Column("run_id", ID, nullable=False),
    Column("role", String(8), nullable=False),
    UniqueConstraint("scope", "subject", "measure", "column_name"),
    comment="what is measured, and its newest point",
)

points: Final = Table(
    "lakehouse_points",
    metadata,
    Column("series_seq", Number, ForeignKey("lakehouse_series.seq"), primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="from 1 in each series"),
    Column("at", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("value", Double, nullable=False),
    Column("version", BigInteger, comment="of the table"),
    Column("run_id", ID, nullable=False, comment="empty where it comes from none"),
    Column("role", String(8), nullable=False, comment="point, open, level"),
    sqlite_with_rowid=False,
    comment="what was measured; old ones go",
)

incidents: Final = Table(
    "lakehouse_incidents",
    metadata,
    number(),
    Column("id", ID, nullable=False, unique=True),
    Column("series_seq", Number, ForeignKey("lakehouse_series.seq"), nullable=False),
    Column("first", Moment, nullable=False, comment="the first point that is part of it"),
    Column("opened", Moment, nullable=False),
    Column("rule", String(32), nullable=False),
    Column("detail", JSON, nullable=False, comment="limits, points, what changed; no values of rows"),
    Index("ix_lakehouse_incidents_series_seq", "series_seq", "seq"),
    comment="series that went out of control",
)

incident_events: Final = Table(
    "lakehouse_incident_events",
    metadata,
    number(),
    Column("incident_id", ID, ForeignKey("lakehouse_incidents.id"), nullable=False),
    Column("number", Integer, nullable=False, comment="from 1"),
    Column("event", String(16), nullable=False),
    Column("at", Moment, nullable=False),
    Column("author", Text, nullable=False, comment="empty where nobody did it"),
    Column("reason", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    UniqueConstraint("incident_id", "number"),
    comment="what happened to incidents",
)

open_incidents: Final = Table(
    "lakehouse_open_incidents",
    metadata,
    Column("series_seq", Number, ForeignKey("lakehouse_series.seq"), primary_key=True, autoincrement=False),
    Column("incident_id", ID, ForeignKey("lakehouse_incidents.id"), nullable=False),
    comment="of a series one incident is open at most; the row goes when it is over",
)

APPEND_ONLY: Final = ("incidents", "incident_events")
"""Tables (without their common beginning) that refuse updates and deletes."""
