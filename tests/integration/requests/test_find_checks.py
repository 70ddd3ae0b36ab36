"""Subjects that do not fit the tables are told before anything is done, all that is wrong at once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakehouse import ConfigError, Lakehouse, RefusedError, UsageError
from lakehouse.config import load_config
from lakehouse.requests.checks import declared_findings

SCHEMA = {
    "id": "long",
    "email": "string",
    "born": "date",
    "seal": "binary",
    "profile": "struct<email:string,age:integer>",
    "contacts": "array<struct<email:string>>",
}
WRONG: dict[str, Any] = {
    "identifiers": {
        "id": "people.id",
        "email": "people.profile.mail",
        "seal": "people.seal",
        "contact": "people.contacts",
    },
    "rows": [
        {"table": "people", "where": {"born": "id"}, "do": "delete"},
        {"table": "people", "where": {"profile.age.years": "id"}, "do": "delete"},
        {"table": "people", "where": {"contacts[].email": "email", "contacts[]": "contact"}, "do": "delete"},
        {"table": "people", "where": {"email$.x": "email"}, "do": "delete"},
        {
            "table": "people",
            "where": {"id": "id"},
            "do": "anonymize",
            "columns": ["id", "email", "born", "seal"],
        },
        {"table": "people", "text": ["email", "born"], "do": "anonymize"},
    ],
}
TOLD = {
    "identifiers.email": "`profile.mail` leads nowhere",
    "identifiers.seal": "has the type binary, which can't identify anybody",
    "identifiers.contact": "is a list; say which part of it, as `contacts[]`",
    "rows.0.where.born": "has the type date, which can't hold id: `people.id` has the type long",
    "rows.1.where.profile.age.years": "`profile.age.years` leads nowhere",
    "rows.2.where.contacts[]": "is a struct; say which part of it, as `contacts[].email`",
    "rows.2.where": "at most one column can go through a list or map",
    "rows.3.where.email$.x": "goes into JSON",
    "rows.4.columns.0": "`id` of `people` belongs to the key and can't be emptied",
    "rows.4.columns.1": "`email` of `people` belongs to the order of changes",
    "rows.4.columns.2": "`born` of `people` belongs to the partitioning",
    "rows.5.text.1": "has the type date and is no text",
    "rows.5.text.0": "`email` of `people` belongs to the order of changes",
}


def config(root: Path, subject: dict[str, Any], **table: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {
            "people": {"key": "id", "partition_by": "born", "changes": {"sequence": "email"}, **table},
            "later": {"schema": {"id": "long"}, "key": "id"},
        },
        "subjects": {"customer": subject},
    }


def made(root: Path, **table: Any) -> Lakehouse:
    lake = Lakehouse.open(config(root, {"identifiers": {"id": "people.id"}}, **table))
    lake.apply()
    return lake


@pytest.mark.parametrize("there", [True, False])
def test_apply_tells_all_that_does_not_fit(tmp_path: Path, there: bool) -> None:
    if there:
        made(tmp_path, schema=SCHEMA)
        shutil.rmtree(tmp_path / "lake" / "later")
    lake = Lakehouse.open(config(tmp_path, WRONG, **({} if there else {"schema": SCHEMA})))
    with pytest.raises(UsageError) as caught:
        lake.apply()
    lines = caught.value.message.splitlines()[1:]
    assert len(lines) == len(TOLD)
    for way, message in TOLD.items():
        assert any(line.startswith(f"  subjects.customer.{way}: ") and message in line for line in lines), way
    assert not (tmp_path / "lake" / "later").exists()


def test_config_check_tells_the_same_where_a_schema_is_declared(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(config(tmp_path, WRONG, schema=SCHEMA), further=declared_findings)
    assert len(caught.value.problems) == len(TOLD)
    # Nothing is known of a table without one.
    load_config(config(tmp_path, {**WRONG, "rows": []}), further=declared_findings)


def test_columns_that_are_not_there_are_told_by_apply(tmp_path: Path) -> None:
    made(tmp_path, schema=SCHEMA)
    subject = {"identifiers": {"id": "people.id", "email": "people.emial", "phone": "people.phone"}}
    with pytest.raises(UsageError, match=r"`people` has no column `emial`; did you mean") as caught:
        Lakehouse.open(config(tmp_path, subject)).apply()
    assert "`people` has no column `phone`" in caught.value.message
    # What the config declares comes with a merge.
    del subject["identifiers"]["email"]
    Lakehouse.open(config(tmp_path, subject, schema={**SCHEMA, "phone": "string"})).apply()


def test_not_null_columns_without_a_neutral_value_stay_full(tmp_path: Path) -> None:
    table = pa.table({"id": [1], "score": [2.0], "name": ["Ann"]})
    table = table.cast(pa.schema([field.with_nullable(False) for field in table.schema]))
    write_deltalake(str(tmp_path / "lake" / "people"), table)
    rows = [{"table": "people", "where": {"id": "id"}, "do": "anonymize", "columns": ["score", "name"]}]
    subject = {"identifiers": {"id": "people.id"}, "rows": rows}
    plain = config(tmp_path, subject)
    plain["tables"]["people"] = {"key": "id"}
    with pytest.raises(UsageError, match=r"columns.0: `score` of `people` must not be null") as caught:
        Lakehouse.open(plain).apply()
    assert "`name`" not in caught.value.message


def with_keys(lake: Lakehouse) -> Lakehouse:
    for purpose in ("suppress", "requests", "sign"):
        lake.keys.create(purpose)
    return lake


@pytest.mark.parametrize("log_only", [True, False])
def test_a_table_that_is_gone_stops_a_run_before_anything_is_written(tmp_path: Path, log_only: bool) -> None:
    subject = {
        "identifiers": {"id": "people.id"},
        "rows": [
            {"table": "later", "where": {"id": "id"}, "do": "delete"},
            {"table": "people", "where": {"id": "id"}, "do": "delete"},
        ],
    }
    lake = with_keys(Lakehouse.open(config(tmp_path, subject, schema=SCHEMA)))
    lake.apply()
    lake.table("people").merge([{"id": 1, "email": "a@x"}])
    lake.table("later").merge([{"id": 1}])
    lake.requests.submit("erasure", subject="customer", id=7)
    lake.requests.run()
    folder = tmp_path / "lake" / "people"
    shutil.rmtree(folder / "_delta_log" if log_only else folder)
    lake = Lakehouse.open(config(tmp_path, subject, schema=SCHEMA))
    asked = lake.requests.submit("erasure", subject="customer", id=1)
    before = lake.table("later").snapshot().version
    with pytest.raises(RefusedError, match=r"nothing was done: table people: ") as caught:
        lake.requests.run()
    assert ("no log that names them" if log_only else "now it is gone") in caught.value.message
    assert lake.table("later").snapshot().version == before
    assert lake.requests.show(asked.id).status == "received"


def test_a_table_that_was_never_made_stops_nothing(tmp_path: Path) -> None:
    subject = {
        "identifiers": {"id": "people.id"},
        "rows": [{"table": "people", "where": {"id": "id"}, "do": "delete"}],
    }
    lake = with_keys(Lakehouse.open(config(tmp_path, subject)))
    lake.requests.submit("erasure", subject="customer", id=1)
    assert [each.status for each in lake.requests.run().outcomes] == ["completed"]
