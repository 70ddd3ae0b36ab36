from __future__ import annotations

import logging
import os
import pwd
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse.config import load_config
from lakehouse.control import Control
from lakehouse.errors import (
    KeysError,
    LakehouseError,
    NotFoundError,
    RefusedError,
    StorageError,
    TableNotFoundError,
    UsageError,
)
from lakehouse.lake import Lakehouse
from lakehouse.pii.reveal import Person, Revealed, Revealer
from lakehouse.records import NoRecords, Records, StateRecords, operator
from lakehouse.state.rows import ActionRecord
from lakehouse.table import Table
from tests.unit.pii.sealing import sealing

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEOPLE = [
    (1, "ada@shop.example", "DE", "Ada"),
    (2, "grace@shop.example", "US", "Grace"),
    (3, "joan@shop.example", "DE", "Joan"),
    (4, None, "DE", None),
]
CONFIG: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "tables": {
        "customers": {
            "key": ["id"],
            "schema": dict.fromkeys(("email", "country", "name", "notes"), "string") | {"id": "long"},
            "pii": {
                "email": "EMAIL_ADDRESS",
                "name": "PERSON",
                "notes": ["EMAIL_ADDRESS", "PHONE_NUMBER", "PERSON"],
            },
        },
        "copied": {
            "key": ["id"],
            "schema": {"id": "long", "email": "string", "country": "string"},
        },
        "orders": {"key": ["id"], "schema": {"id": "long", "total": "double"}},
    },
    "pii": {
        "operators": {
            "EMAIL_ADDRESS": {"operator": "tokenize"},
            "PHONE_NUMBER": {"operator": "tokenize"},
            "PERSON": {"operator": "redact"},
        }
    },
    "roles": {
        "inside": {"reveal": True, "rows": {"customers": "address.phone <> 'x'"}},
        "support": {"tables": ["customers"], "reveal": True},
        "analyst": {"tables": "all"},
        "german": {"reveal": True, "rows": {"customers": "country = 'DE'"}},
        "named": {"reveal": True, "rows": {"customers": "name <> 'Ada'"}},
        "dpo": {"reveal": True, "columns": "clear"},
        "clerk": {"tables": ["orders"], "reveal": True},
    },
}  # fmt: skip


def writer(lake: Lakehouse, table: str) -> Table:
    """The table for those who write what is masked already: nothing masks it once more."""
    section = lake.config.tables[table].model_copy(update={"pii": {}})
    return Lakehouse(lake.config.model_copy(update={"tables": {table: section}})).table(table)


class Shop:
    """A lake whose customers are stored masked."""

    def __init__(self, root: Path) -> None:
        self.lake = Lakehouse(load_config({**CONFIG, "storage": {"root": str(root / "lake")},
                                           "keys": {"path": str(root / "keys")}}))  # fmt: skip
        self.control = Control(self.lake.config.state.get_secret_value(), lake=self.lake.storage)
        self.lake.keys.create("mask")
        self.records: Records = StateRecords(self.control)
        self.merge(PEOPLE)

    def masks(self, entity: str, values: Sequence[str | None]) -> list[str | None]:
        section = self.lake.config.pii.operators[entity]
        made = sealing(section, ring=self.lake.keys, pinned=False)
        return made.mask(pl.Series(values, dtype=pl.String), entity=entity).to_list()

    def merge(self, people: Sequence[tuple[int, str | None, str, str | None]]) -> None:
        emails = self.masks("EMAIL_ADDRESS", [email for _, email, _, _ in people])
        phones = self.masks("PHONE_NUMBER", [f"+49 30 {number}" for number, *_ in people])
        writer(self.lake, "customers").merge(
            [
                {"id": number, "email": email, "country": country, "name": name and "***",
                 "notes": f"write to {email}, or call {phone}!"}
                for (number, _, country, name), email, phone in zip(people, emails, phones, strict=True)
            ]
        )  # fmt: skip

    @property
    def revealer(self) -> Revealer:
        return Revealer(
            config=self.lake.config,
            table=self.lake.table,
            keys=self.lake.keys,
            records=self.records,
            operator_for=sealing,
            clock=lambda: NOW,
        )

    def done(self, table: str = "customers", column: str = "email", **more: Any) -> Revealed:
        given = {"values": None, "where": None, "role": "support", "reason": "case 12", "limit": 1000, **more}
        return self.revealer.reveal(table, column, **given)

    def reveal(self, column: str = "email", **more: Any) -> pl.DataFrame:
        return self.done(column=column, **more).rows


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_masks_that_were_given_come_back_as_values_in_their_order(shop: Shop) -> None:
    masks = shop.masks("EMAIL_ADDRESS", ["joan@shop.example", "ada@shop.example"])
    found = shop.reveal(values=[masks[0], "no mask at all", None, masks[1], masks[0]])
    assert found.columns == ["masked", "value"]
    assert found["masked"].to_list() == [masks[0], "no mask at all", None, masks[1], masks[0]]
    assert found["value"].to_list() == [
        "joan@shop.example", "no mask at all", None, "ada@shop.example", "joan@shop.example",
    ]  # fmt: skip


