"""Makes a state database, or brings an older one up to date. Only this module imports alembic."""

from __future__ import annotations

from alembic.command import upgrade
from alembic.config import Config
from sqlalchemy.engine import Connection

_FOLDER = "lakehouse.state:migrations"
"""The migrations as they lie in the installed package."""


def settings() -> Config:
    """Alembic's settings; no ``alembic.ini`` is needed."""
    config = Config()
    config.set_main_option("script_location", _FOLDER)
    config.set_main_option("path_separator", "os")
    return config


def migrate(connection: Connection) -> None:
    """Runs the migrations that are missing, in the transaction of the caller.

    Args:
        connection: In a transaction in which nobody else can migrate.
    """
    config = settings()
    config.attributes["connection"] = connection
    upgrade(config, "head")
