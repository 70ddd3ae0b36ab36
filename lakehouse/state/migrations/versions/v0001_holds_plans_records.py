"""Holds, plans, records, wrapped keys.

Revision: 0001
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_APPEND_ONLY = (
    "about",
    "claims",
    "holds",
    "hold_events",
    "plans",
    "records",
    "keys",
    "scans",
    "certificates",
)


def upgrade() -> None:
    """Makes the tables, and the triggers that keep what was inserted."""
    moment = sa.DateTime(timezone=True)
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    short = sa.String(32)
    op.create_table(
        "lakehouse_about",
        sa.Column("id", sa.String(64), nullable=False, comment="names this database; the lake remembers it"),
        sa.PrimaryKeyConstraint("id", name="pk_lakehouse_about"),
        comment="which database this is: one row",
    )
    op.create_table(
        "lakehouse_claims",
        sa.Column(
            "slot", sa.Integer(), autoincrement=False, nullable=False, comment="1: there is one row at most"
        ),
        sa.Column("lake", sa.Text(), nullable=False, comment="the root of the lake that was here first"),
        sa.PrimaryKeyConstraint("slot", name="pk_lakehouse_claims"),
        comment="whose database this is",
    )
    op.create_table(
        "lakehouse_holds",
        sa.Column("id", short, nullable=False),
        sa.Column("table_name", sa.Text()),
        sa.Column("subject", sa.Text()),
        sa.Column("columns", sa.JSON(), nullable=False, comment="the columns that the condition names"),
        sa.Column(
            "partial",
            sa.Integer(),
            nullable=False,
            comment="1: about some rows, by a condition or identifiers",
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", moment),
        sa.PrimaryKeyConstraint("id", name="pk_lakehouse_holds"),
    )
    op.create_table(
        "lakehouse_hold_contents",
        sa.Column("hold_id", short, nullable=False),
        sa.Column("condition", sa.Text()),
        sa.Column("identifiers", sa.JSON(), nullable=False),
        sa.Column("resolved", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("hold_id", name="pk_lakehouse_hold_contents"),
        sa.ForeignKeyConstraint(
            ["hold_id"], ["lakehouse_holds.id"], name="fk_lakehouse_hold_contents_hold_id"
        ),
        comment="can be personal; the row goes when the hold is released",
    )
    op.create_table(
        "lakehouse_hold_events",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("hold_id", short, nullable=False),
        sa.Column("event", sa.String(16), nullable=False, comment="placed, released"),
        sa.Column("at", moment, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_hold_events"),
        sa.ForeignKeyConstraint(["hold_id"], ["lakehouse_holds.id"], name="fk_lakehouse_hold_events_hold_id"),
        sa.UniqueConstraint("hold_id", "event", name="uq_lakehouse_hold_events_hold_id"),
    )
    op.create_table(
        "lakehouse_plans",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("id", short, nullable=False),
        sa.Column("kind", short, nullable=False),
        sa.Column("made", moment, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(128), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_plans"),
        sa.UniqueConstraint("id", name="uq_lakehouse_plans_id"),
    )
    op.create_table(
        "lakehouse_records",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("plan_id", short),
        sa.Column("kind", short, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("action", short, nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("version_before", sa.BigInteger()),
        sa.Column("version_after", sa.BigInteger()),
        sa.Column("rows", sa.BigInteger()),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("held_back", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_records"),
        sa.ForeignKeyConstraint(["plan_id"], ["lakehouse_plans.id"], name="fk_lakehouse_records_plan_id"),
    )
    op.create_index("ix_lakehouse_records_table_name_seq", "lakehouse_records", ["table_name", "seq"])
    op.create_index("ix_lakehouse_records_plan_id", "lakehouse_records", ["plan_id"])
    op.create_table(
        "lakehouse_keys",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("purpose", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("provider", short, nullable=False, comment="the kind of service that wrapped it"),
        sa.Column("lake", sa.Text(), nullable=False, comment="the lake's name then; the key is bound to it"),
        sa.Column("wrapping_key", sa.Text(), nullable=False, comment="the service's key"),
        sa.Column("wrapped", sa.Text(), nullable=False, comment="of no use without the service"),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_keys"),
        sa.UniqueConstraint("purpose", "version", name="uq_lakehouse_keys_purpose"),
        comment="keys that a service wrapped",
    )
    op.create_table(
        "lakehouse_scans",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column(
            "document", sa.JSON(), nullable=False, comment="paths and kinds of personal data; no values"
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_scans"),
        comment="where personal data was found",
    )
    op.create_index("ix_lakehouse_scans_table_name_seq", "lakehouse_scans", ["table_name", "seq"])
    op.create_table(
        "lakehouse_certificates",
        sa.Column(
            "seq", sa.BigInteger(), autoincrement=False, nullable=False, comment="from 1, without gaps"
        ),
        sa.Column("previous", sa.String(64), nullable=False, comment="digest of the one before"),
        sa.Column("digest", sa.String(64), nullable=False, comment="SHA-256 of the document"),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column(
            "document",
            sa.Text(),
            nullable=False,
            comment="the signed JSON, as it was hashed; no personal data",
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_certificates"),
        sa.UniqueConstraint("previous", name="uq_lakehouse_certificates_previous"),
        sa.UniqueConstraint("digest", name="uq_lakehouse_certificates_digest"),
        sa.UniqueConstraint("request_id", name="uq_lakehouse_certificates_request_id"),
        comment="what was done for people who asked, signed",
    )
    op.get_bind().execute(sa.text("INSERT INTO lakehouse_about (id) VALUES (:id)"), {"id": uuid.uuid4().hex})
    _keep_what_is_there()


def _keep_what_is_there() -> None:
    """Lets nobody change or take away what was inserted."""
    if op.get_context().dialect.name == "sqlite":
        for name in _APPEND_ONLY:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER lakehouse_{name}_no_{verb.lower()} BEFORE {verb} ON lakehouse_{name} "
                    "BEGIN SELECT RAISE(ABORT, 'only inserted into'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION lakehouse_only_inserted() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'only inserted into'; END $$"
    )
    for name in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER lakehouse_{name}_only_inserted BEFORE UPDATE OR DELETE OR TRUNCATE "
            f"ON lakehouse_{name} FOR EACH STATEMENT EXECUTE FUNCTION lakehouse_only_inserted()"
        )


def downgrade() -> None:
    """Takes all of it away."""
    for name in (
        "certificates",
        "scans",
        "keys",
        "records",
        "plans",
        "hold_events",
        "hold_contents",
        "holds",
        "claims",
        "about",
    ):
        op.drop_table(f"lakehouse_{name}")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION lakehouse_only_inserted()")
