"""A daemon in a process of its own: what it runs, what it says, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

from tests.integration.daemon.child import ROOT, ask, until
from tests.integration.daemon.conftest import Site

HEAVY = ("polars", "pyarrow", "deltalake", "presidio_analyzer", "apprise", "openlineage")


def test_jobs_run_on_time_and_the_config_can_change_meanwhile(site: Site) -> None:
    jobs: dict[str, Any] = {
        "note": {"do": "note", "schedule": "every 1s", "overlap": "queue"},
        "follow": {"do": "note", "after": ["note"], "overlap": "queue"},
        "slow": {"do": "slowly", "schedule": "2026-01-01T00:00"},
    }
    listen = {"listen": f"127.0.0.1:{site.port}"}
    site.config(daemon=listen, **jobs)
    daemon = site.start()
    daemon.wait_for("run_succeeded", job="note", times=3)
    daemon.wait_for("run_succeeded", job="follow")
    assert ask(site.port, "/healthz")[0] == 200
    status, body = ask(site.port, "/readyz")
    assert (status, json.loads(body)["database"]) == (200, True)
    assert 'lakehouse_daemon_runs_ended_total{outcome="succeeded"}' in ask(site.port, "/metrics")[1]
    assert ask(site.port, "/else")[0] == 404
    (slow,) = site.lake.jobs.history("slow")
    site.lake.jobs.cancel(slow.id)
    daemon.wait_for("run_cancelled", job="slow")
    assert [each.alive for each in site.lake.jobs.daemons()] == [True]
    site.path.write_text(
        site.path.read_text().replace("every 1s", "every now").replace('["note"]', '["not"]')
    )
    daemon.send(signal.SIGHUP)
    assert len(daemon.wait_for("config_refused")["problems"]) == 2
    site.config(daemon=listen, other={"do": "note", "schedule": "every 1s"}, **jobs)
    daemon.send(signal.SIGHUP)
    daemon.wait_for("config_taken")
    daemon.wait_for("run_succeeded", job="other")
    assert daemon.end() == 0, daemon.other
    assert daemon.lines[-1]["event"] == "daemon_ended"
    runs = site.lake.jobs.history(limit=None, status={"succeeded"})
    others = {each.status for each in site.lake.jobs.history(limit=None)} - {"succeeded"}
    assert others <= {"queued", "cancelled"}, "the next daemon begins those that wait"
    assert site.lake.jobs.daemons() == []
    done = [each for each in site.notes if not each.startswith("slow")]
    assert sorted(done) == sorted(f"{each.job} {each.fire_time.isoformat()}" for each in runs)


def test_an_idle_daemon_has_loaded_nothing_heavy(site: Site) -> None:
    site.config(later={"do": "note", "schedule": "2099-01-01T00:00", "catch_up": "none"})
    code = (
        "import sys\nfrom lakehouse.cli import main\n"
        f"code = main(['-c', {str(site.path)!r}, 'daemon', '--once'])\n"
        f"print(code, *(each for each in {HEAVY} if each in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == "0\n"
    assert site.lake.jobs.history() == []


def test_two_on_one_port_is_told(site: Site) -> None:
    site.config(daemon={"listen": f"127.0.0.1:{site.port}"})
    first = site.start()
    assert first.wait_for("no_jobs")["level"] == "warning"
    until(lambda: ask(site.port, "/readyz")[0] == 200)
    again = subprocess.run(
        [sys.executable, "-m", "lakehouse", "-c", str(site.path), "daemon"], cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert again.returncode == 2
    assert f"can't listen on 127.0.0.1:{site.port}" in again.stderr
    assert first.end(signal.SIGINT) == 0
