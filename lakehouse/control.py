"""The state database of a lake: opened when it is first needed, and recognised as the one that belongs to it.

A state database that is gone, or is another one than yesterday, would say that nothing is held. So the lake
remembers which one is its own, in the small object ``_lakehouse/state.json`` below its root: it is written
once, after the database is made and before anything is kept in it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from lakehouse.errors import CorruptTableError, NotFoundError, RefusedError
from lakehouse.storage import Storage

if TYPE_CHECKING:
    from lakehouse.state.database import State

MARKER: Final = "_lakehouse/state.json"

_LOST: Final = (
    f"Only if it is lost for good: without {MARKER} the lake forgets that anything was ever held, so take it "
    "away when you have a list of the holds, and place them again before anything else runs"
)


class Control:
    """The way to a lake's state database. Can be used from many threads.

    Args:
        url: The database's URL, as the config has it.
        lake: The lake's root.
    """

    def __init__(self, url: str, *, lake: Storage) -> None:
        self._url = url
        self._lake = lake
        self._lock = threading.Lock()
        self._state: State | None = None

    def __reduce__(self) -> tuple[partial[Control], tuple[()]]:
        # Another process opens its own connections.
        return partial(Control, self._url, lake=self._lake), ()

    def __repr__(self) -> str:
        # The URL can have a password in it.
        return f"Control({self._lake.url!r})"

    def existing(self) -> State | None:
        """The state for those who only read it.

        Returns:
            The state; None where this lake never had one, so that nothing is held.

        Raises:
            StorageError: The database can't be reached or read, or is damaged.
            RefusedError: It is not there although the lake has one, or is not the one of this lake.
        """
        state = self._opened()
        if state.in_memory:
            return state if state.exists() else None
        known = self._known()
        if not state.exists():
            if known is None:
                return None
            raise _not_there(state.shown, known)
        if known is not None:
            _ensure_same(state, known)
        return state

    def begun(self) -> bool:
        """Whether this lake ever had a state, found out by one small object and without opening anything."""
        with self._lock:
            opened = self._state is not None
        return opened or self._known() is not None

    def made(self, *, now: datetime) -> State:
        """The state for those who write to it; made if this lake never had one.

        Args:
            now: The time (timezone-aware).

        Raises:
            StorageError: As for `existing`, or it can't be written.
            RefusedError: It is not the one of this lake.
        """
        state = self.existing()
        if state is None:
            state = self._opened()
        state.make()
        if state.in_memory:
            return state
        known = self._known()
        if known is None:
            _ensure_ours(state, lake=self._lake.url)
            body = orjson.dumps({"id": state.id, "made": now.isoformat()})
            ours = self._lake.put_if_absent(MARKER, body)
            known = _Mark(state.id, "") if ours else self._known()
        _ensure_same(state, known)
        return state

    def _opened(self) -> State:
        with self._lock:
            if self._state is None:
                from lakehouse.state import open_state  # noqa: PLC0415 - SQLAlchemy takes a third of a second

                self._state = open_state(self._url)
            return self._state

    def _known(self) -> _Mark | None:
        """What the lake remembers of its database; None where it never had one."""
        try:
            body: Any = orjson.loads(self._lake.get(MARKER))
            return _Mark(str(body["id"]), str(body.get("made", ""))[:10])
        except NotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CorruptTableError(
                f"{self._lake.url}/{MARKER} can't be read, so it is not known which state database is right",
                advice="restore the file from a backup",
            ) from None


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a lake remembers of its state database: its id, and the day when it was made."""

    id: str
    day: str


def _ensure_same(state: State, known: _Mark | None) -> None:
    if known is None or state.id != known.id:
        raise RefusedError(
            f"the state database {state.shown} is not the one of this lake",
            advice="let `state` name the one with the lake's holds; several hosts need one PostgreSQL. "
            f"{_LOST}",
        )


def _ensure_ours(state: State, *, lake: str) -> None:
    """A lake that has no database yet takes none that is another one's: holds go by names of tables."""
    owner = state.claim(lake)
    if owner != lake:
        raise RefusedError(
            f"the state database {state.shown} is that of another lake ({owner})",
            advice=f"give this lake its own with `state`; if it is the same, moved, bring its {MARKER} along",
        )


def _not_there(shown: str, known: _Mark) -> RefusedError:
    since = f" since {known.day}" if known.day else ""
    return RefusedError(
        f"there is no state database at {shown}, and this lake has had one{since}: what is held is not known",
        advice="see whether `state` names the right one, whether its disk is mounted, and whether somebody "
        f"moved the file; else restore it from a backup. {_LOST}",
    )
