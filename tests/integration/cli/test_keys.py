from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse.errors import KeysError
from lakehouse.lake import Lakehouse
from lakehouse.records import operator
from tests.integration.cli.conftest import CONFIG, Answer

Run = Callable[..., Answer]


def materials() -> list[str]:
    """The keys in the folder, as they stand in their files."""
    return [
        line.removeprefix("key: ")
        for file in sorted(Path("keys").iterdir())
        for line in file.read_text().splitlines()
        if line.startswith("key: ")
    ]


def test_a_key_is_made_listed_and_rotated_and_never_shown(run: Run) -> None:
    said = []
    empty = run("keys", "list")
    assert (empty.code, empty.out) == (0, "no keys yet\n")
    assert "lakehouse keys create mask" in empty.err
    made = run("keys", "create", "mask")
    assert made.code == 0, made.err
    assert made.out == f"made version 1 of the key mask: {Path('keys/mask.1.key').absolute()}\n"
    assert "keep a copy" in made.err
    rotated = run("keys", "rotate", "mask", "--yes")
    assert rotated.code == 0, rotated.err
    for words in (
        "version 1 -> 2",
        "can\n  still be turned back",
        "Joins:",
        "made version 2 of the key mask",
    ):
        assert words in rotated.out
    listed = run("keys", "list")
    assert [line.split()[:3] for line in listed.out.splitlines()[2:]] == [
        ["mask", "1", "older"],
        ["mask", "2", "current"],
    ]
    assert operator() in listed.out
    said += [made, rotated, listed, run("--json", "keys", "list"), run("keys", "create", "mask")]
    said += [
        run("--json", "keys", "create", "payroll"),
        run("config", "show"),
        run("--debug", "keys", "list"),
    ]
    assert len(materials()) == 3
    for answer in said:
        for key in materials():
            assert key not in answer.out + answer.err


def test_json_says_all_there_is(run: Run) -> None:
    made = run("--json", "keys", "create", "sign")
    assert made.document == {
        "purpose": "sign",
        "version": 1,
        "current": True,
        "created": made.document["created"],
        "author": operator(),
        "place": str(Path("keys/sign.1.key").absolute()),
        "problem": "",
    }
    listed = run("--json", "keys", "list").document
    assert listed == {"provider": "file", "keys": [made.document]}
    plan = run("--json", "keys", "rotate", "sign", "--dry-run").document
    expected = {"dry_run": True, "purpose": "sign", "from": 1, "to": 2, "provider": "file", "stays": {}}
    assert plan == expected
    assert run("--json", "keys", "rotate", "sign", "--yes").document["version"] == 2


def test_a_rotation_asks_first(run: Run) -> None:
    run("keys", "create", "mask")
    shown = run("keys", "rotate", "mask", "--dry-run")
    assert (shown.code, "version 1 -> 2" in shown.out) == (0, True)
    refused = run("keys", "rotate", "mask")
    assert refused.code == 2
    assert "a rotation can't be undone" in refused.err
    assert [each.name for each in Path("keys").iterdir()] == ["mask.1.key"]


def test_a_rotation_names_what_does_not_follow_it(run: Run) -> None:
    run("keys", "create", "mask")
    assert "Not with it" not in run("keys", "rotate", "mask", "--dry-run").out
    operators = "pii: {operators: {PHONE_NUMBER: {operator: fpe}, PERSON: {operator: fpe, key: other}}}\n"
    Path("lakehouse.yaml").write_text(Path("lakehouse.yaml").read_text() + operators)
    shown = run("keys", "rotate", "mask", "--dry-run").out
    assert "Not with it: PHONE_NUMBER. Masks of fpe don't say" in shown
    stays = run("--json", "keys", "rotate", "mask", "--dry-run").document["stays"]
    assert stays == {"PHONE_NUMBER": "fpe"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("create", "mask"), 3, "lakehouse keys rotate mask"),
        (("create", "Mask"), 2, "did you mean `mask`?"),
        (("rotate", "sign", "--yes"), 1, "lakehouse keys create sign"),
        (("create", "sign", "--print"), 2, "for the provider `env` alone"),
        (("rotate", "mask", "--print"), 2, "for the provider `env` alone"),
        (("make", "mask"), 2, "`lakehouse keys --help`"),
        (("create",), 2, "PURPOSE"),
    ],
)
def test_mistakes_are_told_with_what_to_do(run: Run, words: tuple[str, ...], code: int, said: str) -> None:
    run("keys", "create", "mask")
    answer = run("keys", *words)
    assert answer.code == code
    assert said in answer.err
    assert [each.name for each in Path("keys").iterdir()] == ["mask.1.key"]


def test_keys_that_others_can_read_are_refused_with_the_command_that_mends_it(run: Run) -> None:
    run("keys", "create", "mask")
    Path("keys/mask.1.key").chmod(0o644)
    listed = run("keys", "list")
    assert "unusable" in listed.out
    assert f"chmod 600 {Path('keys/mask.1.key').absolute()}" in listed.out
    Path("keys").chmod(0o755)
    answer = run("keys", "list")
    assert answer.code == 1
    assert f"chmod 700 {Path('keys').absolute()}" in answer.err


def test_a_lost_version_is_listed_as_lost(run: Run) -> None:
    run("keys", "create", "mask")
    run("keys", "rotate", "mask", "--yes")
    Path("keys/mask.1.key").unlink()
    listed = run("keys", "list")
    assert listed.code == 0
    assert "mask 1: lost: bring" in listed.out
    assert run("--json", "keys", "list").document["keys"][0]["problem"].startswith("lost: bring")


@pytest.fixture
def in_variables(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    Path("lakehouse.yaml").write_text(f"{CONFIG}keys: {{provider: env, prefix: SHOP_}}\n")
    for name in ("SHOP_MASK", "SHOP_MASK_1", "SHOP_MASK_2"):
        monkeypatch.delenv(name, raising=False)
    return run


def test_a_key_for_a_variable_is_printed_only_when_asked_for(
    in_variables: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = in_variables
    refused = run("keys", "create", "mask")
    assert refused.code == 1
    assert "SHOP_MASK_1 is yours to set" in refused.err
    assert "lakehouse keys create mask --print" in refused.err
    printed = run("keys", "create", "mask", "--print")
    assert printed.code == 0, printed.err
    name, _, value = printed.out.strip().partition("=")
    assert (name, len(base64.b64decode(value))) == ("SHOP_MASK_1", 32)
    assert "warning: the line above is the key itself" in printed.err
    assert value not in printed.err
    monkeypatch.setenv(name, value)
    assert Lakehouse.open("lakehouse.yaml").keys.current("mask").material == base64.b64decode(value)
    assert run("keys", "create", "mask", "--print").code == 3
    turned = run("--json", "keys", "rotate", "mask", "--print")
    assert turned.document["variable"] == "SHOP_MASK_2"
    assert turned.document["value"] != value
    assert "version 1 -> 2" in run("keys", "rotate", "mask", "--print").out
    for words in (("keys", "list"), ("--json", "keys", "list"), ("config", "show")):
        assert value not in run(*words).out
    assert not any(value.encode() in file.read_bytes() for file in Path().rglob("*") if file.is_file())


def test_a_lost_key_is_told_from_one_that_never_was(run: Run) -> None:
    config = Path("lakehouse.yaml")
    config.write_text(
        CONFIG.replace("    owner:", "    pii: {email: EMAIL_ADDRESS}\n    owner:")
        + "pii: {operators: {EMAIL_ADDRESS: {operator: tokenize}}}\nroles: {analyst: {}}\n"
    )
    assert run("apply", "--yes").code == 0
    assert "there is no key `mask`\n" in run("keys", "rotate", "mask", "--yes").err
    run("keys", "create", "mask")
    for file in Path("keys").iterdir():
        file.unlink()
    lost = run("keys", "rotate", "mask", "--yes")
    assert lost.code == 1
    assert "the key `mask` is lost, all of it" in lost.err
    assert f"bring {Path('keys/mask.1.key').absolute()} back" in lost.err
    assert run("keys", "list").out.splitlines()[2].split()[:3] == ["mask", "1", "lost"]
    assert run("keys", "create", "mask").out.startswith("made version 2")
    with pytest.raises(KeysError, match="no version 9 of the key `mask` was ever made"):
        Lakehouse.open("lakehouse.yaml").keys.version("mask", 9)
    with pytest.raises(KeysError, match="version 1 of the key `mask` is lost"):
        Lakehouse.open("lakehouse.yaml").keys.version("mask", 1)


def test_all_keys_are_made_or_none(run: Run) -> None:
    run("keys", "create", "mask")
    assert run("keys", "create", "payroll", "mask").code == 3
    assert run("keys", "create", "payroll", "No Name").code == 2
    assert [each.name for each in Path("keys").iterdir()] == ["mask.1.key"]


def test_no_key_is_made_among_the_tables(run: Run) -> None:
    Path("lakehouse.yaml").write_text(f"{CONFIG}\nkeys: {{path: ./lake/keys}}\n", encoding="utf-8")
    refused = run("keys", "create", "mask")
    assert (refused.code, "below the tables" in refused.err) == (3, True)
    assert not Path("lake/keys").exists()
