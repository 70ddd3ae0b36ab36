"""The rules for Prometheus that come along name metrics that there are."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from ruamel.yaml import YAML

from lakehouse.observability.metrics.facts import Facts
from lakehouse.observability.metrics.families import families

ROOT = Path(__file__).parents[3]
_SUFFIX = re.compile(r"_(total|bucket|count|sum)$")


def names() -> set[str]:
    facts = Facts(lake="l", now=datetime(2026, 1, 1, tzinfo=UTC), incidents=0, lineage_failures=0)
    return {each.name for each in families(facts)}


def told(text: str) -> set[str]:
    return {_SUFFIX.sub("", each) for each in re.findall(r"\blakehouse_[a-z_]+", text)}


def test_rules_can_be_read_and_name_metrics_that_there_are() -> None:
    document = YAML(typ="safe").load((ROOT / "deploy" / "prometheus-rules.yaml").read_text())
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 5
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["annotations"]["summary"]
        assert rule["expr"].count("(") == rule["expr"].count(")")
        found = told(rule["expr"])
        assert found
        assert found <= names()


def test_the_page_lists_every_metric_and_none_else() -> None:
    page = (ROOT / "docs" / "how-to" / "monitoring.md").read_text()
    facets = {"lakehouse_retention", "lakehouse_erasure"}
    shorthand = {"lakehouse_job_last_failure_timestamp_seconds"}
    assert told(page) - facets | shorthand == names()
