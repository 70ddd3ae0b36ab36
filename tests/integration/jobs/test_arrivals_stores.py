"""Files that arrive below a prefix of an object store: merged once each, and moved out of the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse
from lakehouse.storage import open_storage
from tests.fixtures.servers import S3Server


@pytest.fixture(params=["moto_s3", pytest.param("seaweedfs", marks=pytest.mark.server)])
def places(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, str]]]:
    """A bucket, and how it is reached."""
    server: S3Server = request.getfixturevalue(request.param)
    with server.bucket() as bucket:
        yield f"s3://{bucket}", server.options()


def test_files_below_a_prefix(
    places: tuple[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, options = places
    monkeypatch.setenv("SECRET", options["secret_access_key"])
    source: dict[str, Any] = {
        "path": f"{bucket}/in/stock",
        "files": "*.jsonl",
        "settle": "0s",
        "done": "move",
    }
    config = {
        "version": 1,
        "storage": {"root": f"{bucket}/lake", "options": {**options, "secret_access_key": "${SECRET}"}},
        "state": f"sqlite:///{tmp_path}/state.db",
        "tables": {"stock": {"key": ["item"], "changes": {"sequence": "n"}}},
        "jobs": {"load": {"do": "merge", "tables": ["stock"], "from": source}},
    }
    inbox = open_storage(f"{bucket}/in", options=options)
    inbox.put("stock/2026/a b.jsonl", b'{"item": 1, "n": 1}\n{"item": 2, "n": 1}\n')
    inbox.put("stock/b.jsonl", b"\xff\xfe\n")
    inbox.put("stock/c.csv", b"item,n\n9,9\n")
    inbox.put("other/d.jsonl", b'{"item": 9, "n": 9}\n')

    shop = Lakehouse.open(config)
    first = shop.jobs.run("load")
    assert (first.counts["files"], first.counts["inserted"], first.counts["rejected"]) == (2, 2, 1)
    # Written over, it is another file; what was merged is not looked at again.
    inbox.put("stock/2026/a b.jsonl", b'{"item": 2, "n": 2}\n')
    again = Lakehouse.open(config).jobs.run("load")
    assert (again.status, again.counts["files"], again.counts["updated"]) == ("succeeded", 1, 1)
    assert shop.jobs.run("load").counts["files"] == 0

    assert shop.table("stock").read(columns=["item", "n"]).sort("item").rows() == [(1, 1), (2, 2)]
    assert sorted(each.path for each in inbox.list()) == [
        "other/d.jsonl",
        "stock/_done/000002-b.jsonl",
        "stock/_done/2026/000001-a b.jsonl",
        "stock/_done/2026/000003-a b.jsonl",
        "stock/c.csv",
    ]  # fmt: skip
