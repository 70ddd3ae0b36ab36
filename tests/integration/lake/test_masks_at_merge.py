"""Tables with `mask_at: merge`: no clear value is ever stored, and merges work as on any table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse import Lakehouse, RefusedError

ANN = "ann-canary-5d1@shop.example"


def config(root: Path, *, table: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {
            "customers": {
                "key": ["email"],
                "changes": {"sequence": "seq"},
                "pii": {"email": "EMAIL_ADDRESS", "name": "PERSON"},
                "mask_at": "merge",
                **(table or {}),
            }
        },
        "pii": {"nlp": {"engine": "none"}, "operators": {"EMAIL_ADDRESS": {"operator": "tokenize"}}},
        **more,
    }


def opened(root: Path, **more: Any) -> Lakehouse:
    lake = Lakehouse.open(config(root, **more))
    if not lake.keys.versions("mask"):
        lake.keys.create("mask")
    return lake


def bytes_below(root: Path) -> bytes:
    """Every byte of every file, Parquet decoded too, since its pages are compressed."""
    found = b""
    for file in (root / "lake").rglob("*"):
        if file.is_file():
            found += file.read_bytes()
            if file.suffix == ".parquet":
                found += repr(pl.read_parquet(file).rows()).encode()
    return found


def test_no_clear_value_is_stored_anywhere(tmp_path: Path) -> None:
    customers = opened(tmp_path).table("customers")
    customers.merge([{"email": ANN, "name": "Ann Canary-5d1", "seq": 1, "n": 1}], source="s", offset=1)
    customers.merge([{"email": ANN, "name": "Ann Canary-5d1", "seq": 2, "n": 2}, {"email": None, "seq": ANN}])
    customers.merge([{"_op": "delete", "email": ANN, "seq": 3}])
    customers.compact()
    told = bytes_below(tmp_path).lower()
    assert b"canary-5d1" not in told
    assert customers.quarantine.count() == 1


def test_changes_find_their_rows_by_masked_keys(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    customers = lake.table("customers")
    customers.merge([{"email": ANN, "name": "Ann", "seq": 1, "n": 1}, {"email": "b@x.example", "seq": 1}])
    later = opened(tmp_path).table("customers").merge([{"email": ANN, "name": "Ann", "seq": 3, "n": 3}])
    assert (later.updated, later.inserted) == (1, 0)
    assert customers.merge([{"email": ANN, "seq": 2, "n": 2}]).stale == 1
    assert customers.merge([{"email": ANN, "name": "Ann", "seq": 3, "n": 3}]).duplicate == 1
    assert customers.merge([{"_op": "delete", "email": ANN, "seq": 4}]).deleted == 1
    assert customers.merge([{"email": ANN, "seq": 3, "n": 9}]).stale == 1
    assert customers.read().height == 1


def test_rows_of_before_a_change_of_masks_are_masked_in_the_new_way_in_place(tmp_path: Path) -> None:
    def merged(operator: dict[str, Any], number: int) -> Lakehouse:
        operators = {"PERSON": operator, "EMAIL_ADDRESS": {"operator": "tokenize"}}
        lake = opened(tmp_path, pii={"nlp": {"engine": "none"}, "operators": operators})
        lake.table("customers").merge([{"email": f"{number}@x.example", "name": "Annabel", "seq": number}])
        return lake

    def names(lake: Lakehouse) -> list[str]:
        return sorted(lake.table("customers").read()["name"])

    merged({"operator": "mask", "keep_last": 3}, 1)
    lake = merged({"operator": "redact"}, 2)
    merged({"operator": "redact"}, 3)
    assert names(lake) == ["", "", "****bel"]
    assert lake.pii.mask("customers", in_place=True).again == ("name",)
    assert names(lake) == ["", "", ""]
    assert lake.pii.mask("customers", in_place=True).changes_nothing

    lake = merged({"operator": "tokenize"}, 4)
    before = names(lake)
    with pytest.raises(RefusedError, match="name is masked in one way in some rows"):
        lake.pii.mask("customers", in_place=True)
    assert names(lake) == before


def test_after_a_rotation_keys_are_still_found(tmp_path: Path) -> None:
    # What is of another kind than the key is masked with the newest version.
    other = {"pii": {"email": "EMAIL_ADDRESS", "other": "IBAN_CODE"}}
    ways = {"nlp": {"engine": "none"}, "operators": {"DEFAULT": {"operator": "tokenize"}}}
    lake = opened(tmp_path, table=other, pii=ways)
    customers = lake.table("customers")
    customers.merge([{"email": ANN, "other": ANN, "seq": 1}])
    first = customers.read()
    lake.keys.rotate("mask")
    again = opened(tmp_path, table=other, pii=ways)
    assert again.table("customers").merge([{"email": ANN, "other": ANN, "seq": 2}]).updated == 1
    second = again.table("customers").read()
    assert second["email"].item() == first["email"].item()
    assert second["other"].item() != first["other"].item()


def test_masks_that_do_not_say_their_key_are_not_mixed(tmp_path: Path) -> None:
    def ways(**settings: Any) -> dict[str, Any]:
        operators = {"EMAIL_ADDRESS": {"operator": "tokenize"}, "PERSON": {"operator": "fpe", **settings}}
        return {"nlp": {"engine": "none"}, "operators": operators}

    ann = {"email": ANN, "name": "Ann Example 12", "seq": 1}
    roles = {"support": {"tables": "all", "reveal": True}}
    lake = opened(tmp_path, pii=ways())
    lake.table("customers").merge([ann])
    lake.keys.rotate("mask")
    # Without a version it is the first, whoever says so.
    same = opened(tmp_path, pii=ways(version=1))
    assert same.table("customers").merge([{**ann, "seq": 2}]).updated == 1
    moved = opened(tmp_path, pii=ways(version=2), roles=roles)
    with pytest.raises(RefusedError, match="they do not say by which") as error:
        moved.table("customers").merge([{**ann, "seq": 3}])
    assert "--in-place" in error.value.advice
    moved.pii.mask("customers", in_place=True)
    customers = moved.table("customers")
    assert customers.merge([{**ann, "seq": 3}]).updated == 1
    shown = moved.pii.reveal("customers", "name", where="seq = 3", role="support", reason="test").rows
    assert shown["value"].to_list() == ["Ann Example 12"]


def test_redelivery_is_known_whatever_the_operator(tmp_path: Path) -> None:
    operators = {"EMAIL_ADDRESS": {"operator": "tokenize"}, "PERSON": {"operator": "encrypt"}}
    lake = opened(tmp_path, pii={"nlp": {"engine": "none"}, "operators": operators})
    row = {"email": ANN, "name": "Ann", "seq": 1}
    customers = lake.table("customers")
    customers.merge([row])
    again = customers.merge([row])
    assert (again.duplicate, again.conflicting) == (1, 0)


def test_full_history_keeps_masks_alone(tmp_path: Path) -> None:
    lake = opened(tmp_path, table={"history": "full"})
    customers = lake.table("customers")
    customers.merge([{"email": ANN, "name": f"Ann {n}", "seq": n, "n": n} for n in (1, 3)])
    customers.merge([{"email": ANN, "name": "Ann canary-5d1", "seq": 2, "n": 2}])
    assert customers.read().height == 3
    assert b"canary-5d1" not in bytes_below(tmp_path)


def test_expectations_are_about_clear_values(tmp_path: Path) -> None:
    expect = [
        {"name": "mail", "check": "email LIKE '%@%'", "on_fail": "quarantine"},
        {"name": "positive", "check": "n > 0", "on_fail": "drop"},
    ]
    customers = opened(tmp_path, table={"expect": expect}).table("customers")
    result = customers.merge(
        [
            {"email": ANN, "n": 1, "seq": 1},
            {"email": "nobody", "n": 1, "seq": 1},
            {"email": "b@x.example", "n": 0, "seq": 1},
        ]
    )
    assert (result.inserted, result.rejected) == (1, 2)
    assert [(each.name, each.checked, each.failed) for each in result.expectations] == [
        ("mail", 3, 1), ("positive", 2, 1),
    ]  # fmt: skip


def test_rejected_records_are_sealed_and_can_be_merged_after_a_fix(tmp_path: Path) -> None:
    lake = opened(tmp_path, table={"changes": {"sequence": "seq", "schema": "freeze"}})
    customers = lake.table("customers")
    customers.merge([{"email": ANN, "name": "Ann", "seq": 1, "n": 1}])
    customers.merge([{"email": "c@x.example", "name": "Eve canary-5d1", "seq": 1, "n": "many"}])
    assert b"canary-5d1" not in bytes_below(tmp_path)
    (raw,) = customers.quarantine.list()["raw"]
    assert json.loads(raw)["name"] == "Eve canary-5d1"
    assert "raw" not in customers.quarantine.list(raw=False).columns
    # The same record again is the same record.
    customers.merge([{"email": "c@x.example", "name": "Eve canary-5d1", "seq": 1, "n": "many"}])
    assert customers.quarantine.count() == 1
    lake.keys.rotate("mask")
    assert customers.quarantine.retry().waiting == 1


def test_rows_from_before_are_not_mixed_with_masked_ones(tmp_path: Path) -> None:
    clear = Lakehouse.open(config(tmp_path, table={"mask_at": "read"}))
    clear.table("customers").merge([{"email": ANN, "seq": 1}])
    with pytest.raises(RefusedError, match="email") as error:
        opened(tmp_path).table("customers").merge([{"email": ANN, "seq": 2}])
    assert "--in-place" in error.value.advice


def test_another_mask_of_the_key_is_refused(tmp_path: Path) -> None:
    opened(tmp_path).table("customers").merge([{"email": ANN, "seq": 1}])
    other = {"nlp": {"engine": "none"}, "operators": {"EMAIL_ADDRESS": {"operator": "hash"}}}
    with pytest.raises(RefusedError, match="another way"):
        opened(tmp_path, pii=other).table("customers").merge([{"email": ANN, "seq": 2}])


def test_other_readers_see_the_masks_and_the_mark(tmp_path: Path) -> None:
    customers = opened(tmp_path).table("customers")
    customers.merge([{"email": ANN, "name": "Ann", "seq": 1}])
    table = DeltaTable(str(tmp_path / "lake" / "customers"))
    assert set(json.loads(table.metadata().configuration["lakehouse.masks"])) == {"email", "name"}
    assert pl.scan_delta(table).collect()["name"].to_list() == [""]


def test_a_role_sees_what_is_stored(tmp_path: Path) -> None:
    lake = opened(tmp_path, roles={"analyst": {}})
    customers = lake.table("customers")
    customers.merge([{"email": ANN, "name": "Ann", "seq": 1}])
    assert customers.read(role="analyst").equals(customers.read())


def test_without_the_key_nothing_is_stored(tmp_path: Path) -> None:
    lake = Lakehouse.open(config(tmp_path))
    with pytest.raises(Exception, match="mask"):
        lake.table("customers").merge([{"email": ANN, "seq": 1}])
    assert not lake.table("customers").exists()


KEEP, TOKENIZE = {"operator": "keep"}, {"operator": "tokenize"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"table": {"pii": {"mail": "URL"}}, "pii": {"operators": {"URL": KEEP}}}, {"URL": TOKENIZE}),
        (
            {"table": {"pii": {"mail": ["URL"]}}, "pii": {"operators": {"URL": TOKENIZE}}},
            {"URL": TOKENIZE, "EMAIL_ADDRESS": TOKENIZE},
        ),
    ],
    ids=["kept", "not looked for"],
)
def test_rows_that_were_kept_clear_do_not_come_to_count_as_masked(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any]
) -> None:
    table = {"key": ["id"], "changes": {}, **before["table"]}
    none = {"nlp": {"engine": "none"}}
    old = opened(tmp_path, table=table, pii={**none, **before["pii"]})
    old.table("customers").merge([{"id": 1, "mail": ANN}])
    kinds = list(after) if len(after) > 1 else "URL"
    role: dict[str, Any] = {"roles": {"analyst": {}}}
    now = opened(tmp_path, table={**table, "pii": {"mail": kinds}}, pii={**none, "operators": after}, **role)
    with pytest.raises(RefusedError, match="mail is not masked"):
        now.table("customers").merge([{"id": 2, "mail": ANN}])
    if kinds == "URL":
        assert "canary" not in str(now.table("customers").read(role="analyst").rows())
        assert now.pii.mask("customers", in_place=True).rows == 1
        assert now.table("customers").merge([{"id": 2, "mail": ANN}]).inserted == 1
        assert "canary" not in str(now.table("customers").read().rows())


def test_clear_rows_do_not_come_beside_masks_where_the_config_asks_for_masks_no_more(tmp_path: Path) -> None:
    opened(tmp_path).table("customers").merge([{"email": ANN, "name": "Ann", "seq": 1}])
    for table in ({"mask_at": "read"}, {"mask_at": "read", "pii": {}}):
        with pytest.raises(RefusedError, match="stores email, name masked"):
            opened(tmp_path, table=table).table("customers").merge([{"email": ANN, "name": "Ann", "seq": 2}])
    kept = opened(tmp_path, table={"pii": {"email": "EMAIL_ADDRESS"}}).table("customers")
    kept.merge([{"email": ANN, "name": "Ann", "seq": 2}])
    # What was stored clear in between is not taken for masked later.
    with pytest.raises(RefusedError, match="rows in which name is not masked"):
        opened(tmp_path).table("customers").merge([{"email": ANN, "name": "Ann", "seq": 3}])
