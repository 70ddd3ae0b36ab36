"""Names for versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.errors import CorruptTableError, NotFoundError, RefusedError, UsageError
from lakehouse.table import Table
from tests.unit.timetravel.conftest import OpenTable


@pytest.fixture
def table(open_table: OpenTable) -> Table:
    made = open_table()
    made.merge([{"id": 1}])
    made.merge([{"id": 2}])
    return made


def test_a_tag_stays_where_it_is_until_it_is_taken_away(table: Table) -> None:
    first = table.tag("a", version=1)
    assert table.tag("a", version=1) == first
    with pytest.raises(RefusedError, match="stands for version 1 already"):
        table.tag("a", version=2)
    assert table.untag("a") == first
    assert table.tag("a", version=2).version == 2
    assert table.read(tag="a").height == 2
    with pytest.raises(NotFoundError, match="its tags are: a"):
        table.untag("b")


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "ä", "x" * 101, "7", "2026"])
def test_names_that_a_tag_cant_have(table: Table, name: str) -> None:
    # Digits alone would be taken for a version's number wherever both can stand.
    with pytest.raises(UsageError):
        table.tag(name)
    assert table.tags() == ()


@pytest.mark.parametrize("text", ['{"na', "[]", '{"name": "a"}', ""])
def test_a_tag_that_cant_be_read_is_named(table: Table, tmp_path: Path, text: str) -> None:
    table.tag("a")
    (tmp_path / "lake" / "_lakehouse" / "tags" / "t" / "a.json").write_text(text)
    for look in (table.tags, table.history, lambda: table.read(tag="a")):
        with pytest.raises(CorruptTableError, match=r"tags/t/a\.json can't be read"):
            look()
