from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from lakehouse.cli import main


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return orjson.loads(self.out)

    @property
    def error(self) -> Any:
        return orjson.loads(self.err)["error"]


CONFIG = """\
version: 1
name: shop
storage: {root: ./lake}
tables:
  customers:
    description: One row per customer
    owner: crm@shop.example
    key: [id]
    schema: {id: long, name: string, email: string, updated_at: timestamp}
    changes: {format: rows, sequence: updated_at}
  events:
    key: [id]
"""


def change(number: int, name: str | None, day: int, **more: object) -> dict[str, object]:
    email = None if name is None else f"{name.lower()}@shop.example"
    return {"id": number, "name": name, "email": email, "updated_at": f"2026-01-{day:02d}T09:00:00Z", **more}


@pytest.fixture
def run(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Answer]:
    """Runs the command line in this process, in a folder with a config of two tables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAKEHOUSE_CONFIG", raising=False)
    Path("lakehouse.yaml").write_text(CONFIG)

    def go(*words: object) -> Answer:
        code = main([str(word) for word in words])
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return go


@pytest.fixture
def write() -> Callable[..., str]:
    """Writes changes as JSON Lines and gives the name of the file."""

    def go(name: str, *changes: object) -> str:
        lines = [each if isinstance(each, bytes) else orjson.dumps(each) for each in changes]
        Path(name).write_bytes(b"\n".join(lines) + b"\n")
        return name

    return go


@pytest.fixture
def shop(run: Callable[..., Answer], write: Callable[..., str]) -> Callable[..., Answer]:
    """Customers in three versions after the empty one: two made, one changed and one made, one deleted."""
    first = write("first.jsonl", change(1, "Ada", 1), change(2, "Grace", 1))
    second = write("second.jsonl", change(1, "Ada Lovelace", 2), change(3, "Joan", 2))
    third = write("third.jsonl", change(2, None, 3, _op="delete"))
    for words in (("apply",), *(("merge", "customers", name) for name in (first, second, third))):
        answer = run(*words)
        assert answer.code == 0, answer.err
    return run
