"""Alembic runs this for each command, on the connection and in the transaction that it is handed."""

from __future__ import annotations

from alembic import context

from lakehouse.state.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # SQLite can't alter a column in place.
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
