"""Reading in a role: its tables, its rows, and masks that no question gets behind."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse import Lakehouse, NotFoundError, RefusedError, UsageError
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
