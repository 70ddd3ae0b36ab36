"""One storage of every kind, fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.storage import Storage, open_storage
from tests.fixtures.servers import S3Server

KINDS = ("memory", "local", "moto", "seaweedfs")
SERVERS = {"moto": "moto_s3", "seaweedfs": "seaweedfs"}


def kinds(*names: str) -> list[object]:
    return [pytest.param(name, marks=pytest.mark.server) if name in SERVERS else name for name in names]


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """Which kind of storage; tests narrow it by ``parametrize("kind", ..., indirect=True)``."""
    name: str = request.param
    return name


@pytest.fixture
def storage(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if kind == "memory":
        yield open_storage("memory://")
    elif kind == "local":
        yield open_storage(tmp_path / "lake")
    else:
        server: S3Server = request.getfixturevalue(SERVERS[kind])
        with server.bucket() as bucket:
            yield open_storage(f"s3://{bucket}/some/lake", options=server.options())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames and not any(
        "kind" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")
    ):
        metafunc.parametrize("kind", kinds(*KINDS), indirect=True)
