"""The demo, with all that its set-up installs: also what the daemon does by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT


@pytest.mark.slow
def test_the_daemon_of_the_demo_merges_tidies_erases_and_notices(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lakehouse", "demo", "--dir", "here"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    unattended = done.stdout.partition("Nobody at the keyboard")[2]
    for told in (" inserted", " rows deleted", "1 certificate", "certificate  2 of demo", "beyond 3 sigma"):
        assert told in unattended, (told, unattended)
    assert "null_share:page" in unattended
    assert list((tmp_path / "here" / "arrivals").glob("visits-*")) == []
    assert len(list((tmp_path / "here" / "arrivals" / "_done").iterdir())) == 13
