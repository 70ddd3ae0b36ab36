from __future__ import annotations

from datetime import timedelta

import pytest

from lakehouse.config.models.store_options import STORE_OPTIONS
from lakehouse.errors import UsageError
from lakehouse.storage import OPTION_NAMES, SECRET_OPTIONS, open_storage
from lakehouse.storage.options import resolve_options

KEYS = {"access_key_id": "key", "secret_access_key": "canary"}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    ):
        monkeypatch.delenv(name, raising=False)


def test_an_endpoint_and_two_keys_are_enough() -> None:
    resolved = resolve_options("s3", {"endpoint_url": "http://127.0.0.1:9000/", **KEYS})

    assert resolved.store == {
        "endpoint": "http://127.0.0.1:9000",
        "access_key_id": "key",
        "secret_access_key": "canary",
        "region": "us-east-1",
        "virtual_hosted_style_request": "false",
    }
    assert resolved.client == {"allow_http": "true", "timeout": "120s", "connect_timeout": "5s"}
    assert resolved.library == {
        "endpoint_url": "http://127.0.0.1:9000",
        "access_key_id": "key",
        "secret_access_key": "canary",
        "region": "us-east-1",
        "virtual_hosted_style_request": "false",
        "allow_http": "true",
        "timeout": "120s",
        "connect_timeout": "5s",
    }


def test_aws_itself_needs_no_guesses() -> None:
    resolved = resolve_options("s3", {})

    assert resolved.store == {}
    assert "allow_http" not in resolved.client


def test_what_is_given_wins() -> None:
    given = {
        "endpoint_url": "https://lake.s3.example",
        "region": "eu-central-1",
        "virtual_hosted_style_request": "true",
        "timeout": "2m",
        "max_retries": "3",
        "retry_timeout": "500ms",
        **KEYS,
    }
    resolved = resolve_options("s3", given)

    assert resolved.store["region"] == "eu-central-1"
    assert resolved.store["virtual_hosted_style_request"] == "true"
    assert resolved.client["timeout"] == "120s"
    assert "allow_http" not in resolved.client
    assert resolved.retry["max_retries"] == 3
    assert resolved.retry["retry_timeout"] == timedelta(milliseconds=500)


def test_the_environment_fills_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_REGION", "eu-west-3")

    resolved = resolve_options("s3", {})

    assert resolved.library["endpoint_url"] == "http://127.0.0.1:1"
    assert resolved.library["region"] == "eu-west-3"
    assert resolved.library["allow_http"] == "true"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("endpoint", "endpoint_url"),
        ("endpoint_urll", "endpoint_url"),
        ("AWS_ACCESS_KEY_ID", "access_key_id"),
        ("aws_secret_access_key", "secret_access_key"),
        ("AWS_ENDPOINT_URL", "endpoint_url"),
        ("azure_storage_account_name", "account_name"),
        ("alow_http", "allow_http"),
    ],
)
@pytest.mark.parametrize("scheme", ["s3", "file", "memory"])
def test_unknown_names_are_refused_with_the_nearest(scheme: str, name: str, nearest: str) -> None:
    with pytest.raises(UsageError, match=f"unknown storage option '{name}'") as caught:
        resolve_options(scheme, {name: "canary"})

    assert f"did you mean '{nearest}'" in caught.value.advice
    assert "canary" not in str(caught.value)


def test_a_name_near_to_nothing_gets_the_whole_list() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_options("s3", {"zzz": "1"})

    assert all(name in caught.value.advice for name in OPTION_NAMES)


def test_options_of_another_cloud_are_refused_and_harmless_for_a_folder() -> None:
    with pytest.raises(UsageError, match="not for s3:// stores") as caught:
        resolve_options("s3", {"account_key": "canary"})
    assert "az://" in caught.value.advice
    assert "canary" not in str(caught.value)

    assert resolve_options("file", {"account_key": "x", **KEYS}).library == {}
    assert resolve_options("s3", {"fsync": "false"}).store == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allow_http", "perhaps"),
        ("timeout", "soon"),
        ("timeout", "0"),
        ("timeout", "-1s"),
        ("connect_timeout", "5 weeks"),
        ("max_retries", "-1"),
        ("max_retries", "many"),
    ],
)
def test_values_that_cannot_be_meant(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name):
        resolve_options("s3", {name: value})


@pytest.mark.parametrize(
    ("value", "expected"), [("30", "30s"), ("1.5s", "1500ms"), ("2m", "120s"), ("1h", "3600s")]
)
def test_durations(value: str, expected: str) -> None:
    assert resolve_options("s3", {"timeout": value}).client["timeout"] == expected


@pytest.mark.parametrize("value", ["true", "True", "yes", "1", True])
def test_flags(value: str) -> None:
    assert resolve_options("s3", {"allow_http": value}).client["allow_http"] == "true"


def test_half_a_pair_of_keys() -> None:
    with pytest.raises(UsageError, match="given together"):
        resolve_options("s3", {"access_key_id": "key"})


def test_http_that_is_forbidden() -> None:
    with pytest.raises(UsageError, match="allow_http is false"):
        resolve_options("s3", {"endpoint_url": "http://127.0.0.1:1", "allow_http": "false"})


def test_secrets_show_nowhere() -> None:
    assert {"secret_access_key", "session_token", "account_key", "sas_token"} <= SECRET_OPTIONS
    given = dict.fromkeys(("access_key_id", "secret_access_key", "session_token"), "canary")

    assert "canary" not in repr(resolve_options("s3", given))
    storage = open_storage("s3://bucket/a", options=given)
    assert "canary" not in repr(storage) + str(storage) + repr(vars(storage)) + storage.url


def test_a_config_takes_the_same_options_as_the_storage() -> None:
    assert set(STORE_OPTIONS) == OPTION_NAMES
