"""Incidents on a lake in a folder: opened by what jobs do, named by the versions, recovered, resolved."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from lakehouse import Lakehouse
from lakehouse.errors import NotFoundError, RefusedError, UsageError
from lakehouse.observability.incidents.feed import incident_changes
from lakehouse.observability.incidents.sampling import sample
from lakehouse.observability.incidents.verbs import Incidents
from lakehouse.state.chart_rows import Point
from lakehouse.state.database import State
from tests.fixtures.charted import NOON, moment, put

Open = Callable[..., Lakehouse]
STEADY = [0.05, 0.06] * 8


@pytest.fixture
def lake(tmp_path: Path) -> Open:
    def go(**charts: Any) -> Lakehouse:
        return Lakehouse.open(
            {
                "version": 1,
                "name": "shop",
                "storage": {"root": str(tmp_path / "lake")},
                "tables": {
                    "customers": {"key": ["id"], "changes": {"sequence": "n"}},
                    "orders": {"derived_from": ["customers"]},
                },
                "jobs": {
                    "load": {
                        "do": "merge",
                        "tables": ["customers"],
                        "from": {"path": str(tmp_path / "in"), "settle": "0s"},
                    },
                    "look": {"do": "freshness", "tables": ["customers", "orders"]},
                },
                "charts": {"measures": "null_share", **charts},
            }
        )

    return go


def state_of(lake: Lakehouse) -> State:
    return lake._control.made(now=NOON)


def newest(state: State, subject: str) -> dict[str, Point]:
    return {each.key.name: each.newest for each in state.points.newest(subject=subject)}


class Feed:
    """Gives the job files of fifty rows, of which some have no e-mail address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        self.rows = 0
        self.chance = random.Random(7)

    def __call__(self, missing: int) -> None:
        begin = self.rows
        self.rows += 50
        gone = set(self.chance.sample(range(begin, self.rows), missing))
        rows = [
            {"id": each, "n": 1, "email": None if each in gone else "x@shop.example"}
            for each in range(begin, self.rows)
        ]
        (self.folder / f"{begin:05}.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))


def test_a_job_that_brings_ten_times_the_nulls_opens_one_incident(lake: Open, tmp_path: Path) -> None:
    shop = lake(baseline=10, min_points=4, recover_after=2)
    feed = Feed(tmp_path / "in")
    for missing in (2, 3, 2, 3, 2):
        feed(missing)
        assert shop.jobs.run("load").status == "succeeded"
    assert shop.incidents.list(status=None) == []
    feed(25)
    run = shop.jobs.run("load")
    (found,) = shop.incidents.list()
    assert (found.scope, found.subject, found.measure, found.status) == (
        "table", "customers", "null_share:email", "open",
    )  # fmt: skip
    assert found.rules[0] == "beyond_3_sigma"
    assert found.around["versions"][-1] == {
        "version": run.versions["customers"],
        "time": found.first.isoformat(),
        "operation": "MERGE",
        "counts": {"inserted": 50, "updated": 0, "deleted": 0, "files_added": 1, "files_removed": 0},
        "run": run.id,
    }
    assert found.around["runs"][0]["job"] == "load"
    assert found.around["lineage"] == {"jobs": ["load", "look"], "derived_from": [], "derived": ["orders"]}
    assert found.limits["upper"] < 0.5
    assert 0 <= found.seconds_to_detect < 600
    assert found.seconds_to_resolve is None
    chart = shop.incidents.chart_of(found.id)
    assert chart is not None
    assert [each.value for each in chart.points] == [0.04, 0.06, 0.04, 0.06, 0.04, 0.5]
    assert [bool(each.rules) for each in chart.points] == [False] * 5 + [True]
    for missing in (25, 2, 3):
        feed(missing)
        shop.jobs.run("load")
    (again,) = shop.incidents.list(status=None)
    assert (again.id, again.status) == (found.id, "recovered")
    assert again.seconds_to_resolve is not None
    over = shop.incidents.resolve(found.id, reason="the form was broken", author="Joan")
    assert (over.status, over.resolved_by, over.reason) == ("resolved", "Joan", "the form was broken")
    feed(25)
    shop.jobs.run("load")
    (second,) = shop.incidents.list()
    assert second.limits["center"] == pytest.approx(0.05, abs=0.005), "what was out is not learned from"
    told = incident_changes(state_of(shop), since=0)
    assert [each.what for each in told if each.what != "signal"] == [
        "opened", "recovered", "resolved", "opened",
    ]  # fmt: skip
    assert (told[0].incident, told[0].subject, told[0].measure) == (found.id, "customers", "null_share:email")
    assert told[0].value == 0.5 > told[0].upper
    assert told[0].rule == "a point lies beyond three sigma"
    assert incident_changes(state_of(shop), since=told[1].seq) == told[2:]
    assert state_of(shop).incidents.newest() == told[-1].seq
    seconds = newest(state_of(shop), "load")
    assert seconds["rows"].value == 50
    assert seconds["seconds"].run != run.id


def test_what_nobody_touches_is_sampled(lake: Open) -> None:
    shop = lake()
    state, table = state_of(shop), shop.table("customers")
    sample(shop, shop.tables, state, NOON)
    assert state.points.newest() == [], "nothing has been made yet"
    rows = [{"id": each, "n": 1, "email": None if each else "x@shop.example"} for each in range(4)]
    table.merge(rows)
    made = table.history()[0].timestamp
    sample(shop, shop.tables, state, made + timedelta(seconds=90))
    found = newest(state, "customers")
    assert {name: (each.value, each.version) for name, each in found.items() if name != "bytes"} == {
        "rows": (4, 1), "files": (1, 1), "change_rate": (4, 1), "freshness": (90, 1),
        "null_share:id": (0, 1), "null_share:n": (0, 1), "null_share:email": (0.75, 1),
    }  # fmt: skip
    sample(shop, shop.tables, state, made + timedelta(seconds=120))
    assert newest(state, "customers")["freshness"][1:4] == (made + timedelta(seconds=120), 120, 1)
    table.merge([{"id": 9, "n": 1, "email": "x@shop.example"}, {"id": 1, "n": 2, "email": None}])
    table.merge([{"id": 1, "n": 3, "_op": "delete"}])
    table.compact()
    changed = next(each.timestamp for each in table.history() if each.operation == "MERGE")
    later = changed + timedelta(seconds=60)
    sample(shop, shop.tables, state, later)
    found = newest(state, "customers")
    assert found["change_rate"].value == 1.5, "rows of two merges"
    assert found["null_share:email"].value == 0.5, "of the rows that came"
    assert found["rows"].value == 4
    assert found["freshness"].at == changed
    assert found["freshness"].role == "point"
    head = next(each for each in state.points.newest() if each.key.measure == "freshness")
    assert head.age(later) == timedelta(seconds=60)
    assert head.newest.value > 0


def test_compaction_is_no_matter_of_the_data(lake: Open) -> None:
    shop = lake()
    state, table = state_of(shop), shop.table("customers")
    for number in range(3):
        table.merge([{"id": number, "n": 1}])
        sample(shop, ["customers"], state, NOON)
    assert table.compact().version is not None
    sample(shop, ["customers"], state, NOON)
    found = newest(state, "customers")
    assert (found["files"].value, found["files"].role) == (1, "level")
    assert found["change_rate"].version == found["files"].version - 1  # type: ignore[operator]


def test_data_that_stays_away_is_an_incident_while_it_does(lake: Open) -> None:
    shop = lake(measures="freshness", min_points=4, baseline=10)
    state, table = state_of(shop), shop.table("customers")
    table.merge([{"id": 0, "n": 1}])
    made = table.history()[0].timestamp
    sample(shop, ["customers"], state, made)
    for number in range(1, 7):
        table.merge([{"id": number, "n": 1}])
        sample(shop, ["customers"], state, made)
    last = table.history()[0].timestamp
    assert sample(shop, ["customers"], state, last + timedelta(seconds=1)).opened == []
    opened = sample(shop, ["customers"], state, last + timedelta(days=2)).opened
    assert sample(shop, ["customers"], state, last + timedelta(days=3)).opened == []
    (found,) = shop.incidents.list(table="customers")
    assert [found.id] == opened
    assert found.rules == ("beyond_3_sigma",)


def test_a_shift_that_is_expected_is_what_is_usual(lake: Open) -> None:
    shop = lake(min_points=5)
    state = state_of(shop)
    assert put(shop.config, state, STEADY).opened == []
    (incident,) = put(shop.config, state, [0.3, 0.31, 0.3], first=17).opened
    noted = shop.incidents.acknowledge(incident, reason="asking")
    assert noted.status == "acknowledged"
    with pytest.raises(RefusedError, match="acknowledged already"):
        shop.incidents.acknowledge(incident, reason="asking")
    done = shop.incidents.resolve(incident, reason="a new form", expected=True)
    assert (done.status, done.expected) == ("resolved", True)
    assert put(shop.config, state, [0.31, 0.3] * 5, first=20).opened == []
    chart = shop.incidents.chart("customers", "null_share:email")
    assert chart.center == pytest.approx(0.3, abs=0.01)
    assert [each.left_out for each in chart.points][:17] == [True] * 16 + [False]
    (back,) = put(shop.config, state, [0.05], first=30).opened
    with pytest.raises(RefusedError, match="resolved already"):
        shop.incidents.resolve(incident, reason="again")
    assert shop.incidents.show(back).status == "open"


def test_long_incidents_do_not_use_up_what_is_learned_from(lake: Open) -> None:
    shop = lake(min_points=5, baseline=10)
    state = state_of(shop)
    put(shop.config, state, STEADY)
    (incident,) = put(shop.config, state, [0.5] * 40, first=17).opened
    verbs = Incidents(shop.config, control=shop._control, clock=lambda: moment(56))
    assert verbs.resolve(incident, reason="mended").seconds_to_resolve == 39 * 3600 - 1
    assert put(shop.config, state, [0.05], first=57).opened == []
    assert len(put(shop.config, state, [0.5], first=58).opened) == 1


def test_points_that_are_gone_leave_the_incident_its_own(lake: Open) -> None:
    shop = lake(keep=50, recover_after=2)
    state = state_of(shop)
    put(shop.config, state, STEADY)
    (incident,) = put(shop.config, state, [0.5, *[0.05, 0.06] * 40], first=17).opened
    assert shop.incidents.chart_of(incident) is None
    found = shop.incidents.show(incident)
    assert found.first == moment(17)
    assert [each["value"] for each in found.points if each["out"]] == [0.5]
    assert len(found.points) == 17


def test_measures_that_are_not_asked_for_are_kept_and_not_judged(lake: Open) -> None:
    shop = lake(tables={"customers": {"measures": []}})
    assert put(shop.config, state_of(shop), [*STEADY, 0.9]).opened == []
    assert shop.incidents.chart("customers", "null_share:email").points[-1].value == 0.9


def test_mistakes_are_told(lake: Open) -> None:
    shop = lake()
    assert shop.incidents.list() == []
    assert shop.incidents.series() == []
    with pytest.raises(NotFoundError, match="nothing was measured"):
        shop.incidents.chart("customers", "rows")
    put(shop.config, state_of(shop), [0.1])
    with pytest.raises(NotFoundError) as caught:
        shop.incidents.chart("customers", "null_share:emal")
    assert "null_share:email" in caught.value.advice
    for verb in (shop.incidents.show, shop.incidents.chart_of):
        with pytest.raises(NotFoundError, match="no incident of that id"):
            verb("inc-zzzzzz")
    with pytest.raises(UsageError, match="no status well"):
        shop.incidents.list(status="well")
    with pytest.raises(UsageError, match="of a table or of a job"):
        shop.incidents.list(table="customers", job="load")


def test_a_job_that_looks_takes_points(lake: Open) -> None:
    shop = lake()
    shop.table("customers").merge([{"id": 0, "n": 1}])
    assert shop.jobs.run("look").status == "succeeded"
    assert newest(state_of(shop), "customers")["rows"].value == 1
    assert newest(state_of(shop), "look")["seconds"].value >= 0
