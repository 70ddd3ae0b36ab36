"""Everything about a person as one file: rows, read a part at a time, shown, and written in three forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from lakehouse.config import Config
from lakehouse.errors import RefusedError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.spans import SpanFinder
from lakehouse.requests.access.belongs import Belongs, belongs_of
from lakehouse.requests.access.judging import Asked, showing_of
from lakehouse.requests.access.own import Own, own_of
from lakehouse.requests.access.records import RecordShowing
from lakehouse.requests.access.report import Story, about, index, readme
from lakehouse.requests.access.result import Bundle, Bundled
from lakehouse.requests.access.row_writing import RowWriter, Written
from lakehouse.requests.access.showing import Showing
from lakehouse.requests.access.sources import Source
from lakehouse.requests.access.writing import Archive, digest_of, writing
from lakehouse.requests.people import People
from lakehouse.state.rows import Request


def bundle(
    path: Path,
    *,
    request: Request,
    people: People,
    sources: Sequence[Source],
    config: Config,
    ring: KeyRing,
    finder: Callable[[], SpanFinder],
    now: datetime,
    asked: Asked | None = None,
    include_history: bool = True,
    replace: bool = False,
) -> Bundle:
    """Writes everything about a person into a ZIP archive that only this user can read.

    Values in columns of `pii` that are not the person's are masked by the operators of the config; where
    these leave nothing, or something that looks true, they say what was there. The same rows, keys and time
    give the same bytes, but for operators that draw lots.

    Args:
        path: The file; see `lakehouse.requests.access.writing.target`.
        request: The request.
        people: The person, by all that is known.
        sources: The rows.
        config: The lake's config.
        ring: The lake's keys.
        finder: Gives what finds personal data in texts.
        now: The time (timezone-aware).
        asked: What is known better than the config tells.
        include_history: Whether the sources have rows of older files; only told.
        replace: Whether a file that is there may go.

    Returns:
        What was written.

    Raises:
        RefusedError: The identifiers lead to many people, or the file is there.
        UsageError: A column can't be masked as the config says.
        KeysError: A key is not there.
        CorruptTableError: A file can't be read.
        StorageError: The bundle can't be written.
    """
    _ensure_one_person(request, people)
    known = _known(people, request.id)
    show = _Show(config, belongs_of(config, request.subject), ring, finder, asked or Asked())
    own = _learned(own_of(value for values in known.values() for value in values), sources, show)
    with writing(path, now=now, replace=replace) as archive:
        done = [_written(archive, source, show(source, own)) for source in sources]
        story = Story(
            config=config,
            request=request,
            now=now,
            known=known,
            sources=sources,
            bundled=[each.bundled for each in done],
            shown=[each.shown for each in done],
            notes=_problems(done),
            include_history=include_history,
        )
        _explain(archive, story)
    return Bundle(
        path=path,
        request=request.id,
        bytes=path.stat().st_size,
        sha256=digest_of(path),
        sources=tuple(story.bundled),
        notes=(*story.notes, *_warnings(story.bundled)),
    )


def _ensure_one_person(request: Request, people: People) -> None:
    if request.id in people.crowds:
        raise RefusedError(
            f"the identifiers of request {request.id} lead to many people: one would be told of the others",
            advice="name the person by an identifier that only one has",
        )


def _known(people: People, request: str) -> dict[str, tuple[str, ...]]:
    rows = (
        people.known.filter(pl.col("request") == request)
        .select("identifier", "value")
        .unique()
        .sort(pl.all())
    )
    found: dict[str, list[str]] = {}
    for identifier, value in rows.rows():
        found.setdefault(identifier, []).append(value)
    return {identifier: tuple(values) for identifier, values in found.items()}


def _written(archive: Archive, source: Source, showing: Showing | RecordShowing) -> Written:
    """Writes the rows of one source."""
    with RowWriter(archive, source, showing) as writer:
        return writer.write()


def _problems(done: Sequence[Written]) -> tuple[str, ...]:
    """What could not be shown as it should be, each said once."""
    return tuple(dict.fromkeys(problem for each in done for problem in each.problems))


def _explain(archive: Archive, story: Story) -> None:
    """Writes what the bundle says of itself: for programs, for a browser, for who opens the archive."""
    archive.add("about.json", about(story))
    archive.add("index.html", index(story))
    archive.add("README.txt", readme(story))


def _warnings(bundled: Sequence[Bundled]) -> Iterator[str]:
    bare = list(dict.fromkeys(each.table for each in bundled if each.total and not each.declared))
    if bare:
        yield (
            f"the config says of no column of {', '.join(bare)} what personal data it holds (`pii`): whoever "
            "else is in these rows is not masked"
        )


@dataclass(frozen=True, slots=True)
class _Show:
    """Makes what shows a source."""

    config: Config
    belongs: Belongs
    ring: KeyRing = field(repr=False)
    finder: Callable[[], SpanFinder] = field(repr=False)
    asked: Asked

    def __call__(self, source: Source, own: Own) -> Showing | RecordShowing:
        rejected = source.kind == "rejected"
        showing = showing_of(
            source,
            config=self.config,
            belongs=self.belongs,
            own=own,
            ring=self.ring,
            finder=self.finder,
            asked=self.asked,
        )
        if rejected:
            return RecordShowing(showing.places, own, self.finder)
        return showing

    def is_home(self, source: Source) -> bool:
        return source.kind != "rejected" and self.belongs.is_home(source.table)


def _learned(own: Own, sources: Sequence[Source], show: _Show) -> Own:
    """What the rows that are about the person tell of them: name, telephone, and what else is declared."""
    for source in filter(show.is_home, sources):
        showing = show(source, own)
        columns = tuple(dict.fromkeys(each.place.path.column for each in showing.places))
        if not columns:
            continue
        for part in source.parts(columns):
            for entities, values in showing.collect(part):
                own = own.also(entities, values)
    return own
