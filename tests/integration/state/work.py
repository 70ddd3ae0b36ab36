"""What child processes do with a state database; ``python -m tests.integration.state.work URL HOLDS``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from importlib import import_module

from lakehouse.state import Hold, open_state


def main(url: str, count: int) -> None:
    """Places holds on a database that perhaps is not there yet, and tells each one that is placed."""
    state = open_state(url)
    import_module("lakehouse.state.migrate")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for number in range(count):
        hold = state.holds.place(
            Hold(
                id="",
                reason=f"number {number}",
                author="a",
                placed=datetime.now(UTC),
                table="orders",
                where=f"id = {number}",
                columns=("id",),
            )
        )
        sys.stdout.write(f"{hold.id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
