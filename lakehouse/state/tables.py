"""The tables of the state database. A change here needs a migration, and `HEAD` with it.

All are only inserted into: triggers refuse updates and deletes. The exceptions are contents, which have
what can be personal (the row of a hold goes when it is released, that of a request, whose identifiers are
encrypted there, when it is done), and the keys of people: what makes one of use goes when the person does.
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
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from lakehouse.state.columns import ID, Moment, number

HEAD: Final = "0007"
"""The newest migration. Compared with what the database says, so that alembic is not needed to find out."""

KNOWN: Final = frozenset({"0001", "0002", "0003", "0004", "0005", "0006", HEAD})
"""All migrations of this release; a database at another one was made by a newer release."""

VERSION_TABLE: Final = "lakehouse_revision"
"""Where alembic remembers the migration; its usual name could be taken in a shared database."""


metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

about: Final = Table(
    "lakehouse_about",
    metadata,
    Column("id", String(64), primary_key=True, comment="names this database; the lake remembers it"),
    comment="which database this is: one row",
)

claims: Final = Table(
    "lakehouse_claims",
    metadata,
    Column("slot", Integer, primary_key=True, autoincrement=False, comment="1: there is one row at most"),
    Column("lake", Text, nullable=False, comment="the root of the lake that was here first"),
    comment="whose database this is",
)

holds: Final = Table(
    "lakehouse_holds",
    metadata,
    Column("id", ID, primary_key=True),
    Column("table_name", Text),
    Column("subject", Text),
    Column("columns", JSON, nullable=False, comment="the columns that the condition names"),
    Column("partial", Integer, nullable=False, comment="1: about some rows, by a condition or identifiers"),
    Column("reason", Text, nullable=False),
    Column("until", Moment),
)

hold_contents: Final = Table(
    "lakehouse_hold_contents",
    metadata,
    Column("hold_id", ID, ForeignKey("lakehouse_holds.id"), primary_key=True),
    Column("condition", Text),
    Column("identifiers", JSON, nullable=False),
    Column("resolved", JSON, nullable=False),
    comment="can be personal; the row goes when the hold is released",
)

hold_events: Final = Table(
    "lakehouse_hold_events",
    metadata,
    number(),
    Column("hold_id", ID, ForeignKey("lakehouse_holds.id"), nullable=False),
    Column("event", String(16), nullable=False, comment="placed, released"),
    Column("at", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    UniqueConstraint("hold_id", "event"),
)

plans: Final = Table(
    "lakehouse_plans",
    metadata,
    number(),
    Column("id", ID, nullable=False, unique=True),
    Column("kind", String(32), nullable=False),
    Column("made", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("versions", JSON, nullable=False),
    Column("digest", String(128), nullable=False),
    Column("document", JSON, nullable=False),
)

records: Final = Table(
    "lakehouse_records",
    metadata,
    number(),
    Column("plan_id", ID, ForeignKey("lakehouse_plans.id")),
    Column("kind", String(32), nullable=False),
    Column("rule", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("table_name", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("version_before", BigInteger),
    Column("version_after", BigInteger),
    Column("rows", BigInteger),
    Column("files", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("held_back", BigInteger, nullable=False),
    Column("detail", JSON, nullable=False),
    Index("ix_lakehouse_records_table_name_seq", "table_name", "seq"),
    Index("ix_lakehouse_records_plan_id", "plan_id"),
)

keys: Final = Table(
    "lakehouse_keys",
    metadata,
    number(),
    Column("purpose", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("provider", String(32), nullable=False, comment="the kind of service that wrapped it"),
    Column("lake", Text, nullable=False, comment="the lake's name then; the key is bound to it"),
    Column("wrapping_key", Text, nullable=False, comment="the service's key"),
    Column("wrapped", Text, nullable=False, comment="of no use without the service"),
    UniqueConstraint("purpose", "version"),
    comment="keys that a service wrapped",
)

scans: Final = Table(
    "lakehouse_scans",
    metadata,
    number(),
    Column("table_name", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("at", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("document", JSON, nullable=False, comment="paths and kinds of personal data; no values"),
    Index("ix_lakehouse_scans_table_name_seq", "table_name", "seq"),
    comment="where personal data was found",
)

requests: Final = Table(
    "lakehouse_requests",
    metadata,
    Column("id", ID, primary_key=True),
    Column("kind", String(16), nullable=False, comment="erasure, access"),
    Column("subject", Text, nullable=False, comment="the kind of person, as the config calls it"),
    Column("external_id", Text, unique=True, comment="the sender's own name for it"),
    Column("submitted", Moment, nullable=False),
    Column("due", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("digests", JSON, nullable=False, comment="of each identifier: name, key version, keyed hash"),
    Column("person", String(64), nullable=False, comment="a keyed hash of all of it, to know a second one"),
    Column("same_as", ID, comment="an earlier request about the same person"),
    Index("ix_lakehouse_requests_person", "person"),
)

request_contents: Final = Table(
    "lakehouse_request_contents",
    metadata,
    Column("request_id", ID, ForeignKey("lakehouse_requests.id"), primary_key=True),
    Column("sealed", Text, nullable=False, comment="the identifiers, encrypted; goes when it is done"),
)

request_events: Final = Table(
    "lakehouse_request_events",
    metadata,
    number(),
    Column("request_id", ID, ForeignKey("lakehouse_requests.id"), nullable=False),
    Column("number", Integer, nullable=False, comment="from 1; of two that go on at once, one does"),
    Column("event", String(16), nullable=False),
    Column("at", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("detail", JSON, nullable=False, comment="counts, names, reasons; no values"),
    UniqueConstraint("request_id", "number"),
)

suppressions: Final = Table(
    "lakehouse_suppressions",
    metadata,
    number(),
    Column("request_id", ID, ForeignKey("lakehouse_requests.id"), nullable=False),
    Column("event", String(16), nullable=False, comment="suppressed, readmitted"),
    Column("subject", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("digest", String(64), nullable=False, comment="a keyed hash of the value"),
    Column("at", Moment, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_lakehouse_suppressions_digest", "digest"),
)

certificates: Final = Table(
    "lakehouse_certificates",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False, comment="from 1, without gaps"),
    Column("previous", String(64), nullable=False, unique=True, comment="digest of the one before"),
    Column("digest", String(64), nullable=False, unique=True, comment="SHA-256 of the document"),
    Column("request_id", Text, nullable=False, unique=True),
    Column("at", Moment, nullable=False),
    Column("document", Text, nullable=False, comment="the signed JSON, as it was hashed; no personal data"),
    comment="what was done for people who asked, signed",
)

subject_keys: Final = Table(
    "lakehouse_subject_keys",
    metadata,
    Column("digest", String(22), primary_key=True, comment="names the person: a keyed hash; cells carry it"),
    Column("subject", Text, nullable=False, comment="the kind of person, as the config calls it"),
    Column("generation", Integer, nullable=False, comment="from 1; a person who came back has the next"),
    Column("wrapped", LargeBinary, comment="the key, of no use without the key of the lake; none: destroyed"),
    Column("wrapped_by", Integer, comment="the version of the key `shred` that wrapped it"),
    Column("created", Moment, nullable=False),
    Column("destroyed_at", Moment),
    comment="a key for each person whose cells are stored under one",
    sqlite_with_rowid=False,
)

APPEND_ONLY: Final = (
    "about",
    "claims",
    "holds",
    "hold_events",
    "plans",
    "records",
    "keys",
    "scans",
    "requests",
    "request_events",
    "suppressions",
    "certificates",
)
"""Tables (without their common beginning) that refuse updates and deletes."""
