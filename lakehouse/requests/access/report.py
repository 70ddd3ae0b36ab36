"""What a bundle says of itself: ``about.json`` for programs, ``index.html`` and ``README.txt`` for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import metadata as packages
from typing import Any, Final

import orjson

from lakehouse.config import Config
from lakehouse.config.moments import iso
from lakehouse.requests.access.page import facts, items, links, page, paragraph, section
from lakehouse.requests.access.result import Bundled
from lakehouse.requests.access.sources import Source
from lakehouse.requests.access.words import erasing, grounds, kept_for
from lakehouse.state.rows import Request

FORMAT: Final = 1

_KINDS: Final = {"table": "table", "rejected": "rejected records", "archive": "archive"}
_SEARCHED: Final = {
    "table": "rows of the newest version of each table; where it keeps all versions of a row, all of them",
    "archive": "the archives of these tables",
    "rejected": "records that were meant for these tables and could not be taken in",
}
_OLDER: Final = "rows that only older files of a table still hold, where they are different from those"
_NOT_HERE: Final = (
    "columns by which the lake itself works, such as the order of changes",
    "masked copies of these tables: they hold the same rows, masked",
    "backups, exports and other copies that are not part of this lake",
    "what data is used for and who receives it: whoever sent you this can tell",
)
_LEGEND: Final = (
    "A row is current where the table has it now, and earlier where only older files still hold it, which go "
    "in time. Values of other people are masked, for example as <PERSON>."
)
_README: Final = """What is known about you
=======================

This archive answers request {request}, submitted on {submitted}. It was made on {made}
from the tables of "{lake}".

  index.html    everything in a form to read and print; open it in any browser
  data/         the same for programs: for each table a .jsonl file (JSON Lines: one row a
                line, exactly as stored) and a .csv file (for spreadsheets)
  about.json    what was searched, when, in which versions, and how many rows there are

About the rows. `_state` says whether a row is there now (current) or only in older files
that have not been taken away yet (earlier), was put into an archive (archived), or could
not be taken in (rejected). `_version` and `_stored` say which version of the table wrote
the file in which the row is, and when.

Other people. Values of other people in your rows are masked, for example as <PERSON>.
Where it can't be told whose a value is, it is masked: ask if you miss one of your own.

In .csv files, a text that begins with = + - @ or a tab has an apostrophe in front, so that no
spreadsheet takes it for a formula. The .jsonl files have it as it is. Both are in UTF-8.

