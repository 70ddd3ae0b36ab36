"""Says in the config file where personal data is: what a scan found is added, nothing is taken away."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lakehouse.config import load_config
from lakehouse.config.amend import Kinds, with_pii
from lakehouse.config.models import Config
from lakehouse.errors import ConfigError, ConflictError, RefusedError, StorageError, UsageError
from lakehouse.pii.scan.findings import ScanResult

_COPY: Final = "it is a masked copy, and has no section of its own: its source's is where `pii` is said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What is added to a config file.

    Args:
        file: The file, as the user named it.
        diff: The change, as a unified diff; empty where there is none.
        added: Table, path and kinds, or what the config says of a text with one kind.
        skipped: Tables that nothing can be added to, and why.
        written: Whether the file has it now.
        before: The file's text that the change is made to.
        after: The text with it.
    """

    file: str
    diff: str
    added: Mapping[str, Mapping[str, Kinds]]
    skipped: Mapping[str, str]
    written: bool
    before: str
    after: str


def plan_declaration(config: Config, result: ScanResult) -> Declaration:
    """Works out what would be added to the config file. Nothing is written.

    Args:
        config: The lake's config.
        result: What a scan found.

    Returns:
        The change; that it loads has been tried.

    Raises:
        UsageError: The config came as a mapping, so there is no file.
        RefusedError: The file would not load with it.
    """
    if not config.source:
        raise UsageError(
            "this config came as a mapping: there is no file to write to",
            advice="open the lake by its file; `result.additions()` says what the config lacks",
        )
    before = _read(config.source)
    wanted = result.additions()
    copies = {table: _COPY for table in wanted if table not in config.tables}
    amended = with_pii(before, {table: each for table, each in wanted.items() if table not in copies})
    if amended.text != before:
        _try(config.source, amended.text)
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        amended.text.splitlines(keepends=True),
        fromfile=config.source,
        tofile=config.source,
    )
    return Declaration(
        file=config.source,
        diff="".join(line if line.endswith("\n") else f"{line}\n" for line in lines),
        added=amended.added,
        skipped={**amended.skipped, **copies},
        written=False,
        before=before,
        after=amended.text,
    )


def write_declaration(plan: Declaration) -> Declaration:
    """Writes a planned change, in one step.

    Args:
        plan: The change.

    Returns:
        The same, written.

    Raises:
        ConflictError: The file was changed in between.
        StorageError: It can't be written.
    """
    if _read(plan.file) != plan.before:
        raise ConflictError(f"{plan.file} was changed in between: nothing was written", advice="scan again")
    if plan.after != plan.before:
        _replace(Path(plan.file), plan.after)
    return Declaration(
        file=plan.file,
        diff=plan.diff,
        added=plan.added,
        skipped=plan.skipped,
        written=True,
        before=plan.before,
        after=plan.after,
    )


def _read(file: str) -> str:
    try:
        with Path(file).open(encoding="utf-8", newline="") as stream:
            return stream.read()
    except OSError as error:
        raise StorageError(f"{file} can't be read: {error.strerror}") from None


def _try(file: str, text: str) -> None:
    beside = Path(file).absolute().parent
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", suffix=".yaml", dir=beside) as trial:
        trial.write(text)
        trial.flush()
        try:
            load_config(trial.name)
        except ConfigError as error:
            told = "; ".join(f"{each.path}: {each.message}" for each in error.problems[:3])
            raise RefusedError(
                f"{file} would not load with what was found: {told}", advice="add it by hand"
            ) from None


def _replace(path: Path, text: str) -> None:
    # A link stays a link: what it points to is replaced.
    target = path.resolve()
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(target.stat().st_mode & 0o7777)
        Path(name).replace(target)
    except OSError as error:
        raise StorageError(f"{path} can't be written: {error.strerror}") from None
