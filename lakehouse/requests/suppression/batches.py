"""Keeps erased people out of the batch of one merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import polars as pl

from lakehouse.cdc.changes import OP, UPSERT, ChangeBatch, Rejected, absence, before
from lakehouse.delta.schema import StructType
from lakehouse.requests.suppression.conditions import Condition, left_out
from lakehouse.requests.suppression.emptying import empty
from lakehouse.requests.suppression.listed import Listed
from lakehouse.requests.suppression.recognising import Recogniser
from lakehouse.requests.suppression.records import recognise


class Keeper:
    """The `lakehouse.merge.target.Suppressing` of one merge.

    Args:
        conditions: Which rows of the table are a person's.
        listed: Who must not come back.
    """

    def __init__(self, *, conditions: Sequence[Condition], listed: Listed) -> None:
        self._conditions = tuple(conditions)
        self._recogniser = Recogniser(listed)
        self._anybody = False

    def __call__(self, batch: ChangeBatch, /, *, schema: StructType) -> ChangeBatch:
        """See `lakehouse.merge.target.Suppressing`.

        Raises:
            KeysError: People were erased, and the key is not there.
            StorageError: The state database can't be read.
        """
        self._anybody = self._recogniser.look()
        if not self._anybody:
            return batch
        return self._of_unusable(self._of_rows(batch, schema))

    def emptied(self, rejected: Sequence[Rejected], /) -> tuple[Rejected, ...]:
        """See `lakehouse.merge.target.Suppressing`."""
        if not self._anybody:
            return tuple(rejected)
        hit = recognise(rejected, self._conditions, self._recogniser)
        return tuple(replace(each, raw=None) if n in hit else each for n, each in enumerate(rejected))

    def changed(self) -> bool:
        """See `lakehouse.merge.target.Suppressing`."""
        return self._recogniser.changed()

    def _of_rows(self, batch: ChangeBatch, schema: StructType) -> ChangeBatch:
        frame = batch.frame
        hits = self._recogniser.rows(partial(_column, frame), self._conditions, height=frame.height)
        gone = left_out(self._conditions, hits, height=frame.height)
        upserts = frame[OP] == UPSERT
        for condition, hit in zip(self._conditions, hits, strict=True):
            if condition.do == "anonymize" and hit.any():
                fixed = {*batch.key, *batch.sequence}
                frame, refused = empty(
                    frame, hit & upserts, condition.columns, schema=schema, fixed=fixed, unless=absence
                )
                gone |= refused
        return replace(batch, frame=frame).suppress(gone | self._came_from(frame))

    def _came_from(self, frame: pl.DataFrame) -> pl.Series:
        """Which changes are of a row that was such a person's before them."""
        rows = [each for each in self._conditions if each.do != "anonymize"]
        told = [each for each in rows if any(before(name) in frame.columns for name in each.names)]
        hits = (
            self._recogniser.rows(lambda name: _column(frame, before(name)), told, height=frame.height)
            if any(each.do == "delete" for each in told)
            else [pl.repeat(value=False, n=frame.height, eager=True)] * len(told)
        )
        return left_out(told, hits, height=frame.height)

    def _of_unusable(self, batch: ChangeBatch) -> ChangeBatch:
        """Without records that could not be used and would have been left out, or what they say."""
        hit = recognise(batch.rejected, self._conditions, self._recogniser) if batch.rejected else {}
        if not hit:
            return batch
        left = [
            replace(each, raw=None) if number in hit else each
            for number, each in enumerate(batch.rejected)
            if "delete" not in hit.get(number, ())
        ]
        gone = len(batch.rejected) - len(left)
        return replace(batch, rejected=tuple(left), suppressed=batch.suppressed + gone)


def _column(frame: pl.DataFrame, name: str) -> pl.Series | None:
    return frame[name] if name in frame.columns else None
