"""The whole config file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, PlainValidator, PrivateAttr, WithJsonSchema

from lakehouse.config.models.base import KIND, SHOWN, Model, Name
from lakehouse.config.models.charts import ChartsConfig
from lakehouse.config.models.daemon import DaemonConfig, LogsConfig
from lakehouse.config.models.jobs import AlertConfig, JobConfig
from lakehouse.config.models.lineage import LineageConfig
from lakehouse.config.models.people import RequestsConfig, RoleConfig, SubjectConfig
from lakehouse.config.models.pii import PiiConfig
from lakehouse.config.models.retention import RetentionRule
from lakehouse.config.models.storage import KeysConfig, StorageConfig
from lakehouse.config.models.tables import TableConfig
from lakehouse.config.nearest import nearest
from lakehouse.config.secrets import SecretUrl

_DRIVERS: Final = {"sqlite": ("", "+pysqlite"), "postgresql": ("", "+psycopg")}
_STATE: Final = re.compile(r"([a-z][a-z0-9_]*)(\+[a-z0-9_]+)?://", re.ASCII)
_SUPPORTED: Final = "SQLite (sqlite:///folder/state.db) or PostgreSQL (postgresql://user@host/database)"


def _state(value: object) -> SecretUrl:
    if isinstance(value, SecretUrl):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a database URL")
    match = _STATE.match(value)
    if match is None:
        # Never shown: it can hold a password.
        raise ValueError("is no database URL: write sqlite:///folder/state.db or postgresql://host/database")
    dialect, driver = match.group(1), match.group(2) or ""
    if driver not in _DRIVERS.get(dialect, ()):
        near = "postgresql" if dialect.startswith("postgres") else nearest(dialect, tuple(_DRIVERS))
        if near is not None and near != dialect:
            raise ValueError(f"unknown database `{dialect}`; did you mean `{near}`?")
        raise ValueError(f"the state can't be kept in `{dialect}{driver}`: use {_SUPPORTED}")
    return SecretUrl(str(value))


StateUrl = Annotated[
    SecretUrl, PlainValidator(_state), SHOWN, WithJsonSchema({"type": "string", KIND: "database URL"})
]


class Config(Model):
    """The config of a lake, as `lakehouse.config.load_config` reads it."""

    version: Literal[1] = Field(description="The version of this format.")
    name: Name = Field(
        default="lake", description="What the lake is called in logs, metrics and certificates."
    )
    storage: StorageConfig = Field(default_factory=StorageConfig, description="Where the tables lie.")
    state: StateUrl = Field(
        default_factory=lambda: SecretUrl(""),
        description=(
            "The database of holds, requests, plans and what was done: sqlite:///file or "
            "postgresql://user@host/name (pip install lakehouse[postgres]). Without it, an SQLite file in "
            "`_lakehouse` below the root, or beside the config where the root is a bucket. Several "
            "hosts that work on one lake need PostgreSQL; one database is for one lake."
        ),
    )
    keys: KeysConfig = Field(
        default_factory=KeysConfig,
        description="Where the keys come from that mask, sign and shred.",
    )
    tables: dict[str, TableConfig] = Field(default_factory=dict, description="The tables, by name.")
    retention: tuple[RetentionRule, ...] = Field(
        default=(),
        description=(
            "Rules for all tables: for rows, where a table has the column. A table's own rule of the same "
            "name stands in place of one of these; `retention: []` in a table does without all of them."
        ),
    )
    subjects: dict[str, SubjectConfig] = Field(
        default_factory=dict, description="The kinds of people whose data is in the tables, by name."
    )
    requests: RequestsConfig = Field(
        default_factory=RequestsConfig,
        description="How requests for erasure and access are handled.",
    )
    pii: PiiConfig = Field(default_factory=PiiConfig, description="How personal data is found and masked.")
    roles: dict[str, RoleConfig] = Field(
        default_factory=dict, description="What somebody who reads in a role sees, by name."
    )
    jobs: dict[str, JobConfig] = Field(default_factory=dict, description="Work with a schedule, by name.")
    daemon: DaemonConfig = Field(
        default_factory=DaemonConfig, description="The process that runs the jobs: `lakehouse daemon`."
    )
    logs: LogsConfig = Field(default_factory=LogsConfig, description="What the daemon logs.")
    alerts: tuple[AlertConfig, ...] = Field(default=(), description="Who hears of what.")
    charts: ChartsConfig = Field(
        default_factory=ChartsConfig, description="What of jobs and tables is watched by control charts."
    )
    lineage: LineageConfig | None = Field(
        default=None, description="Where OpenLineage events of the runs of jobs go."
    )

    _base_dir: Path = PrivateAttr(default_factory=Path.cwd)
    _source: str = PrivateAttr(default="")

    @property
    def base_dir(self) -> Path:
        """The folder of the file, which relative paths are meant from; absolute."""
        return self._base_dir

    @property
    def source(self) -> str:
        """The file, as the user named it; empty for a config that came as a mapping."""
        return self._source

    def retention_of(self, table: str) -> tuple[RetentionRule, ...]:
        """The rules of a table: its own, then the lake's that it does not replace.

        A rule of the lake for versions or leftovers is replaced by one of the table's for the same, whatever
        they are called.

        Args:
            table: A table of the config.
        """
        section = self.tables[table]
        own = section.retention
        if not own and "retention" in section.model_fields_set:
            return ()
        names = {rule.name for rule in own}
        kinds = {rule.kind for rule in own} - {"rows"}
        shared = (rule for rule in self.retention if rule.name not in names and rule.kind not in kinds)
        return (*own, *shared)

    def masked_at_merge(self, table: str) -> bool:
        """Whether rows of a table are masked before they are stored.

        Args:
            table: A table of the config.
        """
        section = self.tables[table]
        return bool(section.pii) and (section.mask_at or self.pii.mask_at) == "merge"

    def shreds(self, table: str) -> bool:
        """Whether columns of a table are stored under keys of people.

        Args:
            table: A table of the config.
        """
        return any(about.shred is not None for about in self.tables[table].pii.values())

    def placed(self, *, base_dir: Path, source: str) -> Config:
        """The same config with absolute paths, and the defaults that depend on them.

        Args:
            base_dir: The folder of the file; absolute.
            source: The file, as the user named it.

        Returns:
            The config.
        """
        root = self.storage.root
        if self.storage.is_local:
            root = absolute(root, base_dir)
        keys = self.keys.model_copy(update={"path": absolute(self.keys.path, base_dir)})
        placed = self.model_copy(
            update={
                "storage": self.storage.model_copy(update={"root": _without_slash(root)}),
                "state": _placed_state(self.state, root=root, base_dir=base_dir),
                "keys": keys,
            }
        )
        placed._base_dir = base_dir
        placed._source = source
        return placed


def _without_slash(root: str) -> str:
    stripped = root.rstrip("/")
    return root if not stripped or stripped.endswith(":") else stripped


def absolute(path: str, base_dir: Path) -> str:
    """Makes a path of the config absolute.

    Args:
        path: As written; ``~`` is the home folder.
        base_dir: What a relative path is meant from; absolute.

    Returns:
        The path; without ``..`` in it.
    """
    whole = base_dir / Path(path).expanduser()
    return str(whole.resolve() if ".." in whole.parts else whole)


def _placed_state(state: SecretUrl, *, root: str, base_dir: Path) -> SecretUrl:
    url = state.get_secret_value()
    if not url and root.startswith("memory:"):
        return SecretUrl("sqlite://")
    if not url:
        folder = Path(root) if "://" not in root else base_dir
        return SecretUrl(f"sqlite:///{folder / '_lakehouse' / 'state.db'}")
    match = re.fullmatch(r"(sqlite(?:\+\w+)?:///)(?!file:|:memory:)([^?]+)(.*)", url, re.DOTALL)
    if match is None:
        return state
    return SecretUrl(match.group(1) + absolute(match.group(2), base_dir) + match.group(3))
