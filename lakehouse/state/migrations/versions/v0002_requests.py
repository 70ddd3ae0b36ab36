"""What people asked for: requests, what became of them, and who must not come back.

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_APPEND_ONLY = ("requests", "request_events", "suppressions")


def upgrade() -> None:
    """Makes the tables, and the triggers that keep what was inserted."""
    moment = sa.DateTime(timezone=True)
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    short = sa.String(32)
    op.create_table(
        "lakehouse_requests",
        sa.Column("id", short, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False, comment="erasure, access"),
        sa.Column("subject", sa.Text(), nullable=False, comment="the kind of person, as the config calls it"),
        sa.Column("external_id", sa.Text(), comment="the sender's own name for it"),
        sa.Column("submitted", moment, nullable=False),
        sa.Column("due", moment, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column(
            "digests", sa.JSON(), nullable=False, comment="of each identifier: name, key version, keyed hash"
        ),
        sa.Column(
            "person", sa.String(64), nullable=False, comment="a keyed hash of all of it, to know a second one"
        ),
        sa.Column("same_as", short, comment="an earlier request about the same person"),
        sa.PrimaryKeyConstraint("id", name="pk_lakehouse_requests"),
        sa.UniqueConstraint("external_id", name="uq_lakehouse_requests_external_id"),
    )
    op.create_index("ix_lakehouse_requests_person", "lakehouse_requests", ["person"])
    op.create_table(
        "lakehouse_request_contents",
        sa.Column("request_id", short, nullable=False),
        sa.Column(
            "sealed", sa.Text(), nullable=False, comment="the identifiers, encrypted; goes when it is done"
        ),
        sa.PrimaryKeyConstraint("request_id", name="pk_lakehouse_request_contents"),
        sa.ForeignKeyConstraint(
            ["request_id"], ["lakehouse_requests.id"], name="fk_lakehouse_request_contents_request_id"
        ),
    )
    op.create_table(
        "lakehouse_request_events",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("request_id", short, nullable=False),
        sa.Column(
            "number", sa.Integer(), nullable=False, comment="from 1; of two that go on at once, one does"
        ),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False, comment="counts, names, reasons; no values"),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_request_events"),
        sa.ForeignKeyConstraint(
            ["request_id"], ["lakehouse_requests.id"], name="fk_lakehouse_request_events_request_id"
        ),
        sa.UniqueConstraint("request_id", "number", name="uq_lakehouse_request_events_request_id"),
    )
    op.create_table(
        "lakehouse_suppressions",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("request_id", short, nullable=False),
        sa.Column("event", sa.String(16), nullable=False, comment="suppressed, readmitted"),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, comment="a keyed hash of the value"),
        sa.Column("at", moment, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_suppressions"),
        sa.ForeignKeyConstraint(
            ["request_id"], ["lakehouse_requests.id"], name="fk_lakehouse_suppressions_request_id"
        ),
    )
    op.create_index("ix_lakehouse_suppressions_digest", "lakehouse_suppressions", ["digest"])
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
    for name in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER lakehouse_{name}_only_inserted BEFORE UPDATE OR DELETE OR TRUNCATE "
            f"ON lakehouse_{name} FOR EACH STATEMENT EXECUTE FUNCTION lakehouse_only_inserted()"
        )


def downgrade() -> None:
    """Takes all of it away."""
    for name in ("suppressions", "request_events", "request_contents", "requests"):
        op.drop_table(f"lakehouse_{name}")
