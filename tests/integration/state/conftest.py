from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from lakehouse.state import open_state
from lakehouse.state.database import State

KINDS = [
    "sqlite",
    pytest.param("postgres", marks=[pytest.mark.server, pytest.mark.xdist_group("postgres")]),
]


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a state database that is not there yet: of both kinds, in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/my lake %20#1/state.db"
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def state(url: str) -> Iterator[State]:
    opened = open_state(url)
    yield opened
    opened.close()


@pytest.fixture
def ask(state: State) -> Callable[..., Any]:
    """Runs SQL on the database of ``state``, behind its back."""

    def go(query: str) -> Any:
        with state._database.writing() as connection:
            answer = connection.execute(text(query))
            return answer.all() if answer.returns_rows else None

    return go
