"""OpenLineage events of runs of jobs, to a file and to real servers on loopback."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attr
import orjson
import polars as pl
import pytest
from openlineage.client import event_v2

from lakehouse import Lakehouse
from lakehouse.jobs.status import RunView
from lakehouse.observability.lineage import lineage_of
from lakehouse.observability.lineage.story import place_of, story_of
from lakehouse.state import open_state
from tests.fixtures.receiver import receiving

Open = Callable[..., Lakehouse]
WORK = "tests.integration.jobs.work"
RULE = {"name": "old", "column": "seen", "keep": "10d", "action": "delete"}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    monkeypatch.setenv("SESAME", "sesame")

    def go(to: str = "./events.jsonl", **more: Any) -> Lakehouse:
        config = tmp_path / "lakehouse.yaml"
        config.write_bytes(
            orjson.dumps(
                {
                    "version": 1,
                    "name": "shop",
                    "storage": {"root": str(tmp_path / "lake")},
                    "tables": {
                        "stock": {
                            "key": ["item"], "owner": "crm@shop.example", "changes": {"sequence": "n"},
                            "retention": [RULE],
                        },
                        "other": {"key": ["id"], "schema": {"id": "long"}},
                    },
                    "jobs": {
                        "retention": {"do": "retention"},
                        "refused": {"do": f"{WORK}.refused", "tables": ["other"]},
                        "note": {"do": f"{WORK}.note", "tables": []},
                    },
                    "lineage": {"to": to, **more},
                }
            )
        )  # fmt: skip
        return Lakehouse.open(config)

    return go


def valid(event: dict[str, Any]) -> dict[str, Any]:
    """What the specification asks of each event: the library's own classes have its fields."""
    allowed = {field.name for field in attr.fields(event_v2.RunEvent)}
    assert set(event) <= allowed
    assert {"eventTime", "producer", "schemaURL", "run", "job"} <= set(event)
    assert event["eventType"] in {each.value for each in event_v2.RunState}
    assert str(uuid.UUID(event["run"]["runId"])) == event["run"]["runId"]
    assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    assert event["schemaURL"].startswith("https://openlineage.io/spec/")
    sides = [*event["inputs"], *event["outputs"]]
    for dataset in sides:
        assert dataset["namespace"]
        assert dataset["name"]
    facets = [event["run"]["facets"], event["job"]["facets"], *(each["facets"] for each in sides)]
    for facet in [*facets, *(each.get("outputFacets", {}) for each in event["outputs"])]:
        for body in facet.values():
            assert body["_producer"].startswith("urn:lakehouse:")
            assert body["_schemaURL"].startswith("https://openlineage.io/spec/")
    return event


def test_a_run_is_told_with_what_it_did_to_tables(lake: Open, tmp_path: Path) -> None:
    shop = lake()
    shop.table("stock").merge(
        pl.DataFrame({"item": [1, 2], "n": [1, 1], "seen": [datetime(2020, 1, 1), datetime(2126, 1, 1)]})
    )
    done = shop.jobs.run("retention")
    assert done.counts["rows_deleted"] == 1
    start, end = (valid(orjson.loads(each)) for each in (tmp_path / "events.jsonl").read_bytes().splitlines())
    assert [start["eventType"], end["eventType"]] == ["START", "COMPLETE"]
    assert start["run"]["runId"] == end["run"]["runId"]
    assert end["job"] == {**end["job"], "namespace": "shop", "name": "retention"}
    assert end["run"]["facets"]["lakehouse"]["run"] == done.id
    assert end["run"]["facets"]["lakehouse_retention"]["counts"]["rows_deleted"] == 1
    (stock,) = end["outputs"]
    assert (stock["namespace"], stock["name"]) == ("file", str(tmp_path / "lake" / "stock"))
    facets = stock["facets"]
    assert facets["version"]["datasetVersion"] == str(done.versions["stock"])
    assert [each["name"] for each in facets["schema"]["fields"]] == ["item", "n", "seen"]
    assert facets["ownership"]["owners"][0]["name"] == "crm@shop.example"
    assert facets["storage"] == {**facets["storage"], "storageLayer": "delta", "fileFormat": "parquet"}
    assert facets["lakehouse_retention"]["rules"][0] == {
        "name": "old", "kind": "rows", "column": "seen", "action": "delete", "keep": "10d",
    }  # fmt: skip
    assert stock["outputFacets"]["outputStatistics"]["fileCount"] >= 1
    assert [each["name"] for each in end["inputs"]] == [str(tmp_path / "lake" / "other")]
    assert [each["type"] for each in end["inputs"][0]["facets"]["schema"]["fields"]] == ["long"]


