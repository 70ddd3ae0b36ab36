"""Ctrl-C at a question, on a real terminal: nothing is done, at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.integration.cli.conftest import Answer

Run = Callable[..., Answer]
# A process of its own, since forking one that has threads is not safe.
TERMINAL = """
import os, pty, select, sys, time
pid, end = pty.fork()
if not pid:
    os.execv(sys.executable, [sys.executable, "-m", "lakehouse", *sys.argv[1:]])
shown, asked, give_up = b"", False, time.monotonic() + 50
while time.monotonic() < give_up:
    if select.select([end], [], [], 0.1)[0]:
        try:
            shown += os.read(end, 65536)
        except OSError:
            break
    if not asked and b"[y/N]" in shown:
        time.sleep(0.3)
        os.write(end, b"\\x03")
        asked = True
else:
    os.kill(pid, 9)
print(shown.decode()[-200:])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
"""


def test_ctrl_c_at_the_question_stops_at_once(shop: Run) -> None:
    config = Path("lakehouse.yaml").read_text()
    rule = "    retention: [{name: old, column: updated_at, keep: 1d, action: delete, max_fraction: 1}]\n"
    Path("lakehouse.yaml").write_text(config.replace("  events:", f"{rule}  events:"))
    before = shop("read", "customers", "--json").document["rows"]
    words = ("retention", "apply", "customers", "--now", "2026-06-01T00:00:00Z", "--allow-empty")
    done = subprocess.run(
        [sys.executable, "-c", TERMINAL, *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 130, done.stdout + done.stderr
    assert "stopped" in done.stdout
    assert shop("read", "customers", "--json").document["rows"] == before
