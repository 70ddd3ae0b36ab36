"""By when a request can be done, and what decides that: on a clock that is handed in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakehouse.config import Config
from lakehouse.config.load import load_config
from lakehouse.protection import Protection
from lakehouse.requests.promise import promise_of
from lakehouse.requests.view import Promise
from lakehouse.state.rows import Request, RequestEvent

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday


def told(*, events: tuple[RequestEvent, ...] = (), **more: Any) -> Promise:
    archive = {"name": "old", "column": "day", "keep": "1y", "action": "archive", "to": "cold/people"}
    config: Config = load_config(
        {
            "version": 1,
            "tables": {
                "people": {"key": ["id"], "schema": {"id": "long", "day": "date"}, "retention": [archive]}
            },
            "subjects": {
                "person": {
                    "identifiers": {"id": "people.id"},
                    "rows": [{"table": "people", "where": {"id": "id"}, "do": "delete"}],
                }
            },
            **more,
        }
    )
    request = Request(
        id="req-1",
        kind="erasure",
        subject="person",
        submitted=NOW,
        due=NOW + timedelta(days=30),
        author="desk",
        digests=(),
        person="",
        external_id=None,
    )
    free: Callable[[str], Protection] = Protection
    return promise_of(config, request, events, protection=free, now=NOW, copies={"people_masked": "people"})


NIGHTLY = {"do": "erase", "schedule": "0 3 * * sun", "timezone": "Europe/Berlin"}
SUNDAY = datetime(2026, 3, 8, 2, tzinfo=UTC)
WAITS = {"purge_after": "10d"}


@pytest.mark.parametrize(
    ("more", "end", "decided"),
    [
        ({}, NOW, ""),
        ({"requests": WAITS}, NOW + timedelta(days=10), "`requests.purge_after`"),
        ({"jobs": {"erasures": NIGHTLY}}, SUNDAY, "the schedule of the job erasures"),
        # Ten days after the Sunday on which it is erased comes another one, on which old files go.
        (
            {"jobs": {"erasures": NIGHTLY}, "requests": WAITS},
            SUNDAY + timedelta(days=14),
            "the schedule of the job erasures",
        ),
        (
            {"jobs": {"first": {**NIGHTLY, "do": "vacuum"}, "then": {"do": "erase", "after": ["first"]}}},
            SUNDAY,
            "the schedule of the job then",
        ),
        ({"jobs": {"erasures": {**NIGHTLY, "pause": True}}}, None, "the schedule"),
        ({"jobs": {"once": {"do": "erase", "schedule": "2026-01-01T03:00"}}}, None, "the schedule"),
        ({"requests": {"approval": "required"}, "jobs": {"e": NIGHTLY}}, None, "the approval"),
    ],
)
def test_what_comes_last_decides(more: dict[str, Any], end: datetime | None, decided: str) -> None:
    found = told(**more)
    assert (found.earliest, found.decided_by) == (end, decided)


def test_once_the_rows_are_gone_the_rest_is_counted_from_then() -> None:
    erased = RequestEvent(
        request="req-1", number=3, event="erased", at=NOW - timedelta(days=9), author="desk", detail={}
    )
    found = told(events=(erased,), requests=WAITS, jobs={"erasures": NIGHTLY})
    assert found.earliest == SUNDAY


def test_copies_and_archives_are_named() -> None:
    reasons = "\n".join(told().reasons)
    assert "masked copies follow in the same run: people_masked" in reasons
    assert "archives of table people are written anew in the same run (cold/people)" in reasons
