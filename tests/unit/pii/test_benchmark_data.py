"""The benchmarks' data is the same whenever it is made, and their peer is Presidio as it comes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from benchmarks import pii_columns, pii_data
from benchmarks.texts import Texts
from lakehouse.pii.detect.finder import TextFinder


def made() -> list[Any]:
    """Texts of every kind, sentences, and columns as plain lists."""
    sentences = pii_data.sentences(
        420, seed=3, templates=pii_data.HELD_OUT, locales=("en_GB", "it_IT", "nl_NL", "es_ES")
    )
    columns = pii_columns.columns((*pii_columns.DEVELOPMENT, *pii_columns.HELD_OUT), rows=5, seed=3)
    return [
        Texts(3).plain(300),
        Texts(3).messy(300),
        sentences,
        [(each.name, each.values.to_list()) for each in columns],
    ]


def test_the_same_seed_makes_the_same_data_on_any_day() -> None:
    with time_machine.travel(datetime(2025, 1, 1, 23, 59, tzinfo=UTC), tick=False):
        one = made()
    with time_machine.travel(datetime(2031, 7, 4, tzinfo=UTC), tick=False):
        assert made() == one


@pytest.mark.slow
@pytest.mark.xdist_group("presidio")
def test_quality_is_measured_against_presidio_as_it_comes(text_finder: TextFinder) -> None:
    """The same spans, so also the same figures; among them places that only Presidio's own settings know."""
    from benchmarks.pii_peer import StockFinder, stock_engine  # noqa: PLC0415 - seconds
    from benchmarks.pii_quality import run_sentences  # noqa: PLC0415 - seconds

    stock = StockFinder(stock_engine())
    report = run_sentences("held_out", number=420, stock=stock, ours=text_finder)
    assert report["sentences_with_other_spans"] == 0
    assert report["presidio"]["by_entity"] == report["lakehouse"]["by_entity"]
    ((place,),) = stock.find(["She moved to Lake Hilaryview."], entities=["LOCATION"])
    assert place.entity == "LOCATION"


@pytest.mark.parametrize("which", ["development", "held_out", "systems"])
def test_columns_are_told_apart_by_patterns_and_lists_alone(which: str) -> None:
    from benchmarks.pii_quality import COLUMNS, SEEDS, Score, classify_ours  # noqa: PLC0415 - seconds

    columns = pii_columns.columns(COLUMNS[which], rows=60, seed=SEEDS[which])
    found = classify_ours(columns, None)
    score = Score()
    for each in columns:
        score.add(wanted=each.label, got=found[f"{each.table}.{each.name}"])
    report = score.report()
    assert report["precision"] >= 0.98
    assert report["f1"] >= 0.97, "people in free texts alone need a model"
