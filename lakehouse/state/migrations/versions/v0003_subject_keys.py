"""Keys of single people.

Revision: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table. Its rows stay; what makes a key of use is taken out of them."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "lakehouse_subject_keys",
        sa.Column(
            "digest",
            sa.String(22),
            nullable=False,
            comment="names the person: a keyed hash; cells carry it",
        ),
        sa.Column("subject", sa.Text(), nullable=False, comment="the kind of person, as the config calls it"),
        sa.Column(
            "generation", sa.Integer(), nullable=False, comment="from 1; a person who came back has the next"
        ),
        sa.Column(
            "wrapped",
            sa.LargeBinary(),
            comment="the key, of no use without the key of the lake; none: destroyed",
        ),
        sa.Column("wrapped_by", sa.Integer(), comment="the version of the key `shred` that wrapped it"),
        sa.Column("created", moment, nullable=False),
        sa.Column("destroyed_at", moment),
        sa.PrimaryKeyConstraint("digest", name="pk_lakehouse_subject_keys"),
        comment="a key for each person whose cells are stored under one",
        sqlite_with_rowid=False,
    )
    if op.get_context().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER lakehouse_subject_keys_no_delete BEFORE DELETE ON lakehouse_subject_keys "
            "BEGIN SELECT RAISE(ABORT, 'rows stay'); END"
        )
        return
    op.execute(
        "CREATE TRIGGER lakehouse_subject_keys_stay BEFORE DELETE OR TRUNCATE "
        "ON lakehouse_subject_keys FOR EACH STATEMENT EXECUTE FUNCTION lakehouse_only_inserted()"
    )


def downgrade() -> None:
    """Takes it away, and with it what every shredded cell needs to be read."""
    op.drop_table("lakehouse_subject_keys")
