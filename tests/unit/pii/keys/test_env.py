from __future__ import annotations

import base64
import logging
from pathlib import Path

import pytest

from lakehouse.errors import KeysError, RefusedError, UsageError
from lakehouse.pii.keys.env import EnvKeys
from lakehouse.pii.keys.verbs import Keys
from tests.unit.pii.keys.lakes import keys_of

ONE, TWO = bytes(range(32)), bytes(range(100, 132))


def text(material: bytes) -> str:
    return base64.b64encode(material).decode()


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return keys_of(tmp_path, provider="env")


def test_keys_come_from_variables_with_and_without_a_version(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_KEY_MASK", f" {text(ONE)}\n")
    monkeypatch.setenv("LAKEHOUSE_KEY_MASK_10", text(TWO))
    monkeypatch.setenv("LAKEHOUSE_KEY_MASK_2", base64.urlsafe_b64encode(b"\xff" * 32).decode())
    monkeypatch.setenv("LAKEHOUSE_KEY_PAY_ROLL_3", text(TWO))
    monkeypatch.setenv("LAKEHOUSE_KEY_SIGN", "")
    assert keys.versions("mask") == (1, 2, 10)
    assert keys.current("mask").material == TWO
    assert keys.version("mask", 1).material == ONE
    assert keys.version("mask", 2).material == b"\xff" * 32
    assert keys.versions("pay_roll") == (3,)
    assert keys.versions("sign") == ()
    assert [(each.purpose, each.version, each.place, each.current) for each in keys.list()] == [
        ("mask", 1, "LAKEHOUSE_KEY_MASK", False),
        ("mask", 2, "LAKEHOUSE_KEY_MASK_2", False),
        ("mask", 10, "LAKEHOUSE_KEY_MASK_10", True),
        ("pay_roll", 3, "LAKEHOUSE_KEY_PAY_ROLL_3", True),
    ]


def test_another_prefix_is_another_set_of_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_KEY_MASK", text(ONE))
    monkeypatch.setenv("SHOP_MASK", text(TWO))
    assert keys_of(tmp_path, provider="env", prefix="SHOP_").current("mask").material == TWO


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("not base64!", "is no base64"),
        ("c2hvcnQtc2VjcmV0", "has 12 bytes, and a key has 32"),
        (text(ONE + ONE), "has 64 bytes"),
        ("ключ", "is no base64"),
    ],
)
def test_a_variable_that_holds_no_key_is_told_by_its_name(
    keys: Keys, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv("LAKEHOUSE_KEY_MASK_1", value)
    with pytest.raises(KeysError, match=f"LAKEHOUSE_KEY_MASK_1 {said}") as caught:
        keys.current("mask")
    assert value not in f"{caught.value!r} {caught.value} {keys.list()}"
    assert keys.list()[0].problem


def test_two_variables_for_one_version_must_agree(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_KEY_MASK", text(ONE))
    monkeypatch.setenv("LAKEHOUSE_KEY_MASK_1", text(ONE))
    assert keys.current("mask").material == ONE
    monkeypatch.setenv("LAKEHOUSE_KEY_MASK_1", text(TWO))
    assert keys.current("mask").material == ONE, "a key does not change within a process"
    assert "both version 1" in keys.list()[0].problem


def test_what_is_missing_is_named_by_its_variable(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeysError) as caught:
        keys.version("mask", 2)
    assert "set LAKEHOUSE_KEY_MASK_2 again" in caught.value.advice
    monkeypatch.setenv("LAKEHOUSE_KEY_MASK_1", text(ONE))
    with pytest.raises(KeysError, match="version 2 of the key `mask` is lost") as caught:
        keys.version("mask", 2)
    assert "there is: 1" in caught.value.advice


def test_a_key_is_drafted_for_whoever_sets_the_variable_and_kept_nowhere(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        with pytest.raises(KeysError, match="LAKEHOUSE_KEY_MASK_1 is yours to set") as caught:
            keys.create("mask")
        assert "lakehouse keys create mask --print" in caught.value.advice
        draft = keys.draft("mask")
    assert draft.name == "LAKEHOUSE_KEY_MASK_1"
    assert draft.value not in f"{draft!r} {draft} {caplog.text}"
    assert keys.versions("mask") == ()
    assert keys.draft("mask") != draft
    monkeypatch.setenv(draft.name, draft.value)
    assert keys.current("mask").material == base64.b64decode(draft.value)
    assert keys.draft("mask", rotate=True).name == "LAKEHOUSE_KEY_MASK_2"
    with pytest.raises(RefusedError, match="already"):
        keys.draft("mask")
    with pytest.raises(KeysError, match="no key `sign`"):
        keys.draft("sign", rotate=True)
    with pytest.raises(KeysError) as caught:
        keys.rotate("mask")
    assert "lakehouse keys rotate mask --print" in caught.value.advice
    assert not list(tmp_path.rglob("*")), "something was written"


def test_other_providers_show_no_keys(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="shown for the provider `env` alone"):
        keys_of(tmp_path).draft("mask")


def test_the_text_form_of_the_provider_holds_no_values() -> None:
    provider = EnvKeys("K_", environ={"K_MASK": text(ONE)})
    assert text(ONE) not in repr(provider)
    assert provider.load("mask", 1) == ONE
