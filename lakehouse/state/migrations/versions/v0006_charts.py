"""Control charts: points of series, incidents and what happened to them.

Revision: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_APPEND_ONLY = ("incidents", "incident_events")


def upgrade() -> None:
    """Makes the tables, and the triggers that keep what was inserted."""
    _points()
    _incidents()
    _keep_what_is_there()


def _points() -> None:
    number, _, short = _types()
    op.create_table(
        "lakehouse_series",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("scope", sa.String(8), nullable=False, comment="job, table"),
        sa.Column("subject", sa.Text(), nullable=False, comment="which"),
        sa.Column("measure", short, nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False, comment="empty where it is about no column"),
        sa.Column(
            "number", sa.BigInteger(), nullable=False, comment="of the newest point, which is told here too"
        ),
        sa.Column("at", sa.BigInteger(), comment="microseconds since 1970, UTC"),
        sa.Column("value", sa.Double()),
        sa.Column("version", sa.BigInteger()),
        sa.Column("run_id", short, nullable=False),
        sa.Column("role", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_series"),
        sa.UniqueConstraint("scope", "subject", "measure", "column_name", name="uq_lakehouse_series_scope"),
        comment="what is measured, and its newest point",
    )
    op.create_table(
        "lakehouse_points",
        sa.Column("series_seq", number, autoincrement=False, nullable=False),
        sa.Column(
            "number", sa.BigInteger(), autoincrement=False, nullable=False, comment="from 1 in each series"
        ),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="microseconds since 1970, UTC"),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("version", sa.BigInteger(), comment="of the table"),
        sa.Column("run_id", short, nullable=False, comment="empty where it comes from none"),
        sa.Column("role", sa.String(8), nullable=False, comment="point, open, level"),
        sa.PrimaryKeyConstraint("series_seq", "number", name="pk_lakehouse_points"),
        _of_a_series("points"),
        sqlite_with_rowid=False,
        comment="what was measured; old ones go",
    )


def _incidents() -> None:
    number, moment, short = _types()
    op.create_table(
        "lakehouse_incidents",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("id", short, nullable=False),
        sa.Column("series_seq", number, nullable=False),
        sa.Column("first", moment, nullable=False, comment="the first point that is part of it"),
        sa.Column("opened", moment, nullable=False),
        sa.Column("rule", short, nullable=False),
        sa.Column(
            "detail", sa.JSON(), nullable=False, comment="limits, points, what changed; no values of rows"
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_incidents"),
        sa.UniqueConstraint("id", name="uq_lakehouse_incidents_id"),
        _of_a_series("incidents"),
        comment="series that went out of control",
    )
    op.create_index("ix_lakehouse_incidents_series_seq", "lakehouse_incidents", ["series_seq", "seq"])
    op.create_table(
        "lakehouse_incident_events",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("incident_id", short, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="from 1"),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("author", sa.Text(), nullable=False, comment="empty where nobody did it"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_lakehouse_incident_events"),
        _of_an_incident("incident_events"),
        sa.UniqueConstraint("incident_id", "number", name="uq_lakehouse_incident_events_incident_id"),
        comment="what happened to incidents",
    )
    op.create_table(
        "lakehouse_open_incidents",
        sa.Column("series_seq", number, autoincrement=False, nullable=False),
        sa.Column("incident_id", short, nullable=False),
        sa.PrimaryKeyConstraint("series_seq", name="pk_lakehouse_open_incidents"),
        _of_a_series("open_incidents"),
        _of_an_incident("open_incidents"),
        comment="of a series one incident is open at most; the row goes when it is over",
    )


def _types() -> tuple[sa.types.TypeEngine[int], sa.DateTime, sa.String]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return number, sa.DateTime(timezone=True), sa.String(32)


def _of_a_series(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["series_seq"], ["lakehouse_series.seq"], name=f"fk_lakehouse_{table}_series_seq"
    )


def _of_an_incident(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["incident_id"], ["lakehouse_incidents.id"], name=f"fk_lakehouse_{table}_incident_id"
    )


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
    for name in ("open_incidents", "incident_events", "incidents", "points", "series"):
        op.drop_table(f"lakehouse_{name}")
