from __future__ import annotations

import click
import orjson
import pytest

from lakehouse import errors
from lakehouse.cli.errors import describe, report, show_warning


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001
        return caught


def test_an_error_on_purpose_says_what_happened_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    error = errors.ConflictError("customers: version 7 was taken", advice="try again")
    assert report(error, as_json=False, debug=False) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: customers: version 7 was taken\nhint: try again\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.StorageError("x"), 1),
        (errors.NotBuiltError("x"), 2),
        (errors.StoreRefusedError("x"), 3),
        (errors.ProtectedError("x"), 3),
        (errors.ConflictError("x"), 4),
        (errors.VerificationError("x"), 5),
        (errors.VersionNotFoundError("x"), 6),
        (click.UsageError("x"), 2),
        (PermissionError(13, "Permission denied", "rows.csv"), 1),
        (ValueError("x"), 1),
    ],
)
def test_exit_codes(error: Exception, code: int) -> None:
    assert report(error, as_json=False, debug=False) == code
    assert describe(error)["exit_code"] == code


def test_all_problems_of_a_config_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [
        errors.Problem("lakehouse.yaml", 3, 5, "tables.a.key", "missing"),
        errors.Problem("lakehouse.yaml", 9, 1, "tabels", "unknown, did you mean tables?"),
    ]
    assert report(errors.ConfigError(problems), as_json=False, debug=False) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: 2 problems in lakehouse.yaml",
        "lakehouse.yaml:3:5: tables.a.key: missing",
        "lakehouse.yaml:9:1: tabels: unknown, did you mean tables?",
    ]


def test_a_config_error_as_json_lists_problems(capsys: pytest.CaptureFixture[str]) -> None:
    problem = errors.Problem("lakehouse.yaml", 3, 5, "tables.a.key", "missing")
    report(errors.ConfigError([problem], advice="mend it"), as_json=True, debug=False)
    document = orjson.loads(capsys.readouterr().err)
    assert document["error"]["type"] == "ConfigError"
    assert document["error"]["advice"] == "mend it"
    assert document["error"]["problems"] == [
        {"file": "lakehouse.yaml", "line": 3, "column": 5, "path": "tables.a.key", "message": "missing"}
    ]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_fault_of_the_program_shows_type_and_place_but_never_its_message(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    error = raised(ValueError("can't cast 'ada@shop.example'"))
    assert report(error, as_json=as_json, debug=False) == 1
    err = capsys.readouterr().err
    assert "internal error: ValueError at test_errors.py:" in err
    assert "--debug" in err
    assert "ada@shop.example" not in err


def test_the_traceback_is_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    report(raised(errors.DataError("no rows")), as_json=False, debug=True)
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.endswith("error: no rows\n")


def test_an_error_of_the_file_system_names_the_file() -> None:
    assert (
        describe(PermissionError(13, "Permission denied", "rows.csv"))["message"]
        == "Permission denied: rows.csv"
    )


def test_warnings_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_warning(UserWarning("2 changes conflict"), UserWarning, "x.py", 1)
    assert capsys.readouterr().err == "warning: 2 changes conflict\n"
