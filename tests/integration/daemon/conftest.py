from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse
from tests.integration.daemon.child import DaemonProcess, free_port

WORK = "tests.integration.daemon.work"


class Site:
    """A lake with jobs, and the daemons that run them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "lakehouse.yaml"
        self.daemons: list[DaemonProcess] = []
        self.port = free_port()

    def config(self, *, state: str | None = None, daemon: dict[str, Any] | None = None, **jobs: Any) -> Path:
        document = {
            "version": 1,
            "name": "shop",
            "storage": {"root": str(self.folder / "lake")},
            "state": state or f"sqlite:///{self.folder}/state.db",
            "tables": {"stock": {"key": ["item"]}},
            "daemon": {"listen": "", "drain": "20s", "grace": "1s", **(daemon or {})},
            "jobs": {name: {**job, "do": f"{WORK}.{job['do']}"} for name, job in jobs.items()},
        }
        self.path.write_text(json.dumps(document))
        return self.path

    def start(self, *, lease: float = 60, more: tuple[str, ...] = ()) -> DaemonProcess:
        self.daemons.append(DaemonProcess(self.path, lease=lease, more=more))
        return self.daemons[-1]

    @property
    def lake(self) -> Lakehouse:
        return Lakehouse.open(self.path)

    @property
    def notes(self) -> list[str]:
        file = self.folder / "notes.txt"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path)
    yield found
    for each in found.daemons:
        each.end(signal.SIGKILL)
