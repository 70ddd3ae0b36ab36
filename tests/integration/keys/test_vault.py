"""Keys wrapped by Vault: the same over a small server of our own and over OpenBao."""

from __future__ import annotations

import base64
import pickle
import sqlite3
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import KeysError, MissingPackageError
from lakehouse.pii.keys.verbs import Keys
from tests.fixtures.vault import VaultServer, run_small_vault
from tests.unit.pii.keys.lakes import keys_of


@pytest.fixture
def name(vault: VaultServer) -> str:
    """A transit key of this test alone."""
    made = f"key-{uuid.uuid4().hex[:12]}"
    vault.make_key(made)
    return made


def opened(root: Path, vault: VaultServer, name: str, **more: Any) -> Keys:
    section = {"provider": "vault", "url": vault.url, "token": vault.token, "key_id": name, **more}
    return keys_of(root, **section)


def test_a_key_is_made_kept_wrapped_and_unwrapped_by_others(
    vault: VaultServer, name: str, tmp_path: Path
) -> None:
    keys = opened(tmp_path, vault, name)
    made = keys.create("mask")
    assert (made.version, made.place) == (1, f"transit/{name}")
    first = keys.current("mask")
    assert len(first.material) == 32
    keys.rotate("mask")
    other = opened(tmp_path, vault, name)
    assert other.version("mask", 1) == first
    assert other.current("mask") == keys.current("mask") != first
    assert [(each.version, each.current, each.problem) for each in other.list()] == [
        (1, False, ""),
        (2, True, ""),
    ]
    assert pickle.loads(pickle.dumps(keys)).version("mask", 1) == first
    assert first.material not in pickle.dumps(keys)


def test_a_derived_transit_key_does_as_well(vault: VaultServer, tmp_path: Path) -> None:
    name = f"key-{uuid.uuid4().hex[:12]}"
    vault.make_key(name, derived=True)
    opened(tmp_path, vault, name).create("mask")
    assert opened(tmp_path, vault, name).current("mask").version == 1


def test_nothing_of_a_key_is_in_the_state_database(vault: VaultServer, name: str, tmp_path: Path) -> None:
    keys = opened(tmp_path, vault, name)
    keys.create("mask")
    material = keys.current("mask").material
    for file in (tmp_path / "lake").rglob("*"):
        data = file.read_bytes() if file.is_file() else b""
        for form in (material, base64.b64encode(material), material.hex().encode()):
            assert form not in data, file
        assert vault.token.encode() not in data, file


def test_a_wrapped_key_that_is_passed_off_as_another_does_not_open(
    vault: VaultServer, name: str, tmp_path: Path
) -> None:
    keys = opened(tmp_path, vault, name)
    keys.create("mask")
    keys.create("sign")
    swap(tmp_path, "mask", "sign")
    with pytest.raises(KeysError, match="can't unwrap this key") as caught:
        opened(tmp_path, vault, name).current("sign")
    assert "restore" in caught.value.advice


def swap(root: Path, source: str, target: str) -> None:
    """Somebody who can write the database lays one wrapped key in the place of another."""
    (path,) = (root / "lake" / "_lakehouse").glob("state.db")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER lakehouse_keys_no_update")
        connection.execute(
            "UPDATE lakehouse_keys SET wrapped = (SELECT wrapped FROM lakehouse_keys WHERE purpose = ?) "
            "WHERE purpose = ?",
            (source, target),
        )
    connection.close()


def test_a_sealed_server_is_told_and_known_keys_go_on(vault: VaultServer, name: str, tmp_path: Path) -> None:
    keys = opened(tmp_path, vault, name)
    keys.create("mask")
    known = keys.current("mask")
    vault.seal()
    try:
        assert keys.current("mask") == known
        for use in (lambda: opened(tmp_path, vault, name).current("mask"), lambda: keys.rotate("mask")):
            with pytest.raises(KeysError, match="is sealed") as caught:
                use()
            assert "unseal" in caught.value.advice
    finally:
        vault.unseal()
    assert keys.rotate("mask").version == 2


def test_a_token_that_is_wrong_or_may_do_nothing_is_told_and_not_repeated(
    vault: VaultServer, name: str, tmp_path: Path
) -> None:
    opened(tmp_path, vault, name).create("mask")
    for token in ("s.wrong-4711", vault.powerless_token()):
        keys = opened(tmp_path, vault, name, token=token)
        for use in (lambda: keys.current("mask"), lambda: keys.rotate("mask")):  # noqa: B023 - used at once
            with pytest.raises(KeysError, match="does not allow this") as caught:
                use()
            told = f"{caught.value!r} {caught.value} {keys!r} {vars(keys)}"
            assert token not in told
            assert f"transit/decrypt/{name}" in caught.value.advice
    assert len(opened(tmp_path, vault, name).list()) == 1


