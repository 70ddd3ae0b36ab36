"""Who must not come back, as the state database keeps it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from lakehouse.state import open_state
from lakehouse.state.database import State
from lakehouse.state.rows import IdentifierDigest, Request, Suppression

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def said(request: str, numbers: Iterable[int], event: str = "suppressed") -> list[Suppression]:
    return [
        Suppression(
            request=request,
            event=event,
            subject="customer",
            digest=IdentifierDigest(identifier="email", key_version=1, digest=digest(number)),
            at=NOW,
            author="run",
        )
        for number in numbers
    ]


@pytest.fixture
def requests(state: State) -> list[str]:
    draft = Request(
        id="", kind="erasure", subject="customer", submitted=NOW, due=NOW, author="a", digests=(), person="p"
    )
    return [each.id for each, _ in state.requests.submit([(draft, {})] * 2, seal=lambda *_: "sealed")]


def test_some_are_found_among_many_however_many_are_asked_for(state: State, requests: list[str]) -> None:
    first, second = requests
    state.requests.suppress(said(first, range(3_000)))
    many = [digest(number) for number in range(2_999, 40_000)]
    one = {digest(2_999): frozenset({first})}
    assert state.requests.erased(many) == one
    assert state.requests.erased(many[:2]) == one
    assert state.requests.erased(many[1:]) == state.requests.erased([]) == {}
    state.requests.suppress(said(second, [2_999, 30_000]))
    both = {digest(2_999): frozenset(requests), digest(30_000): frozenset({second})}
    assert state.requests.erased(many) == both
    # Another process, which has read nothing yet.
    assert open_state_again(state).requests.erased(many) == both
    state.requests.suppress(said(second, [2_999], "readmitted"))
    assert state.requests.erased(many) == {**one, digest(30_000): frozenset({second})}


def open_state_again(state: State) -> State:
    return open_state(state._database.place.url.render_as_string(hide_password=False).replace("+psycopg", ""))


def test_the_mark_rises_with_every_change(state: State, requests: list[str]) -> None:
    assert (state.requests.suppression_mark(), state.requests.suppression_key()) == (0, 0)
    state.requests.suppress([])
    assert state.requests.suppression_mark() == 0
    state.requests.suppress(said(requests[0], [1]))
    first = state.requests.suppression_mark()
    state.requests.suppress(said(requests[0], [1], "readmitted"))
    assert state.requests.suppression_mark() > first > 0
    assert state.requests.suppression_key() == 1


def test_nobody_is_overlooked_while_several_write(state: State, requests: list[str]) -> None:
    stop = threading.Event()

    def write(first: int) -> None:
        for number in range(first, first + 20):
            state.requests.suppress(said(requests[0], [number]))

    def read() -> None:
        while not stop.is_set():
            state.requests.erased([digest(number) for number in range(60)])

    with ThreadPoolExecutor(4) as pool:
        reader = pool.submit(read)
        for each in [pool.submit(write, first) for first in (0, 20, 40)]:
            each.result()
        stop.set()
        reader.result()
    assert len(state.requests.erased([digest(number) for number in range(60)])) == 60


def test_a_database_that_was_restored_from_a_backup_is_read_anew(
    state: State, requests: list[str], ask: Callable[..., Any]
) -> None:
    state.requests.suppress(said(requests[0], range(3)))
    assert len(state.requests.erased([digest(number) for number in range(10)])) == 3
    # As if an older state had gone on differently: the same numbers are of others.
    for name in _triggers(state, ask):
        ask(f"DROP TRIGGER {name}" + ("" if _is_sqlite(state) else " ON lakehouse_suppressions"))
    for old in range(3):
        new, was = digest(old + 5), digest(old)
        ask(f"UPDATE lakehouse_suppressions SET digest = '{new}' WHERE digest = '{was}'")
    found = state.requests.erased([digest(number) for number in range(10)])
    assert set(found) == {digest(5), digest(6), digest(7)}


def _is_sqlite(state: State) -> bool:
    return state._database.place.kind == "sqlite"


def _triggers(state: State, ask: Callable[..., Any]) -> list[str]:
    if _is_sqlite(state):
        where = "sqlite_master WHERE type = 'trigger' AND tbl_name = 'lakehouse_suppressions'"
        return [row[0] for row in ask(f"SELECT name FROM {where}")]
    where = "pg_trigger WHERE tgrelid = 'lakehouse_suppressions'::regclass AND NOT tgisinternal"
    return [row[0] for row in ask(f"SELECT tgname FROM {where}")]
