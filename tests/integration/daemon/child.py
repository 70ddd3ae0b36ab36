"""Daemons as child processes, and what starts them.

python -m tests.integration.daemon.child CONFIG LEASE [AHEAD]
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lakehouse.config import load_config
from lakehouse.daemon.service import Daemon

ROOT = Path(__file__).parents[3]
LONG = 120.0
"""So long is waited for anything; the machine can be busy with something else."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until(true: Callable[[], Any], *, seconds: float = LONG) -> Any:
    """Waits until something is so."""
    give_up = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < give_up, "it did not come about"
        time.sleep(0.05)
    return found


class DaemonProcess:
    """A daemon in a process of its own, with all that it says."""

    def __init__(self, config: Path, *, lease: float = 60, more: tuple[str, ...] = ()) -> None:
        self.lines: list[dict[str, Any]] = []
        self.other: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.daemon.child", str(config), str(lease), *more],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                try:
                    self.lines.append(json.loads(line))
                except json.JSONDecodeError:
                    self.other.append(line)

    def events(self, name: str, **fields: Any) -> list[dict[str, Any]]:
        return [
            each
            for each in self.lines
            if each.get("event") == name and all(each.get(key) == value for key, value in fields.items())
        ]

    def wait_for(self, name: str, *, times: int = 1, **fields: Any) -> dict[str, Any]:
        until(lambda: len(self.events(name, **fields)) >= times or self.process.poll() is not None)
        found = self.events(name, **fields)
        assert len(found) >= times, (self.lines[-5:], self.other)
        return found[-1]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.send(number)
        code = self.process.wait(timeout=LONG)
        self._reader.join(timeout=LONG)
        return code


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def main() -> int:
    config, lease, *more = sys.argv[1:]
    begun = time.monotonic()

    def clock() -> datetime:
        # After a second the clock is set.
        ahead = float(more[0]) if more and time.monotonic() > begun + 1 else 0.0
        return datetime.now(UTC) + timedelta(seconds=ahead)

    daemon = Daemon(
        load_config(config),
        reload=lambda: load_config(config),
        clock=clock,
        lease=timedelta(seconds=float(lease)),
    )
    return daemon.run()


if __name__ == "__main__":
    raise SystemExit(main())
