"""Whatever is in a column, a scan says something of it and never fails."""

from __future__ import annotations

import datetime as dt

import orjson
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing.parametric import series

from lakehouse.config.models import PiiConfig
from lakehouse.pii.paths import parse_path
from lakehouse.pii.scan.classify import Classifier
from lakehouse.pii.scan.flatten import flatten

CLASSIFIER = Classifier(config=PiiConfig(), today=dt.date(2026, 6, 1))
NAMES = st.one_of(
    st.sampled_from(
        ["email", "phone", "name", "birth_date", "city", "zip", "ssn", "lat", "card", "iban", "x"]
    ),
    st.text(min_size=1, max_size=12),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


def _judge(name: str, values: pl.Series) -> None:
    for each in flatten(name, values):
        assert each.filled <= each.rows
        assert each.values.len() == each.counts.len() == each.values.n_unique()
        assert parse_path(str(each.path), columns=() if each.path.steps else (name,)) == each.path
        finding = CLASSIFIER.judge(each, table="t").finding
        for entity in finding.entities if finding is not None else ():
            assert 0 < entity.share <= 1
            assert PiiConfig().min_score <= entity.score <= 1


@given(
    NAMES,
    series(
        excluded_dtypes=[pl.Object, pl.Categorical, pl.Enum, pl.Decimal], allow_time_zones=False, max_size=12
    ),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_column_is_judged(name: str, values: pl.Series) -> None:
    _judge(name, values)


@given(NAMES, st.lists(JSON.map(lambda value: orjson.dumps(value).decode()), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_json_is_judged(name: str, texts: list[str]) -> None:
    _judge(name, pl.Series(texts))
