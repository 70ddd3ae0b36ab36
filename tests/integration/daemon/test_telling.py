"""A daemon tells those who want to hear of it what went wrong, and says whom it can't reach."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.fixtures.receiver import receiving
from tests.integration.daemon.child import ROOT, free_port, until
from tests.integration.daemon.conftest import Site


def test_a_failed_run_is_told_and_who_can_not_be_reached_is_said(site: Site) -> None:
    with receiving() as receiver:
        config = site.config(broken={"do": "fail", "schedule": "2026-01-01T00:00", "retries": 0})
        document = json.loads(config.read_text())
        nobody = f"json://127.0.0.1:{free_port()}/hook/top-secret-token"
        document["alerts"] = [
            {"to": receiver.address, "on": ["failed"], "group": "0s"},
            {"to": nobody, "on": ["failed"], "group": "0s", "timeout": "2s"},
        ]
        config.write_text(json.dumps(document))
        daemon = site.start()
        daemon.wait_for("run_failed", job="broken")
        told = until(lambda: receiver.documents)
        assert "broken" in json.dumps(told[0])
        daemon.wait_for("log", logger="lakehouse.alerts", level="warning")
        assert daemon.end() == 0, daemon.other
    assert "top-secret-token" not in json.dumps(daemon.lines)


def test_the_last_run_is_told_before_the_end(site: Site) -> None:
    with receiving() as receiver:
        config = site.config(broken={"do": "fail", "schedule": "2026-01-01T00:00", "retries": 0})
        document = json.loads(config.read_text())
        document["alerts"] = [{"to": receiver.address, "on": ["failed"]}]
        config.write_text(json.dumps(document))
        command = [sys.executable, "-m", "lakehouse", "-c", str(config), "daemon", "--once"]
        ended = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert ended.returncode == 1, ended.stderr
        assert "somebody" not in ended.stderr
        assert len(receiver.documents) == 1
