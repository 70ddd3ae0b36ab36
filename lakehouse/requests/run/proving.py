"""The last part of a run: what a request's certificate says, from its events and the search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from lakehouse.config import Config
from lakehouse.merge.result import QUARANTINE
from lakehouse.requests.certificate import NOT_COVERED, Content, search_part
from lakehouse.requests.certificate import document as certificate
from lakehouse.requests.elsewhere.archives import ARCHIVE
from lakehouse.requests.elsewhere.places import Unruled
from lakehouse.requests.needles import Hit
from lakehouse.requests.rules import rules_of
from lakehouse.requests.run.choose import last
from lakehouse.requests.run.rows import rows_done
from lakehouse.requests.run.verifying import Verified
from lakehouse.state.rows import Request, RequestEvent


def content_of(
    request: Request,
    events: Sequence[RequestEvent],
    verified: Verified,
    *,
    config: Config,
    now: datetime,
    left_alone: Sequence[str] = (),
    unruled: Sequence[Unruled] = (),
) -> Content:
    """What a certificate tells.

    Args:
        request: The request.
        events: What happened to it.
        verified: What the search told.
        config: The lake's config.
        now: When it was done (timezone-aware).
        left_alone: Masked copies of tables that the config does not name any more.
        unruled: Masked copies of tables that people are in and no rule names.
    """
    mine = verified.needles.get(request.id, ())
    rows = rows_done(events)
    return Content(
        request=certificate.Request(
            id=request.id,
            kind="erase",
            subject=request.subject,
            identifiers=tuple(
                certificate.Identifier(name=each.identifier, hash=each.digest, key_version=each.key_version)
                for each in request.digests
            ),
            asked=request.submitted,
            due=request.due,
            done=now,
        ),
        tables=tuple(_tables(events, rows)),
        search=search_part(
            verified.report,
            request=request.id,
            needles=len(mine),
            anywhere=sum(needle.anywhere for needle in mine),
        ),
        kept=tuple(_kept(request, rows, config)),
        not_covered=(
            *NOT_COVERED,
            *map(_left_alone, left_alone),
            *(
                certificate.Missing(what=f"masks in the copy {each.copy}", reason=str(each))
                for each in unruled
                if each.subject == request.subject
            ),
            *_stayed(verified.stayed.get(request.id, ())),
        ),
    )


def _left_alone(copy: str) -> certificate.Missing:
    return certificate.Missing(
        what=f"masks in the copy {copy}",
        reason="the config does not name the table that it is a copy of: what stands for people there is not "
        "known, and was neither erased nor looked for; clear values were",
    )


def _stayed(hits: Sequence[Hit]) -> Iterator[certificate.Missing]:
    """What is still there since the config lets it: no rule empties the column, or a ground keeps the row."""
    for table in sorted({hit.table for hit in hits}):
        mine = sorted({hit.identifier for hit in hits if hit.table == table})
        yield certificate.Missing(
            what=f"the person's {', '.join(mine)} in table {table}",
            reason="found there, in rows that a ground keeps or in columns that no rule empties",
        )


def _tables(
    events: Sequence[RequestEvent], rows: Mapping[str, Mapping[str, int]]
) -> Iterator[certificate.Table]:
    before: Mapping[str, int] = next(
        (each.detail["versions"] for each in events if each.event == "started"), {}
    )
    erased = last(events, "erased").detail
    after: Mapping[str, int] = erased["versions"]
    before = {**erased.get("before", {}), **before}
    files = _files(events)
    closed = _closed(events)
    for table in sorted({*rows, *files}):
        counts = rows.get(table, {})
        yield certificate.Table(
            name=table,
            version_before=before.get(table, 0),
            version_after=after.get(table, before.get(table, 0)),
            rows=certificate.Rows(
                deleted=counts.get("delete", 0),
                anonymized=counts.get("anonymize", 0),
                kept=counts.get("keep", 0),
            ),
            files=files.get(table, ()),
            closed_versions=closed.get(table, ((), 0))[0],
            dropped_tags=closed.get(table, ((), 0))[1],
        )


def _files(events: Sequence[RequestEvent]) -> dict[str, tuple[certificate.File, ...]]:
    """By table the files that the runs of the request took away or emptied, each once."""
    found: dict[str, dict[tuple[str, str], certificate.File]] = {}
    for event in events:
        if event.event == "purging":
            for each in event.detail["files"]:
                file = _file(each["action"], each["path"], each["bytes"], each["sha256"])
                found.setdefault(each["table"], {})[each["path"], each["action"]] = file
    return {table: tuple(files.values()) for table, files in found.items()}


@lru_cache(maxsize=1024)
def _file(action: Literal["removed", "redacted"], path: str, size: int, sha256: str) -> certificate.File:
    """The files of people who are erased together are mostly the same."""
    return certificate.File(action=action, path=path, bytes=size, sha256=sha256)


def _closed(events: Sequence[RequestEvent]) -> dict[str, tuple[tuple[int, ...], int]]:
    found: dict[str, tuple[set[int], int]] = {}
    for event in events:
        if event.event in {"purging", "purged"}:
            details: Mapping[str, Any] = event.detail.get("tables", {})
            for table, detail in details.items():
                versions, tags = found.get(table, (set(), 0))
                first_and_last = detail.get("closed", ())
                versions |= {each for first, end in first_and_last for each in range(first, end + 1)}
                # Said before it was done, and after: the same tags.
                found[table] = versions, max(tags, int(detail.get("tags", 0)))
    return {table: (tuple(sorted(versions)), tags) for table, (versions, tags) in found.items()}


def _kept(
    request: Request, rows: Mapping[str, Mapping[str, int]], config: Config
) -> Iterator[certificate.Kept]:
    rules = rules_of(config, subjects=frozenset({request.subject}))
    for name, counts in sorted(rows.items()):
        # Archives are called after their table, as quarantines are.
        table = name.partition(ARCHIVE)[0].removesuffix(QUARANTINE)
        grounds = [rule.ground for rule in rules.get(table, ()) if rule.do == "keep"]
        kept = counts.get("keep", 0)
        if grounds and kept:
            yield certificate.Kept(table=name, rows=kept, ground="; ".join(dict.fromkeys(grounds)))
