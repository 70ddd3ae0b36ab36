"""The list of those who must not come back, as the state database has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse.control import Control
from lakehouse.errors import KeysError
from lakehouse.pii.keys.ring import Key, KeyRing
from lakehouse.requests.identity import SUPPRESS

if TYPE_CHECKING:
    from lakehouse.state.database import State


@dataclass(slots=True, kw_only=True)
class Listed:
    """The list, for one verb on one table.

    Args:
        table: The table, for errors.
        control: The way to the state database.
        ring: Gives the keys of the lake.
    """

    table: str
    control: Control
    ring: Callable[[], KeyRing]
    _state: State | None = None

    def mark(self) -> int:
        """A number that rises whenever the list changes; 0 as long as nobody was ever on it.

        Raises:
            StorageError: The state database can't be read.
            RefusedError: It is not there although the lake has one, or is not the one of this lake.
        """
        if self._state is None:
            if not self.control.begun():
                return 0
            self._state = self.control.existing()
        return 0 if self._state is None else self._state.requests.suppression_mark()

    def versions(self) -> tuple[Key, ...]:
        """Every version of the key that something on the list can be hashed with.

        Raises:
            KeysError: One of them is not there: who was hashed with it could not be kept out.
        """
        ring = self.ring()
        used = 0 if self._state is None else self._state.requests.suppression_key()
        newest = max((used, *ring.versions(SUPPRESS)))
        try:
            return tuple(ring.version(SUPPRESS, version) for version in range(1, newest + 1))
        except KeysError as error:
            raise KeysError(
                f"people were erased from table {self.table}, and without the key `{SUPPRESS}` they can't be "
                f"kept out; nothing was written: {error.message}",
                advice="bring the key back from its backup, all versions of it; a new one knows nobody",
            ) from None

    def erased(self, digests: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """Which of some keyed hashes are on the list now.

        Args:
            digests: The hashes.

        Returns:
            By hash the requests by which that identifier went.
        """
        return self._state.requests.erased(digests) if self._state is not None and digests else {}
