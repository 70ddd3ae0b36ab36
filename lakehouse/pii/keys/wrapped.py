"""Keys that are kept wrapped in the state database, and that only a service can unwrap."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from lakehouse.control import Control
from lakehouse.errors import KeysError
from lakehouse.pii.keys.provider import SIZE, KeyInfo
from lakehouse.state.rows import WrappedKey


@dataclass(frozen=True, slots=True)
class Binding:
    """What a wrapped key belongs to: unwrapped as anything else, it does not open.

    Args:
        lake: The name of the lake for which it was wrapped.
        purpose: What the key is for.
        version: Which.
    """

    lake: str
    purpose: str
    version: int

    def pairs(self) -> dict[str, str]:
        """The same as names and texts."""
        return {
            "lakehouse:lake": self.lake,
            "lakehouse:purpose": self.purpose,
            "lakehouse:version": str(self.version),
        }


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A new key, wrapped.

    Args:
        material: The key itself.
        text: The key as the service wrapped it.
        by: The service's key that wrapped it.
    """

    material: bytes = field(repr=False)
    text: str = field(repr=False)
    by: str


class Wrapper(Protocol):
    """A service that wraps keys. Can be used from many threads, and pickled.

    Attributes:
        name: As in the config: ``aws_kms``, ``vault``.
    """

    name: str

    def make(self, binding: Binding) -> Wrapped:
        """Makes a key and wraps it.

        Args:
            binding: What it belongs to.

        Raises:
            KeysError: The service can't be reached, or refuses.
            MissingPackageError: The package that reaches it is not installed.
        """

    def unwrap(self, text: str, binding: Binding, *, by: str) -> bytes:
        """Unwraps a key.

        Args:
            text: The key as it was wrapped.
            binding: What it belongs to.
            by: The service's key that wrapped it.

        Raises:
            KeysError: The service can't be reached, refuses, or says that it is another key.
            MissingPackageError: The package that reaches it is not installed.
        """


class WrappedKeys:
    """`KeyProvider` over the state database and a service that wraps.

    Args:
        wrapper: The service.
        control: The way to the state database.
        lake: The lake's name.
    """

    def __init__(self, wrapper: Wrapper, *, control: Control, lake: str) -> None:
        self.name = wrapper.name
        self._wrapper = wrapper
        self._control = control
        self._lake = lake

    def __repr__(self) -> str:
        return f"WrappedKeys({self.name!r})"

    def versions(self, purpose: str) -> tuple[int, ...]:
        """See `KeyProvider.versions`."""
        return tuple(row.version for row in self._rows(purpose))

    def found(self) -> tuple[KeyInfo, ...]:
        """See `KeyProvider.found`. No key is unwrapped for it: whether that can be done shows on use."""
        return tuple(
            _info(row, "" if row.provider == self.name else self._foreign(row)) for row in self._rows()
        )

    def load(self, purpose: str, version: int) -> bytes:
        """See `KeyProvider.load`."""
        row = next((row for row in self._rows(purpose) if row.version == version), None)
        if row is None:
            raise KeysError(
                f"version {version} of the key `{purpose}` is not there", advice=self.lost(purpose, version)
            )
        if row.provider != self.name:
            raise KeysError(
                f"version {version} of the key `{purpose}` can't be unwrapped: {self._foreign(row)}",
                advice=f"`keys: {{provider: {row.provider}}}` in the config brings it back; "
                f"`lakehouse keys rotate {purpose}` makes a version with {self.name}",
            )
        binding = Binding(row.lake, purpose, version)
        return self._whole(self._wrapper.unwrap(row.wrapped, binding, by=row.wrapping_key), binding)

    def make(self, purpose: str, version: int, *, now: datetime, author: str) -> KeyInfo:
        """See `KeyProvider.make`."""
        binding = Binding(self._lake, purpose, version)
        made = self._wrapper.make(binding)
        self._whole(made.material, binding)
        row = WrappedKey(
            purpose=purpose,
            version=version,
            created=now,
            author=author,
            provider=self.name,
            lake=self._lake,
            wrapping_key=made.by,
            wrapped=made.text,
        )
        self._control.made(now=now).keys.add(row)
        return _info(row, "")

    def lost(self, purpose: str, version: int) -> str:
        """See `KeyProvider.lost`."""
        return (
            f"wrapped keys are in the state database: bring version {version} of `{purpose}` back from a "
            "backup of it"
        )

    def _rows(self, purpose: str | None = None) -> list[WrappedKey]:
        state = self._control.existing()
        return [] if state is None else state.keys.list(purpose=purpose)

    def _foreign(self, row: WrappedKey) -> str:
        return f"it was wrapped by {row.provider}, and the config names {self.name}"

    def _whole(self, material: bytes, binding: Binding) -> bytes:
        if len(material) != SIZE:
            raise KeysError(
                f"{self.name} gave version {binding.version} of the key `{binding.purpose}` with another "
                f"length than {SIZE} bytes",
                advice="look at the wrapping key that `keys` names: it has to be for AES with 256 bits",
            )
        return material


def _info(row: WrappedKey, problem: str) -> KeyInfo:
    return KeyInfo(
        purpose=row.purpose,
        version=row.version,
        place=row.wrapping_key,
        created=row.created,
        author=row.author,
        problem=problem,
    )
