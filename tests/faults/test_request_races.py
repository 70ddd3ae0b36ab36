"""A person is erased in company: nothing brings it back, others lose nothing, readers are told."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import ConflictError
from tests.faults.nursery import Nursery
from tests.faults.request_work import ID, MAIL, NAME, fill, lake
from tests.unit.pii.mask_lakes import holding

SECONDS = float(os.environ.get("RACE_SECONDS", "3"))
CROWD = "tests.faults.request_crowd"


def run(root: Path, history: str) -> tuple[str, str]:
    """Runs what is to be done; the status and why it is that."""
    try:
        lake(root, history).requests.run()
    except ConflictError as error:
        return "conflict", error.message
    (request,) = lake(root, history).requests.list(all=True)
    return request.status, str(request.events[-1].detail)


def age(root: Path) -> None:
    """A day goes by."""
    then = time.time() - 86_400
    for path in (root / "lake").rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


@pytest.mark.slow
@pytest.mark.parametrize("history", ["cut", "redact"])
def test_a_person_is_erased_in_company(tmp_path: Path, nursery: Nursery, history: str) -> None:
    fill(tmp_path, history)
    found = lake(tmp_path, history)
    heights = {
        name: [
            found.table(name).read(version=version).height
            for version in range(found.table(name).snapshot().version + 1)
        ]
        for name in ("people", "visits", "orders")
    }
    stop = tmp_path / "stop"
    names = ("replay", "clerk-1", "clerk-2", "append", "reader")
    reports = {name: tmp_path / f"{name}.json" for name in names}
    common: dict[str, Any] = {"root": str(tmp_path), "stop": str(stop)}
    children = [
        nursery.start(f"{CROWD}:{what}", report=str(reports[name]), **common, **more)
        for name, what, more in (
            ("replay", "replay", {"history": history}),
            ("clerk-1", "keep_accounts", {"history": history, "clerk": 1}),
            ("clerk-2", "keep_accounts", {"history": history, "clerk": 2}),
            ("append", "append", {}),
            ("reader", "read_old", {"history": history, "heights": heights}),
        )
    ]
    status, end = run(tmp_path, history), time.monotonic() + SECONDS
    while time.monotonic() < end:
        status = run(tmp_path, history) if status[0] != "completed" else status
        time.sleep(0.1)
    stop.touch()
    assert [nursery.wait(child) for child in children] == [0] * len(children)
    told = {name: json.loads(path.read_text()) for name, path in reports.items()}
    # Whoever was at work is done: what of theirs was in the way is not any more.
    for _ in range(2):
        if status[0] != "completed":
            age(tmp_path)
            status = run(tmp_path, history)
    assert status[0] == "completed", status
    assert [path for mark in (MAIL, NAME) for path in holding(tmp_path / "lake", mark)] == []
    assert told["replay"]["suppressed"] > 0
    people = dict(lake(tmp_path, history).table("people").read(columns=["id", "name"]).rows())
    assert ID not in people
    for clerk in (1, 2):
        mine = {n: name for n, name in people.items() if n // 1000 == clerk}
        assert mine == {int(n): name for n, name in told[f"clerk-{clerk}"].items()}
    assert {n for n in people if n < 1000} == {0, 1, 2, 3, 4, 8}
    orders = lake(tmp_path, history).table("orders").read()["id"].to_list()
    assert sorted(orders) == [*range(5), *told["append"]]
    for error in told["reader"]["errors"]:
        assert any(word in error for word in ("eras", "gone", "closed")), error
    assert lake(tmp_path, history).table("people").verify().findings == ()
