"""What follows from the events of a request: what may happen to it, and what it has done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lakehouse import RefusedError
from lakehouse.requests.run.rows import rows_done
from lakehouse.requests.status import ensure_next
from lakehouse.state.rows import RequestEvent

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def events(*said: str | tuple[str, dict[str, Any]]) -> list[RequestEvent]:
    pairs = [(each, {}) if isinstance(each, str) else each for each in said]
    return [
        RequestEvent(request="r", number=number, event=event, at=NOW, author="a", detail=detail)
        for number, (event, detail) in enumerate(pairs, start=1)
    ]


def started(**rows: int) -> tuple[str, dict[str, Any]]:
    return "started", {"rows": {"t": rows}}


@pytest.mark.parametrize("ending", ["failed", "held"])
def test_what_was_begun_is_brought_to_its_end(ending: str) -> None:
    ensure_next("r", events("received", "held"), "cancelled")
    with pytest.raises(RefusedError, match="it was begun"):
        ensure_next("r", events("received", "started", ending), "cancelled")
    ensure_next("r", events("received", "started", ending), "started")


def test_rows_that_went_are_added_up_over_all_runs() -> None:
    said = events("received", started(delete=5), started(delete=2), "erased", started(delete=1), "erased")
    # The first was killed when three had gone.
    assert rows_done(said) == {"t": {"delete": 6}}


def test_rows_that_stay_are_counted_once_however_often_they_are_found() -> None:
    said = events("received", started(anonymize=3, keep=1), "erased", "failed", started(anonymize=3, keep=1))
    assert rows_done([*said, *events("erased")]) == {"t": {"anonymize": 3, "keep": 1}}
