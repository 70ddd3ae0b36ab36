"""Every error that Lakehouse raises on purpose, drawn as one tree.

    LakehouseError                    1  failed
    ├── StorageError                  1  the store did not do what was asked
    │   └── StoreRefusedError         3  a store that can lose commits is not used
    ├── DataError                     1  the data at hand can't be used (nothing was written)
    ├── CorruptTableError             1  the table's own files contradict the protocol
    ├── CommitUnknownError            1  a commit's answer was lost and could not be looked up
    ├── KeysError                     1  a key is not there, can't be used, or lies where others can read it
    ├── NotBuiltError                 2  the config names a feature that this release does not have
    ├── UsageError                    2  wrong usage
    │   ├── MissingPackageError       2  an optional package, or a language model, is not installed
    │   └── ConfigError               2  the config file has problems (all of them, at once)
    ├── RefusedError                  3  a rule stands in the way
    │   ├── UnsupportedFeatureError   3  the table needs a feature that is not known here
    │   └── ProtectedError            3  a hold, a tag or a kept version would be broken
    ├── ConflictError                 4  somebody else was faster; trying again can help
    ├── VerificationError             5  a check found something
    └── NotFoundError                 6  what was named is not there
        ├── TableNotFoundError        6
        └── VersionNotFoundError      6

Each error knows its exit code, whether a retry can help, what happened (the message) and what to do
(``advice``). Messages never carry values of rows: they name tables, versions, columns and positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class LakehouseError(Exception):
    """The root: something that was asked for did not happen.

    Args:
        message: What happened, to which table and version.
        advice: What the reader can do about it.
    """

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} ({self.advice})" if self.advice else self.message


class StorageError(LakehouseError):
    """The store failed: unreachable, out of space, permission denied, credentials refused."""

    retryable: ClassVar[bool] = True


class StoreRefusedError(StorageError):
    """The store has no atomic put-if-absent, so commits could overwrite each other."""

    exit_code: ClassVar[int] = 3
    retryable: ClassVar[bool] = False


class DataError(LakehouseError):
    """The data that was handed in can't be used; nothing was written."""


class CorruptTableError(LakehouseError):
    """A table's own log, vectors or files contradict the Delta protocol."""


class CommitUnknownError(LakehouseError):
    """A commit was sent, its answer was lost, and looking it up failed too."""


class KeysError(LakehouseError):
    """A key is not there, can't be unwrapped, or is kept where others can read it."""


class NotBuiltError(LakehouseError):
    """The config uses a section whose feature this release does not have."""

    exit_code: ClassVar[int] = 2


class UsageError(LakehouseError):
    """Wrong usage: an option, argument or value that can't be meant."""

    exit_code: ClassVar[int] = 2


class MissingPackageError(UsageError):
    """An optional package, or a language model, is not installed; the advice says what to install."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a config file.

    Args:
        file: The file, as the user named it.
        line: Line, from 1; 0 where the place is not known (a config given as a dict).
        column: Column, from 1; 0 where not known.
        path: Where in the file, as ``tables.customers.key``.
        message: What is wrong, with the nearest valid name where there is one.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ConfigError(UsageError):
    """A config file with problems: all of them are listed at once."""

    def __init__(self, problems: Sequence[Problem], *, advice: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems), advice=advice)


class RefusedError(LakehouseError):
    """A rule stands in the way; trying again changes nothing."""

    exit_code: ClassVar[int] = 3


class UnsupportedFeatureError(RefusedError):
    """The table uses Delta features that this reader or writer does not know."""

    def __init__(self, message: str, *, features: Sequence[str] = (), advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.features = tuple(features)


class ProtectedError(RefusedError):
    """A hold, a tag or a kept version would be broken."""


class ConflictError(LakehouseError):
    """Somebody else changed the table first, more often than the retries allowed for."""

    exit_code: ClassVar[int] = 4
    retryable: ClassVar[bool] = True


class VerificationError(LakehouseError):
    """A check found something."""

    exit_code: ClassVar[int] = 5


class NotFoundError(LakehouseError):
    """What was named is not there."""

    exit_code: ClassVar[int] = 6


class TableNotFoundError(NotFoundError):
    """No Delta table at that place, or no table of that name in the config."""


class VersionNotFoundError(NotFoundError):
    """A version, timestamp or tag that can't be read (any more)."""
