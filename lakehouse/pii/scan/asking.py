"""The finder as a scan asks it: made when it is first needed, and asked only for what it knows.

Presidio and a language model take seconds to load, and may not be installed. Most columns are judged without
them, so a scan goes on and says what it could not look at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast, runtime_checkable

from lakehouse.errors import MissingPackageError
from lakehouse.pii.spans import Span, SpanFinder


@runtime_checkable
class Knowing(Protocol):
    """A finder that says what it can be asked for."""

    def entities(self) -> Sequence[str]:
        """All kinds of personal data that it can find."""


class Asking:
    """`SpanFinder` for one scan.

    Args:
        make: Makes the finder; None where there is none.

    Attributes:
        missing: What is not installed, in a sentence; empty where nothing is missing, or was needed.
    """

    def __init__(self, make: Callable[[], SpanFinder | None]) -> None:
        self._make = make
        self._made = False
        self._finder: SpanFinder | None = None
        self._known: frozenset[str] | None = None
        self.missing = ""

    def find(self, texts: Sequence[str], *, entities: Sequence[str]) -> list[tuple[Span, ...]]:
        """See `SpanFinder.find`; nothing is found where there is no finder."""
        nothing: list[tuple[Span, ...]] = [() for _ in texts]
        if not texts:
            return nothing
        try:
            finder = self._ready()
            asked = [each for each in entities if self._known is None or each in self._known]
            return finder.find(texts, entities=asked) if finder is not None and asked else nothing
        except MissingPackageError as error:
            self._finder, self.missing = None, str(error)
            return nothing

    def _ready(self) -> SpanFinder | None:
        if not self._made:
            self._made = True
            made: object = self._make()
            self._known = frozenset(made.entities()) if isinstance(made, Knowing) else None
            self._finder = cast("SpanFinder | None", made)
        return self._finder
