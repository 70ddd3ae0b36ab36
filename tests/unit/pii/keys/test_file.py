from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from lakehouse.errors import KeysError
from lakehouse.pii.keys.file import FileKeys
from lakehouse.pii.keys.key_file import DamagedKeyFileError, read_key_file
from lakehouse.pii.keys.verbs import Keys
from tests.unit.pii.keys.lakes import NOW, keys_of


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return keys_of(tmp_path)


@pytest.fixture
def made(keys: Keys, tmp_path: Path) -> Path:
    keys.create("mask")
    return tmp_path / "keys" / "mask.1.key"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_a_key_is_for_this_user_alone_whatever_the_process_lets_others_do(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        made = FileKeys(tmp_path / "keys").make("mask", 1, now=NOW, author="a")
    finally:
        os.umask(before)
    assert mode(Path(made.place)) == 0o600
    assert mode(tmp_path / "keys") == 0o700
    assert [each.name for each in (tmp_path / "keys").iterdir()] == ["mask.1.key"]


def test_the_file_can_be_read_by_a_person_and_comes_back_as_it_was(keys: Keys, made: Path) -> None:
    text = made.read_text()
    for line in ("purpose: mask", "version: 1", "created: 2026-06-01T12:30:15+00:00"):
        assert f"\n{line}\n" in text
    key = keys.current("mask")
    assert (key.purpose, key.version, len(key.material)) == ("mask", 1, 32)
    # Edited comments, and line ends of another system, are no damage.
    made.write_bytes(b"# of the shop\r\n\r\n" + text.replace("\n", "\r\n").encode())
    assert FileKeys(made.parent).load("mask", 1) == key.material


def test_no_two_keys_are_alike(keys: Keys) -> None:
    for purpose in ("mask", "suppress", "sign", "shred", "requests", "payroll"):
        keys.create(purpose)
        keys.rotate(purpose)
    found = {keys.version(each.purpose, each.version).material for each in keys.list()}
    assert len(found) == 12


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o610, 0o777])
def test_a_file_that_others_can_touch_is_refused(keys: Keys, made: Path, bits: int) -> None:
    made.chmod(bits)
    with pytest.raises(KeysError, match="can be read or changed by others") as caught:
        keys.current("mask")
    assert f"chmod 600 {made}" in caught.value.advice
    assert keys.list()[0].problem
    made.chmod(0o400)
    assert keys.current("mask").version == 1


@pytest.mark.parametrize("bits", [0o750, 0o705, 0o770, 0o711])
def test_a_folder_that_others_can_touch_is_refused_for_reading_and_for_making(
    keys: Keys, made: Path, bits: int
) -> None:
    made.parent.chmod(bits)
    for use in (
        lambda: keys.current("mask"),
        lambda: keys.versions("mask"),
        keys.list,
        lambda: keys.create("sign"),
        lambda: keys.rotate("mask"),
    ):
        with pytest.raises(KeysError, match="can be read or changed by others") as caught:
            use()
        assert f"chmod 700 {made.parent}" in caught.value.advice
    made.parent.chmod(0o700)
    assert [each.name for each in made.parent.iterdir()] == ["mask.1.key"]


def test_a_link_is_refused_be_it_the_file_or_the_folder(keys: Keys, made: Path, tmp_path: Path) -> None:
    real = made.rename(tmp_path / "elsewhere.key")
    made.symlink_to(real)
    with pytest.raises(KeysError, match="is a link"):
        keys.current("mask")
    made.unlink()
    real.rename(made)
    moved = made.parent.rename(tmp_path / "moved")
    (tmp_path / "keys").symlink_to(moved, target_is_directory=True)
    for use in (lambda: keys.current("mask"), lambda: keys.create("sign")):
        with pytest.raises(KeysError, match="is a link"):
            use()