This archive holds personal data: keep it where only you can read it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What there is to tell.

    Args:
        config: The lake's config.
        request: The request.
        now: When the bundle is made (timezone-aware).
        known: By identifier the values by which the person is known. Only ever written into the bundle.
        sources: What was read.
        bundled: What of each came into the bundle, in the same order.
        shown: For each the rows as HTML, where they are few.
        notes: What could not be shown.
        include_history: Whether older files were read too.
    """

    config: Config
    request: Request
    now: datetime
    known: Mapping[str, Sequence[str]] = field(repr=False)
    sources: Sequence[Source]
    bundled: Sequence[Bundled]
    shown: Sequence[str] = field(repr=False)
    notes: Sequence[str] = ()
    include_history: bool = True

    @property
    def searched(self) -> tuple[str, ...]:
        """What was searched, in words."""
        kinds = {source.kind for source in self.sources}
        older = (_OLDER,) if self.include_history else ()
        return (*(said for kind, said in _SEARCHED.items() if kind in kinds), *older)

    @property
    def not_here(self) -> tuple[str, ...]:
        """What is not in the bundle, in words."""
        kinds = {source.kind for source in self.sources}
        older = () if self.include_history else (_OLDER,)
        left_out = (said for kind, said in _SEARCHED.items() if kind not in kinds and kind != "archive")
        return (*left_out, *older, *_NOT_HERE, *self.notes)


def about(story: Story) -> bytes:
    """``about.json``.

    Args:
        story: What there is to tell.
    """
    request = story.request
    document = {
        "format": FORMAT,
        "lake": story.config.name,
        "software": f"lakehouse {packages.version('lakehouse')}",
        "made": iso(story.now, timespec="seconds"),
        "request": {
            "id": request.id,
            "subject": request.subject,
            "submitted": iso(request.submitted, timespec="seconds"),
            "due": iso(request.due, timespec="seconds"),
        },
        "known_by": {name: list(values) for name, values in story.known.items()},
        "searched": list(story.searched),
        "not_included": list(story.not_here),
        "sources": [
            _about(story, source, each) for source, each in zip(story.sources, story.bundled, strict=True)
        ],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def readme(story: Story) -> str:
    """``README.txt``.

    Args:
        story: What there is to tell.
    """
    return _README.format(
        request=story.request.id,
        submitted=f"{story.request.submitted:%Y-%m-%d}",
        made=f"{story.now:%Y-%m-%d}",
        lake=story.config.name,
    )


def index(story: Story) -> str:
    """``index.html``.

    Args:
        story: What there is to tell.
    """
    having = [at for at, each in enumerate(story.bundled) if each.total]
    total = sum(story.bundled[at].total for at in having)
    head = [
        "<h1>What is known about you</h1>",
        paragraph(
            f"{total:,} {'row' if total == 1 else 'rows'} in {len(having)} "
            f"{'place' if len(having) == 1 else 'places'} of {story.config.name}, as of {_day(story.now)}."
        ),
        facts(
            [
                ("Request", story.request.id),
                ("Submitted", _day(story.request.submitted)),
                ("Answered", _day(story.now)),
                *((f"You are known by {name}", ", ".join(values)) for name, values in story.known.items()),
            ]
        ),
        paragraph(_LEGEND),
        links([("README.txt", "how to read this"), ("about.json", "the same for programs")]),
    ]
    parts = [_section(story, at) for at in having]
    empty = [each.name for each in story.bundled if not each.total]
    if empty:
        parts.append(section("Where nothing was found", items(empty)))
    parts.append(section("What was searched", items(story.searched)))
    parts.append(section("What is not here", items(story.not_here)))
    return page(f"What {story.config.name} knows about you", "".join(head + parts))


def _section(story: Story, at: int) -> str:
    source, each = story.sources[at], story.bundled[at]
    table = story.config.tables[source.table]
    said = [("What it is", f"{_KINDS[source.kind]} {source.table}")]
    said += [("Described as", table.description)] if table.description else []
    said += [("Who answers for it", table.owner)] if table.owner else []
    said.append(("Rows", _rows(each)))
    said += [("From", f"version {source.version}; {source.format}")] if source.version is not None else []
    said.append(("How long it is kept", " ".join(kept_for(story.config, source.table))))
    said += [("Why it stays", "; ".join(why))] if (why := grounds(source.rules)) else []
    said += [("If you asked for erasure", " ".join(what))] if (what := erasing(source.rules)) else []
    said += [("Other people's values, masked", _counts(each.masked))] if each.masked else []
    said += [("Stored masked, shown in clear", _counts(each.revealed))] if each.revealed else []
    files = [(f"data/{each.name}.jsonl", "JSON Lines"), (f"data/{each.name}.csv", "CSV")]
    if each.pages:
        files.insert(0, (f"pages/{each.name}-1.html", f"the rows, on {each.pages} pages"))
    return section(each.name, facts(said), story.shown[at], links(files))


def _about(story: Story, source: Source, each: Bundled) -> dict[str, Any]:
    table = story.config.tables[source.table]
    return {
        "name": each.name,
        "table": source.table,
        "kind": source.kind,
        "description": table.description,
        "owner": table.owner,
        "version": source.version,
        "format": source.format,
        "columns": list(each.columns),
        "rows": each.rows,
        "earlier_rows": each.earlier,
        "kept_for": list(kept_for(story.config, source.table)),
        "kept_because": list(grounds(source.rules)),
        "erasure": list(erasing(source.rules)),
        "masked": dict(each.masked),
        "revealed": dict(each.revealed),
        "csv_apostrophes": each.guarded,
        "files": [f"data/{each.name}.jsonl", f"data/{each.name}.csv"] if each.total else [],
    }


def _rows(each: Bundled) -> str:
    now = {"table": "now in it", "rejected": "wait there", "archive": "in it"}[each.kind]
    earlier = f", {each.earlier:,} more in older files" if each.earlier else ""
    return f"{each.rows:,} {now}{earlier}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({number:,})" for name, number in counts.items())


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
