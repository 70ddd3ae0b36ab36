"""A chapter of the demo: the daemon runs while files come, rows grow old, and somebody asks to be erased."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final

import orjson

from lakehouse.demo.typed import Teller
from lakehouse.demo.visits import EVERY, USUAL, put, visit_files
from lakehouse.errors import LakehouseError
from lakehouse.jobs.result import in_words
from lakehouse.lake import Lakehouse

ASKS: Final = 77
"""A customer with orders and visits."""
_AT_MOST: Final = 60.0
_PAUSE: Final = 0.2
_QUIET: Final = frozenset({"files", "bytes_written", "refused"})


def unattended(teller: Teller, *, arrivals: Path, config: Path) -> None:
    """Tells it.

    Args:
        teller: Who tells.
        arrivals: The folder where files appear.
        config: The demo's config.

    Raises:
        LakehouseError: Something did not come about within a minute.
    """
    teller.chapter("Nobody at the keyboard: the daemon")
    if find_spec("apscheduler") is None:
        teller.say("It needs more libraries: `pip install 'lakehouse[daemon]'`, then the demo again.")
        return
    teller.say(
        "Three jobs are in the config: `arrivals` merges files that appear in a folder, `tidy` lets old rows",
        "go, `erasures` carries out what people asked for. `lakehouse daemon` runs them. For half a minute",
        f"files come, {USUAL} as always and a broken one; then a customer asks to be erased. From its log",
        "(suppressed is who was erased above, and comes along in files all the same):",
        "",
    )
    lake = Lakehouse.open(config)
    arrivals.mkdir(exist_ok=True)
    with _daemon(config, teller) as process:
        _until(lambda: any(each.last for each in lake.jobs.list()), process)
        for file in visit_files(datetime.now(UTC)):
            put(arrivals, file)
            time.sleep(EVERY)
            _until(lambda: not any(arrivals.glob("visits-*")), process)
        who = lake.table("customers").read(columns=["email"], where=f"id = {ASKS}").item()
        asked = lake.requests.submit("erasure", subject="customer", email=who, external_id="ticket 119")
        _until(lambda: lake.requests.show(asked.id).status == "completed", process)
    teller.say("It was told to end, and let its last runs finish. What it did is remembered:")
    teller.type("jobs", "list")
    teller.type("jobs", "history", "tidy", "--limit", "3")
    teller.type("request", "certificate", asked.id)
    _out_of_control(teller, lake)


def _out_of_control(teller: Teller, lake: Lakehouse) -> None:
    found = lake.incidents.list()
    if found:
        teller.say("The broken file is not as the others were, and nobody had to say what is usual:")
        teller.type("incidents", "show", found[0].id)


@contextmanager
def _daemon(config: Path, teller: Teller) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "lakehouse", "-c", str(config), "daemon"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - this very program
    assert process.stderr is not None  # noqa: S101 - it is a pipe
    listener = threading.Thread(target=_listen, args=(process.stderr, teller.show), daemon=True)
    listener.start()
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_AT_MOST)
        except subprocess.TimeoutExpired:
            process.kill()
        listener.join(_AT_MOST)
        process.stderr.close()


def _listen(log: IO[str], show: Callable[[str], None]) -> None:
    """Shows the lines that tell of something done, shortened."""
    for line in log:
        try:
            told: dict[str, Any] = orjson.loads(line)
        except orjson.JSONDecodeError:
            show(line.rstrip())
            continue
        counts = {name: number for name, number in (told.get("counts") or {}).items() if name not in _QUIET}
        done = in_words(counts)
        if told.get("event") == "run_succeeded" and done:
            show(f"{str(told.get('timestamp'))[11:19]}  {told.get('job'):<9} {done}")
        elif told.get("level") in {"warning", "error"}:
            show(f"{str(told.get('timestamp'))[11:19]}  {told.get('level')}: {told.get('event')}")


def _until(came_about: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    give_up = time.monotonic() + _AT_MOST
    while not came_about():
        if process.poll() is not None or time.monotonic() > give_up:
            raise LakehouseError(
                "the demo stopped: the daemon did not do what it should",
                advice="its log stands above; the demo can be run again",
            )
        time.sleep(_PAUSE)
