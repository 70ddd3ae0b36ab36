"""Files that appear for jobs to merge, in the database: each is numbered once, and done once."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from lakehouse.state.job_rows import ArrivedFile
from lakehouse.state.job_tables import file_ends, files
from lakehouse.state.transactions import Transactions


class SqlJobFiles:
    """Files for jobs, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def found(self, job: str, arrived: Iterable[tuple[str, str]], *, now: datetime) -> None:
        """Numbers files that were not known before; one whose content changed is another one.

        Args:
            job: The job.
            arrived: Path and mark of each, in the order in which they are to be merged.
            now: The time.
        """
        wanted = list(dict.fromkeys(arrived))
        if not wanted:
            return
        with self._database.writing() as connection:
            known = {
                (row.path, row.mark)
                for row in connection.execute(select(files.c.path, files.c.mark).where(files.c.job == job))
            }
            last = select(func.coalesce(func.max(files.c.number), 0)).where(files.c.job == job)
            number = connection.execute(last).scalar_one()
            new = [each for each in wanted if each not in known]
            if new:
                connection.execute(
                    insert(files),
                    [
                        {"job": job, "path": path, "mark": mark, "number": number + at, "found": now}
                        for at, (path, mark) in enumerate(new, 1)
                    ],
                )

    def waiting(self, job: str) -> builtins.list[ArrivedFile]:
        """The files of a job that are not done, in the order of their numbers.

        Args:
            job: The job.
        """
        query = (
            select(files)
            .join(file_ends, file_ends.c.file_seq == files.c.seq, isouter=True)
            .where(files.c.job == job, file_ends.c.file_seq.is_(None))
            .order_by(files.c.number)
        )
        with self._database.reading() as connection:
            return [
                ArrivedFile(seq=row.seq, path=row.path, mark=row.mark, number=row.number)
                for row in connection.execute(query)
            ]

    def ended(self, job: str, present: Iterable[tuple[str, str]]) -> builtins.list[tuple[ArrivedFile, str]]:
        """Of the files that are there, those that are done, each with what became of it.

        Args:
            job: The job.
            present: Path and mark of each that is there.
        """
        there = set(present)
        query = (
            select(files, file_ends.c.outcome)
            .join(file_ends, file_ends.c.file_seq == files.c.seq)
            .where(files.c.job == job)
        )
        with self._database.reading() as connection:
            return [
                (ArrivedFile(seq=row.seq, path=row.path, mark=row.mark, number=row.number), row.outcome)
                for row in connection.execute(query)
                if (row.path, row.mark) in there
            ]

    def done(self, file: ArrivedFile, *, outcome: str, run_id: str, now: datetime) -> None:
        """Says what became of a file, unless that was said before.

        Args:
            file: Which.
            outcome: ``merged``; ``refused``: it can't be read or is gone.
            run_id: By which run.
            now: The time.
        """
        with self._database.writing() as connection:
            kind = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            ended = kind(file_ends).values(file_seq=file.seq, outcome=outcome, run_id=run_id, at=now)
            connection.execute(ended.on_conflict_do_nothing())
