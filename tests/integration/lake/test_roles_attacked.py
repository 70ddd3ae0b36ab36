"""Ways to learn in a role what it does not see: each is tried, and learns nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, Field, Schema, write_deltalake
from deltalake.schema import PrimitiveType

from lakehouse import Lakehouse, RefusedError, UsageError
from lakehouse.errors import LakehouseError
from lakehouse.protection.asked import never_fails

ANN = "ann@shop.example"
ROWS = [
    {"id": 1, "email": ANN, "country": "DE", "note": "open"},
    {"id": 2, "email": "bob@other.example", "country": "FR", "note": "hidden"},
    {"id": 3, "email": None, "country": None, "note": "nowhere"},
]


def config(root: Path, **roles: Any) -> dict[str, Any]:
    columns = {"id": "long", "email": "string", "country": "string", "note": "string"}
    return {
        "version": 1,
        "name": "shop",
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {
            "people": {"key": ["id"], "schema": columns, "pii": {"email": "EMAIL_ADDRESS"}},
            "notes": {"key": ["id"], "schema": columns},
            "secrets": {"key": ["id"], "schema": {"id": "long", "what": "string"}},
        },
        "pii": {"nlp": {"engine": "none"}, "operators": {"EMAIL_ADDRESS": {"operator": "tokenize"}}},
        "roles": {"analyst": {"tables": ["people", "notes"], "rows": {"notes": "country = 'DE'"}}, **roles},
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attacked")


@pytest.fixture(scope="module")
def lake(root: Path) -> Lakehouse:
    lake = Lakehouse.open(config(root))
    lake.apply()
    lake.keys.create("mask")
    lake.table("people").merge(ROWS)
    lake.table("notes").merge(ROWS)
    lake.table("secrets").merge([{"id": 1, "what": "treasure"}])
    return lake


@pytest.mark.parametrize(
    "where",
    [
        f"self.email = '{ANN}'",
        f'"self"."email" = \'{ANN}\'',
        "SELF.email LIKE 'ann%'",
        "id = 1 AND CASE WHEN self.email LIKE 'ann%' THEN 1 ELSE 0 END = 1",
    ],
)
def test_a_column_called_by_its_table_is_masked_too(lake: Lakehouse, where: str) -> None:
    people = lake.table("people")
    assert people.read(role="analyst", where=where).is_empty()
    assert people.read(role="analyst", where="self.country = 'DE'").height == 1


def test_conditions_find_what_they_would_find_in_the_masked_rows(lake: Lakehouse) -> None:
    """Whatever is tried early, so that fewer rows are masked: the answer is the same."""
    parts = [
        f"email = '{ANN}'", "self.email LIKE '%@%'", "email IS NULL", "length(email) > 20", "note LIKE 'o%'",
        "self.note = 'hidden'", "country IS NULL", "upper(country) = 'DE'", "id IN (1, 3)", "id = MAX(id)",
        "COALESCE(email, 'z') < 'n'", "ROW_NUMBER() OVER (ORDER BY email) = 1",
    ]  # fmt: skip
    for table in ("people", "notes"):
        seen = lake.table(table).read(role="analyst")
        for one, other in zip(parts, parts[1:] + parts[:1], strict=True):
            where = f"NOT ({one}) OR ({other} AND id < 3)"
            expected = seen.lazy().sql(f"SELECT id FROM self WHERE ({where})").collect()["id"]
            found = lake.table(table).read(role="analyst", where=where, columns=["id"])["id"]
            assert sorted(found) == sorted(expected), (table, where)


@pytest.mark.parametrize("reader", ["read_parquet", "READ_PARQUET", '"read_parquet"'])
def test_files_are_not_read_for_roles(lake: Lakehouse, root: Path, reader: str) -> None:
    files = f"{reader}('{root}/lake/sec*/*.parquet')"
    with pytest.raises(RefusedError, match="reads files"):
        lake.sql(f"SELECT * FROM {files}", role="analyst")
    for table in ("people", "notes"):
        with pytest.raises(RefusedError, match="reads files"):
            lake.table(table).read(role="analyst", where=f"'treasure' IN (SELECT what FROM {files})")
    if reader == "read_parquet":
        assert lake.sql(f"SELECT what FROM {files}")["what"].item() == "treasure"


def test_what_no_table_is_called_by_leads_nowhere(lake: Lakehouse, root: Path) -> None:
    for function in (name for name in dir(pl) if name.startswith(("read_", "scan_"))):
        with pytest.raises(RefusedError):
            lake.sql(f"SELECT * FROM {function}('{root}/lake/sec*/*')", role="analyst")
    with pytest.raises(RefusedError, match="a plan names files"):
        lake.sql("/* so */ EXPLAIN SELECT * FROM notes", role="analyst")
    with pytest.raises(UsageError) as error:
        lake.sql("SELECT nothing FROM notes", role="analyst")
    assert "secrets" not in str(error.value)


def test_no_condition_fails_because_of_rows_that_a_role_does_not_see(lake: Lakehouse) -> None:
    """Whether one fails tells what is in them, as here: a pattern that can't be read in the hidden row."""
    pattern = "CASE WHEN note LIKE 'hid%' THEN 'x(' ELSE 'DE' END"
    condition = f"REGEXP_LIKE('DE', {pattern})"
    with pytest.raises(LakehouseError):
        lake.sql(f"SELECT id FROM notes WHERE {condition}")
    notes = lake.table("notes")
    as_pattern = pl.when(pl.col("note").str.starts_with("hid")).then(pl.lit("x(")).otherwise(pl.lit("D"))
    assert notes.read(role="analyst", where=condition)["id"].to_list() == [1]
    assert notes.read(role="analyst", where=pl.col("country").str.contains(as_pattern)).height == 1
    assert notes.scan(role="analyst").filter(pl.col("country").str.contains(as_pattern)).collect().height == 1
    joined = condition.replace("note", "a.note")
    found = lake.sql(f"SELECT a.id FROM notes a JOIN notes b ON a.id = b.id WHERE {joined}", role="analyst")
    assert found["id"].to_list() == [1]


