"""Keys in environment variables, as ``LAKEHOUSE_KEY_MASK_1``: set by whoever starts the process."""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NoReturn

from lakehouse.errors import KeysError
from lakehouse.pii.keys.provider import SIZE, KeyInfo
from lakehouse.pii.keys.purposes import is_purpose

_REST: Final = re.compile(
    r"(?P<purpose>[A-Z][A-Z0-9]*(?:_[A-Z][A-Z0-9]*)*)(?:_(?P<version>[1-9][0-9]{0,8}))?"
)
_URL_SAFE: Final = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Variable:
    """A new key for a variable, for whoever sets it. It is kept nowhere.

    Args:
        name: The variable.
        value: The key in base64. Never logged.
    """

    name: str
    value: str = field(repr=False)


class EnvKeys:
    """`KeyProvider` over environment variables: ``<PREFIX><PURPOSE>_<VERSION>``, base64 of 32 bytes.

    A variable without a version is version 1. Empty variables are taken as not set. They are looked up at
    each call, so that a process sees what it was started with, and nothing else.

    Args:
        prefix: How the variables begin.
        environ: Where to look; None means the environment of the process.
    """

    name = "env"

    def __init__(self, prefix: str, *, environ: Mapping[str, str] | None = None) -> None:
        self._prefix = prefix
        self._environ = environ

    def __repr__(self) -> str:
        return f"EnvKeys({self._prefix!r})"

    def versions(self, purpose: str) -> tuple[int, ...]:
        """See `KeyProvider.versions`."""
        return tuple(sorted({version for name, version, _ in self._there() if name == purpose}))

    def found(self) -> tuple[KeyInfo, ...]:
        """See `KeyProvider.found`."""
        there = sorted({(purpose, version) for purpose, version, _ in self._there()})
        return tuple(self._info(purpose, version) for purpose, version in there)

    def load(self, purpose: str, version: int) -> bytes:
        """See `KeyProvider.load`."""
        names = self._names(purpose, version)
        if not names:
            raise KeysError(
                f"version {version} of the key `{purpose}` is not there", advice=self.lost(purpose, version)
            )
        found = {self._material(name) for name in names}
        if len(found) > 1:
            raise KeysError(
                f"{' and '.join(names)} are both version {version} of the key `{purpose}`, and differ",
                advice=f"unset one of them; the next version is {self.variable(purpose, version + 1)}",
            )
        return found.pop()

    def make(self, purpose: str, version: int, *, now: datetime, author: str) -> NoReturn:
        """Refuses: nobody can set a variable for the processes that others start."""
        del now, author
        verb = "create" if version == 1 else "rotate"
        raise KeysError(
            f"keys of the provider `env` are variables: {self.variable(purpose, version)} is yours to set",
            advice=f"`lakehouse keys {verb} {purpose} --print` makes a key and prints the line that sets it",
        )

    def lost(self, purpose: str, version: int) -> str:
        """See `KeyProvider.lost`."""
        return f"set {self.variable(purpose, version)} again, wherever this runs"

    def variable(self, purpose: str, version: int) -> str:
        """The name of the variable for a version.

        Args:
            purpose: What the key is for.
            version: Which.
        """
        return f"{self._prefix}{purpose.upper()}_{version}"

    def draft(self, purpose: str, version: int) -> Variable:
        """Makes a key for a variable, and keeps it nowhere.

        Args:
            purpose: What the key is for.
            version: Which.
        """
        value = base64.b64encode(secrets.token_bytes(SIZE)).decode()
        return Variable(self.variable(purpose, version), value)

    def _there(self) -> Iterator[tuple[str, int, str]]:
        """Purpose, version and name of each variable."""
        environ = os.environ if self._environ is None else self._environ
        for name in list(environ):
            match = (
                _REST.fullmatch(name.removeprefix(self._prefix)) if name.startswith(self._prefix) else None
            )
            if match is not None and is_purpose(match["purpose"].lower()) and self._value(name):
                yield match["purpose"].lower(), int(match["version"] or 1), name

    def _value(self, name: str) -> str:
        return (os.environ if self._environ is None else self._environ).get(name, "").strip()

    def _names(self, purpose: str, version: int) -> list[str]:
        return sorted(each for *key, each in self._there() if key == [purpose, version])

    def _info(self, purpose: str, version: int) -> KeyInfo:
        try:
            self.load(purpose, version)
            problem = ""
        except KeysError as error:
            problem = str(error)
        place = " and ".join(self._names(purpose, version))
        return KeyInfo(purpose=purpose, version=version, place=place, problem=problem)

    def _material(self, name: str) -> bytes:
        try:
            material = base64.b64decode(self._value(name).translate(_URL_SAFE), validate=True)
        except (binascii.Error, ValueError):
            raise KeysError(
                f"the variable {name} is no base64", advice="it has to be base64 of 32 random bytes"
            ) from None
        if len(material) != SIZE:
            raise KeysError(
                f"the variable {name} has {len(material)} bytes, and a key has {SIZE}",
                advice="it has to be base64 of 32 random bytes, as `head -c 32 /dev/urandom | base64` gives",
            )
        return material
