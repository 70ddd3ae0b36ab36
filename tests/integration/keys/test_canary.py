"""A marked key goes through everything; afterwards nothing but its own place holds the mark."""

from __future__ import annotations

import base64
import logging
import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest

from lakehouse.cli import main
from lakehouse.errors import LakehouseError
from lakehouse.lake import Lakehouse
from lakehouse.pii.keys.key_file import KeyFile, write_key_file
from tests.fixtures.vault import run_small_vault
from tests.unit.pii.keys.lakes import NOW

CANARY = b"canary:" + bytes(range(200, 225))
CONFIG = """\
version: 1
name: shop
storage: {{root: ./lake}}
keys: {keys}
tables:
  customers:
    key: [id]
    pii: {{email: EMAIL_ADDRESS}}
    schema: {{id: long, email: string}}
pii: {{operators: {{EMAIL_ADDRESS: {{operator: redact}}}}}}
roles: {{support: {{reveal: true}}}}
"""


class Told(NamedTuple):
    said: str
    pickled: str


Look = Callable[[], Told]


def forms(material: bytes) -> set[str]:
    """How a key could be written."""
    plain = {base64.b64encode(material).decode(), base64.urlsafe_b64encode(material).decode(), material.hex()}
    return plain | {repr(material)[2:-1], str(list(material))[1:-1]}


@pytest.fixture
def look(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Look]:
    """Does all that can be done with keys, in a folder with a config; gives all that was said and written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAKEHOUSE_CONFIG", raising=False)

    def go() -> Told:
        said: list[str] = []
        for words in (
            "keys list", "keys create mask", "keys create sign", "keys rotate mask --dry-run",
            "keys rotate mask",
            "keys rotate mask --yes", "keys rotate payroll --yes", "config show", "config check", "status",
            "pii reveal customers email x --role support --reason r",
            "pii reveal customers email --where id=1 --role support --reason r", "pii history",
        ):  # fmt: skip
            for more in ([], ["--json"], ["--debug"]):
                main([*more, *words.split()])
                said += capfd.readouterr()
        lake = Lakehouse.open("lakehouse.yaml")
        said += [repr(lake), repr(lake.keys), repr(lake.pii), repr(lake.config), str(vars(lake.keys))]
        key = lake.keys.current("mask")
        said += [repr(key), str(key), repr(lake.keys.list())]
        with suppress(LakehouseError):
            lake.keys.version("mask", 99)
        assert CANARY in {
            lake.keys.version("mask", version).material for version in lake.keys.versions("mask")
        }
        pickles = [pickle.dumps(each).decode("latin-1") for each in (lake, lake.keys, lake.pii)]
        for error in (lambda: lake.keys.create("mask"), lambda: lake.keys.version("mask", 99)):
            with pytest.raises(LakehouseError) as caught:
                error()
            said += [repr(caught.value), str(caught.getrepr(showlocals=False))]
        said += [
            file.read_bytes().decode("latin-1")
            for file in tmp_path.rglob("*")
            if file.is_file() and file.parent.name != "keys"
        ]
        return Told("\n".join([*said, caplog.text]), "".join(pickles))

    with caplog.at_level(logging.DEBUG):
        yield go


def assert_without_key(told: Told) -> None:
    assert "version 1 -> 2" in told.said, "the command line was not run"
    for text in told:
        assert not [form for form in forms(CANARY) if form in text]
        assert CANARY.decode("latin-1") not in text


def test_a_key_in_a_file_is_nowhere_else(look: Look) -> None:
    Path("lakehouse.yaml").write_text(CONFIG.format(keys="{provider: file}"))
    Path("keys").mkdir(mode=0o700)
    file = Path("keys/mask.1.key")
    file.touch(mode=0o600)
    file.write_text(write_key_file(KeyFile("mask", 1, NOW, CANARY)))
    assert_without_key(look())


def test_a_key_in_a_variable_is_nowhere_else(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("lakehouse.yaml").write_text(CONFIG.format(keys="{provider: env}"))
    monkeypatch.setenv("LAKEHOUSE_KEY_MASK", base64.b64encode(CANARY).decode())
    assert_without_key(look())


def test_a_wrapped_key_is_nowhere_unwrapped(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    with run_small_vault() as vault:
        vault.make_key("lakehouse")
        monkeypatch.setenv("OUR_TOKEN", vault.token)
        section = f"{{provider: vault, url: '{vault.url}', token: '${{OUR_TOKEN}}'}}"
        Path("lakehouse.yaml").write_text(CONFIG.format(keys=section))
        with patch("tests.fixtures.vault.new_key", return_value=CANARY):
            Lakehouse.open("lakehouse.yaml").keys.create("mask")
        told = look()
    assert_without_key(told)
    # A pickle opens the lake elsewhere, so it has what the config has; what is said has not.
    assert vault.token not in told.said
