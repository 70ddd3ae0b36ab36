"""What a check has found, what of it can be mended, and what has been."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from lakehouse.delta.actions import AddFile
from lakehouse.maintenance.freshness import Freshness

Kind = Literal[
    "missing_file",
    "wrong_size",
    "unreadable_file",
    "damaged_rows",
    "wrong_row_count",
    "wrong_statistics",
    "wrong_columns",
    "bad_partition_value",
    "bad_vector",
    "bad_column_mapping",
    "broken_rule",
    "missing_change_data",
    "bad_checkpoint",
    "bad_last_checkpoint",
    "bad_log",
    "bad_tombstones",
    "stale_data",
]
NoticeKind = Literal["orphans", "no_last_checkpoint", "no_change_data", "unchecked_rule", "unchecked_orphans"]
RepairKind = Literal["checkpoint", "last_checkpoint", "add"]

_BACK: Final = "restore it from a backup, or go back to a version that does not need it (`lakehouse restore`)"
_REWRITE: Final = "find the writer that made it, and have it write the file anew"
ADVICE: Final[Mapping[Kind, str]] = {
    "missing_file": _BACK,
    "wrong_size": _BACK,
    "unreadable_file": _BACK,
    "damaged_rows": _BACK,
    "wrong_row_count": _BACK,
    "wrong_statistics": _REWRITE,
    "wrong_columns": _REWRITE,
    "bad_partition_value": "have its writer remove the file and add it again, with a value of the type",
    "bad_vector": "restore the vector's file from a backup, or go back to a version that does not need it "
    "(`lakehouse restore`); without it, deleted rows can't be told from others",
    "bad_column_mapping": "let the engine that mapped the columns mend the table's schema",
    "broken_rule": "correct the rows with a merge, or drop the rule",
    "missing_change_data": "restore it from a backup; without it, that version's changes can't be read",
    "bad_checkpoint": "restore it from a backup: the commits that it stands for are gone",
    "bad_last_checkpoint": "`lakehouse verify --repair` writes it anew",
    "bad_log": "restore the file from a backup or another replica",
    "bad_tombstones": "restore it from a backup; without it, late changes could bring deleted rows back",
    "stale_data": "see why no new data came",
}
"""What a user can do about each kind where it can't be repaired."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Args:
        kind: What kind of damage.
        path: The file, below the table's folder.
        detail: What was expected and what was found; never values of rows.
        repairable: Whether a repair can mend it without losing anything.
    """

    kind: Kind
    path: str
    detail: str
    repairable: bool = False

    @property
    def advice(self) -> str:
        """What to do about it."""
        return "`lakehouse verify --repair` mends it" if self.repairable else ADVICE[self.kind]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know that is no damage.

    Args:
        kind: ``orphans``: files that no commit names; ``no_last_checkpoint``: readers have to list the log;
            ``no_change_data``: vacuumed; ``unchecked_rule``: its SQL can't be evaluated here;
            ``unchecked_orphans``: a part of the log can't be read.
        detail: A sentence.
        count: How many files it is about.
        bytes: Their bytes.
    """

    kind: NoticeKind
    detail: str
    count: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Repair:
    """One thing that a repair does, or did.

    Args:
        kind: ``checkpoint``: it is removed, and where possible written anew; ``last_checkpoint``: the hint is
            written anew; ``add``: a commit names a file again, with its true size and statistics.
        path: The file, below the table's folder.
        detail: A sentence.
    """

    kind: RepairKind
    path: str
    detail: str
    version: int | None = field(default=None, repr=False)
    objects: tuple[str, ...] = field(default=(), repr=False)
    add: AddFile | None = field(default=None, repr=False)
    size: int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What a check has found.

    Args:
        table: The table's name.
        version: The version that was checked; None where the log itself can't be read.
        files: Data files checked.
        vectors: Deletion vectors checked.
        bytes: Bytes of the data files together.
        findings: What is wrong; empty where all is well.
        full: Whether every data page was decoded, rather than those of a sample.
        files_read: Data files whose rows were read, all or a sample of them.
        rows_read: Rows that were read.
        notices: What is no damage, and good to know.
        plan: What a repair can mend without losing anything.
        repaired: What a repair has mended; ``findings`` is what remains after it.
        freshness: How the expectations on freshness fared; those with ``on_fail: fail`` that are not met are
            findings too.
    """

    table: str
    version: int | None
    files: int
    vectors: int
    bytes: int
    findings: tuple[Finding, ...]
    full: bool = False
    files_read: int = 0
    rows_read: int = 0
    notices: tuple[Notice, ...] = ()
    plan: tuple[Repair, ...] = ()
    repaired: tuple[Repair, ...] = ()
    freshness: tuple[Freshness, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings
