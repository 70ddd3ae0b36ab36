from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lakehouse.cli.session import Session
from lakehouse.errors import UsageError


def session(config: str | None = None) -> Session:
    return Session(config=config, as_json=False, quiet=False, debug=False)


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAKEHOUSE_CONFIG", raising=False)
    return tmp_path


def test_the_config_is_found_here_and_in_folders_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lakehouse.yaml").touch()
    assert session().config_path() == Path("lakehouse.yaml")
    (tmp_path / "a/b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a/b")
    assert session().config_path() == Path("../../lakehouse.yaml")


def test_the_environment_goes_before_looking_and_the_option_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lakehouse.yaml").touch()
    monkeypatch.setenv("LAKEHOUSE_CONFIG", "other.yaml")
    assert session().config_path() == Path("other.yaml")
    assert session("third.yaml").config_path() == Path("third.yaml")


def test_a_folder_of_that_name_is_no_config(tmp_path: Path) -> None:
    (tmp_path / "lakehouse.yaml").mkdir()
    with pytest.raises(UsageError, match=r"there is no lakehouse\.yaml") as caught:
        session().config_path()
    assert "lakehouse init" in caught.value.advice


class Terminal:
    """Standard input or error that claims to be a terminal."""

    closed = False

    def isatty(self) -> bool:
        return True


def test_nobody_to_ask() -> None:
    assert session().go_ahead("Do it?", yes=True)
    assert session().go_ahead("Do it?", yes=False, destructive=False)
    with pytest.raises(UsageError, match="no terminal") as caught:
        session().go_ahead("Do it?", yes=False)
    assert caught.value.exit_code == 2
    assert "--yes" in caught.value.advice


@pytest.mark.parametrize("answer", [True, False])
def test_a_person_is_asked_on_a_terminal(answer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        return answer

    monkeypatch.setattr("click.confirm", confirm)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert session().go_ahead("Do it?", yes=False) is answer
    assert asked == ["Do it?"]
