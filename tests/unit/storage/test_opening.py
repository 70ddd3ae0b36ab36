from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from lakehouse.errors import StoreRefusedError, UsageError
from lakehouse.storage import Storage, open_storage, probe

S3 = {"endpoint_url": "http://127.0.0.1:9", "access_key_id": "key", "secret_access_key": "canary"}


def test_a_folder_need_not_exist_and_is_not_made(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "new" / "lake")

    assert storage.url == str(tmp_path / "new" / "lake")
    assert storage.list() == []
    assert not storage.exists("a")
    assert list(tmp_path.iterdir()) == []

    storage.put("a/b", b"x")
    assert (tmp_path / "new" / "lake" / "a" / "b").read_bytes() == b"x"


def test_ways_to_name_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = str(tmp_path / "my lake")

    for name in (
        "my lake",
        "./my lake/",
        "x/../my lake",
        "~/my lake",
        tmp_path / "my lake",
        f"file://{tmp_path}/my%20lake",
    ):
        storage = open_storage(name)
        assert storage.url == storage.uri() == expected
        assert storage.uri("a b") == f"{expected}/a b"
        assert storage.library_options() == {}


def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    storage = open_storage(tmp_path / "link")

    storage.put("a", b"x")

    assert storage.url == str(tmp_path / "link")
    assert [info.path for info in storage.list()] == ["a"]
    assert (tmp_path / "real" / "a").exists()


def test_urls() -> None:
    storage = open_storage("s3://bucket/some/lake/", options=S3)
    assert storage.url == storage.uri() == "s3://bucket/some/lake"
    assert storage.uri("t/a b%20c.parquet") == "s3://bucket/some/lake/t/a b%20c.parquet"
    assert storage.child("t").url == "s3://bucket/some/lake/t"
    assert storage.library_options()["secret_access_key"] == "canary"

    assert open_storage("s3a://bucket", options=S3).url == "s3://bucket"
    assert open_storage("memory://").url == "memory://lake"
    assert open_storage("memory://a/b").child("c").url == "memory://a/b/c"


def test_google_and_azure_are_wired() -> None:
    google = open_storage("gs://bucket/lake", options={"skip_signature": "true"})
    azure = open_storage("az://container/lake", options={"account_name": "a", "account_key": "a2V5"})

    assert (google.url, azure.url) == ("gs://bucket/lake", "az://container/lake")
    assert azure.library_options()["account_name"] == "a"


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("ftp://host/x", "unknown kind of storage ftp"),
        ("s3://", "names no bucket"),
        ("s3:///prefix", "names no bucket"),
        ("s3://bucket/a//b", "no path"),
        ("s3://bucket/../b", "no path"),
        ("s3://bucket/50%", "Delta library"),
        ("s3://bucket/a#b", "Delta library"),
        ("/tmp/a|b", "Delta library"),
        ("file://relative", "absolute"),
        ("", "no name"),
    ],
)
def test_what_cannot_be_opened(url: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        open_storage(url, options={} if "s3" not in url else S3)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(UsageError, match="is a file"):
        open_storage(tmp_path / "file")


def test_options_that_do_not_fit_are_told_without_their_values() -> None:
    options = {"service_account_key": S3["secret_access_key"]}
    with pytest.raises(UsageError, match="options of storage gs://bucket") as caught:
        open_storage("gs://bucket", options=options)

    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_storage_goes_to_another_process(tmp_path: Path) -> None:
    local = open_storage(tmp_path).child("t")
    local.put("a", b"x")
    again: Storage = pickle.loads(pickle.dumps(local))
    assert (again.url, again.get("a")) == (local.url, b"x")

    s3: Storage = pickle.loads(pickle.dumps(open_storage("s3://b/p", options=S3).child("t")))
    assert s3.url == "s3://b/p/t"
    assert s3.library_options()["secret_access_key"] == "canary"

    with pytest.raises(TypeError, match="memory"):
        pickle.dumps(open_storage("memory://"))


def test_memories_are_separate() -> None:
    one, other = open_storage("memory://"), open_storage("memory://")
    one.put("a", b"x")

    assert not other.exists("a")


def test_probe_refuses_a_file_system_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", no_links)

    with pytest.raises(StoreRefusedError, match=f"{tmp_path}.* has no hard links"):
        probe(open_storage(tmp_path))
    assert not list(tmp_path.rglob("*#*"))


def test_staging_files_are_never_listed(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    storage.put("log/0.json", b"x")
    (tmp_path / "log" / "1.json#1").write_bytes(b"half")
    (tmp_path / "log" / "0.json#123456789012").write_bytes(b"half")

    assert [info.path for info in storage.list()] == ["log/0.json"]
    assert storage.put_if_absent("log/1.json", b"x")


@pytest.mark.parametrize("fsync", ["true", "false"])
def test_committed_means_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: str) -> None:
    synced: list[str] = []
    real = os.fsync

    def watch(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve().name.partition("#")[0])
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    open_storage(tmp_path / "lake", options={"fsync": fsync}).put_if_absent("log/0.json", b"x")

    # New folders first (an entry counts once its folder is on disk), then the content, then its name.
    expected = ["lake", tmp_path.name, "0.json", "log"]
    assert synced == (expected if fsync == "true" else [])


def test_opening_a_storage_loads_nothing_heavy() -> None:
    script = (
        "import sys, lakehouse.storage\n"
        "print([m for m in ('polars', 'deltalake', 'pyarrow', 'boto3', 'pydantic') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
