"""One set of storage options, and what each library calls them.

A config names an option once (``endpoint_url``); obstore, deltalake and polars are each told in their own
words. All three build on the object_store crate, whose aliases make the plain names valid in deltalake and
polars too; obstore alone wants client and retry settings apart.
"""

from __future__ import annotations

import difflib
import os
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from lakehouse.errors import UsageError

Kind = typing.Literal["text", "flag", "duration", "count"]
Target = typing.Literal["store", "client", "retry", "local"]

S3 = frozenset({"s3"})
GCS = frozenset({"gs"})
AZURE = frozenset({"az"})
CLOUD = S3 | GCS | AZURE
LOCAL = frozenset({"file"})


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Args:
        stores: URL schemes of the stores that know it.
        kind: What its value must look like.
        target: Which part of obstore takes it.
        obstore: obstore's name, where it differs from ours.
        secret: Its value must never be shown.
    """

    stores: frozenset[str]
    kind: Kind = "text"
    target: Target = "store"
    obstore: str = ""
    secret: bool = False


_OPTIONS: typing.Final[Mapping[str, Option]] = {
    "endpoint_url": Option(S3, obstore="endpoint"),
    "region": Option(S3),
    "access_key_id": Option(S3),
    "secret_access_key": Option(S3, secret=True),
    "session_token": Option(S3, secret=True),
    "virtual_hosted_style_request": Option(S3, "flag"),
    "skip_signature": Option(S3 | GCS | AZURE, "flag"),
    "unsigned_payload": Option(S3, "flag"),
    "checksum_algorithm": Option(S3),
    "request_payer": Option(S3, "flag"),
    "disable_tagging": Option(S3, "flag"),
    "server_side_encryption": Option(S3),
    "sse_kms_key_id": Option(S3),
    "sse_bucket_key_enabled": Option(S3, "flag"),
    "sse_customer_key_base64": Option(S3, secret=True),
    "service_account": Option(GCS),
    "service_account_key": Option(GCS, secret=True),
    "application_credentials": Option(GCS),
    "account_name": Option(AZURE),
    "account_key": Option(AZURE, secret=True),
    "sas_token": Option(AZURE, secret=True),
    "client_id": Option(AZURE),
    "client_secret": Option(AZURE, secret=True),
    "tenant_id": Option(AZURE),
    "allow_http": Option(CLOUD, "flag", "client"),
    "allow_invalid_certificates": Option(CLOUD, "flag", "client"),
    "connect_timeout": Option(CLOUD, "duration", "client"),
    "timeout": Option(CLOUD, "duration", "client"),
    "proxy_url": Option(CLOUD, target="client", secret=True),
    "max_retries": Option(CLOUD, "count", "retry"),
    "retry_timeout": Option(CLOUD, "duration", "retry"),
    "fsync": Option(LOCAL, "flag", "local"),
}

OPTION_NAMES: typing.Final[frozenset[str]] = frozenset(_OPTIONS)
"""Every name that ``storage.options`` may hold."""

SECRET_OPTIONS: typing.Final[frozenset[str]] = frozenset(n for n, option in _OPTIONS.items() if option.secret)
"""The names whose values are never shown."""

_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)?\s*")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

# A store that does not answer shall be called unreachable in seconds rather than minutes, and still a
# busy one be given time: tries after 0.1, 0.2, 0.4 ... 5 s (with jitter) are about 15 s in all.
_CLIENT_DEFAULTS = {"timeout": "120s", "connect_timeout": "5s"}
_MAX_RETRIES = 8
_RETRY_TIMEOUT = timedelta(seconds=120)
_BACKOFF: typing.Final[Mapping[str, timedelta | int]] = {
    "init_backoff": timedelta(milliseconds=100),
    "max_backoff": timedelta(seconds=5),
    "base": 2,
}


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Options of one store, in each library's words. Its repr shows no value.

    Args:
        store: obstore's store configuration.
        client: obstore's HTTP client options.
        retry: obstore's retry configuration.
        library: ``storage_options`` of deltalake and polars.
        secrets: Values that must not come up in any message.
        fsync: Whether local writes are forced to the disk before they count as written.
    """

    store: Mapping[str, str] = field(repr=False)
    client: Mapping[str, str] = field(repr=False)
    retry: Mapping[str, typing.Any] = field(repr=False)
    library: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    fsync: bool = True


