"""Nothing connects anywhere: in a process of its own in which every socket refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("presidio")

GUARD = """
import socket, sys

def refuse(*_, **__):
    raise AssertionError("something tried to reach the network")

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        refuse()
    if event in ("subprocess.Popen", "os.system", "os.posix_spawn"):
        # Workers have this guard as well.
        if "lakehouse.pii.worker" not in str(arguments):
            refuse()

sys.addaudithook(watch)
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse
"""
"""In every process, before anything else is imported."""

WORK = """
import json, socket, sys
from datetime import date

from lakehouse import Lakehouse
from lakehouse.config.models import PiiConfig
from lakehouse.errors import MissingPackageError
from lakehouse.pii.detect.finder import TextFinder
from lakehouse.pii.executor import Processes

assert socket.getaddrinfo.__name__ == "refuse"
text = "John Smith, john@bbc.co.uk, https://www.example.com/a, phone 212-555-5555"
with Processes(workers=1) as processes:
    finder = TextFinder(PiiConfig(), executor=processes)
    (spans,) = finder.find([text], entities=finder.usual())
missing = False
try:
    TextFinder(PiiConfig(nlp={"model": "en_core_web_lg_that_is_not_there"})).usual()
except MissingPackageError:
    missing = True

kinds = {
    "tokenize": {}, "hash": {}, "encrypt": {}, "fpe": {}, "date_shift": {}, "generalize": {"to": "year"},
    "fake": {"provider": "email"}, "mask": {}, "replace": {}, "redact": {}, "nullify": {}, "keep": {},
}
lake = Lakehouse.open({
    "version": 1,
    "storage": {"root": sys.argv[1] + "/lake"},
    "keys": {"path": sys.argv[1] + "/keys"},
    "tables": {"t": {"key": ["id"], "pii": {name: name.upper() for name in kinds}
                     | {"note": ["EMAIL_ADDRESS", "URL", "PHONE_NUMBER"]}}},
    "pii": {"nlp": {"engine": "none"}, "operators": {
        **{name.upper(): {"operator": name, **more} for name, more in kinds.items()},
        "URL": {"operator": "tokenize"}}},
    "roles": {"dpo": {"reveal": True}, "analyst": {}},
})
lake.keys.create("mask")
dates = ("date_shift", "generalize")
row = {name: date(1980, 2, 3) if name in dates else "212-555-5555" for name in kinds}
lake.table("t").merge([{"id": number, **row, "note": text} for number in range(9)])
lake.pii.scan(["t"])
lake.pii.mask("t", to="t_masked")
lake.table("t").read(role="analyst")
backs = [
    lake.pii.reveal("t_masked", name, where="id = 1", role="dpo", reason="case 12").rows["value"].item()
    for name in ("tokenize", "encrypt", "fpe", "date_shift", "note")
]
print(json.dumps({
    "found": sorted({span.entity for span in spans}), "missing": missing,
    "back": backs[:4] == [row[name] for name in ("tokenize", "encrypt", "fpe", "date_shift")],
    "faked": "@" in lake.table("t_masked").read(where="id = 1")["fake"].item(),
}))
"""


def test_nothing_connects_and_nothing_is_written_outside(tmp_path: Path) -> None:
    """Texts in a worker; then a table that is scanned, masked by every operator, read and turned back."""
    home, guard = tmp_path / "home", tmp_path / "guard"
    home.mkdir()
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(guard), str(Path(__file__).parents[4])]),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "TLDEXTRACT_CACHE": str(home / "suffixes"),
    }
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[4],
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert {"EMAIL_ADDRESS", "PERSON", "PHONE_NUMBER", "URL"} <= set(told.pop("found"))
    assert told == {"missing": True, "back": True, "faked": True}
    assert list(home.rglob("*")) == []


def test_importing_lakehouse_loads_neither_presidio_nor_spacy() -> None:
    code = (
        "import sys, lakehouse, lakehouse.pii.detect.finder; "
        "heavy = ('presidio_analyzer', 'spacy', 'phonenumbers', 'tldextract'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[4],
    )
    assert done.stdout.strip() == "[]"
