from __future__ import annotations

import errno

import pytest
from obstore.exceptions import GenericError, NotSupportedError, UnauthenticatedError

from lakehouse.storage.failures import explain, read_symptoms


def message(error: BaseException, *, secrets: tuple[str, ...] = ()) -> tuple[str, str]:
    told = explain(read_symptoms(error, secrets), action="write 'a'", place="s3://b")
    return told.message, told.advice


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (errno.ENOSPC, "no space is left"),
        (errno.EDQUOT, "no space is left"),
        (errno.EFBIG, "no space is left"),
        (errno.EACCES, "permission was denied"),
        (errno.EPERM, "permission was denied"),
        (errno.EROFS, "read-only"),
        (errno.ENAMETOOLONG, "too long"),
        (errno.EMFILE, "too many files"),
        (errno.EIO, "disk failed"),
    ],
)
def test_what_the_system_says(number: int, what: str) -> None:
    for error in (OSError(number, "text"), GenericError(f"Unable to copy: text (os error {number})")):
        told, advice = message(error)
        assert told.startswith("can't write 'a' in s3://b: ")
        assert what in told
        assert advice


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "Received redirect without LOCATION, this normally indicates an incorrectly configured region",
            "region",
        ),
        ("Error performing PUT http://169.254.169.254/latest/api/token in 1s", "no credentials"),
        ("x\n\nDebug source:\nHttpError {\n  kind: Timeout,", "did not answer in time"),
        ("x\n\nDebug source:\nHttpError {\n  kind: Connect,", "can't be reached"),
        ("x\n\nDebug source:\nHttpError {\n  kind: Interrupted,", "connection broke"),
        ("non-2xx status code: 429 Too Many Requests: ", "too busy"),
        ("non-2xx status code: 502 Bad Gateway: ", "error of its own"),
        ("non-2xx status code: 403 Forbidden: ", "access was denied [HTTP 403]"),
        ("non-2xx status code: 404 Not Found: ", "bucket does not exist"),
    ],
)
def test_what_the_store_says(text: str, what: str) -> None:
    assert what in message(GenericError(text))[0]


def test_kinds_of_the_library() -> None:
    assert "no such operation" in message(NotSupportedError("x"))[0]
    assert "access was denied" in message(UnauthenticatedError("x"))[0]


def test_a_code_says_more_than_its_status() -> None:
    text = "status code: 403 Forbidden: <Error><Code>RequestTimeTooSkewed</Code></Error>"

    assert "clock" in message(GenericError(text))[0]


def test_unknown_failures_show_a_clean_first_line_only() -> None:
    text = (
        "Generic S3 error: strange canary at https://host/b?X-Amz-Signature=abc <?xml version='1.0'?>"
        "<Error>token</Error>\n\nDebug source:\nmore"
    )
    told, _ = message(GenericError(text), secrets=("canary",))

    assert told == "can't write 'a' in s3://b: Generic S3 error: strange *** at the store"
    assert len(message(GenericError("x" * 999))[0]) < 220
