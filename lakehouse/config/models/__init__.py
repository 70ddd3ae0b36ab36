"""The sections of the config file as frozen models, one module for what belongs together."""

from lakehouse.config.models.base import Model, RuleError
from lakehouse.config.models.changes import ChangesConfig, HistoryConfig
from lakehouse.config.models.charts import ChartOverride, ChartsConfig
from lakehouse.config.models.config import Config
from lakehouse.config.models.daemon import DaemonConfig, LogsConfig
from lakehouse.config.models.jobs import JOB_KINDS, AlertConfig, JobConfig
from lakehouse.config.models.lineage import LineageConfig
from lakehouse.config.models.people import RequestsConfig, RoleConfig, SubjectConfig, SubjectRows
from lakehouse.config.models.pii import NlpConfig, OperatorConfig, PiiConfig, Recognizer
from lakehouse.config.models.retention import RetentionRule, VersionsToKeep
from lakehouse.config.models.storage import KeysConfig, StorageConfig
from lakehouse.config.models.tables import ColumnPii, Expectation, TableConfig

__all__ = [
    "JOB_KINDS",
    "AlertConfig",
    "ChangesConfig",
    "ChartOverride",
    "ChartsConfig",
    "ColumnPii",
    "Config",
    "DaemonConfig",
    "Expectation",
    "HistoryConfig",
    "JobConfig",
    "KeysConfig",
    "LineageConfig",
    "LogsConfig",
    "Model",
    "NlpConfig",
    "OperatorConfig",
    "PiiConfig",
    "Recognizer",
    "RequestsConfig",
    "RetentionRule",
    "RoleConfig",
    "RuleError",
    "StorageConfig",
    "SubjectConfig",
    "SubjectRows",
    "TableConfig",
    "VersionsToKeep",
]
