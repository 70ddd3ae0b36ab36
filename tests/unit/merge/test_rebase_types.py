"""Merges in company whose plan depends on more than the rows of their keys: wider types, computed columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from deltalake import Field as DeltaField
from deltalake import Schema as DeltaSchema
from deltalake.schema import PrimitiveType

from lakehouse.storage import open_storage
from lakehouse.table import Table
from tests.fixtures.meanwhile import Deed, Meanwhile
from tests.properties.tables import NAME, everywhere, open_table

SECTION: dict[str, Any] = {"schema": {"id": "long", "seq": "long", "v": "integer"}}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.merge.run.pause", lambda _: 0.0)


def row(key: int, seq: int, v: object) -> dict[str, object]:
    return {"id": key, "seq": seq, "v": v}


def changes(widen: str) -> dict[str, Any]:
    return {"sequence": "seq", "widen": widen}


def in_company(root: Path, *deeds: Deed, **section: Any) -> Table:
    storage = Meanwhile(open_storage(root, options={"fsync": "false"}), deeds)
    return open_table(root, storage=storage, **section)


def typed(widen: str, mode: str) -> dict[str, Any]:
    return {"changes": changes(widen), "merge": mode}


def start(root: Path, widen: str, mode: str) -> Table:
    table = open_table(root, **SECTION, **typed(widen, mode))
    for n in range(3):
        table.merge([row(key, 1, key) for key in range(n * 10, n * 10 + 10)])
    return open_table(root, **typed(widen, mode))


@pytest.mark.parametrize("widen", ["rewrite", "metadata"])
def test_what_comes_in_the_last_moment_is_widened_too(tmp_path: Path, mode: str, widen: str) -> None:
    other = start(tmp_path, widen, mode)
    deeds: list[Deed] = [
        lambda: other.merge([row(500, 2, 7)]),
        lambda: other.merge([row(12, 2, 8), row(501, 2, 8)]),
    ]
    ours = in_company(tmp_path, *deeds, **typed(widen, mode))
    result = ours.merge([row(3, 3, 2**40), row(502, 3, 9)])
    assert (result.updated, result.inserted, result.widened, result.attempts) == (1, 1, ("v",), 3)
    rows = {item["id"]: item["v"] for item in ours.read().to_dicts()}
    if widen == "rewrite":
        assert {item["id"]: item["v"] for item in everywhere(ours, tmp_path)} == rows
    assert (len(rows), rows[3], rows[12], rows[500], rows[501], rows[502]) == (33, 2**40, 8, 7, 8, 9)
    assert ours.verify().ok


@pytest.mark.parametrize("widen", ["rewrite", "metadata"])
def test_somebody_else_widens_in_the_last_moment(tmp_path: Path, mode: str, widen: str) -> None:
    other = start(tmp_path, widen, mode)
    ours = in_company(tmp_path, lambda: other.merge([row(4, 2, 2**40)]), **typed(widen, mode))
    result = ours.merge([row(3, 3, 33), row(4, 1, 0), row(502, 3, 9)])
    assert (result.updated, result.inserted, result.attempts, result.rebased) == (1, 1, 2, 0)
    rows = {item["id"]: item["v"] for item in ours.read().to_dicts()}
    assert (len(rows), rows[3], rows[4], rows[502]) == (31, 33, 2**40, 9)


def test_computed_columns(tmp_path: Path, mode: str) -> None:
    schema = DeltaSchema(
        [
            DeltaField("id", PrimitiveType("long")),
            DeltaField("seq", PrimitiveType("long")),
            DeltaField("v", PrimitiveType("long")),
            DeltaField("w", PrimitiveType("long"), metadata={"delta.generationExpression": "v + 1"}),
        ]
    )
    DeltaTable.create(str(tmp_path / NAME), schema)
    section = typed("rewrite", mode)
    other = open_table(tmp_path, **section)
    other.merge([row(key, 1, key) for key in range(10)])
    deeds: list[Deed] = [
        lambda: other.merge([row(500, 2, 7)]),
        lambda: other.merge([row(3, 2, 70)]),
    ]
    ours = in_company(tmp_path, *deeds, **section)
    result = ours.merge([{"id": 3, "seq": 3}, row(4, 3, 40)])
    assert (result.updated, result.attempts) == (2, 3)
    rows = {item["id"]: item["w"] for item in ours.read().to_dicts()}
    assert (len(rows), rows[3], rows[4], rows[500]) == (11, 71, 41, 8)


def test_what_is_rejected_is_kept_once(tmp_path: Path, mode: str) -> None:
    other = start(tmp_path, "rewrite", mode)
    keys = iter((500, 501, 3, 502))
    deeds: list[Deed] = [lambda: other.merge([row(next(keys), 2, 7)])] * 4
    ours = in_company(tmp_path, *deeds, **typed("rewrite", mode))
    result = ours.merge([row(3, 3, 33), {"id": None, "seq": 3, "v": 1}])
    assert (result.updated, result.rejected) == (1, 1)
    assert ours.quarantine.count() == 1
    assert {item["id"]: item["v"] for item in ours.read().to_dicts()}[3] == 33