def test_the_token_can_come_from_where_vault_s_own_tools_have_it(
    vault: VaultServer, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section: dict[str, Any] = {"provider": "vault", "url": vault.url, "key_id": name}
    with pytest.raises(KeysError, match="does not allow this"):
        keys_of(tmp_path, **section).create("mask")
    monkeypatch.setenv("VAULT_TOKEN", vault.token)
    assert keys_of(tmp_path, **section).create("mask").version == 1


def test_a_transit_key_that_is_not_there_is_not_made_unasked(vault: VaultServer, tmp_path: Path) -> None:
    name = f"key-{uuid.uuid4().hex[:12]}"
    for _ in range(2):
        with pytest.raises(KeysError, match=f"has no transit key transit/{name}") as caught:
            opened(tmp_path, vault, name).create("mask")
        assert f"vault write -f transit/keys/{name}" in caught.value.advice
    assert opened(tmp_path, vault, name).list() == []


def test_a_mount_that_is_not_there_is_told(vault: VaultServer, name: str, tmp_path: Path) -> None:
    with pytest.raises(KeysError, match=r"has no transit (engine at|key) nowhere") as caught:
        opened(tmp_path, vault, name, mount="nowhere").create("mask")
    assert "nowhere" in caught.value.advice


def test_a_transit_key_that_was_made_anew_opens_nothing(
    vault: VaultServer, name: str, tmp_path: Path
) -> None:
    opened(tmp_path, vault, name).create("mask")
    vault.make_key_anew(name)
    with pytest.raises(KeysError, match="can't unwrap this key") as caught:
        opened(tmp_path, vault, name).current("mask")
    assert "made anew" in caught.value.advice


def test_another_transit_key_in_the_config_wraps_the_next_version(
    vault: VaultServer, name: str, tmp_path: Path
) -> None:
    first = opened(tmp_path, vault, name)
    first.create("mask")
    other = f"{name}-2"
    vault.make_key(other)
    second = opened(tmp_path, vault, other)
    assert second.rotate("mask").place == f"transit/{other}"
    assert second.version("mask", 1) == first.version("mask", 1)


def test_of_many_who_make_a_key_at_once_one_does(vault: VaultServer, name: str, tmp_path: Path) -> None:
    opened(tmp_path, vault, name).create("sign")
    outcomes: list[str] = []
    barrier = threading.Barrier(4)

    def create() -> None:
        keys = opened(tmp_path, vault, name)
        barrier.wait()
        try:
            keys.create("mask")
            outcomes.append("made")
        except Exception as error:  # noqa: BLE001 - looked at below
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["RefusedError"] * 3 + ["made"]
    assert opened(tmp_path, vault, name).versions("mask") == (1,)


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    keys = keys_of(tmp_path, provider="vault", url="http://127.0.0.1:9", token="s.secret-4711")
    with pytest.raises(KeysError, match=r"can't be reached at http://127\.0\.0\.1:9") as caught:
        keys.create("mask")
    assert "s.secret-4711" not in f"{caught.value!r}"


def test_a_server_of_another_kind_is_told(tmp_path: Path, moto_kms: Any) -> None:
    keys = keys_of(tmp_path, provider="vault", url=moto_kms.endpoint, token="s.secret-4711")
    with pytest.raises(KeysError, match="Vault"):
        keys.create("mask")


def test_without_hvac_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hvac", None)
    keys = keys_of(tmp_path, provider="vault", url="http://127.0.0.1:9")
    assert keys.list() == []
    with pytest.raises(MissingPackageError) as caught:
        keys.create("mask")
    assert caught.value.advice == 'pip install "lakehouse[vault]"'


def test_a_key_is_unwrapped_once(tmp_path: Path) -> None:
    with run_small_vault() as vault:
        vault.make_key("lakehouse")
        keys = keys_of(tmp_path, provider="vault", url=vault.url, token=vault.token)
        keys.create("mask")
        for _ in range(50):
            keys.current("mask")
            keys.version("mask", 1)
        assert vault.asked.count("/v1/transit/decrypt/lakehouse") == 1
