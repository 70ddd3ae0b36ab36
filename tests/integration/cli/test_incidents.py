from __future__ import annotations

from collections.abc import Callable

import pytest

from lakehouse import Lakehouse
from tests.fixtures.charted import NOON, moment, put
from tests.integration.cli.conftest import Answer

Run = Callable[..., Answer]


@pytest.fixture
def troubled(run: Run) -> tuple[Run, str]:
    """A table whose nulls were few for twenty versions, and are many now."""
    lake = Lakehouse.open("lakehouse.yaml")
    state = lake._control.made(now=NOON)
    put(lake.config, state, [0.05, 0.06] * 10)
    (incident,) = put(lake.config, state, [0.5, 0.6], first=21).opened
    return run, incident


def test_an_incident_is_listed_shown_and_ended(troubled: tuple[Run, str]) -> None:
    run, incident = troubled
    listed = run("incidents", "list")
    assert listed.code == 0
    assert incident in listed.out
    shown = run("incidents", "show", incident)
    assert "usual        5.46 % (2.8 % to 8.12 %), learned from 13 points" in shown.out
    assert f"lakehouse incidents ack {incident}" in shown.err
    chart = shown.out.splitlines()[8:24]
    assert chart[0] == "table customers, column email: share of nulls in the rows that came"
    assert max(map(len, chart)) <= 80
    assert sum(line.count("◆") for line in chart[1:-1]) == 2
    assert sum(line.count("•") for line in chart[1:-1]) == 20
    assert "\x1b" not in shown.out
    document = run("--json", "incidents", "show", incident).document
    assert document["table"] == "customers"
    assert document["chart"]["points"][-1]["value"] == 0.6
    assert document["events"][0]["event"] == "opened"
    noted = run("incidents", "ack", incident, "--reason", "asking", "--author", "Joan")
    assert noted.out == f"{incident} is acknowledged by Joan\n"
    assert [
        each["status"]
        for each in run("--json", "incidents", "list", "--table", "customers").document["incidents"]
    ] == ["acknowledged"]
    done = run("incidents", "resolve", incident, "--reason", "mended", "--author", "Joan")
    assert done.out == f"{incident} is resolved by Joan\n"
    assert run("incidents", "list").out == "nothing is out of control\n"
    assert "mended" in run("incidents", "list", "--all").out
    assert run("incidents", "list", "--status", "resolved", "--job", "load").out == "no incidents\n"
    again = run("incidents", "resolve", incident, "--reason", "mended")
    assert again.code == 3
    assert "resolved already" in again.err


def test_a_chart_needs_no_incident(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lakehouse.open("lakehouse.yaml")
    put(lake.config, lake._control.made(now=NOON), [0.05, 0.06] * 3)
    drawn = run("incidents", "chart", "customers", "null_share:email")
    assert drawn.code == 0
    assert "too few points to say what is usual" in drawn.out
    assert "null_share:email" in run("incidents", "chart", "customers").out
    document = run("--json", "incidents", "chart", "customers", "null_share:email", "-n", 2).document
    assert [each["time"] for each in document["points"]] == [
        moment(each).isoformat().replace("+00:00", "Z") for each in (5, 6)
    ]
    assert document["center"] is None


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["show", "inc-zzzzzz"], 6, "no incident of that id"),
        (["ack", "inc-zzzzzz", "--reason", "x"], 6, "no incident of that id"),
        (["resolve", "inc-zzzzzz"], 2, "--reason"),
        (["list", "--status", "well"], 2, "there is no status well"),
        (["list", "--all", "--status", "open"], 2, "exclude each other"),
        (["list", "--table", "a", "--job", "b"], 2, "of a table or of a job"),
        (["chart", "customers", "rows"], 6, "nothing was measured of customers"),
    ],
)
def test_mistakes_are_told(run: Run, words: list[str], code: int, told: str) -> None:
    answer = run("incidents", *words)
    assert answer.code == code
    assert told in answer.err
