"""Rejected records that name a person, shown to that person: they fit no table, so all is compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import polars as pl

from lakehouse.pii.mask.leaves import Context, InText
from lakehouse.pii.spans import SpanFinder
from lakehouse.requests.access.own import OthersFinder, Own
from lakehouse.requests.access.showing import Judged
from lakehouse.requests.access.sources import RECORD, Part

UNREADABLE: Final = "a rejected record that can't be read as JSON is not shown: other people may be in it"


@dataclass(slots=True)
class RecordShowing:
    """Shows rejected records.

    Members that are called as a column of the table's `pii` are masked unless their value is the person's, at
    any depth, whosever record it is: the record of somebody else can name the person.

    Args:
        places: Where personal data is in rows of the table.
        own: What is the person's.
        finder: Finds personal data in texts.
        masked: As in `Showing`.
        revealed: As in `Showing`.
        problems: What could not be shown.
    """

    places: tuple[Judged, ...]
    own: Own = field(repr=False)
    finder: Callable[[], SpanFinder] = field(repr=False)
    masked: Counter[str] = field(default_factory=Counter)
    revealed: Counter[str] = field(default_factory=Counter)
    problems: dict[str, None] = field(default_factory=dict)

    def show(self, part: Part) -> pl.DataFrame:
        """Rejected records as the person may see them.

        Args:
            part: With the records as text.
        """
        rows = part.rows
        if RECORD not in rows.columns:
            return rows
        judged = {each.place.path.column: each for each in self.places}
        shown = [None if text is None else self._record(text, judged) for text in rows[RECORD]]
        return rows.with_columns(pl.Series(RECORD, shown, dtype=pl.String))

    def collect(self, part: Part) -> Iterator[tuple[tuple[str, ...], list[str]]]:
        """Nothing: what is in such a record need not be the person's."""
        del part
        yield from ()

    def _record(self, text: str, judged: Mapping[str, Judged]) -> str | None:
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict | list):
            self.problems.setdefault(UNREADABLE)
            return None
        before = sum(self.masked.values())
        self._walk(document, judged)
        # As it came, digit for digit, where nothing had to be masked.
        return text if sum(self.masked.values()) == before else orjson.dumps(document).decode()

    def _walk(self, document: Any, judged: Mapping[str, Judged]) -> None:
        waiting = [document]
        while waiting:
            within = waiting.pop()
            pairs = within.items() if isinstance(within, dict) else enumerate(within)
            for name, value in list(pairs):
                found = judged.get(name) if isinstance(within, dict) else None
                if found is not None and value is not None:
                    within[name] = self._shown(value, found)
                elif isinstance(value, dict | list):
                    waiting.append(value)

    def _shown(self, value: Any, judged: Judged) -> Any:
        if judged.is_own:
            return value
        said = value if isinstance(value, str) else orjson.dumps(value).decode()
        leaf = judged.place.leaf
        if isinstance(leaf, InText) and isinstance(value, str):
            context = Context(person=None, row=None, finder=lambda: OthersFinder(self.finder, self.own))
            shown = leaf.mask(pl.Series([value], dtype=pl.String), context).item()
        elif self.own.has(said, judged.entities):
            shown = value
        else:
            shown = f"<{judged.entities[0]}>"
        self.masked[judged.place.written] += shown != value
        return shown