def test_masks_of_rows_come_back_with_the_key_of_each(shop: Shop) -> None:
    found = shop.reveal(where="country = 'DE'").sort("id")
    assert found.columns == ["id", "masked", "value"]
    assert found["id"].to_list() == [1, 3, 4]
    assert found["value"].to_list() == ["ada@shop.example", "joan@shop.example", None]
    assert found["masked"].str.starts_with("sealed_1_").to_list() == [True, True, None]
    assert shop.reveal(where="id = 99").height == 0


def test_masks_in_a_text_come_back_among_the_other_words(shop: Shop) -> None:
    found = shop.reveal("notes", where="id = 2")
    assert found["value"].to_list() == ["write to grace@shop.example, or call +49 30 2!"]


def test_older_masks_come_back_after_a_rotation(shop: Shop) -> None:
    shop.lake.keys.rotate("mask")
    shop.merge([(5, "mary@shop.example", "DE", "Mary")])
    found = shop.reveal(where="id IN (1, 5)").sort("id")
    assert found["masked"].str.slice(0, 9).to_list() == ["sealed_1_", "sealed_2_"]
    assert found["value"].to_list() == ["ada@shop.example", "mary@shop.example"]


def test_a_lost_key_is_an_error_that_names_purpose_and_version(shop: Shop, tmp_path: Path) -> None:
    shop.lake.keys.rotate("mask")
    shop.merge([(5, "mary@shop.example", "DE", "Mary")])
    (tmp_path / "keys" / "mask.1.key").unlink()
    fresh = Lakehouse(shop.lake.config)
    shop.lake = fresh
    with pytest.raises(KeysError, match="version 1 of the key `mask` is lost"):
        shop.reveal(where="id = 1")
    done = shop.done(where="id IN (1, 5)")
    assert done.rows.sort("id")["value"].to_list() == [None, "mary@shop.example"]
    (problem,) = done.problems
    assert "version 1 of the key `mask` is lost" in problem


def test_it_is_recorded_who_what_when_and_why_and_never_a_value(shop: Shop, tmp_path: Path) -> None:
    masks = shop.masks("EMAIL_ADDRESS", ["ada@shop.example"])
    shop.reveal(values=masks)
    shop.reveal(where="country = 'DE' AND id < 4", reason="case 13", role="dpo")
    second, first = shop.lake.pii.history("customers")
    assert (first.author, first.at, first.table, first.rows) == (operator(), NOW, "customers", 1)
    assert first.detail == {"column": "email", "role": "support", "reason": "case 12", "by": "values"}
    assert second.rows == 2
    assert second.detail == {"column": "email", "role": "dpo", "reason": "case 13", "by": "where"}
    assert shop.lake.pii.history("orders") == []
    assert shop.lake.pii.history(limit=1) == [second]
    state = b"".join(file.read_bytes() for file in (tmp_path / "lake" / "_lakehouse").rglob("state.db*"))
    for secret in ("ada@shop", "joan@shop", str(masks[0]), "country ="):
        assert secret.encode() not in state


