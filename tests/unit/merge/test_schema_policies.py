"""What becomes of columns and values that the table does not have or hold, policy by policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import DataError
from lakehouse.table import Table
from tests.properties.tables import open_table

POLICIES = ["evolve", "freeze", "discard_columns", "quarantine"]
NEW = [{"id": 2, "seq": 1, "x": "v"}, {"id": 3, "seq": 1}]
NESTED = [{"id": 2, "seq": 1, "s": {"a": 1, "b": 2}}, {"id": 3, "seq": 1, "s": {"a": 1}}]


def made(root: Path, policy: str) -> Table:
    schema = {"id": "long", "seq": "long", "n": "integer", "s": "struct<a:long>"}
    table = open_table(root, schema=schema, changes={"sequence": "seq", "schema": policy})
    table.merge([{"id": 1, "seq": 1, "n": 1, "s": {"a": 0}}])
    return table


@pytest.mark.parametrize("batch", [NEW, NESTED], ids=["column", "field"])
@pytest.mark.parametrize("policy", POLICIES)
def test_something_new(tmp_path: Path, policy: str, batch: list[dict[str, Any]]) -> None:
    table = made(tmp_path, policy)
    name = "x" if batch is NEW else "s.b"
    if policy == "freeze":
        with pytest.raises(DataError, match=f"no column {name}"):
            table.merge(batch)
        assert table.snapshot().version == 1
        assert table.quarantine.count() == 0
        return
    result = table.merge(batch)
    rejected = policy == "quarantine"
    assert (result.inserted, result.rejected) == (2 - rejected, rejected)
    assert result.new_columns == ((name,) if policy == "evolve" else ())
    assert result.discarded == ((name,) if policy == "discard_columns" else ())
    assert table.quarantine.count() == rejected
    assert ("x" in table.snapshot().schema) == (policy == "evolve" and batch is NEW)


@pytest.mark.parametrize("policy", POLICIES)
def test_what_a_delete_says_beside_its_key_means_nothing(tmp_path: Path, policy: str) -> None:
    table = made(tmp_path, policy)
    result = table.merge([{"id": 1, "seq": 2, "_op": "delete", "x": "gone", "n": "old"}])
    assert (result.deleted, result.rejected, result.discarded) == (1, 0, ())


@pytest.mark.parametrize("policy", POLICIES)
def test_nulls_say_nothing(tmp_path: Path, policy: str) -> None:
    table = made(tmp_path, policy)
    assert table.merge([{"id": 2, "seq": 1, "x": None}]).inserted == 1
    assert "x" not in table.snapshot().schema


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("value", [2**40, "text"])
def test_a_value_that_does_not_fit_waits_in_quarantine(tmp_path: Path, policy: str, value: object) -> None:
    table = made(tmp_path, policy)
    result = table.merge([{"id": 2, "seq": 1, "n": value}, {"id": 3, "seq": 1, "n": 5}])
    if policy == "evolve" and value == 2**40:
        # The column gets a wider type.
        assert (result.inserted, result.quarantined, result.widened) == (2, 0, ("n",))
    else:
        assert (result.inserted, result.quarantined, table.quarantine.count()) == (1, 1, 1)


def test_after_the_policy_was_changed_the_record_goes_in(tmp_path: Path) -> None:
    made(tmp_path, "quarantine").merge(NEW)
    schema = {"id": "long", "seq": "long", "n": "integer", "s": "struct<a:long>"}
    table = open_table(tmp_path, schema=schema, changes={"sequence": "seq", "schema": "evolve"})
    assert table.quarantine.retry().merged == 1
    assert table.read(columns=["id", "x"], where="id = 2").rows() == [(2, "v")]
