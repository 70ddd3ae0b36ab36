"""Operators for tests, as a config would name them."""

from __future__ import annotations

from typing import Any

import polars as pl

from lakehouse.config.models import OperatorConfig
from lakehouse.pii.operators.base import Operator
from lakehouse.pii.operators.registry import operator_for
from tests.unit.pii.rings import Ring

ENTITY = "EMAIL_ADDRESS"


def operator(name: str, *, ring: Ring | None = None, pinned: bool = False, **settings: Any) -> Operator:
    config = OperatorConfig.model_validate({"operator": name, **settings})
    return operator_for(config, ring=ring or Ring(), pinned=pinned)


def masked(name: str, *values: Any, kind: Any = None, entity: str = ENTITY, **settings: Any) -> list[Any]:
    series = pl.Series("v", values, dtype=kind)
    done = operator(name, **settings).mask(series, entity=entity)
    assert done.dtype == series.dtype
    assert len(done) == len(series)
    assert done.name == "v"
    return done.to_list()
