"""What child processes do with keys: ``python -m tests.integration.keys.work ROOT WHAT TIMES``."""

from __future__ import annotations

import hmac
import select
import sys
from pathlib import Path

from lakehouse.errors import ConflictError, LakehouseError
from lakehouse.pii.keys.verbs import Keys
from tests.unit.pii.keys.lakes import keys_of

MASKED = b"ada@shop.example"


def create(keys: Keys, times: int) -> None:
    for _ in range(times):
        try:
            say(f"made {keys.create('mask').version}")
        except LakehouseError as error:
            say(type(error).__name__)


def rotate(keys: Keys, times: int) -> None:
    for _ in range(times):
        try:
            say(f"made {keys.rotate('mask').version}")
        except ConflictError:
            say("conflict")


def mask(keys: Keys, times: int) -> None:
    """Masks the same value again and again, until it is told to stop."""
    for _ in range(times):
        key = keys.current("mask")
        say(f"{key.version} {hmac.digest(key.material, MASKED, 'sha256').hex()}")
        if select.select([sys.stdin], [], [], 0)[0]:
            return


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    opened = keys_of(Path(sys.argv[1]))
    # What takes long is done before the start is given.
    opened.list()
    say("ready")
    sys.stdin.readline()
    {"create": create, "rotate": rotate, "mask": mask}[sys.argv[2]](opened, int(sys.argv[3]))
