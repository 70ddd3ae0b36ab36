"""Start-up of the command line: the CPU time of ``lakehouse --help`` against ``python -c "import click"``.

    python -m benchmarks.cli

Median of ``--repeat`` runs of each, in turn; user and system time of the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import machine, median, write_report

OURS = [sys.executable, "-m", "lakehouse", "--help"]
PEER = [sys.executable, "-c", "import click"]
GOAL = 3.0


def cpu_seconds(command: list[str]) -> float:
    """User and system time of one run."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/cli.json"))
    options = parser.parse_args()
    for command in (OURS, PEER):
        cpu_seconds(command)  # byte code and file cache are warm for both
    pairs = [(cpu_seconds(OURS), cpu_seconds(PEER)) for _ in range(options.repeat)]
    ours, peer = (median([pair[side] for pair in pairs]) for side in (0, 1))
    report = {
        "benchmark": "cli",
        "machine": machine(),
        "repeat": options.repeat,
        "lakehouse_help_cpu_seconds": round(ours, 3),
        "import_click_cpu_seconds": round(peer, 3),
        "ratio": round(ours / peer, 2),
        "goal": GOAL,
    }
    write_report(report, options.json)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
