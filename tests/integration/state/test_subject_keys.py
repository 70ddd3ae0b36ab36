"""Keys of people in the state database, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.command import downgrade

from lakehouse.errors import LakehouseError
from lakehouse.state import SubjectKey, SubjectKeyCount, open_state
from lakehouse.state.database import State
from lakehouse.state.migrate import settings

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def key(digest: str, *, wrapped: bytes = b"\x00w", generation: int = 1, by: int = 1) -> SubjectKey:
    return SubjectKey(digest, "customer", generation, wrapped, by)


def test_of_two_keys_for_one_person_the_first_is_kept(url: str, state: State) -> None:
    state.subject_keys.add([key("b"), key("a")], now=NOW)
    open_state(url).subject_keys.add([key("b", wrapped=b"other"), key("c")], now=NOW)
    found = state.subject_keys.find(["a", "b", "c", "nobody"])
    assert found == {"a": key("a"), "b": key("b"), "c": key("c")}
    assert state.subject_keys.find([]) == {}


def test_many_at_once(state: State) -> None:
    digests = [f"{number:022}" for number in range(45_000)]
    state.subject_keys.add([key(each) for each in digests], now=NOW)
    assert state.subject_keys.find(digests).keys() == set(digests)
    assert state.subject_keys.destroy(digests[::2], now=NOW) == 22_500
    assert state.subject_keys.count() == [SubjectKeyCount(subject="customer", keys=22_500, destroyed=22_500)]
    parts = list(state.subject_keys.wrapped_otherwise(2))
    assert [each.digest for part in parts for each in part] == digests[1::2]
    assert len(parts) == 2


def test_destroyed_stays_destroyed_until_it_is_renewed(state: State) -> None:
    state.subject_keys.add([key("a"), key("b")], now=NOW)
    assert state.subject_keys.destroy(["a", "nobody"], now=NOW) == 1
    assert state.subject_keys.destroy(["a"], now=NOW) == 0
    state.subject_keys.add([key("a")], now=NOW)
    (gone,) = state.subject_keys.find(["a"]).values()
    assert (gone.destroyed, gone.wrapped, gone.wrapped_by, gone.generation) == (True, None, None, 1)
    # Who wraps anew what it read before the key went does not bring it back.
    assert state.subject_keys.rewrap([(key("a"), key("a", by=2)), (key("b"), key("b", by=2))]) == 1
    assert state.subject_keys.find(["a", "b"]) == {"a": gone, "b": key("b", by=2)}
    assert list(state.subject_keys.wrapped_otherwise(2)) == []
    again = key("a", generation=2, wrapped=b"new")
    assert state.subject_keys.renew([again, key("b", generation=2)], now=NOW) == 1
    assert state.subject_keys.renew([again], now=NOW) == 0
    assert state.subject_keys.find(["a"]) == {"a": again}


def test_rows_are_not_taken_away(state: State, ask: Callable[..., Any]) -> None:
    state.subject_keys.add([key("a")], now=NOW)
    with pytest.raises(LakehouseError):
        ask("DELETE FROM lakehouse_subject_keys")
    assert ask("SELECT digest, destroyed_at FROM lakehouse_subject_keys") == [("a", None)]


def test_an_older_database_gets_the_table(url: str, state: State) -> None:
    state.make()
    with state._database.writing() as connection:
        config = settings()
        config.attributes["connection"] = connection
        downgrade(config, "0002")
    again = open_state(url)
    again.subject_keys.add([key("a")], now=NOW)
    assert again.subject_keys.find(["a"]) == {"a": key("a")}


def test_no_key_is_shown(state: State) -> None:
    state.subject_keys.add([key("a", wrapped=b"secret")], now=NOW)
    assert "secret" not in repr(state.subject_keys.find(["a"]))
