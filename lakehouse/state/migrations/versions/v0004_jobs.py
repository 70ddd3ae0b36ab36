"""Runs of jobs: what happened to them, who works on them, which tables they have.

Revision: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_APPEND_ONLY = ("job_runs", "job_events", "job_pauses", "job_files", "job_file_ends")


def upgrade() -> None:
    """Makes the tables, and the triggers that keep what was inserted."""
    _runs()
    _now()
    _files()
    _keep_what_is_there()


def _runs() -> None:
    number, moment, short = _types()
    op.create_table(
        "lakehouse_job_runs",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("id", short, nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("fire_time", moment, nullable=False, comment="of a job and a moment there is one run"),
        sa.Column("kind", sa.Text(), nullable=False, comment="what the job does"),
        sa.Column("cause", sa.String(16), nullable=False, comment="schedule, manual, backfill"),
        sa.Column("queued", moment, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_job_runs"),
        sa.UniqueConstraint("id", name="uq_lakehouse_job_runs_id"),
        sa.UniqueConstraint("job", "fire_time", name="uq_lakehouse_job_runs_job"),
        comment="each time a job was to run",
    )
    op.create_index("ix_lakehouse_job_runs_job_seq", "lakehouse_job_runs", ["job", "seq"])
    op.create_table(
        "lakehouse_job_events",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("run_id", short, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="from 1"),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False, comment="counts, versions, errors; no values of rows"),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_job_events"),
        _of_a_run("job_events"),
        sa.UniqueConstraint("run_id", "number", name="uq_lakehouse_job_events_run_id"),
        comment="what happened to runs",
    )
    op.create_index("ix_lakehouse_job_events_event_seq", "lakehouse_job_events", ["event", "seq"])
    op.create_table(
        "lakehouse_job_logs",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("run_id", short, nullable=False),
        sa.Column("lines", sa.Text(), nullable=False, comment="the last lines of what it said"),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_job_logs"),
        _of_a_run("job_logs"),
    )
    op.create_index("ix_lakehouse_job_logs_run_id", "lakehouse_job_logs", ["run_id"])


def _now() -> None:
    number, moment, short = _types()
    op.create_table(
        "lakehouse_job_leases",
        sa.Column("run_id", short, nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), comment="the process that works on it; none while it waits"),
        sa.Column("token", sa.BigInteger(), nullable=False, comment="rises each time somebody begins it"),
        sa.Column("expires", moment),
        sa.PrimaryKeyConstraint("run_id", name="pk_lakehouse_job_leases"),
        _of_a_run("job_leases"),
        comment="the runs that are not over; the row goes when the run is",
    )
    op.create_index("ix_lakehouse_job_leases_job", "lakehouse_job_leases", ["job"])
    op.create_table(
        "lakehouse_table_locks",
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("run_id", short, comment="who has it; none while it is free"),
        sa.Column("token", sa.BigInteger(), nullable=False, comment="rises each time somebody takes it"),
        sa.Column("expires", moment),
        sa.PrimaryKeyConstraint("table_name", name="pk_lakehouse_table_locks"),
        comment="of jobs that take something away, one at a time works on a table",
    )
    op.create_table(
        "lakehouse_job_pauses",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("event", sa.String(16), nullable=False, comment="paused, resumed"),
        sa.Column("at", moment, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_job_pauses"),
    )
    op.create_index("ix_lakehouse_job_pauses_job", "lakehouse_job_pauses", ["job"])


def _files() -> None:
    number, moment, short = _types()
    op.create_table(
        "lakehouse_job_files",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False, comment="what the store says of the content: its etag"),
        sa.Column(
            "number",
            sa.BigInteger(),
            nullable=False,
            comment="from 1: the offset that the table remembers",
        ),
        sa.Column("found", moment, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_job_files"),
        sa.UniqueConstraint("job", "path", "mark", name="uq_lakehouse_job_files_job"),
        sa.UniqueConstraint("job", "number", name="uq_lakehouse_job_files_number"),
        comment="files that appeared for a job to merge",
    )
    op.create_table(
        "lakehouse_job_file_ends",
        sa.Column("file_seq", number, autoincrement=False, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False, comment="merged, refused"),
        sa.Column("run_id", short, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.PrimaryKeyConstraint("file_seq", name="pk_lakehouse_job_file_ends"),
        sa.ForeignKeyConstraint(
            ["file_seq"], ["lakehouse_job_files.seq"], name="fk_lakehouse_job_file_ends_file_seq"
        ),
        comment="what became of them",
    )


def _types() -> tuple[sa.types.TypeEngine[int], sa.DateTime, sa.String]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return number, sa.DateTime(timezone=True), sa.String(32)


def _of_a_run(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["run_id"], ["lakehouse_job_runs.id"], name=f"fk_lakehouse_{table}_run_id")


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
        "job_file_ends",
        "job_files",
        "job_pauses",
        "table_locks",
        "job_leases",
        "job_logs",
        "job_events",
        "job_runs",
    ):
        op.drop_table(f"lakehouse_{name}")
