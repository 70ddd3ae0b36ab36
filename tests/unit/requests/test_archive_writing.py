"""The file of an answer: whole, or not there."""

from __future__ import annotations

import gc
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.requests.access.writing import writing


def test_an_answer_that_fails_on_its_way_leaves_nothing_and_says_nothing(tmp_path: Path) -> None:
    def broken() -> None:
        with writing(tmp_path / "a.zip", now=datetime(2026, 3, 1, tzinfo=UTC), replace=False) as archive:
            archive.add("a", b"b")
            raise LookupError

    with pytest.raises(LookupError):
        broken()
    # What is collected must not try to write the end into a closed file: that would be on the terminal.
    gc.collect()
    assert not list(tmp_path.iterdir())