def test_a_failure_is_told_with_the_reason_that_is_kept(lake: Open) -> None:
    with receiving() as server:
        shop = lake(f"http://127.0.0.1:{server.port}", api_key="${SESAME}", namespace="prod")
        shop.jobs.run("refused")
        assert len(server.documents) == 2
        end = valid(server.documents[1])
        assert server.headers[1]["Authorization"] == "Bearer sesame"
        assert "sesame" not in repr(shop.config)
    assert (end["eventType"], end["job"]["namespace"]) == ("FAIL", "prod")
    assert end["run"]["facets"]["errorMessage"]["message"] == "not like this (see the rules)"
    assert end["outputs"] == []


@pytest.mark.parametrize("kind", ["refusing", "hanging", "down"])
def test_who_can_not_be_reached_fails_no_run_and_is_counted(
    lake: Open, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with receiving(status=500, hangs=kind == "hanging") as server:
        port = 9 if kind == "down" else server.port
        shop = lake(f"http://joan:${{SESAME}}@127.0.0.1:{port}/in?token=${{SESAME}}", timeout="200ms")
        begun = time.monotonic()
        assert shop.jobs.run("note").status == "succeeded"
        assert time.monotonic() - begun < 20
        deadline = time.monotonic() + 30
        while (
            b"lakehouse_lineage_failures_total" not in shop.metrics()
            or b'failures_total{lake="shop"} 2' not in shop.metrics()
        ):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert "an event of lineage can't be sent to http://joan:********@127.0.0.1" in caplog.text
    assert "sesame" not in "".join(
        each.getMessage() for each in caplog.records if each.levelno > logging.DEBUG
    )


def view(**more: Any) -> RunView:
    return RunView(
        **{"id": "run-1", "job": "j", "fire_time": NOON, "kind": "erase", "cause": "schedule", "author": "a",
           "status": "succeeded", "queued": NOON, "started": NOON, "ended": NOON, **more}
    )  # fmt: skip


def told(run: RunView) -> Any:
    return story_of(run, namespace="n", database="d", tables=(), at=NOON, certificates=(7,))


def test_what_is_told_of_runs() -> None:
    erased = told(view(notes=("2 completed", "1 held"), counts={"requests": 3, "rows_deleted": 5}))
    assert erased.erasure == {
        "requests": {"completed": 2, "held": 1}, "certificates": [7], "rows_deleted": 5,
    }  # fmt: skip
    assert told(view(status="cancelled", reason="it was stopped")).event == "ABORT"
    assert told(view(status="running", ended=None)).event == "START"
    assert told(view(status="abandoned", ended=None)) is None, "somebody else tells of its end"
    assert told(view(id="run-2")).run != told(view()).run


@pytest.mark.parametrize(
    ("url", "namespace", "name"),
    [
        ("/data/lake/stock", "file", "/data/lake/stock"),
        ("s3://bucket/lake/stock", "s3://bucket", "lake/stock"),
        ("memory:///stock", "memory://", "stock"),
    ],
)
def test_how_places_are_named(url: str, namespace: str, name: str) -> None:
    assert place_of(url)[:2] == (namespace, name)


def test_a_lake_without_lineage_has_no_observer(tmp_path: Path) -> None:
    shop = Lakehouse.open({"version": 1, "storage": {"root": str(tmp_path / "lake")}})
    state = open_state("sqlite://")
    assert lineage_of(shop, state) == ()
    state.close()
