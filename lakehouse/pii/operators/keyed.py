"""The key behind an operator: which version masks, and how the others are found again."""

from __future__ import annotations

from typing import Any

from lakehouse.config.models.operators import KeyedSettings
from lakehouse.errors import KeysError
from lakehouse.pii.keys.ring import Key, KeyRing


class OperatorKey:
    """A key for one use, in the version that new masks are made with.

    It can be pickled: the copy knows the versions that were asked for before, and no others. Never shown.

    Args:
        ring: The keys of the lake.
        purpose: Which of them.
        use: Names the algorithm, which gets a key of its own.
        version: The version to mask with; the newest if not given.
        length: Bytes of the derived key.
    """

    def __init__(
        self, *, ring: KeyRing, purpose: str, use: str, version: int | None = None, length: int = 32
    ) -> None:
        self._ring: KeyRing | None = ring
        self._purpose = purpose
        self._use = use
        self._length = length
        key = ring.current(purpose) if version is None else ring.version(purpose, version)
        self.version = key.version
        self._known = {key.version: self._derived(key)}

    @property
    def material(self) -> bytes:
        """What new masks are made with."""
        return self._known[self.version]

    def of_version(self, version: int) -> bytes:
        """What older masks were made with.

        Args:
            version: As a mask says.

        Raises:
            KeysError: That version is not there.
        """
        found = self._known.get(version)
        if found is None:
            if self._ring is None:
                raise KeysError(
                    f"version {version} of the key `{self._purpose}` did not come with these masks",
                    advice="turn masks back where the lake is open",
                )
            found = self._derived(self._ring.version(self._purpose, version))
            self._known = {**self._known, version: found}
        return found

    def _derived(self, key: Key) -> bytes:
        return key.derive(self._use, length=self._length)

    def __repr__(self) -> str:
        return f"OperatorKey(purpose={self._purpose!r}, use={self._use!r}, version={self.version})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ring": None}


def key_for(
    settings: KeyedSettings, *, ring: KeyRing, use: str, first: bool = False, length: int = 32
) -> OperatorKey:
    """The key that the settings of an operator name.

    Args:
        settings: With ``key`` and ``version``.
        ring: The keys of the lake.
        use: Names the algorithm.
        first: Whether the first version is meant where none is named, so that masks outlast a rotation.
        length: Bytes of the derived key.

    Raises:
        KeysError: The key is not there.
    """
    version = settings.version
    if version is None and first and ring.versions(settings.key):
        # Not the oldest that is left: with another key, what is looked for by masks would not be found.
        version = 1
    return OperatorKey(ring=ring, purpose=settings.key, use=use, version=version, length=length)
