"""Several daemons on one database while some of them are killed: every run is done, none is lost.

``DAEMON_CROWD=full`` runs two and five of them for a minute with 50 jobs each second, with kills and without.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks.daemon import crowd

FULL = os.environ.get("DAEMON_CROWD") == "full"
SIZES: list[dict[str, Any]] = (
    [
        {"daemons": daemons, "jobs": 50, "seconds": 60, "kills": kills, "lease": 5 if kills else 60}
        for daemons in (2, 5)
        for kills in (0, 3)
    ]
    if FULL
    else [{"daemons": 2, "jobs": 8, "seconds": 6, "kills": 2, "lease": 3, "workers": 1}]
)
KINDS = [
    "sqlite",
    pytest.param("postgres", marks=[pytest.mark.server, pytest.mark.xdist_group("postgres")]),
]


@pytest.mark.slow
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_daemons_share_the_work_and_lose_none(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, sizes: dict[str, Any]
) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    if kind == "postgres":
        url = str(request.getfixturevalue("postgres"))
    found = crowd(tmp_path, url, **sizes)
    assert found["runs"] >= sizes["jobs"] * 2, found
    assert found["succeeded_once"] == found["runs"] == found["work_done_for_runs"], found
    assert (found["moments_lost"], found["moments_twice"], found["still_open"]) == (0, 0, 0), found
    if not sizes["kills"]:
        assert found["work_done_more_than_once"] == 0, found
