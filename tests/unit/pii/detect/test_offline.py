"""Nothing connects anywhere: in a process of its own in which every socket refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("presidio")

REFUSING = """
import json, os, socket, subprocess, sys

def refuse(*_, **__):
    raise AssertionError("something tried to reach the network")

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        refuse()
    if event in ("subprocess.Popen", "os.system", "os.posix_spawn"):
        refuse()

sys.addaudithook(watch)
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse

from lakehouse.config.models import PiiConfig
from lakehouse.errors import MissingPackageError
from lakehouse.pii.detect.finder import TextFinder

finder = TextFinder(PiiConfig())
text = "John Smith, john@bbc.co.uk, https://www.example.com/a, phone 212-555-5555"
(spans,) = finder.find([text], entities=finder.usual())
missing = False
try:
    TextFinder(PiiConfig(nlp={"model": "en_core_web_lg_that_is_not_there"})).usual()
except MissingPackageError:
    missing = True
print(json.dumps({"found": sorted({span.entity for span in spans}), "missing": missing}))
"""


def test_nothing_connects_and_nothing_is_written_outside(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "TLDEXTRACT_CACHE": str(tmp_path / "suffixes"),
    }
    done = subprocess.run(
        [sys.executable, "-c", REFUSING],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[4],
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {
        "found": ["EMAIL_ADDRESS", "LOCATION", "PERSON", "PHONE_NUMBER", "URL"],
        "missing": True,
    } or ({"EMAIL_ADDRESS", "PERSON", "PHONE_NUMBER", "URL"} <= set(told["found"]) and told["missing"])
    assert list(tmp_path.rglob("*")) == []


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
