"""Pieces of a config that pages show without the rest of it."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from lakehouse.config import load_config
from tests.docs.pages import blocks


def test_the_jobs_and_alerts_of_the_readme_are_what_a_config_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERT_URL", "json://localhost/hook")
    (shown,) = (
        each for each in blocks("README.md") if each.language == "yaml" and each.text.startswith("jobs:")
    )
    rest = {
        "version": 1,
        "name": "shop",
        "storage": {"root": "./lake"},
        "tables": {"customers": {"key": ["id"]}},
    }
    config = load_config({**rest, **YAML(typ="safe").load(shown.text)})
    assert set(config.jobs) == {"arrivals", "retention", "vacuum", "erasure"}
    assert config.alerts
