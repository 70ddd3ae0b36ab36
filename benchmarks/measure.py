"""Running one contender in a process of its own, and saying what machine it was."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one contender.

    Args:
        seconds: Of the measured call alone, without imports and without reading the changes.
        peak_mb: Peak resident memory of the whole process in MB (10**6 bytes).
        detail: What the contender reported besides.
    """

    seconds: float
    peak_mb: float
    detail: dict[str, Any]


def run_child(module: str, arguments: Sequence[str]) -> Run:
    """Runs ``python -m module arguments`` and reads the JSON in the last line of its output.

    Raises:
        RuntimeError: The child failed; its last lines are in the message.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    report = json.loads(done.stdout.strip().splitlines()[-1])
    return Run(seconds=report.pop("seconds"), peak_mb=report.pop("peak_mb"), detail=report)


def fresh_copy(table: Path, folder: Path) -> Path:
    """A copy that can be written to; data files are never changed in place, so they are only linked."""
    copy = folder / "table"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(table, copy, copy_function=os.link, ignore=shutil.ignore_patterns("_delta_log"))
    shutil.copytree(table / "_delta_log", copy / "_delta_log")
    return copy


def median(values: Sequence[float]) -> float:
    """The median of some figures."""
    return float(statistics.median(values))


def peak_mb(process: int | str = "self") -> float:
    """Peak resident memory of a process in MB (10**6 bytes).

    Not ``ru_maxrss``: a child starts with that of the process that started it.

    Args:
        process: Its id; this one otherwise.
    """
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak) * 1024 / 1e6


def command_line(
    about: str | None, *, module: str, rows: int | None = 10_000_000, repeat: int = 3
) -> argparse.ArgumentParser:
    """What all benchmarks understand: sizes, where tables are made, where the report goes.

    Args:
        about: The benchmark's own description.
        module: Its module; the report is called after it.
        rows: Of its table, unless it is told otherwise; None where it has no one size.
        repeat: How often each contender runs.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    if rows is not None:
        parser.add_argument("--rows", type=int, default=rows, help=f"rows of the table (default {rows:,})")
    parser.add_argument("--repeat", type=int, default=repeat, help=f"runs of each (default {repeat})")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "lakehouse-benchmarks")
    report = Path("benchmarks/results") / f"{module.rpartition('.')[2]}.json"
    parser.add_argument("--json", type=Path, default=report)
    return parser


def write_report(report: Mapping[str, Any], path: Path) -> None:
    """Writes a benchmark's report as JSON, where the folder may have to be made first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")


def machine(*libraries: str) -> dict[str, Any]:
    """What the figures were measured on: processors, memory, system, versions.

    Args:
        libraries: Whose versions to tell besides the usual ones.
    """
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(pages / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("deltalake", "polars", "pyarrow", *libraries)},
    }
