"""The daemons that share the work, and runs that somebody wants to end.

Revision: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table of daemons and the column of leases."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "lakehouse_daemons",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("started", moment, nullable=False),
        sa.Column("seen", moment, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False, comment="digest of its config"),
        sa.PrimaryKeyConstraint("id", name="pk_lakehouse_daemons"),
        comment="the daemons that share the work; the row goes with the daemon",
    )
    op.add_column(
        "lakehouse_job_leases",
        sa.Column("cancelled_by", sa.Text(), nullable=True, comment="who wants it to end"),
    )


def downgrade() -> None:
    """Takes them away."""
    op.drop_column("lakehouse_job_leases", "cancelled_by")
    op.drop_table("lakehouse_daemons")
