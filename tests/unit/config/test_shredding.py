"""`shred` in the config: it must be told whose a row is, and nothing is shredded that rows are found by."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse.config import load_config
from lakehouse.config.shredding import Shredded, shredded_columns
from lakehouse.errors import ConfigError

SCHEMA = {"id": "long", "mail": "string", "nick": "string", "n": "long", "at": "string", "day": "string"}


def config(column: str = "nick", *, rows: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """A table `visits` with a shredded column, and one that people come from."""
    table = {
        "schema": {**SCHEMA, "who": "long", "by": "long"},
        "pii": {column: _SHRED},
        **more.pop("table", {}),
    }
    person = {"identifiers": {"id": "people.id", "mail": "people.mail"}}
    where = [{"table": "visits", "where": {"who": "id"}, "do": "delete"}] if rows is None else rows
    return {
        "version": 1,
        "tables": {"people": {"schema": SCHEMA, "key": ["id"]}, "visits": {"key": ["id"], **table}},
        "subjects": {"person": {**person, "rows": where}},
        **more,
    }


_SHRED = {"entity": "PERSON", "shred": "person"}
_VISITS = {"table": "visits", "where": {"who": "id"}, "do": "delete"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (config("n"), "only texts can be shredded, and `n` is of the type `long`"),
        (config("id", table={"schema": {**SCHEMA, "id": "string", "who": "long"}}), "part of the key"),
        (config("day", table={"partition_by": ["day"]}), "in which folder a row is"),
        (config("at", table={"changes": {"sequence": "at"}}), "orders the changes"),
        (config("nick.first"), "only whole columns"),
        (
            config("who", table={"schema": {**SCHEMA, "who": "string"}}),
            "`who` can't be shredded, since it says whose the row is: it holds `id`, the first identifier",
        ),
        (
            config(rows=[_VISITS, {"table": "visits", "text": ["nick"], "do": "anonymize"}]),
            "people are found in its texts (`subjects.person.rows`)",
        ),
        (
            config(rows=[{"table": "visits", "where": {"who.id": "id"}, "do": "delete"}]),
            "no column is said to hold `id`",
        ),
        (config(rows=[]), "no column is said to hold `id`, the first identifier of `person`"),
        (
            config(rows=[{"table": "visits", "where": {"mail": "mail"}, "do": "delete"}]),
            "no column is said to hold `id`",
        ),
        (
            config(rows=[{"table": "visits", "where": {at: "id"}, "do": "delete"} for at in ("who", "by")]),
            "`who`, `by` hold `id` of `person`, two people in one row",
        ),
        (
            config(rows=[{"table": "visits", "where": {"who": "id"}, "do": "keep", "ground": "tax law"}]),
            "keeps the rows of `visits` (`do: keep`), and would destroy `nick`",
        ),
        (config(table={"schema": {**SCHEMA, "who": "double"}}), "it must be text or whole numbers"),
        (config(state="sqlite://"), "gone with the process"),
    ],
)
def test_what_can_not_be_shredded_is_said_where_it_stands(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(given)
    (problem,) = [line for line in str(caught.value).splitlines() if message in line]
    assert "tables.visits.pii." in problem
    assert ".shred: " in problem


def test_the_holder_is_told_by_the_rows_or_by_where_the_identifier_comes_from() -> None:
    given = config()
    given["tables"]["people"]["pii"] = {"nick": _SHRED}
    loaded = load_config(given)
    told = {"subject": "person", "identifier": "id", "column": "nick"}
    assert shredded_columns(loaded, "visits") == (Shredded(holder="who", **told),)
    assert shredded_columns(loaded, "people") == (Shredded(holder="id", **told),)
    assert loaded.shreds("people")
    assert shredded_columns(loaded, "nowhere") == ()
