"""What ``config check`` says of columns that can't be masked."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse.config import load_config
from lakehouse.errors import ConfigError
from lakehouse.pii.mask.config_findings import mask_findings


def findings(pii: dict[str, Any], schema: dict[str, str] | None, **section: Any) -> dict[str, str]:
    operators = {"AGE": {"operator": "generalize", "step": 10}, "SECRET": {"operator": "encrypt"}}
    table = {"pii": pii, **({"schema": schema} if schema else {}), **section}
    config = load_config(
        {
            "version": 1,
            "tables": {"t": table},
            "subjects": {"s": {"identifiers": {"i": "t.id"}}},
            "pii": {"operators": operators},
        }
    )
    return {str(each.way[-1]): each.message for each in mask_findings(config)}


def test_types_that_an_operator_can_t_mask() -> None:
    found = findings(
        {"id": "SECRET", "age": "AGE", "name": "AGE", "tags[]": "PERSON", "tags.x": "PERSON"},
        {"id": "string", "age": "long", "name": "string", "tags": "array<string>"},
        key=["id"],
    )
    assert set(found) == {"id", "name", "tags.x"}
    assert "column id is part of the key" in found["id"]
    assert "can't mask values of the type string" in found["name"]
    assert "these can: redact" in found["name"]
    assert "has no field `x`" in found["tags.x"]


def test_without_a_schema_only_what_columns_are_for_is_known() -> None:
    found = findings(
        {"id": "PERSON", "at": "PERSON", "age": "AGE"}, None, key=["id"], changes={"sequence": "at"}
    )
    assert set(found) == {"id", "at"}


def test_an_operator_that_is_wrong_is_told_of_once_where_it_is() -> None:
    document = {
        "version": 1,
        "tables": {"t": {"pii": {"age": "AGE", "born": "AGE"}, "schema": {"age": "long", "born": "short"}}},
        "pii": {"operators": {"AGE": {"operator": "generalize"}}},
    }
    with pytest.raises(ConfigError) as caught:
        load_config(document, further=mask_findings)
    (problem,) = caught.value.problems
    assert problem.path == "pii.operators.AGE"


def test_types_are_called_as_in_the_config() -> None:
    found = findings(
        {"n": "SECRET", "sum": "SECRET", "at": ["SECRET", "PERSON"]},
        {"n": "short", "sum": "decimal(10,2)", "at": "timestamp"},
    )
    assert "values of the type short" in found["n"]
    assert "values of the type decimal(10,2)" in found["sum"]
    assert "this is timestamp" in found["at"]
