"""What `deploy/` has can be used as it lies there."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from lakehouse.config.load import load_config

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
NOT_OBJECTS = {"lakehouse.yaml", "kustomization.yaml"}


def objects() -> Iterator[dict[str, Any]]:
    for path in sorted(KUBERNETES.glob("*.yaml")):
        if path.name not in NOT_OBJECTS:
            yield from YAML(typ="safe").load_all(path.read_text())


def test_the_manifests_are_what_kubernetes_takes() -> None:
    found = list(objects())
    for each in found:
        kubernetes_validate.validate(each, "1.33", strict=True)
    assert {each["kind"] for each in found} == {"Deployment", "Namespace", "PodDisruptionBudget", "Service"}
    named = YAML(typ="safe").load((KUBERNETES / "kustomization.yaml").read_text())
    there = {path.name for path in KUBERNETES.glob("*.yaml")} - NOT_OBJECTS
    assert set(named["resources"]) == there


def test_a_stopped_pod_has_longer_than_the_daemon_takes_to_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCKET", "lake")
    monkeypatch.setenv("STATE_URL", "postgresql://lake@localhost/lake")
    config = load_config(KUBERNETES / "lakehouse.yaml")
    (pods,) = (each["spec"]["template"] for each in objects() if each["kind"] == "Deployment")
    assert pods["spec"]["terminationGracePeriodSeconds"] > config.daemon.drain.total_seconds() + 30
    (container,) = pods["spec"]["containers"]
    assert config.daemon.listen.endswith(f":{container['ports'][0]['containerPort']}")
    assert pods["metadata"]["annotations"]["prometheus.io/port"] == config.daemon.listen.split(":")[1]


def test_the_unit_is_what_systemd_takes(tmp_path: Path) -> None:
    unit = (DEPLOY / "systemd" / "lakehouse.service").read_text()
    parsed = configparser.ConfigParser(interpolation=None, strict=True)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string(unit)
    assert parsed["Service"]["KillMode"] == "mixed"
    if shutil.which("systemd-analyze") is None:
        return
    # Only its command has to be there to be found right.
    there = tmp_path / "lakehouse.service"
    there.write_text(unit.replace("/opt/lakehouse/bin/lakehouse", sys.executable))
    command = ["systemd-analyze", "verify", str(there)]
    told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stderr) == (0, "")


def test_the_container_file_copies_what_is_there() -> None:
    lines = (DEPLOY / "container" / "Containerfile").read_text().splitlines()
    sources = [line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    root = DEPLOY.parent
    assert sources == ["requirements.lock", "dist/*.whl"]
    assert (root / sources[0]).is_file()
    assert "STOPSIGNAL SIGTERM" in lines
