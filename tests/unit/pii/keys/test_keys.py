from __future__ import annotations

import logging
import pickle
from pathlib import Path

import pytest

from lakehouse.errors import KeysError, RefusedError, UsageError
from lakehouse.pii.keys.purposes import PURPOSES, is_purpose
from lakehouse.pii.keys.verbs import Keys
from lakehouse.records import operator
from tests.unit.pii.keys.lakes import NOW, keys_of


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return keys_of(tmp_path)


def test_a_key_that_was_not_made_is_an_error_with_the_command_that_makes_it(
    keys: Keys, tmp_path: Path
) -> None:
    for purpose in (*PURPOSES, "payroll"):
        with pytest.raises(KeysError) as caught:
            keys.current(purpose)
        assert f"`lakehouse keys create {purpose}`" in caught.value.advice
        assert keys.versions(purpose) == ()
    with pytest.raises(KeysError, match="no key `mask`"):
        keys.rotate("mask")
    assert keys.list() == []
    assert list(tmp_path.iterdir()) == [], "looking made something"


def test_a_rotation_keeps_what_there_was(keys: Keys, tmp_path: Path) -> None:
    keys.create("mask")
    first = keys.current("mask")
    made = keys.rotate("mask")
    assert (made.purpose, made.version, made.current, made.created) == (
        "mask",
        2,
        True,
        NOW.replace(microsecond=0),
    )
    assert keys.current("mask").version == 2
    assert keys.current("mask").material != first.material
    for each in (keys, keys_of(tmp_path)):
        assert each.version("mask", 1) == first
        assert each.versions("mask") == (1, 2)


def test_what_there_is_says_who_made_it_when(keys: Keys, tmp_path: Path) -> None:
    for purpose in ("sign", "mask"):
        keys.create(purpose)
    keys.rotate("mask")
    found = keys.list()
    assert [(each.purpose, each.version, each.current) for each in found] == [
        ("mask", 1, False),
        ("mask", 2, True),
        ("sign", 1, True),
    ]
    assert {each.author for each in found} == {operator()}
    assert {each.created for each in found} == {NOW.replace(microsecond=0)}
    assert found[0].place == str(tmp_path / "keys" / "mask.1.key")
    assert not any(each.problem for each in found)


def test_a_key_is_made_once(keys: Keys) -> None:
    keys.create("mask")
    before = keys.current("mask")
    with pytest.raises(RefusedError, match=r"already \(version 1\)") as caught:
        keys.create("mask")
    assert "lakehouse keys rotate mask" in caught.value.advice
    assert keys.current("mask") == before


def test_another_process_sees_a_rotation_at_once(keys: Keys, tmp_path: Path) -> None:
    keys.create("mask")
    other = keys_of(tmp_path)
    assert other.current("mask").version == 1
    keys.rotate("mask")
    assert other.current("mask").version == 2


def test_a_lost_version_is_named_and_nothing_takes_its_number(keys: Keys, tmp_path: Path) -> None:
    keys.create("mask")
    keys.rotate("mask")
    gone = tmp_path / "keys" / "mask.1.key"
    text = gone.read_bytes()
    gone.unlink()
    fresh = keys_of(tmp_path)
    with pytest.raises(KeysError, match="version 1 of the key `mask` is lost") as caught:
        fresh.version("mask", 1)
    assert str(gone) in caught.value.advice
    assert fresh.current("mask").version == 2
    lost, there = fresh.list()
    assert (lost.version, lost.current, lost.problem[:4]) == (1, False, "lost")
    assert (there.version, there.current, there.problem) == (2, True, "")
    gone.write_bytes(text)
    gone.chmod(0o600)
    assert fresh.version("mask", 1) == keys.version("mask", 1)


def test_the_newest_version_lost_does_not_bring_the_one_before_back_into_use(
    keys: Keys, tmp_path: Path
) -> None:
    keys.create("mask")
    keys.rotate("mask")
    (tmp_path / "keys" / "mask.2.key").unlink()
    for each in (keys, keys_of(tmp_path)):
        with pytest.raises(KeysError, match="version 2 of the key `mask` is lost, the newest") as caught:
            each.current("mask")
        assert "lakehouse keys rotate mask" in caught.value.advice
    assert keys_of(tmp_path).rotate("mask").version == 3
    assert keys_of(tmp_path).current("mask").version == 3


def test_a_key_that_was_lost_as_a_whole_starts_with_a_new_number(keys: Keys, tmp_path: Path) -> None:
    keys.create("mask")
    (tmp_path / "keys" / "mask.1.key").unlink()
    fresh = keys_of(tmp_path)
    with pytest.raises(KeysError, match="version 1 of the key `mask` is lost, as is the whole key"):
        fresh.version("mask", 1)
    with pytest.raises(KeysError, match="the key `mask` is lost, all of it") as error:
        fresh.current("mask")
    assert "mask.1.key back from a copy" in error.value.advice
    assert fresh.create("mask").version == 2
    assert fresh.current("mask").version == 2


@pytest.mark.parametrize(
    "name", ["", "Mask", "mask 1", "mask_1", "mask__a", "_mask", "1mask", "../mask", "mask.1", "m" * 49, "ä"]
)
def test_what_can_not_name_a_purpose_is_refused_and_not_repeated(keys: Keys, name: str) -> None:
    assert not is_purpose(name)
    for use in (keys.create, keys.rotate, keys.current, keys.versions):
        with pytest.raises(UsageError) as caught:
            use(name)
        assert len(name) < 5 or name not in str(caught.value).replace("mask", "", 1)


def test_a_purpose_that_is_nearly_right_is_named(keys: Keys) -> None:
    with pytest.raises(UsageError) as caught:
        keys.create("Mask")
    assert "did you mean `mask`?" in caught.value.advice


def test_keys_travel_to_other_processes_without_what_they_know(keys: Keys) -> None:
    keys.create("mask")
    key = keys.current("mask")
    data = pickle.dumps(keys)
    assert key.material not in data
    assert pickle.loads(data).current("mask") == key


def test_no_text_form_shows_a_key(keys: Keys, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        keys.create("mask")
        key = keys.current("mask")
    shown = f"{keys!r} {key!r} {key} {keys.list()} {vars(keys)} {caplog.text}"
    assert key.material.hex() not in shown
    assert repr(key.material)[2:-1] not in shown