def test_a_link_that_leads_nowhere_is_no_place_for_a_key(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "keys" / "mask.1.key").symlink_to(tmp_path / "caught")
    with pytest.raises(KeysError, match="is a link"):
        keys.current("mask")
    keys.rotate("mask")
    assert not (tmp_path / "caught").exists()


def test_what_belongs_to_another_is_refused(keys: Keys, made: Path) -> None:
    with patch("os.geteuid", return_value=os.geteuid() + 1):
        for use in (lambda: keys.current("mask"), lambda: keys.create("sign")):
            with pytest.raises(KeysError, match="belongs to another user") as caught:
                use()
            assert "chown" in caught.value.advice


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_in_an_own_folder_is_refused(keys: Keys, made: Path) -> None:
    os.chown(made, 12345, -1)
    with pytest.raises(KeysError, match=r"mask\.1\.key belongs to another user"):
        keys.current("mask")


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: os.mkfifo(path, 0o600)])
def test_what_is_no_file_is_refused_at_once(keys: Keys, made: Path, make: Callable[[Path], None]) -> None:
    made.unlink()
    make(made)
    with pytest.raises(KeysError, match=r"no ordinary file|can't be used"):
        keys.current("mask")


def test_a_file_in_place_of_the_folder_is_told(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    with pytest.raises(KeysError, match="is no folder"):
        keys.create("mask")


def damages() -> list[tuple[str, Callable[[str], str], str]]:
    return [
        ("empty", lambda text: "", "it is empty"),
        ("cut", lambda text: text[: len(text) // 2], "a part of it is missing|no key file"),
        ("another", lambda text: "ssh-rsa AAAA", "no key file"),
        ("a letter", lambda text: text.replace("key: ", "key: A", 1), "no key file|checksum|form"),
        ("version", lambda text: text.replace("version: 1", "version: 2"), "checksum"),
        ("created", lambda text: text.replace("2026", "2025"), "checksum"),
        ("newer", lambda text: text.replace("lakehouse-key: 1", "lakehouse-key: 2"), "a newer release"),
        ("long", lambda text: text + "#" * 5000, "too long"),
        ("no text", lambda text: "\udcff", "no text"),
    ]


@pytest.mark.parametrize(("name", "damage", "said"), damages(), ids=[each[0] for each in damages()])
def test_a_damaged_file_is_an_error_that_names_it_and_shows_nothing(
    keys: Keys, made: Path, name: str, damage: Callable[[str], str], said: str
) -> None:
    text = made.read_text()
    key = next(line.removeprefix("key: ") for line in text.splitlines() if line.startswith("key: "))
    made.write_bytes(damage(text).encode(errors="surrogateescape"))
    with pytest.raises(KeysError, match=said) as caught:
        keys.current("mask")
    told = f"{caught.value} {caught.value!r} {keys.list()}"
    assert str(made) in told
    assert "from a copy" in told
    assert key[:12] not in told
    assert made.exists(), "a damaged file is evidence, and perhaps not lost"


def test_every_flipped_bit_of_the_key_is_noticed(made: Path) -> None:
    data = made.read_bytes()
    start = data.index(b"\nkey: ") + 6
    for at in range(start, data.index(b"\n", start)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            with pytest.raises(DamagedKeyFileError):
                read_key_file(bytes(changed))


def test_a_file_under_another_name_is_no_other_key(keys: Keys, made: Path) -> None:
    copy = made.with_name("mask.2.key")
    copy.write_bytes(made.read_bytes())
    copy.chmod(0o600)
    with pytest.raises(KeysError, match="another key, or another version"):
        keys.current("mask")
    assert [each.problem != "" for each in keys.list()] == [False, True]


def test_other_files_in_the_folder_are_no_keys(keys: Keys, made: Path) -> None:
    for name in (".mask.2.key.ab12", "mask.02.key", "mask.0.key", "Mask.3.key", "notes.txt", "mask.key"):
        made.with_name(name).write_text("x")
    assert keys.versions("mask") == (1,)
    assert len(keys.list()) == 1
