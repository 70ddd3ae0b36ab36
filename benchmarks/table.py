"""Writes the README's table of figures from what the benchmark has recorded.

    python -m benchmarks.table            # benchmarks/results/merge.json -> README.md
    python -m benchmarks.table --check    # exit code 1 if the README's table is another one

Nothing but what is in the recorded file gets into the table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results" / "merge.json"
README: Final = ROOT / "README.md"
BEGIN: Final = "<!-- benchmark: begin -->"
END: Final = "<!-- benchmark: end -->"
OURS: Final = "lakehouse"
PEER: Final = "delta-rs"
NOTHING: Final = (
    "No figures have been recorded yet. `make bench` measures them and `python -m benchmarks.table` writes "
    "them here."
)


def figures(report: Mapping[str, Any]) -> str:
    """Renders a recorded run.

    Args:
        report: What ``benchmarks.merge`` has written.

    Returns:
        Markdown: the table, and below it what it was measured on.
    """
    cases = report["cases"]
    if not cases:
        return NOTHING
    rows = {case["rows"] for case in cases}
    into = f"{rows.pop():,} rows x 10 columns" if len(rows) == 1 else "a table of 10 columns"
    lines = [
        f"| changes into {into} | Lakehouse | `DeltaTable.merge` | times as fast | peak memory |",
        "|---|---|---|---|---|",
        *(_row(case) for case in cases),
        "",
        _about(report["machine"], runs={case["repeat"] for case in cases}),
    ]
    return "\n".join(lines)


def _row(case: Mapping[str, Any]) -> str:
    contenders = case["contenders"]
    others = [
        f" ({name.removeprefix(PEER).strip(' ()')}: {_cost(cost)})"
        for name, cost in contenders.items()
        if name not in {OURS, PEER}
    ]
    cells = (
        case["case"],
        _cost(contenders[OURS]),
        _cost(contenders[PEER]) + "".join(others),
        f"{case['ratio']:g}",
        f"{case['memory_ratio']:g} of the peer's",
    )
    return f"| {' | '.join(cells)} |"


def _cost(cost: Mapping[str, float]) -> str:
    return f"{cost['seconds']:.2f} s, {cost['peak_mb']:,.0f} MB"


def _about(machine: Mapping[str, Any], *, runs: set[int]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    repeats = " or ".join(map(str, sorted(runs)))
    return (
        f"Median of {repeats} runs on {machine['system']}, {machine['cpus']} processors, "
        f"{machine['memory_gib']} GiB, Python {machine['python']}, {versions}. Peak memory is that of the "
        "whole process, with the changes in it."
    )


def with_table(page: str, table: str) -> str:
    """Puts a table between the markers of a page.

    Args:
        page: Markdown with both markers.
        table: What is to stand between them.

    Returns:
        The page.

    Raises:
        ValueError: A marker is missing.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs {BEGIN} and, below it, {END}")
    return f"{head}{BEGIN}\n{table}\n{END}{tail}"


def main(arguments: list[str] | None = None) -> int:
    """The command line.

    Args:
        arguments: The words after ``python -m benchmarks.table``; those of the process if left out.

    Returns:
        The exit code: 1 if ``--check`` finds another table.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__)
    parser.add_argument("--json", type=Path, default=RESULTS, help="what was recorded")
    parser.add_argument("--readme", type=Path, default=README, help="the page to write into")
    parser.add_argument("--check", action="store_true", help="only compare")
    options = parser.parse_args(arguments)
    table = figures(json.loads(options.json.read_text())) if options.json.is_file() else NOTHING
    page = options.readme.read_text(encoding="utf-8")
    wanted = with_table(page, table)
    if options.check:
        return int(wanted != page)
    options.readme.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
