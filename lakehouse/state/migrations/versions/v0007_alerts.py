"""Alerts: what is wrong, who was told of it. Runs added up for metrics.

Revision: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_APPEND_ONLY = ("alert_messages",)


def upgrade() -> None:
    """Makes the tables, and the triggers that keep what was inserted."""
    _totals()
    _problems()
    _targets()
    _keep_what_is_there()


def _totals() -> None:
    op.create_table(
        "lakehouse_followed",
        sa.Column("name", sa.Text(), nullable=False, comment="who reads"),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="all events up to this one are done with"),
        sa.PrimaryKeyConstraint("name", name="pk_lakehouse_followed"),
        comment="how far events were read",
    )
    op.create_table(
        "lakehouse_tallies",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lakehouse_tallies"),
        comment="what is only counted",
    )
    op.create_table(
        "lakehouse_job_totals",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column(
            "totals", sa.JSON(), nullable=False, comment="runs, times, counts of all that were followed"
        ),
        sa.PrimaryKeyConstraint("job", "status", name="pk_lakehouse_job_totals"),
        comment="runs added up, so that nobody has to read all of them",
    )


def _problems() -> None:
    number, moment, _ = _types()
    op.create_table(
        "lakehouse_alert_problems",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="what is wrong, as failed:vacuum"),
        sa.Column("kind", sa.String(16), nullable=False, comment="failed, late, overdue, out_of_control"),
        sa.Column("subject", sa.Text(), nullable=False, comment="the job, request or incident"),
        sa.Column("opened", moment, nullable=False),
        sa.Column("last", moment, nullable=False, comment="when it happened last"),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False, comment="the last event that it knows of"),
        sa.Column("detail", sa.JSON(), nullable=False, comment="run, reason, moments; no values of rows"),
        sa.Column("closed", moment, comment="none while it is wrong"),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_alert_problems"),
        comment="what is, or was, wrong",
    )
    op.create_index("ix_lakehouse_alert_problems_closed", "lakehouse_alert_problems", ["closed"])
    still = sa.text("closed IS NULL")
    op.create_index(
        "uq_lakehouse_alert_problems_key",
        "lakehouse_alert_problems",
        ["key"],
        unique=True,
        sqlite_where=still,
        postgresql_where=still,
    )


def _targets() -> None:
    number, moment, short = _types()
    op.create_table(
        "lakehouse_alert_targets",
        sa.Column("id", short, nullable=False, comment="a hash of the address"),
        sa.Column("name", sa.Text(), nullable=False, comment="as it may be shown"),
        sa.Column("since", moment, nullable=False),
        sa.Column("owner", sa.Text(), comment="the process that sends to it"),
        sa.Column("token", sa.BigInteger(), nullable=False, comment="rises each time somebody begins to"),
        sa.Column("expires", moment),
        sa.Column("tries", sa.Integer(), nullable=False, comment="that failed since the last message"),
        sa.Column("next_try", moment),
        sa.Column(
            "reason", sa.Text(), nullable=False, comment="why the last try failed; empty where it did not"
        ),
        sa.Column("failures", sa.BigInteger(), nullable=False, comment="tries that failed, ever"),
        sa.PrimaryKeyConstraint("id", name="pk_lakehouse_alert_targets"),
        comment="who hears of what is wrong",
    )
    op.create_table(
        "lakehouse_alert_told",
        sa.Column("target", short, nullable=False),
        sa.Column("problem", number, autoincrement=False, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False, comment="also that it is over"),
        sa.PrimaryKeyConstraint("target", "problem", name="pk_lakehouse_alert_told"),
        sa.ForeignKeyConstraint(
            ["problem"], ["lakehouse_alert_problems.seq"], name="fk_lakehouse_alert_told_problem"
        ),
        comment="who was told of what",
    )
    op.create_table(
        "lakehouse_alert_messages",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("target", short, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_alert_messages"),
        comment="what was sent",
    )
    op.create_index("ix_lakehouse_alert_messages_target_at", "lakehouse_alert_messages", ["target", "at"])


def _types() -> tuple[sa.types.TypeEngine[int], sa.DateTime, sa.String]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return number, sa.DateTime(timezone=True), sa.String(32)


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
    for name in (
        "alert_messages",
        "alert_told",
        "alert_targets",
        "alert_problems",
        "job_totals",
        "tallies",
        "followed",
    ):
        op.drop_table(f"lakehouse_{name}")
