"""Masks rows before a merge stores them, for tables with ``mask_at: merge``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from lakehouse.cdc.changes import ChangeBatch, is_control
from lakehouse.config import Config
from lakehouse.delta.schema import StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import RefusedError
from lakehouse.pii.mask.absent import ensure_spelt
from lakehouse.pii.mask.frames import TableMasks
from lakehouse.pii.mask.mark import PROPERTY, VERSIONLESS, beside, marked, marks_of, says_less, ways_of
from lakehouse.pii.mask.port import MaskSource


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeMasks:
    """The `lakehouse.merge.target.Masking` of one table.

    Args:
        table: The table.
        config: The lake's config.
        masks: Gives the masks for the columns of a schema.
        source: Names the ways of masking.
    """

    table: str
    config: Config
    masks: Callable[[StructType], TableMasks]
    source: MaskSource

    def columns(self, schema: StructType) -> tuple[str, ...]:
        """See `Masking.columns`."""
        return self.masks(schema).columns

    def check(self, snapshot: Snapshot) -> None:
        """See `Masking.check`: rows that were stored before the config asked for masks."""
        if not snapshot.files:
            return
        marks = marks_of(snapshot.configuration)
        wanted = self.source.fingerprints(self.table, snapshot.schema)
        columns = self.config.tables[self.table].pii
        # Among rows that were kept as they are none may come that are masked: all would count as masked.
        clear = [
            path
            for path, way in wanted.items()
            if path not in marks
            or any(
                each != way and says_less(each, columns[path], self.config.pii)
                for each in ways_of(marks[path])
            )
        ]
        key = set(self.config.tables[self.table].key)
        other = [path for path, way in wanted.items() if path in key and marks.get(path, way) != way]
        mixed = [
            path
            for path, way in wanted.items()
            if marks.get(path, way) != way and path not in other and self._untold(path)
        ]
        if clear:
            raise RefusedError(
                f"table {self.table} has rows in which {', '.join(clear)} "
                f"{'is' if len(clear) == 1 else 'are'} not masked, and its config says `mask_at: merge`",
                advice=f"mask them first: `lakehouse pii mask {self.table} --in-place`",
            )
        if other:
            raise RefusedError(
                f"the key of table {self.table} ({', '.join(other)}) is masked in another way than the "
                "config says now: changes would not find their rows",
                advice="set the operator back, or merge into a new table",
            )
        if mixed:
            raise RefusedError(
                f"table {self.table} has masks in {', '.join(mixed)} that were made in another way than the "
                "config says now, or under another version of the key, and they do not say by which: "
                "side by side they could not be turned back",
                advice=f"set the operator back, or mask anew: `lakehouse pii mask {self.table} --in-place`",
            )

    def _untold(self, path: str) -> bool:
        """Whether the masks at a path do not say what made them, so that two kinds can't be told apart."""
        operators = self.config.pii.operators
        sections = (
            operators.get(entity) or operators.get("DEFAULT")
            for entity in self.config.tables[self.table].pii[path].entities
        )
        return any(each is not None and each.operator in VERSIONLESS for each in sections)

    def trying(self) -> MergeMasks:
        """See `Masking.trying`: masks keep nothing."""
        return self

    def __call__(self, batch: ChangeBatch, /, *, schema: StructType) -> ChangeBatch:
        """See `Masking.__call__`."""
        ensure_spelt(self.table, self.config.tables[self.table].pii, schema)
        cells = batch.frame.select(name for name in batch.frame.columns if not is_control(name))
        masked = self.masks(schema).apply(cells)
        return replace(batch, frame=batch.frame.with_columns(masked.get_columns()))

    def properties(self, schema: StructType, before: Mapping[str, str]) -> Mapping[str, str]:
        """See `Masking.properties`.

        What the config says nothing of any more is stored as it comes from now on, so it counts as clear.
        """
        known = marks_of(before)
        ways = self.source.fingerprints(self.table, schema)
        masked = marked({path: beside(known.get(path), way) for path, way in ways.items()})
        return masked or dict.fromkeys(before.keys() & {PROPERTY}, "{}")
