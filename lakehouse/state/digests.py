"""Tells quickly which of many keyed hashes can be on the list of those who must not come back.

Hashes are as good as random, so their first eight bytes tell nearly all of them apart: 8 MB for a million,
kept by this process and read on from where it was. What they do not rule out is looked up.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from lakehouse.state.tables import suppressions

_HEAD: Final = 16
"""Hexadecimal digits of eight bytes."""

_PART: Final = 1_000_000
_WORTH: Final = 10
"""Looking one hash up costs about as much as reading so many."""

_Heads = npt.NDArray[np.uint64]


class DigestFilter:
    """The beginnings of all hashes that were ever on the list. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forget()

    def possible(self, connection: Connection, digests: Sequence[str]) -> Sequence[str]:
        """Leaves out hashes that are not on the list.

        Args:
            connection: To the database.
            digests: Hashes.
        """
        with self._lock:
            mark = connection.execute(select(func.max(suppressions.c.seq))).scalar() or 0
            if self._upto > mark or not self._is_known(connection):
                # Another state of the database than the one that was read.
                self._forget()
            if len(digests) * _WORTH < mark - self._upto:
                return digests
            self._read_on(connection, mark)
            heads = self._heads
        if not heads.size:
            return []
        wanted = _heads_of("".join([each[:_HEAD] for each in digests]))
        places = np.searchsorted(heads, wanted)
        hit = heads[np.minimum(places, heads.size - 1)] == wanted
        return [digests[place] for place in np.flatnonzero(hit).tolist()]

    def _forget(self) -> None:
        self._upto = 0
        self._last = ""
        self._heads: _Heads = np.array([], dtype=np.uint64)

    def _is_known(self, connection: Connection) -> bool:
        said = suppressions.c
        last = connection.execute(select(said.digest).where(said.seq == self._upto)).scalar()
        return (last or "") == self._last

    def _read_on(self, connection: Connection, mark: int) -> None:
        said = suppressions.c
        parts = [self._heads]
        for start in range(self._upto, mark, _PART):
            here = (said.seq > start, said.seq <= min(start + _PART, mark))
            query = select(func.aggregate_strings(func.substr(said.digest, 1, _HEAD), "")).where(*here)
            parts.append(_heads_of(connection.execute(query).scalar() or ""))
        if len(parts) > 1:
            self._heads = np.sort(np.concatenate(parts))
            self._upto = mark
            self._last = connection.execute(select(said.digest).where(said.seq == mark)).scalar() or ""


def _heads_of(text: str) -> _Heads:
    return np.frombuffer(bytes.fromhex(text), dtype=">u8").astype(np.uint64)
