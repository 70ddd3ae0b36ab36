"""People in free text: rows in which an identifier stands as a word, and these words taken out of it.

What is found here is what the search of every byte would find in the same text (`lakehouse.requests.search`),
since both look for the same forms of a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from lakehouse.delta.scan import drop_hidden, scan_files
from lakehouse.pii.paths import parse_path
from lakehouse.requests.known import REQUEST, People, Place
from lakehouse.requests.locate import FILE, LIVE, POSITION
from lakehouse.requests.needles import Needle
from lakehouse.requests.reading import columns_of, plain_types, spread
from lakehouse.requests.search.cells import buffers
from lakehouse.requests.search.sought import Sought

TAKEN_OUT: Final = "[erased]"
"""What stands in a text where an identifier was."""

_TEXT: Final = "__text"
_INDEX: Final = "__index"
_ROWS_AT_ONCE: Final = 200_000
_BYTES_AT_ONCE: Final = 32 << 20
_FOUND: Final = {FILE: pl.UInt32(), POSITION: pl.UInt32(), REQUEST: pl.String()}


class Words:
    """The identifiers of people as words in texts.

    Args:
        needles: What is looked for; each is long enough to be looked for anywhere.
    """

    def __init__(self, needles: Sequence[Needle]) -> None:
        self._sought = Sought(needles)
        self._requests = [each.request for each in needles]

    def found(self, texts: pl.Series) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Where they are.

        Args:
            texts: The texts.

        Returns:
            Pairs of a text's number and the request.
        """
        hits = {
            (cell, self._requests[needle])
            for cell, needle, whole, _, _ in self._sought.places(*_buffers(texts))
            if whole
        }
        pairs = sorted(hits)
        return np.array([cell for cell, _ in pairs], dtype=np.int64), [request for _, request in pairs]

    def taken_out(self, texts: pl.Series) -> pl.Series:
        """The texts without them.

        Args:
            texts: The texts.
        """
        data, offsets = _buffers(texts)
        spans: dict[int, list[tuple[int, int]]] = {}
        for cell, _, whole, begin, end in self._sought.places(data, offsets):
            if whole:
                spans.setdefault(cell, []).append((begin, end))
        if not spans:
            return texts
        left = texts.to_list()
        for cell, those in spans.items():
            first, last = int(offsets[cell]), int(offsets[cell + 1])
            left[cell] = _without(data[first:last].tobytes(), [(a - first, b - first) for a, b in those])
        return pl.Series(texts.name, left, dtype=pl.String)


def words_of(people: People, *, subject: str) -> Words | None:
    """The words by which people of a kind are known in texts.

    Args:
        people: The people.
        subject: The kind of person.

    Returns:
        None where none of them has an identifier that is long enough.
    """
    if subject not in people.memo:
        people.memo[subject] = _made(people, subject)
    words: Words | None = people.memo[subject]
    return words


def _made(people: People, subject: str) -> Words | None:
    mine = people.values().filter(pl.col("subject") == subject)
    needles = [
        Needle(request, identifier, value)
        for request, identifier, value in mine.select("request", "identifier", "value").rows()
    ]
    needles = [each for each in needles if each.anywhere]
    return Words(needles) if needles else None


def rows_with(
    place: Place, words: Words, texts: Sequence[tuple[int, Sequence[str]]]
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Finds the rows in whose texts people stand, in every data file; each text is read once.

    Args:
        place: The table.
        words: What is looked for.
        texts: Numbers with the columns (or paths) that are looked through for each.

    Yields:
        A number with ``__file``, ``__position``, ``__request`` and ``__live``.
    """
    newest, adds = place.past.newest, place.past.adds
    wanted = plain_types(newest.schema, dict.fromkeys(text for _, those in texts for text in those))
    paths = {
        text: parse_path(text, columns=newest.schema.names)
        for text, kind in wanted.items()
        if kind == pl.String
    }
    if not paths:
        return
    parts: dict[str, list[pl.DataFrame]] = {text: [] for text in paths}
    for number, add in enumerate(adds):
        scan = scan_files(
            place.storage,
            newest,
            [add],
            columns=columns_of(paths.values()),
            position=POSITION,
            apply_vectors=False,
        )
        start, step = 0, _step(add.size, add.physical_records)
        while (part := scan.slice(start, step).collect()).height:
            start += part.height
            for text, path in paths.items():
                rows = spread(
                    part.lazy().select(POSITION, pl.col(path.column).alias(_TEXT)), {_TEXT: path}
                ).collect()
                at, requests = words.found(rows[_TEXT])
                if len(at):
                    parts[text].append(
                        rows.select(POSITION)[at].select(
                            pl.lit(number, dtype=pl.UInt32).alias(FILE),
                            pl.col(POSITION).cast(pl.UInt32),
                            pl.Series(REQUEST, requests, dtype=pl.String),
                        )
                    )
    for number, those in texts:
        hit = [each for text in those for each in parts.get(text, ())]
        if hit:
            found = pl.concat([pl.DataFrame(schema=_FOUND), *hit]).unique(maintain_order=True)
            alive = drop_hidden(
                place.storage, found.with_row_index(_INDEX), adds, file=FILE, position=POSITION
            )
            yield (
                number,
                found.with_columns(pl.int_range(pl.len()).is_in(alive[_INDEX].implode()).alias(LIVE)),
            )


def _step(size: int, rows: int | None) -> int:
    """How many rows to read at once: compressed texts are several times as large."""
    if not rows or not size:
        return _ROWS_AT_ONCE // 10
    return max(1_000, min(_ROWS_AT_ONCE, rows * _BYTES_AT_ONCE // (4 * size)))


def _buffers(texts: pl.Series) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    return buffers(texts.fill_null("").rechunk().to_arrow().cast(pa.large_string()))


def _without(text: bytes, spans: Sequence[tuple[int, int]]) -> str:
    parts: list[bytes] = []
    at = 0
    for begin, end in sorted(spans):
        if begin >= at:
            parts += [text[at:begin], TAKEN_OUT.encode()]
        at = max(at, end)
    return b"".join([*parts, text[at:]]).decode("utf-8", "replace")