def resolve_options(scheme: str, options: Mapping[str, str]) -> StoreOptions:
    """Check options and translate them for a kind of store.

    Options of another kind of store are fine for a local folder and for memory (a config keeps its S3
    options while its root comes from the environment), and refused for an object store.

    Args:
        scheme: ``s3``, ``gs``, ``az``, ``file`` or ``memory``.
        options: As a config holds them. Booleans and numbers of YAML are taken as their text.

    Returns:
        The options per library, with the defaults filled in.

    Raises:
        UsageError: An unknown name (the nearest valid one is named) or a value that can't be meant.
    """
    given = {name: _checked(scheme, name, value) for name, value in options.items()}
    used = {name: value for name, value in given.items() if scheme in _OPTIONS[name].stores}
    secrets = tuple(value for name, value in given.items() if name in SECRET_OPTIONS and value)
    if scheme in CLOUD:
        if scheme in S3:
            _add_s3_defaults(used)
        used = _CLIENT_DEFAULTS | used
    parts: dict[Target, dict[str, str]] = {"store": {}, "client": {}, "retry": {}, "local": {}}
    for name, value in used.items():
        option = _OPTIONS[name]
        parts[option.target][option.obstore or name] = value
    return StoreOptions(
        store=parts["store"],
        client=parts["client"],
        retry=_retry(parts["retry"]),
        # polars wants numbers where deltalake wants texts for retries, so both keep their own defaults.
        library={name: value for name, value in used.items() if _OPTIONS[name].target in ("store", "client")},
        secrets=secrets,
        fsync=parts["local"].get("fsync", "true") == "true",
    )


def _checked(scheme: str, name: str, value: object) -> str:
    option = _OPTIONS.get(name)
    if option is None:
        raise UsageError(f"unknown storage option {name!r}", advice=_suggestion(name))
    if scheme in CLOUD and scheme not in option.stores and option.target != "local":
        raise UsageError(
            f"storage option {name!r} is not for {scheme}:// stores",
            advice=f"it belongs to {', '.join(f'{store}://' for store in sorted(option.stores))}",
        )
    text = str(value).lower() if isinstance(value, bool) else str(value)
    match option.kind:
        case "flag":
            return _flag(name, text)
        case "duration":
            return _duration(name, text)
        case "count":
            if not text.isdecimal():
                raise UsageError(f"storage option {name!r} must be a whole number from 0")
            return text
        case "text":
            return text


def _suggestion(name: str) -> str:
    plain = re.sub(r"^(aws|google|azure_storage|azure)_", "", name.lower())
    near = difflib.get_close_matches(plain, [*_OPTIONS, "endpoint"], n=1, cutoff=0.6)
    if not near:
        return f"known options: {', '.join(sorted(_OPTIONS))}"
    return f"did you mean {('endpoint_url' if near[0] == 'endpoint' else near[0])!r}?"


def _flag(name: str, text: str) -> str:
    if text.lower() in ("true", "yes", "on", "1"):
        return "true"
    if text.lower() in ("false", "no", "off", "0"):
        return "false"
    raise UsageError(f"storage option {name!r} must be true or false")


def _duration(name: str, text: str) -> str:
    found = _DURATION.fullmatch(text)
    milliseconds = round(float(found[1]) * _SECONDS[found[2] or "s"] * 1000) if found else 0
    if milliseconds <= 0:
        raise UsageError(f"storage option {name!r} must be a duration such as 30s, 500ms or 2m")
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def _add_s3_defaults(used: dict[str, str]) -> None:
    """Fill in what a self-hosted S3 needs, so that an endpoint and two keys are enough."""
    if ("access_key_id" in used) != ("secret_access_key" in used):
        raise UsageError(
            "storage options access_key_id and secret_access_key must be given together",
            advice="give both, or neither to take them from the environment",
        )
    endpoint = used.get("endpoint_url") or _from_environment(_ENDPOINT_VARIABLES)
    region = used.get("region") or _from_environment(_REGION_VARIABLES)
    if endpoint:
        used["endpoint_url"] = endpoint.rstrip("/")
        used.setdefault("virtual_hosted_style_request", "false")
        region = region or "us-east-1"
        if endpoint.lower().startswith("http://") and used.setdefault("allow_http", "true") == "false":
            raise UsageError(
                "the S3 endpoint starts with http:// but storage option allow_http is false",
                advice="take an https:// endpoint, or allow_http: true",
            )
    if region:
        used["region"] = region


def _from_environment(names: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def _retry(given: Mapping[str, str]) -> dict[str, typing.Any]:
    timeout = given.get("retry_timeout")
    return {
        "max_retries": int(given.get("max_retries", _MAX_RETRIES)),
        "retry_timeout": _timedelta(timeout) if timeout else _RETRY_TIMEOUT,
        "backoff": dict(_BACKOFF),
    }


def _timedelta(text: str) -> timedelta:
    if text.endswith("ms"):
        return timedelta(milliseconds=int(text[:-2]))
    return timedelta(seconds=int(text[:-1]))