def test_who_it_was_is_not_what_variables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody else")
    assert operator() in {pwd.getpwuid(os.getuid()).pw_name, f"user {os.getuid()}"}


def test_what_was_taken_away_is_another_story(shop: Shop) -> None:
    shop.reveal(where="id = 1")
    assert shop.lake.retention.history() == []


def test_nothing_is_shown_where_it_can_not_be_recorded(
    shop: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop.records = NoRecords()
    with pytest.raises(RefusedError, match="records nothing") as caught:
        shop.reveal(where="id = 1")
    assert caught.value.exit_code == 3

    class Broken(StateRecords):
        def add(self, records: Sequence[ActionRecord]) -> None:
            raise StorageError("the state database has no room left")

    shop.records = Broken(shop.control)
    with caplog.at_level(logging.DEBUG), pytest.raises(StorageError, match="no room left") as failed:
        shop.reveal(where="id = 1")
    assert "ada@" not in f"{failed.value!r} {caplog.text}"


@pytest.mark.parametrize(
    ("more", "kind", "said"),
    [
        ({"role": "analyst"}, RefusedError, "role analyst may not turn masks back"),
        ({"role": "clerk"}, RefusedError, "role clerk may not read table customers"),
        ({"role": "suport"}, NotFoundError, "did you mean support"),
        ({"reason": "  "}, UsageError, "the reason is empty"),
        ({"reason": "r" * 1001}, UsageError, "may have 1,000"),
        ({"reason": None}, UsageError, "the reason is a text"),
        ({"column": "name"}, UsageError, "masked by redact: that can't be turned back"),
        ({"column": "country"}, UsageError, "no column country with personal data"),
        ({"column": "emial"}, UsageError, "did you mean email"),
        ({"values": ["x"]}, UsageError, "give one of them"),
        ({"where": None}, UsageError, "give one of them"),
        ({"where": "emial = 1"}, UsageError, "can't be used"),
        ({"where": "id = 1; DROP TABLE x"}, UsageError, "can't be used"),
        ({"where": "id = (SELECT 1)"}, UsageError, "depends on other rows"),
        ({"where": "id > avg(id)"}, UsageError, "depends on other rows"),
        ({"where": None, "values": "sealed_1_x"}, UsageError, "a list of values"),
        ({"where": None, "values": [1.5, "x"]}, UsageError, "a value can't be one of column email"),
        ({"limit": 0}, UsageError, "at least 1"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_or_makes_no_sense_is_told_and_recorded_nowhere(
    shop: Shop, more: dict[str, Any], kind: type[LakehouseError], said: str
) -> None:
    with pytest.raises(kind) as caught:
        shop.reveal(**{"where": "id = 1", **more})
    assert said in str(caught.value)
    assert shop.lake.pii.history() == []


def test_a_table_that_is_not_there_is_named(shop: Shop) -> None:
    with pytest.raises(TableNotFoundError, match="custmers"):
        shop.done("custmers", values=["x"], role="dpo")


def test_more_rows_than_the_limit_are_not_shown_by_half(shop: Shop) -> None:
    with pytest.raises(UsageError, match="finds more than 2 rows"):
        shop.reveal(where="country = 'DE'", limit=2)
    assert shop.lake.pii.history() == []
    assert shop.reveal(where="country = 'DE'", limit=3).height == 3


@pytest.mark.parametrize(
    "where",
    [
        "email LIKE 'sealed%'",
        "name = '***'",
        "COLUMNS('^_.*') = 'x'",
        "COLUMNS('email') = 'x'",
        "self.email = 'x'",
        "\"value\" = 'x'",
    ],
)
def test_a_condition_reaches_no_column_that_the_role_sees_masked(shop: Shop, where: str) -> None:
    for condition in (where, f"id = 1 AND {where}", f"NOT ({where})"):
        with pytest.raises(UsageError):
            shop.reveal(where=condition)
    assert shop.lake.pii.history() == []


def test_a_role_that_sees_columns_clear_may_ask_for_them(shop: Shop) -> None:
    assert shop.reveal(where="email LIKE 'sealed%'", role="dpo").height == 3


def test_a_role_that_sees_some_rows_gets_the_values_of_those_alone(shop: Shop) -> None:
    found = shop.reveal(where="id < 9", role="german").sort("id")
    assert found["id"].to_list() == [1, 3, 4]
    masks = shop.masks("EMAIL_ADDRESS", ["ada@shop.example", "grace@shop.example", "new@shop.example"])
    done = shop.done(values=masks, role="german")
    assert done.rows["value"].to_list() == ["ada@shop.example", None, None]
    assert done.withheld == 2
    assert shop.lake.pii.history()[0].rows == 1
    for trick in ("1 = 1) OR (1 = 1", "id > 0 -- ", "id > 0 OR country = 'US'"):
        try:
            assert 2 not in shop.reveal(where=trick, role="german")["id"].to_list()
        except UsageError:
            continue


def test_masks_of_values_that_are_stored_as_they_are_are_withheld_by_what_they_stand_for(shop: Shop) -> None:
    writer(shop.lake, "customers").merge([{"id": 1, "email": "ada@shop.example"}])
    masks = shop.masks("EMAIL_ADDRESS", ["ada@shop.example", "grace@shop.example"])
    done = shop.done(values=masks, role="german")
    assert done.rows["value"].to_list() == ["ada@shop.example", None]


def test_a_mask_of_another_entity_spoils_no_other(shop: Shop) -> None:
    phone = shop.masks("PHONE_NUMBER", ["+49 30 1"])[0]
    email = shop.masks("EMAIL_ADDRESS", ["ada@shop.example"])[0]
    done = shop.done(values=[phone, email])
    assert done.rows["value"].to_list() == [None, "ada@shop.example"]
    assert len(done.problems) == 1
    with pytest.raises(KeysError, match="was not made for EMAIL_ADDRESS"):
        shop.reveal(values=[phone])
    assert len(shop.lake.pii.history()) == 1


def test_the_result_shows_no_value_in_its_text_form(shop: Shop) -> None:
    done = shop.done(where="id = 1")
    assert "ada@" not in repr(done)
    assert "case 12" in repr(done)


def test_a_key_column_with_personal_data_is_not_shown_beside(tmp_path: Path) -> None:
    config = {
        "version": 1,
        "storage": {"root": str(tmp_path / "lake")},
        "keys": {"path": str(tmp_path / "keys")},
        "tables": {
            "t": {
                "key": ["mail", "value"],
                "schema": {"mail": "string", "value": "long", "phone": "string"},
                "pii": {"mail": "EMAIL_ADDRESS", "phone": "PHONE_NUMBER"},
            }
        },
        "pii": {"operators": {"DEFAULT": {"operator": "tokenize"}}},
        "roles": {"support": {"reveal": True}},
    }
    lake = Lakehouse(load_config(config))
    writer(lake, "t").merge([{"mail": "a@b.example", "value": 7, "phone": "+49 30 1"}])
    control = Control(lake.config.state.get_secret_value(), lake=lake.storage)
    revealer = Revealer(
        config=lake.config,
        table=lake.table,
        keys=lake.keys,
        records=StateRecords(control),
        operator_for=sealing,
        clock=lambda: NOW,
    )
    done = revealer.reveal(
        "t", "phone", values=None, where='"value" = 7', role="support", reason="r", limit=10
    )
    assert done.rows.to_dicts() == [{"masked": "+49 30 1", "value": "+49 30 1"}]


def test_masks_that_depend_on_the_person_come_back_by_rows_alone(shop: Shop) -> None:
    section = shop.lake.config.pii.operators["EMAIL_ADDRESS"]
    differing = section.model_validate({"operator": "tokenize", "per_person": True})
    operators = {**shop.lake.config.pii.operators, "EMAIL_ADDRESS": differing}
    pii = shop.lake.config.pii.model_copy(update={"operators": operators})
    shop.lake = Lakehouse(shop.lake.config.model_copy(update={"pii": pii}))
    people = pl.DataFrame({"id": [8, 9], "email": ["ada@shop.example"] * 2, "name": ["Ada", "Eda"]})
    made = sealing(differing, ring=shop.lake.keys, pinned=False)
    masks = made.mask(people["email"], entity="EMAIL_ADDRESS", person=people["name"])
    writer(shop.lake, "customers").merge(people.with_columns(masks))
    assert masks[0] != masks[1]
    for more in ({"values": masks.to_list()}, {"where": "id > 7"}):
        with pytest.raises(UsageError, match="depend on whose they are"):
            shop.done(**more)
    by_name = Person(("name",), lambda frame: frame["name"])
    revealer = replace(shop.revealer, person=lambda table, column: by_name)
    done = revealer.reveal(
        "customers", "email", values=None, where="id > 7", role="support", reason="r", limit=10
    )
    assert done.rows.columns == ["id", "masked", "value"], "whose it is, is not shown"
    assert done.rows["value"].to_list() == ["ada@shop.example"] * 2


def test_masks_of_a_copy_are_those_of_its_source_and_so_are_the_rights(shop: Shop) -> None:
    rows = shop.lake.table("customers").read(columns=["id", "email", "country"])
    shop.lake.table("copied").merge(rows)
    revealer = replace(shop.revealer, source=lambda name: "customers" if name == "copied" else name)

    def done(role: str, **more: Any) -> pl.DataFrame:
        given = {"values": None, "where": "id > 0", "reason": "r", "limit": 10, **more}
        return revealer.reveal("copied", "email", role=role, **given).rows.sort("id")

    assert done("support")["value"].to_list() == [each[1] for each in PEOPLE]
    assert done("german")["id"].to_list() == [1, 3, 4]
    assert shop.lake.pii.history()[0].table == "copied"
    for role, said in (("clerk", "may not read table copied"), ("named", "is masked in copied")):
        with pytest.raises(RefusedError, match=said):
            done(role)
    with pytest.raises(UsageError, match="asks for email, which the role sees masked"):
        done("support", where="email LIKE 'sealed%'")


@pytest.fixture
def nested(shop: Shop) -> Shop:
    """The customers, with an address whose phone is masked."""
    section = shop.lake.config.tables["customers"]
    about = section.pii["email"].model_copy(update={"entities": ("PHONE_NUMBER",)})
    pii = {**section.pii, "address.phone": about}
    tables = {**shop.lake.config.tables, "customers": section.model_copy(update={"pii": pii})}
    shop.lake = Lakehouse(shop.lake.config.model_copy(update={"tables": tables}))
    phone = shop.masks("PHONE_NUMBER", ["+49 30 1"])[0]
    writer(shop.lake, "customers").merge([{"id": 1, "address": {"phone": phone, "city": "Jena"}}])
    return shop


def test_masks_inside_of_a_column_come_back_by_their_values(nested: Shop) -> None:
    phone = nested.masks("PHONE_NUMBER", ["+49 30 1"])
    assert nested.reveal("address.phone", values=phone)["value"].to_list() == ["+49 30 1"]
    with pytest.raises(UsageError, match="inside of a column"):
        nested.reveal("address.phone", where="id = 1")
    with pytest.raises(RefusedError, match="can't be told"):
        nested.reveal("address.phone", values=phone, role="german")


def test_rows_that_are_chosen_by_what_is_masked_inside_of_a_column_are_none_of_a_copy(nested: Shop) -> None:
    nested.lake.table("copied").merge(nested.lake.table("customers").read(columns=["id", "email", "country"]))
    revealer = replace(nested.revealer, source=lambda name: "customers" if name == "copied" else name)
    given: dict[str, Any] = {"values": None, "where": "id > 0", "role": "inside", "reason": "r", "limit": 10}
    with pytest.raises(RefusedError, match="masked in copied"):
        revealer.reveal("copied", "email", **given)


def test_a_condition_does_not_reach_what_is_masked_inside_of_a_column(nested: Shop) -> None:
    for where in ("address.phone LIKE 'sealed%'", "address IS NOT NULL", "address.city = 'Jena'"):
        with pytest.raises(UsageError):
            nested.reveal(where=where)
    assert nested.reveal(where="address IS NOT NULL", role="dpo")["id"].to_list() == [1]
