"""The kind ``merge``: files that appear in a folder or prefix are merged, exactly once each.

The state database numbers each file before it is merged, and the number is the offset that the table keeps
with the commit. A run that is killed after the commit and before it could say so is no matter: the table
knows the offset, and the next run's merge of the same file does nothing. Another state database counts anew,
so its name is part of the source.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

from lakehouse.config.models.config import absolute
from lakehouse.config.models.jobs import ArrivalsConfig
from lakehouse.errors import DataError, NotFoundError, UsageError
from lakehouse.jobs.context import JobContext
from lakehouse.jobs.result import JobResult, Tally
from lakehouse.merge.result import COUNTS, MergeResult
from lakehouse.state.job_rows import ArrivedFile
from lakehouse.storage import ObjectInfo, Storage, open_storage
from lakehouse.table import Table

_MERGED: Final = "merged"
_REFUSED: Final = "refused"
_FOLDERS: Final = {_MERGED: "_done", _REFUSED: "_refused"}


def work(context: JobContext) -> JobResult:
    """Merges the files that are there and were not merged before, one commit each.

    Args:
        context: The run.

    Raises:
        UsageError: The job does not say from where, or names more than one table.
    """
    arrivals, table = _settings(context)
    inbox = _Inbox(context, arrivals, _folder(context, arrivals))
    tally = Tally()
    present = inbox.look()
    tally.add(files=0, refused=0, **dict.fromkeys(COUNTS, 0))
    for file in context.state.job_files.waiting(context.job):
        context.check()
        try:
            with inbox.fetched(file, present) as path:
                done = _merge(context, table, path, file)
        except (DataError, NotFoundError) as error:
            tally.add(refused=1)
            tally.found.append(f"{file.path}: {error.message}")
            inbox.done(file, _REFUSED, present)
            continue
        tally.add(files=1, **done.counts)
        tally.made(table.name, done.version if done.committed else None)
        inbox.done(file, _MERGED, present)
        context.log(f"{file.path}: {done.total} records, {done.rejected} rejected")
    return tally.result


def _merge(context: JobContext, table: Table, path: Path, file: ArrivedFile) -> MergeResult:
    source = f"job {context.job} {context.state.id[:8]}"
    return table.merge_files([path], source=source, offset=file.number)


def _settings(context: JobContext) -> tuple[ArrivalsConfig, Table]:
    arrivals = context.config.arrivals
    if arrivals is None or len(context.tables) != 1:
        raise UsageError(
            f"the job {context.job} merges files and "
            + ("does not say from where" if arrivals is None else "can't tell into which table"),
            advice="give it `from: {path: ./incoming}` and one table in `tables`",
        )
    return arrivals, context.lake.table(context.tables[0])


def _folder(context: JobContext, arrivals: ArrivalsConfig) -> Storage:
    config = context.lake.config
    if "://" in arrivals.path:
        return open_storage(arrivals.path, options=config.storage.plain_options())
    return open_storage(absolute(arrivals.path, config.base_dir))


@dataclass(frozen=True, slots=True)
class _Inbox:
    context: JobContext
    arrivals: ArrivalsConfig
    folder: Storage

    def look(self) -> dict[str, str]:
        """Numbers what is new; gives the marks of what is there by path, done or not."""
        newest = self.context.clock() - self.arrivals.settle
        listed = sorted(self.folder.list(), key=lambda each: each.path)
        found = {each.path: _mark(each) for each in listed if self._wanted(each.path)}
        ready = [each.path for each in listed if each.path in found and each.modified <= newest]
        state = self.context.state.job_files
        state.found(self.context.job, [(each, found[each]) for each in ready], now=self.context.clock())
        if self.arrivals.done != "keep":
            # What an earlier run had merged and was killed before it could move it.
            for file, outcome in state.ended(self.context.job, found.items()):
                self._away(file, outcome, found)
        return found

    @contextmanager
    def fetched(self, file: ArrivedFile, present: dict[str, str]) -> Iterator[Path]:
        """Has a file on this machine for a while.

        Raises:
            NotFoundError: It is gone, or has other content than when it was numbered.
        """
        if present.get(file.path) != file.mark:
            raise NotFoundError("is gone, or was written over before it was merged")
        with TemporaryDirectory(prefix="lakehouse-") as folder:
            path = Path(folder) / PurePosixPath(file.path).name
            path.write_bytes(self.folder.get(file.path))
            yield path

    def done(self, file: ArrivedFile, outcome: str, present: dict[str, str]) -> None:
        """Says what became of a file, then takes it out of the way."""
        self.context.state.job_files.done(
            file, outcome=outcome, run_id=self.context.run, now=self.context.clock()
        )
        if self.arrivals.done != "keep" and present.get(file.path) == file.mark:
            self._away(file, outcome, present)

    def _away(self, file: ArrivedFile, outcome: str, present: dict[str, str]) -> None:
        if self.arrivals.done == "move" or outcome == _REFUSED:
            # With its number, so that two of one name don't meet there.
            name = PurePosixPath(file.path)
            target = str(name.with_name(f"{file.number:06}-{name.name}"))
            self.folder.put(f"{_FOLDERS[outcome]}/{target}", self.folder.get(file.path))
        self.folder.delete([file.path])
        present.pop(file.path, None)

    def _wanted(self, path: str) -> bool:
        hidden = any(part.startswith(("_", ".")) for part in PurePosixPath(path).parts)
        return not hidden and fnmatchcase(path, self.arrivals.files)


def _mark(info: ObjectInfo) -> str:
    return info.etag or f"{info.size} {info.modified.isoformat()}"
