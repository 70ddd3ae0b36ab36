"""What the names of a table's files say of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from lakehouse.delta.log_files import LAST_CHECKPOINT, LOG_FOLDER, SIDECAR_FOLDER
from lakehouse.delta.vacuum_notes import RESERVED

OWN_FOLDER: Final = "_lakehouse"
TEMPORARY_FOLDER: Final = "_lakehouse/tmp"
CHANGE_DATA: Final = "_change_data"

LogKind = Literal["commit", "checkpoint", "compaction", "checksum", "sidecar", "temporary", "hint", "unknown"]

_LOG: Final = (
    ("commit", re.compile(r"(\d{20})\.json")),
    ("checkpoint", re.compile(r"(\d{20})\.checkpoint\.(?:.+\.)?(?:parquet|json)")),
    ("compaction", re.compile(r"(\d{20})\.\d{20}\.compacted\.json")),
    ("checksum", re.compile(r"(\d{20})\.crc")),
)
_TEMPORARY: Final = re.compile(r"_commit_.+\.json\.tmp|\.?tmp_.+|.+\.tmp")
_STAGING: Final = re.compile(r"[^/]+#\d+")
_VECTOR: Final = re.compile(r"deletion_vector_[0-9a-f-]{36}\.bin")

Place = Literal[
    "log", "tombstones", "temporary", "own", "hidden", "other_table", "changes", "vector", "data", "foreign"
]


@dataclass(frozen=True, slots=True)
class LogName:
    """What a file of the log is.

    Args:
        kind: What kind.
        version: The version that it is about; None where it is about none.
    """

    kind: LogKind
    version: int | None = None


def log_name(path: str) -> LogName:
    """What a file below ``_delta_log`` is.

    Args:
        path: Below the table's folder.
    """
    if path == LAST_CHECKPOINT:
        return LogName("hint")
    name = path.removeprefix(f"{LOG_FOLDER}/")
    if path.startswith(f"{SIDECAR_FOLDER}/"):
        return LogName("sidecar")
    for kind, pattern in _LOG:
        found = pattern.fullmatch(name)
        if found:
            return LogName(kind, int(found[1]))  # type: ignore[arg-type]
    if _TEMPORARY.fullmatch(name) or _STAGING.fullmatch(name):
        return LogName("temporary")
    return LogName("unknown")


def tables_inside(paths: Iterable[str]) -> frozenset[str]:
    """Folders below a table that are tables themselves: what is in them belongs to others.

    Args:
        paths: All paths below the table's folder.

    Returns:
        The folders, each with a slash at its end.
    """
    mark = f"/{LOG_FOLDER}/"
    return frozenset(f"{path.partition(mark)[0]}/" for path in paths if mark in path and not _ours(path))


def _ours(path: str) -> bool:
    return path.startswith((f"{LOG_FOLDER}/", f"{OWN_FOLDER}/"))


def place_of(
    path: str, *, tombstones: str, partition_columns: Collection[str], others: Collection[str]
) -> Place:
    """What a file is, as far as its name tells.

    Args:
        path: Below the table's folder.
        tombstones: The folder of the table's tombstones.
        partition_columns: Folders can be called after them, and then begin with an underscore.
        others: Folders of tables inside this one's; see `tables_inside`.
    """
    for folder, place in (
        (LOG_FOLDER, "log"),
        (tombstones, "tombstones"),
        (TEMPORARY_FOLDER, "temporary"),
        (RESERVED, "temporary"),
        (OWN_FOLDER, "own"),
    ):
        if path.startswith(f"{folder}/"):
            return place  # type: ignore[return-value]
    if any(path.startswith(folder) for folder in others):
        return "other_table"
    return _of_the_table(path, partition_columns)


def _of_the_table(path: str, partition_columns: Collection[str]) -> Place:
    *folders, name = path.split("/")
    changes = bool(folders) and folders[0] == CHANGE_DATA
    if _STAGING.fullmatch(name):
        return "temporary"
    if name.startswith((".", "_")) or any(
        _hidden(each, partition_columns) for each in folders[1 if changes else 0 :]
    ):
        return "hidden"
    if name.endswith(".parquet"):
        return "changes" if changes else "data"
    return "vector" if _VECTOR.fullmatch(name) else "foreign"


def _hidden(folder: str, partition_columns: Collection[str]) -> bool:
    """Whether Delta leaves a folder alone: other tools keep things of theirs below such names."""
    if not folder.startswith((".", "_")):
        return False
    column, sign, _ = folder.partition("=")
    return not (sign and column in partition_columns)
