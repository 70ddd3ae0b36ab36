"""What the pages say works: every block is run, in order, by a reader who has nothing but the page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import Block, blocks, guides, pages
from tests.docs.shell import Shell, agrees
from tests.fixtures.servers import run_moto

REAL = {"README.md"}
"""Pages that are typed into a real shell, each command a process of its own."""

NEEDS_A_BUCKET = {"docs/how-to/s3.md"}
LANGUAGES = {"bash", "python", "text", "yaml", "json", "csv", "sql", "toml", ""}


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """What a page takes for granted: no config from elsewhere, and for the page on S3 a bucket."""
    for name in ("LAKEHOUSE_CONFIG", "AWS_PROFILE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    # A page may import what it has written.
    monkeypatch.setattr(sys, "path", [*sys.path])
    if request.node.callspec.params["page"] not in NEEDS_A_BUCKET:
        yield
        return
    with run_moto() as server, server.bucket() as bucket:
        for name, value in {
            "LAKE_BUCKET": bucket,
            "LAKE_ENDPOINT": server.endpoint,
            "AWS_ACCESS_KEY_ID": server.access_key_id,
            "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
        }.items():
            monkeypatch.setenv(name, value)
        yield


@pytest.mark.parametrize("page", guides())
@pytest.mark.usefixtures("surroundings")
def test_every_block_of_a_page_does_what_the_page_says(page: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path, real=page in REAL)
    for block in blocks(page):
        if block.not_run is None:
            run(block, shell)


def run(block: Block, shell: Shell) -> None:
    if block.file is not None:
        shell.write(block.file, block.text)
        return
    if block.language not in {"bash", "python"}:
        return
    answer = (
        shell.bash(block.text) if block.language == "bash" else shell.python(block.text, place=block.place)
    )
    assert answer.code == block.exit_code, f"{block.place} ended with {answer.code}:\n{answer.shown}"
    if block.expected is not None:
        assert agrees(block.expected, answer.out, answer.shown), f"{block.place} answers:\n{answer.shown}"


@pytest.mark.parametrize("page", pages())
def test_a_block_is_of_a_known_language(page: str) -> None:
    assert {block.language for block in blocks(page)} <= LANGUAGES


def test_what_is_not_run_has_a_reason_and_is_rare() -> None:
    left_out = [block for page in guides() for block in blocks(page) if block.not_run is not None]
    assert len(left_out) <= 10
    assert all(len(block.not_run or "") > 10 for block in left_out)
