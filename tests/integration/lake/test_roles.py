"""Reading in a role: its tables, its rows, and masks that no question gets behind."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakehouse import Lakehouse, NotFoundError, RefusedError, UsageError
from lakehouse.delta.actions import CommitInfo, Protocol
from lakehouse.delta.schema import StructType
from lakehouse.delta.transaction import commit
from lakehouse.errors import LakehouseError

ANN = "ann@shop.example"
BOB = "bob@other.example"


def config(root: Path, **more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "shop",
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {
            "customers": {
                "key": ["id"],
                "schema": {"id": "long", "email": "string", "phone": "string", "country": "string"},
                "pii": {"email": "EMAIL_ADDRESS", "phone": "PHONE_NUMBER"},
            },
            "orders": {
                "key": ["order_id"],
                "schema": {"order_id": "long", "email": "string", "country": "string", "total": "double"},
                "pii": {"email": "EMAIL_ADDRESS"},
            },
            "secrets": {"key": ["id"], "schema": {"id": "long"}},
        },
        "pii": {
            "nlp": {"engine": "none"},
            "operators": {
                "EMAIL_ADDRESS": {"operator": "tokenize"},
                "PHONE_NUMBER": {"operator": "mask", "keep_last": 2},
            },
        },
        "roles": {
            "analyst": {"tables": ["customers", "orders"], "rows": {"orders": "country = 'DE'"}},
            "support": {"tables": ["customers"], "columns": "clear"},
            "elsewhere": {"tables": ["orders"], "rows": {"orders": "nothing = 1"}},
        },
        **more,
    }


@pytest.fixture
def lake(tmp_path: Path) -> Lakehouse:
    lake = Lakehouse.open(config(tmp_path))
    lake.apply()
    lake.keys.create("mask")
    lake.table("customers").merge(
        [
            {"id": 1, "email": ANN, "phone": "+49 30 1234567", "country": "DE"},
            {"id": 2, "email": BOB, "phone": "+33 1 7654321", "country": "FR"},
            {"id": 3, "email": None, "phone": None, "country": "DE"},
        ]
    )
    lake.table("orders").merge(
        [
            {"order_id": 1, "email": ANN, "country": "DE", "total": 10.0},
            {"order_id": 2, "email": ANN, "country": "FR", "total": 20.0},
            {"order_id": 3, "email": BOB, "country": "DE", "total": 30.0},
        ]
    )
    return lake


def test_a_role_sees_masks_and_everything_else_as_it_is(lake: Lakehouse) -> None:
    clear = lake.table("customers").read().sort("id")
    seen = lake.table("customers").read(role="analyst").sort("id")
    assert seen.schema == clear.schema
    assert seen.drop("email", "phone").equals(clear.drop("email", "phone"))
    assert seen["email"][0].startswith("tok_")
    assert seen["phone"].to_list() == ["************67", "***********21", None]
    assert lake.table("customers").read(role="support").sort("id").equals(clear)


def test_a_role_sees_its_rows_only_whatever_it_asks(lake: Lakehouse) -> None:
    orders = lake.table("orders")
    assert sorted(orders.read(role="analyst")["order_id"]) == [1, 3]
    assert orders.read(role="analyst", where="country = 'FR' OR 1 = 1").height == 2
    assert orders.read(role="analyst", where="order_id = 2").is_empty()
    assert lake.sql("SELECT count(*) AS n FROM orders", role="analyst")["n"].item() == 2


@pytest.mark.parametrize(
    "where",
    [
        f"email = '{ANN}'",
        "email LIKE 'ann%'",
        "starts_with(email, 'ann@')",
        f"CASE WHEN email = '{ANN}' THEN true ELSE false END",
        pl.col("email") == ANN,
        pl.col("^e.*$").str.contains("shop"),
        pl.col("country").is_in(["DE"]) & (pl.col("email").str.len_chars() == len(ANN)),
        pl.any_horizontal(pl.all().cast(pl.String).str.contains("shop.example")),
    ],
)
def test_no_condition_reaches_a_clear_value(lake: Lakehouse, where: str | pl.Expr) -> None:
    customers = lake.table("customers")
    assert customers.read(role="analyst", where=where).is_empty()
    assert customers.scan(role="analyst", where=where).collect().is_empty()


def test_no_condition_with_a_query_inside_reaches_one(lake: Lakehouse) -> None:
    inside = f"email IN (SELECT email FROM self WHERE email = '{ANN}')"
    with contextlib.suppress(UsageError):
        assert lake.table("customers").read(role="analyst", where=inside).is_empty()


def test_a_condition_on_other_columns_works_and_on_masks_too(lake: Lakehouse) -> None:
    customers = lake.table("customers")
    assert customers.read(role="analyst", where="country = 'FR'")["id"].to_list() == [2]
    token = customers.read(role="analyst", where="id = 1")["email"].item()
    assert customers.read(role="analyst", where=f"email = '{token}'")["id"].to_list() == [1]
    assert customers.read(role="analyst", columns=["id"], where=f"email = '{token}'").to_dicts() == [
        {"id": 1}
    ]


def test_masks_join_over_tables(lake: Lakehouse) -> None:
    found = lake.sql(
        "SELECT c.id, o.total FROM customers c JOIN orders o ON c.email = o.email ORDER BY o.total",
        role="analyst",
    )
    assert found.to_dicts() == [{"id": 1, "total": 10.0}, {"id": 2, "total": 30.0}]


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT count(*) AS n FROM customers WHERE email = '{ANN}'",
        f"SELECT count(*) AS n FROM (SELECT * FROM customers ORDER BY email) WHERE email = '{ANN}'",
        f"WITH x AS (SELECT email AS e FROM customers) SELECT count(*) AS n FROM x WHERE e = '{ANN}'",
        "SELECT count(*) AS n FROM customers WHERE email LIKE '%@%'",
        f"SELECT count(*) AS n FROM customers WHERE upper(email) = '{ANN.upper()}'",
    ],
)
def test_no_query_reaches_a_clear_value(lake: Lakehouse, query: str) -> None:
    assert lake.sql(query, role="analyst")["n"].item() == 0


def test_sorting_is_by_the_masks(lake: Lakehouse) -> None:
    seen = lake.sql("SELECT email FROM customers WHERE email IS NOT NULL ORDER BY email", role="analyst")[
        "email"
    ]
    assert seen.to_list() == sorted(seen.to_list())
    assert all(each.startswith("tok_") for each in seen)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT CAST(email AS INT) FROM customers",
        "SELECT email + 1 FROM customers",
        "SELECT CAST(phone AS DATE) FROM customers",
        "SELECT CAST(CASE WHEN country = 'DE' THEN email ELSE phone END AS DOUBLE) FROM customers",
    ],
)
def test_no_error_shows_a_value(lake: Lakehouse, query: str) -> None:
    with pytest.raises(LakehouseError) as error:
        lake.sql(query, role="analyst")
    told = str(error.value)
    assert not any(part in told for part in ("ann", "bob", "shop.example", "1234567", "tok_"))


def test_tables_and_roles_that_are_not_the_roles(lake: Lakehouse) -> None:
    with pytest.raises(RefusedError, match="role analyst may not read table secrets"):
        lake.table("secrets").read(role="analyst")
    with pytest.raises(RefusedError, match="may not read table secrets"):
        lake.sql("SELECT * FROM customers, secrets", role="analyst")
    with pytest.raises(NotFoundError, match="no role analist") as error:
        lake.table("customers").read(role="analist")
    assert "did you mean analyst?" in error.value.advice


def test_a_condition_of_a_role_that_does_not_fit_lets_nothing_through(lake: Lakehouse) -> None:
    with pytest.raises(UsageError, match="role elsewhere"):
        lake.table("orders").read(role="elsewhere")


def test_columns_of_the_lakes_own_are_not_for_roles(tmp_path: Path) -> None:
    settings = config(tmp_path)
    settings["tables"]["customers"] |= {"history": "full", "changes": {"sequence": "country"}}
    lake = Lakehouse.open(settings)
    lake.keys.create("mask")
    lake.table("customers").merge([{"id": 1, "email": ANN, "phone": "1", "country": "DE"}])
    assert "_valid_from" in lake.table("customers").read(role="analyst").columns
    with pytest.raises(UsageError, match="no column _events"):
        lake.table("customers").read(role="analyst", columns=["_events"])


def test_rejected_records_are_not_for_roles(lake: Lakehouse) -> None:
    lake.table("customers").merge([{"id": None, "email": "eve@shop.example"}])
    with pytest.raises(RefusedError, match="rejected records"):
        lake.table("customers__quarantine").read(role="analyst")
    assert lake.table("customers__quarantine").read(role="support").height == 1


def test_older_versions_are_masked_too(lake: Lakehouse) -> None:
    customers = lake.table("customers")
    customers.merge([{"id": 1, "email": "new@shop.example", "phone": "1", "country": "DE"}])
    then = customers.read(role="analyst", version=1, where="id = 1")["email"].item()
    assert then != customers.read(role="analyst", where="id = 1")["email"].item()
    assert "@" not in then


def test_without_the_key_nothing_is_shown(tmp_path: Path) -> None:
    lake = Lakehouse.open(config(tmp_path))
    lake.apply()
    lake.table("customers").merge([{"id": 1, "email": ANN, "phone": "1", "country": "DE"}])
    with pytest.raises(LakehouseError, match="mask") as error:
        lake.table("customers").read(role="analyst")
    assert "lakehouse keys create mask" in str(error.value)


def test_differences_are_what_the_role_sees_of_both_versions(lake: Lakehouse) -> None:
    customers = lake.table("customers")
    before = customers.snapshot().version
    customers.merge(
        [
            {"id": 1, "email": "ann@work.example", "phone": "+49 30 7654367", "country": "DE"},
            {"id": 2, "email": BOB, "phone": "+33 1 7654321", "country": "ES"},
            {"id": 4, "email": "eve@shop.example", "phone": None, "country": "DE"},
        ]
    )
    found = customers.diff(before, role="analyst")
    assert found["_change"].to_list() == ["update_before", "update_after"] * 2 + ["insert"]
    then, now = customers.read(version=before, role="analyst"), customers.read(role="analyst")
    for side, kinds in ((then, ("update_before", "delete")), (now, ("update_after", "insert"))):
        rows = found.filter(pl.col("_change").is_in(kinds)).drop("_change")
        assert rows.join(side, on=side.columns, how="semi", nulls_equal=True).height == rows.height
    assert "@" not in str(found.rows())
    # Behind a mask that is the same nothing is seen to have changed.
    phones = customers.diff(before, columns=["phone"], role="analyst")
    assert phones.rows() == [("insert", 4, None)]
    assert customers.diff(before, role="support").rows() == customers.diff(before).rows()


def test_rows_that_a_role_does_not_see_are_in_no_difference(lake: Lakehouse) -> None:
    orders = lake.table("orders")
    before = orders.snapshot().version
    orders.merge(
        [
            {"order_id": 1, "email": ANN, "country": "FR", "total": 10.0},
            {"order_id": 2, "email": ANN, "country": "FR", "total": 21.0},
            {"order_id": 3, "email": BOB, "country": "DE", "total": 31.0},
        ]
    )
    changes = orders.diff(before, role="analyst").select("_change", "order_id", "total").rows()
    assert changes == [("delete", 1, 10.0), ("update_before", 3, 30.0), ("update_after", 3, 31.0)]
    orders.compact()
    assert orders.diff(before + 1, role="analyst").is_empty()
    with pytest.raises(RefusedError):
        lake.table("secrets").diff(0, role="analyst")
    with pytest.raises(NotFoundError):
        orders.diff(before, role="nobody")


def test_control_columns_are_in_no_difference(lake: Lakehouse) -> None:
    with pytest.raises(UsageError, match="no column _cells"):
        lake.table("customers").diff(0, columns=["_cells"], role="analyst")


def test_masks_that_differ_each_time_are_no_difference(tmp_path: Path) -> None:
    plain = config(tmp_path)
    plain["tables"]["customers"] |= {"key": []}
    plain["pii"]["operators"] = {"DEFAULT": {"operator": "encrypt"}}
    lake = Lakehouse.open(plain)
    lake.keys.create("mask")
    customers = lake.table("customers")
    for number in range(3):
        rows = pa.table({"id": [number], "email": [ANN], "phone": ["1"], "country": ["DE"]})
        write_deltalake(tmp_path / "lake" / "customers", rows, mode="append")
    version = customers.compact().version
    assert version is not None
    assert customers.diff(version - 1, version, role="analyst").is_empty()
    assert customers.diff(version - 2, version, role="analyst").height == 1


def test_a_renamed_column_is_masked_in_versions_from_before(lake: Lakehouse) -> None:
    customers = lake.table("customers")
    old = customers.snapshot()
    called = {"email": "mail", "phone": "email"}
    fields = [
        replace(
            item,
            name=called.get(item.name, item.name),
            metadata={"delta.columnMapping.id": at, "delta.columnMapping.physicalName": item.name},
        )
        for at, item in enumerate(old.schema.fields, 1)
    ]
    mapped = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "4"}
    metadata = replace(
        old.metadata,
        schema_string=StructType(tuple(fields)).to_json(),
        configuration={**old.configuration, **mapped},
    )
    commit(
        customers.storage,
        version=old.version + 1,
        actions=[Protocol(2, 5), metadata],
        commit_info=CommitInfo(),
        base=old,
    )
    root = Path(customers.storage.url.removeprefix("file://")).parents[1]
    now = config(root)
    now["tables"]["customers"]["schema"] = {
        "id": "long",
        "mail": "string",
        "email": "string",
        "country": "string",
    }
    now["tables"]["customers"]["pii"] = {"mail": "EMAIL_ADDRESS"}
    later = Lakehouse.open(now).table("customers")
    assert later.read(role="support")["mail"].to_list() == [ANN, BOB, None]
    for version in (old.version, old.version + 1):
        assert "@" not in str(later.read(version=version, role="analyst").rows())
    later.merge([{"id": 2, "mail": "new@shop.example", "email": "+33", "country": "FR"}])
    assert "@" not in str(later.diff(old.version, role="analyst").rows())
    assert later.diff(old.version, role="analyst").height == 2