@pytest.mark.parametrize(
    ("condition", "safe"),
    [
        ("id = 1 AND country <> 'x'", True),
        ("id IN (1, 2) OR note IS NULL", True),
        ("id BETWEEN 1 AND 2 AND NOT (note LIKE 'a%')", True),
        ("note LIKE '%a%' AND lower(note) = 'a'", True),
        ("CAST(note AS INT) = 1", False),
        ("1 / id = 1", False),
        ("REGEXP_LIKE('a', note)", False),
        ("LPAD(note, id, 'x') = 'x'", False),
    ],
)
def test_only_conditions_that_never_fail_are_tried_on_all_rows(condition: str, safe: bool) -> None:
    assert never_fails(pl.sql_expr(condition)) is safe


def test_rows_that_are_neither_in_nor_out_are_out(lake: Lakehouse) -> None:
    for question in ("count(*)", "count(*) FILTER (WHERE true)", "sum(1)"):
        with_nulls = lake.sql(
            f"SELECT {question} AS n FROM notes WHERE country = 'DE' OR TRUE", role="analyst"
        )
        assert with_nulls["n"].item() == 1
    assert lake.table("notes").read(role="analyst", columns=["note"])["note"].to_list() == ["open"]
    assert lake.table("notes").read(role="analyst", where="country IS NULL").is_empty()


def test_a_condition_that_means_something_else_in_a_copy_shows_no_row(tmp_path: Path) -> None:
    """No mask is like `ann%`, so that everybody would be shown."""
    rows = {"people": "email NOT LIKE 'ann%'"}
    lake = Lakehouse.open(config(tmp_path, careful={"tables": ["people"], "rows": rows}))
    lake.apply()
    lake.keys.create("mask")
    lake.table("people").merge(ROWS)
    assert lake.table("people").read(role="careful")["id"].to_list() == [2]
    lake.pii.mask("people", to="people_masked")
    assert lake.table("people_masked").read(role="analyst").height == 3
    for ask in (
        lambda: lake.table("people_masked").read(role="careful"),
        lambda: lake.table("people_masked").diff(0, role="careful"),
        lambda: lake.sql("SELECT count(*) FROM people_masked", role="careful"),
        lambda: lake.pii.risk("people_masked", quasi=["country"], role="careful"),
    ):
        with pytest.raises(RefusedError, match="stored masked here"):
            ask()


def test_columns_that_a_table_computes_from_masked_ones_are_computed_from_masks(tmp_path: Path) -> None:
    settings = config(tmp_path, support={"tables": ["people"], "reveal": True})
    settings["tables"]["people"].pop("schema")
    made = {"start": "left(email, 3)", "odd": "reverse(email)", "size": "abs(id)"}
    text, whole = PrimitiveType("string"), PrimitiveType("long")
    fields = [Field("id", whole), Field("email", text)]
    fields += [
        Field(name, whole if name == "size" else text, metadata={"delta.generationExpression": how})
        for name, how in made.items()
    ]
    where = str(tmp_path / "lake" / "people")
    DeltaTable.create(where, schema=Schema(fields))
    row = {"id": [1], "email": [ANN], "start": ["ann"], "odd": [ANN[::-1]], "size": [1]}
    write_deltalake(where, pa.table(row), mode="append")
    lake = Lakehouse.open(settings)
    lake.keys.create("mask")
    people = lake.table("people")
    assert people.read(role="analyst", columns=["size", "odd", "start"]).rows() == [(1, None, "tok")]
    assert lake.sql("SELECT start FROM people WHERE start = 'ann'", role="analyst").is_empty()
    assert people.read(role="analyst", columns=["id"], where="start = 'ann'").is_empty()
    assert people.diff(0, columns=["start"], role="analyst").rows() == [("insert", 1, "tok")]
    with pytest.raises(UsageError, match="can't be used"):
        lake.pii.reveal("people", "email", where="start = 'ann'", role="support", reason="case 12")


def test_what_was_kept_when_it_was_copied_is_masked_since_the_config_says_so(tmp_path: Path) -> None:
    kept = config(tmp_path)
    kept["pii"]["operators"] = {"EMAIL_ADDRESS": {"operator": "keep"}}
    lake = Lakehouse.open(kept)
    lake.apply()
    lake.keys.create("mask")
    lake.table("people").merge(ROWS)
    lake.pii.mask("people", to="people_masked")
    now = Lakehouse.open(config(tmp_path))
    seen = now.table("people_masked").read(role="analyst")["email"]
    assert seen.to_list() == now.table("people").read(role="analyst")["email"].to_list()
    assert seen[0].startswith("tok_1_")
