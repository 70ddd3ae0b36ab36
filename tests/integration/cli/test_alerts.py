from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.receiver import receiving
from tests.integration.cli.conftest import CONFIG, Answer

Run = Callable[..., Answer]
JOBS = "jobs:\n  broken: {do: tests.integration.jobs.work.refused, retries: 0}\n"


def alerts(*addresses: str) -> str:
    return "alerts:\n" + "".join(f"  - {{to: '{each}', timeout: 1s}}\n" for each in addresses)


def test_who_hears_of_what_and_who_can_be_reached(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "nobody hears" in run("alerts", "list").out
    assert run("alerts", "test").code == 2
    with receiving() as well, receiving(status=403) as bad:
        Path("lakehouse.yaml").write_text(CONFIG + JOBS + alerts(well.address, bad.address))
        tested = run("alerts", "test")
        assert tested.code == 1
        assert "it answered with 403" in tested.out
        assert "1 target could not be reached" in tested.err
        assert run("jobs", "run", "broken").code == 3
        listed = run("alerts", "list")
        assert listed.code == 0
        assert f"json://127.0.0.1:{well.port}" in listed.out
        assert "top-secret" not in listed.out + tested.out + tested.err
        document = run("alerts", "list", "--json").document
    assert [each["messages"] for each in document["targets"]] == [1, 0]
    assert [(each["problem"], each["of"]) for each in document["problems"]] == [("failed", "broken")]
    assert [each["title"] for each in well.documents] == [
        "[shop] a test of alerts",
        "[shop] job broken failed",
    ]
