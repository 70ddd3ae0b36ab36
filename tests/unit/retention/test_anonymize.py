"""Anonymizing: the cells and nothing else, once, and never where it would break the table."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse.errors import RefusedError
from lakehouse.retention.neutral import neutral_values
from tests.unit.pii.rings import Ring
from tests.unit.retention.lakes import NOW, Lake, fill, one_table

MASK = {"name": "mask", "column": "at", "keep": "30d", "action": "anonymize"}
AGES = (100.0, 40.0, 20.0, 10.0, 5.0)


def days(*ages: float) -> list[datetime]:
    return [NOW - timedelta(days=age) for age in ages]


def people(root: Path, rule: dict[str, Any], *, more: dict[str, Any] | None = None, **section: Any) -> Lake:
    lake = one_table(root, {**MASK, **rule}, more=more, **section)
    fill(
        lake,
        days(*AGES),
        name=lambda i: f"person {i}" if i != 1 else None,
        age=lambda i: 30 + i,
        city=lambda i: f"city {i}",
    )
    return lake


def rows(lake: Lake) -> list[tuple[Any, ...]]:
    ours = lake.table("t").read(columns=["id", "name", "age", "city"]).sort("id")
    lake.ids()
    return ours.rows()


@pytest.mark.parametrize("mode", ["on_read", "on_write"])
def test_only_the_cells_of_old_rows_are_emptied(tmp_path: Path, mode: str) -> None:
    lake = people(tmp_path, {"columns": ["name", "age"]}, merge=mode)
    (rule,) = lake.retention.plan().tables[0].rules
    assert (rule.rows, rule.columns) == (2, ("name", "age"))
    (done,) = lake.retention.apply().tables
    assert (done.rows_anonymized, done.rows_deleted) == (2, 0)
    assert rows(lake) == [
        (0, None, None, "city 0"),
        (1, None, None, "city 1"),
        *((i, f"person {i}", 30 + i, f"city {i}") for i in (2, 3, 4)),
    ]
    assert lake.table("t").history()[0].operation == "UPDATE"
    # A second run touches nothing.
    version = lake.table("t").snapshot().version
    assert lake.retention.apply().tables[0].status == "nothing"
    assert lake.table("t").snapshot().version == version


def test_columns_and_operators_of_pii(tmp_path: Path) -> None:
    operators = {"AGE": {"operator": "replace", "new_value": -1}, "DEFAULT": {"operator": "replace"}}
    people(tmp_path, {"columns": ["name"]})
    pii = {"name": ["PERSON"], "age": "AGE", "city": "LOCATION", "later": "PERSON"}
    lake = one_table(tmp_path, MASK, more={"pii": {"operators": operators}}, pii=pii)
    lake.retention.apply()
    assert rows(lake)[:2] == [(0, "<PERSON>", -1, "<LOCATION>"), (1, "<PERSON>", -1, "<LOCATION>")]
    assert rows(lake)[2] == (2, "person 2", 32, "city 2")
    assert lake.retention.apply().tables[0].status == "nothing"


def test_without_operators_texts_are_redacted(tmp_path: Path) -> None:
    people(tmp_path, {"columns": ["name"]})
    lake = one_table(tmp_path, MASK, pii={"name": "PERSON", "age": "AGE"})
    lake.retention.apply()
    assert rows(lake)[0] == (0, "", None, "city 0")


def test_the_change_feed_has_both_images(tmp_path: Path) -> None:
    lake = people(tmp_path, {"columns": ["name"]}, change_feed=True)
    version = lake.retention.apply().tables[0].version
    feed = pl.DataFrame(DeltaTable(str(tmp_path / "t")).load_cdf(starting_version=version or 0).read_all())
    assert set(feed.select("id", "name", "_change_type").rows()) == {
        (0, None, "update_postimage"),
        (0, "person 0", "update_preimage"),
    }
    assert feed.height == 2


def test_an_event_that_comes_again_is_anonymized_again(tmp_path: Path) -> None:
    lake = people(tmp_path, {"columns": ["name"]}, changes={"sequence": "at"})
    lake.retention.apply()
    late = pl.DataFrame(
        {"id": [0], "at": days(AGES[0] + 1), "name": ["person 0"], "age": [30], "city": ["city 0"]}
    )
    lake.table("t").merge(late)
    assert rows(lake)[0][1] is None
    # Of two contents with the same sequence a merge takes one; the next run sees to it.
    lake.table("t").merge(late.with_columns(at=pl.lit(days(AGES[0])[0])))
    lake.retention.apply()
    assert rows(lake)[0][1] is None


def test_a_partition_column_that_only_the_table_knows_of_must_not_change(tmp_path: Path) -> None:
    people(tmp_path, {"columns": ["name"]}, partition_by=["city"])
    lake = one_table(tmp_path, {**MASK, "columns": ["city"]})
    (brake,) = lake.retention.plan().tables[0].brakes
    assert "in which folder" in brake.message


def test_a_column_that_must_not_be_null_needs_a_value(tmp_path: Path) -> None:
    lake = people(
        tmp_path,
        {"columns": ["age"]},
        schema={"id": "long", "at": "timestamp", "name": "string", "age": "long", "city": "string"},
    )
    DeltaTable(str(tmp_path / "t")).alter.add_constraint({"aged": "age IS NOT NULL"})
    with pytest.raises(RefusedError, match="would break a rule of the table"):
        lake.retention.apply()
    assert rows(lake)[0][2] == 30
    zero = {"pii": {"operators": {"AGE": {"operator": "replace", "new_value": 0}}}}
    lake = one_table(tmp_path, MASK, more=zero, pii={"age": "AGE"})
    lake.retention.apply()
    assert rows(lake)[0][2] == 0


def test_masks_that_can_t_be_told_from_values_are_refused_by_name(tmp_path: Path) -> None:
    people(tmp_path, {"columns": ["name"]})
    for operator in ("hash", "fpe", "fake", "encrypt", "date_shift"):
        more = {"pii": {"operators": {"PERSON": {"operator": operator}}}}
        lake = one_table(tmp_path, MASK, more=more, pii={"name": "PERSON"})
        (brake,) = lake.retention.plan().tables[0].brakes
        assert brake.kind == "not_built"
        assert operator in brake.message
        assert "would mask it again" in brake.message
        assert "tokenize" in brake.advice


def test_masks_that_stay_what_they_are(tmp_path: Path) -> None:
    operators = {
        "PERSON": {"operator": "mask", "keep_last": 1},
        "AGE": {"operator": "generalize", "step": 10},
        "LOCATION": {"operator": "keep"},
    }
    pii = {"name": "PERSON", "age": "AGE", "city": "LOCATION"}
    people(tmp_path, {"columns": ["name"]})
    lake = one_table(tmp_path, MASK, more={"pii": {"operators": operators}}, pii=pii)
    (done,) = lake.retention.apply().tables
    assert done.rows_anonymized == 2
    assert rows(lake)[:3] == [
        (0, "*******0", 30, "city 0"),
        (1, None, 30, "city 1"),
        (2, "person 2", 32, "city 2"),
    ]
    assert lake.retention.apply().tables[0].status == "nothing"


def test_an_operator_that_does_not_fit_stops_the_rule(tmp_path: Path) -> None:
    people(tmp_path, {"columns": ["name"]})
    more = {"pii": {"operators": {"PERSON": {"operator": "generalize", "step": 10}}}}
    lake = one_table(tmp_path, MASK, more=more, pii={"name": "PERSON"})
    (brake,) = lake.retention.plan().tables[0].brakes
    assert "column name: the operator generalize can't mask values of the type string" in brake.message
    tokens = {"pii": {"operators": {"PERSON": {"operator": "tokenize"}}}}
    lake = one_table(tmp_path, MASK, more=tokens, pii={"name": "PERSON"})
    (brake,) = lake.retention.plan().tables[0].brakes
    assert "the key `mask` is needed" in brake.message


def test_tokens_are_known_as_such(tmp_path: Path) -> None:
    lake = people(tmp_path, {"columns": ["name"]})
    more = {"pii": {"operators": {"PERSON": {"operator": "tokenize"}}}}
    again = one_table(tmp_path, MASK, more=more, pii={"name": "PERSON"})
    (neutral,) = neutral_values(
        again.config.tables["t"].retention[0],
        lake.table("t").snapshot(),
        config=again.config.tables["t"],
        pii=again.config.pii,
        ring=Ring(),
    )
    frame = pl.DataFrame({"name": ["Ann", None, "", "Ann"]})
    masked = frame.with_columns(neutral.value)
    assert masked["name"][0].startswith("tok_1_")
    assert masked["name"].to_list()[1:] == [None, "", masked["name"][0]]
    assert frame.select(neutral.differs()).to_series().to_list() == [True, False, False, True]
    assert not masked.select(neutral.differs()).to_series().any()


def test_inside_of_values(tmp_path: Path) -> None:
    operators = {"PERSON": {"operator": "replace"}, "AGE": {"operator": "generalize", "step": 10}}
    more = {"pii": {"operators": operators}}
    pii = {"who.name": "PERSON", "who.age": "AGE", "tags[]": "PERSON"}
    fill(
        one_table(tmp_path, {**MASK, "columns": ["who"]}),
        days(*AGES),
        who=lambda i: {"name": f"person {i}", "age": 31 + i},
        tags=lambda i: [f"t{i}", None] if i else None,
    )
    lake = one_table(tmp_path, MASK, more=more, pii=pii)
    (done,) = lake.retention.apply().tables
    assert done.rows_anonymized == 2
    assert lake.table("t").read(columns=["id", "who", "tags"]).sort("id").rows()[:3] == [
        (0, {"name": "<PERSON>", "age": 30}, None),
        (1, {"name": "<PERSON>", "age": 30}, ["<PERSON>", None]),
        (2, {"name": "person 2", "age": 33}, ["t2", None]),
    ]
    assert lake.retention.apply().tables[0].status == "nothing"


def test_what_is_deleted_is_not_anonymized_and_what_is_archived_is_before(tmp_path: Path) -> None:
    delete = {"name": "old", "column": "at", "keep": "60d", "action": "delete"}
    mask = {**MASK, "columns": ["name"]}
    lake = one_table(tmp_path, mask, delete)
    fill(lake, days(*AGES), name=lambda i: f"person {i}", age=lambda i: i, city=str)
    plan = lake.retention.plan().tables[0]
    assert {each.rule: each.rows for each in plan.rules} == {"mask": 1, "old": 1}
    lake.retention.apply()
    assert rows(lake)[0] == (1, None, 1, "1")
    archive = {"name": "cold", "column": "at", "keep": "15d", "action": "archive", "to": "archive"}
    lake = one_table(tmp_path, archive, {**mask, "keep": "15d"})
    first = lake.retention.apply().tables[0]
    assert (first.rows_anonymized, first.rows_archived) == (1, 1)
    second = lake.retention.apply().tables[0]
    assert (second.rows_anonymized, second.rows_archived) == (0, 1)
    archived = pl.read_parquet(str(tmp_path / "archive" / "t" / "*" / "*.parquet"))
    assert archived["name"].null_count() == archived.height == 2


def test_held_rows_keep_their_names(tmp_path: Path) -> None:
    lake = people(tmp_path, {"columns": ["name", "city"]})
    lake.hold("t", "id = 0")
    lake.retention.apply()
    assert rows(lake)[0] == (0, "person 0", 30, "city 0")
    assert rows(lake)[1] == (1, None, 31, None)
