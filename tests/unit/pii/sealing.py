"""A small operator that can be turned back, for tests of what is built on operators."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from lakehouse.config.models import OperatorConfig
from lakehouse.errors import KeysError, UsageError
from lakehouse.pii.keys.ring import KeyRing

SEALED = re.compile(r"sealed_([1-9][0-9]*)_([A-Za-z0-9_-]+)")


class Sealing:
    """Deterministic masks, ``sealed_<version>_<body>``; any other operator masks with stars, for good."""

    deterministic = True
    injective = True
    per_row = False

    def __init__(self, config: OperatorConfig, *, ring: KeyRing, pinned: bool) -> None:
        self.name = config.operator
        self.reversible = config.operator == "tokenize"
        self.per_person = bool(config.settings.get("per_person"))
        self._ring = ring
        self._pinned = pinned

    def mask(
        self,
        values: pl.Series,
        *,
        entity: str,
        person: pl.Series | None = None,
        row: pl.Series | None = None,
    ) -> pl.Series:
        whose = self._whose(values, person)
        sealed = [self._seal(value, about) for value, about in zip(values, whose(entity), strict=True)]
        return pl.Series(values.name, sealed, dtype=values.dtype)

    def reveal(self, values: pl.Series, *, entity: str, person: pl.Series | None = None) -> pl.Series:
        if not self.reversible:
            raise UsageError("stars tell nothing")
        whose = self._whose(values, person)
        opened = [self._open(value, about) for value, about in zip(values, whose(entity), strict=True)]
        return pl.Series(values.name, opened, dtype=values.dtype)

    def takes(self, kind: pl.DataType) -> bool:
        return kind == pl.String

    def _whose(self, values: pl.Series, person: pl.Series | None) -> Callable[[str], list[str]]:
        assert self.per_person == (person is not None)
        people = [""] * len(values) if person is None else [f" of {each}" for each in person]
        return lambda entity: [f"{entity}{each}" for each in people]

    def _seal(self, value: str | None, entity: str) -> str | None:
        if value is None or not self.reversible:
            return None if value is None else "***"
        key = self._ring.version("mask", 1) if self._pinned else self._ring.current("mask")
        body = AESSIV(key.derive("sealing", length=64)).encrypt(value.encode(), [entity.encode()])
        return f"sealed_{key.version}_{base64.urlsafe_b64encode(body).decode().rstrip('=')}"

    def _open(self, value: str | None, entity: str) -> str | None:
        match = SEALED.fullmatch(value or "")
        if value is None or match is None:
            return value
        key = self._ring.version("mask", int(match[1]))
        body = base64.urlsafe_b64decode(match[2] + "=" * (-len(match[2]) % 4))
        try:
            return AESSIV(key.derive("sealing", length=64)).decrypt(body, [entity.encode()]).decode()
        except (InvalidTag, ValueError):
            raise KeysError(f"a mask of version {key.version} was not made for {entity}") from None


def sealing(config: OperatorConfig, *, ring: KeyRing, pinned: bool) -> Sealing:
    """As `lakehouse.pii.operators.registry.operator_for`."""
    return Sealing(config, ring=ring, pinned=pinned)
