"""Tables that we write, read at every version by every engine."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from tests.fixtures.sail import Sail
from tests.integration.interop import wide
from tests.integration.interop.engines import everywhere, open_table

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("sail")]

SHAPES: Mapping[str, Mapping[str, Any]] = {
    "vectors": {"merge": "on_read"},
    "vectors_partitioned": {"merge": "on_read", "partition_by": ["part", "flag"]},
    "rewriting": {"merge": "on_write"},
    "feed": {"merge": "on_read", "change_feed": True, "partition_by": ["day"]},
    "feed_rewriting": {"merge": "on_write", "change_feed": True},
}


class Story:
    """A table of ours and what it must hold at each of its versions."""

    def __init__(self, root: Path, **section: Any) -> None:
        self.rng = random.Random(7)
        self.names = list(wide.COLUMNS)
        self.table = open_table(root, schema=dict(wide.COLUMNS), changes={"sequence": "seq"}, **section)
        self.table.create()
        self.path = root / "t"
        self.rows: dict[int, dict[str, Any]] = {}
        self.versions: dict[int, dict[int, dict[str, Any]]] = {}
        self.note()

    def note(self) -> None:
        self.versions[self.table.snapshot().version] = dict(self.rows)

    def merge(
        self, seq: int, *, upserts: range, deletes: range = range(0), truncate: int | None = None
    ) -> None:
        if truncate is not None:
            self.rows = {}
        rows = [wide.row(i, seq=seq, rng=self.rng) for i in upserts]
        gone = [wide.row(i, seq=seq, rng=self.rng) for i in deletes]
        result = self.table.merge(wide.changes(rows, gone, truncate=truncate))
        assert result.rejected == 0
        for item in rows:
            self.rows[item["id"]] = item
        for item in gone:
            self.rows.pop(item["id"], None)
        self.note()

    def check(self, sail: Sail) -> None:
        for version, rows in self.versions.items():
            everywhere(self.table, rows.values(), sail=sail, version=version)
        everywhere(self.table, self.rows.values(), sail=sail)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_version_of_a_long_story(tmp_path: Path, sail: Sail, shape: str) -> None:
    story = Story(tmp_path, **SHAPES[shape])
    story.merge(1, upserts=range(30))
    story.merge(2, upserts=range(20, 40), deletes=range(5))
    story.merge(3, upserts=range(0, 40, 7), deletes=range(21, 40, 9))
    assert story.table.compact().version is not None
    story.note()
    story.check(sail)
    DeltaTable(story.path).create_checkpoint()
    story.merge(4, upserts=range(3), deletes=range(30, 32))
    story.rows = dict(story.versions[2])
    assert story.table.restore(version=2).version == 6
    story.note()
    story.merge(6, upserts=range(50, 52), truncate=5)
    story.merge(7, upserts=range(51, 55))
    assert story.table.verify().findings == ()
    story.check(sail)
