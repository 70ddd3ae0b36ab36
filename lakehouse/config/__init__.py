"""The config file of a lake: read, checked, shown.

    load.py        a file or a mapping → `Config`, or all its problems at once
    models/        the sections as frozen models; references/ what they point at
    render.py      a config as YAML, with defaults, secrets masked
    generate.py    the JSON schema that editors complete from; schema.py is its command
    reference.py   the commented reference, and a short start

Only pydantic and ruamel.yaml are needed here.
"""

from lakehouse.config.durations import Period
from lakehouse.config.generate import json_schema, reference_markdown, schema_text
from lakehouse.config.load import load_config
from lakehouse.config.models import (
    JOB_KINDS,
    AlertConfig,
    ChangesConfig,
    ColumnPii,
    Config,
    Expectation,
    HistoryConfig,
    JobConfig,
    KeysConfig,
    LineageConfig,
    NlpConfig,
    OperatorConfig,
    PiiConfig,
    Recognizer,
    RequestsConfig,
    RetentionRule,
    RoleConfig,
    StorageConfig,
    SubjectConfig,
    SubjectRows,
    TableConfig,
    VersionsToKeep,
)
from lakehouse.config.reference import reference_path, reference_text, schema_path, starter_text
from lakehouse.config.render import as_dict, render
from lakehouse.config.schedules import Schedule

__all__ = [
    "JOB_KINDS",
    "AlertConfig",
    "ChangesConfig",
    "ColumnPii",
    "Config",
    "Expectation",
    "HistoryConfig",
    "JobConfig",
    "KeysConfig",
    "LineageConfig",
    "NlpConfig",
    "OperatorConfig",
    "Period",
    "PiiConfig",
    "Recognizer",
    "RequestsConfig",
    "RetentionRule",
    "RoleConfig",
    "Schedule",
    "StorageConfig",
    "SubjectConfig",
    "SubjectRows",
    "TableConfig",
    "VersionsToKeep",
    "as_dict",
    "json_schema",
    "load_config",
    "reference_markdown",
    "reference_path",
    "reference_text",
    "render",
    "schema_path",
    "schema_text",
    "starter_text",
]
