"""What a user reads when an S3 store misbehaves, and that no secret is in it."""

from __future__ import annotations

import logging
import socket
import traceback
from collections.abc import Callable, Iterator

import deltalake
import polars as pl
import pytest

from lakehouse.errors import NotFoundError, StorageError, StoreRefusedError
from lakehouse.storage import Storage, open_storage, probe
from tests.fixtures.fake_s3 import FakeS3, run_fake_s3
from tests.fixtures.servers import S3Server

WRONG_SECRET = "canary-wrong-secret"
ROWS = b"row of a table"

CALLS: dict[str, Callable[[Storage], object]] = {
    "get": lambda storage: storage.get("a"),
    "get_range": lambda storage: storage.get_range("a", start=0, length=1),
    "head": lambda storage: storage.head("a"),
    "exists": lambda storage: storage.exists("a"),
    "list": lambda storage: storage.list(),
    "put": lambda storage: storage.put("a", b"x"),
    "put_if_absent": lambda storage: storage.put_if_absent("a", b"x"),
    "delete": lambda storage: storage.delete(["a"]),
    "probe": probe,
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


@pytest.fixture
def fake() -> Iterator[FakeS3]:
    with run_fake_s3() as state:
        yield state


@pytest.fixture
def storage(fake: FakeS3) -> Storage:
    return open_storage("s3://bucket/lake", options={**fake.options(), "max_retries": "2"})


@every_call
@pytest.mark.server
def test_wrong_secret(seaweedfs: S3Server, call: Callable[[Storage], object]) -> None:
    options = {**seaweedfs.options(), "secret_access_key": WRONG_SECRET}
    with seaweedfs.bucket() as bucket, pytest.raises(StorageError) as caught:
        call(open_storage(f"s3://{bucket}/lake", options=options))

    assert not isinstance(caught.value, StoreRefusedError)
    assert "credentials" in str(caught.value)
    assert "access_key_id" in caught.value.advice or "may read" in caught.value.advice
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.server
def test_unknown_key(seaweedfs: S3Server) -> None:
    options = {**seaweedfs.options(), "access_key_id": "nobody"}
    with (
        seaweedfs.bucket() as bucket,
        pytest.raises(StorageError, match=r"credentials were refused \[InvalidAccessKeyId\]") as caught,
    ):
        open_storage(f"s3://{bucket}/lake", options=options).get("a")

    assert "access_key_id" in caught.value.advice
    assert seaweedfs.endpoint.removeprefix("http://") in caught.value.message


@every_call
@pytest.mark.server
def test_missing_bucket(moto_s3: S3Server, call: Callable[[Storage], object]) -> None:
    with pytest.raises(StorageError, match="bucket does not exist") as caught:
        call(open_storage("s3://not-made-yet/lake", options=moto_s3.options()))

    assert "create it" in caught.value.advice


@every_call
def test_unreachable(call: Callable[[Storage], object]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        options = {
            "endpoint_url": endpoint,
            "access_key_id": "k",
            "secret_access_key": "s",
            "max_retries": "1",
        }
        with pytest.raises(StorageError, match="can't be reached") as caught:
            call(open_storage("s3://bucket/lake", options=options))

    assert endpoint.removeprefix("http://") in caught.value.message
    assert "endpoint_url" in caught.value.advice


def test_unknown_host() -> None:
    options = {
        "endpoint_url": "http://user:canary@nowhere.invalid",
        "access_key_id": "k",
        "secret_access_key": "s",
        "max_retries": "0",
    }
    with pytest.raises(StorageError, match=r"at nowhere\.invalid: the store can't be reached") as caught:
        open_storage("s3://bucket", options=options).get("a")

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "code", "what", "advice"),
    [
        (403, "AccessDenied", "access was denied", "may read, write, list and delete"),
        (403, "SignatureDoesNotMatch", "credentials were refused", "secret_access_key"),
        (400, "ExpiredToken", "credentials have expired", "new ones"),
        (403, "RequestTimeTooSkewed", "clock", "NTP"),
        (400, "AuthorizationHeaderMalformed", "another region", "set region"),
        (507, "InsufficientStorage", "no space is left", "free space"),
        (503, "SlowDown", "too busy", "later"),
        (500, "InternalError", "error of its own", "log"),
        (418, "Teapot", "Teapot", ""),
    ],
)
def test_what_the_store_says_is_explained(
    fake: FakeS3, storage: Storage, status: int, code: str, what: str, advice: str
) -> None:
    fake.answers = [("PUT", status, code)] * 3

    with pytest.raises(StorageError) as caught:
        storage.put("folder/a", ROWS)

    error = caught.value
    assert what in error.message
    assert "'folder/a' in s3://bucket/lake" in error.message
    assert advice in error.advice
    told = "".join(traceback.format_exception(error))
    # The fake echoes the signed request, as AWS does; none of that may come through.
    assert "Credential=" not in told
    assert "Signature=" not in told
    assert ROWS.decode() not in told


def test_a_passing_error_is_tried_again(fake: FakeS3, storage: Storage) -> None:
    fake.answers = [("PUT", 503, "SlowDown"), ("GET", 500, "InternalError")]

    storage.put("a", b"x")

    assert storage.get("a") == b"x"


def test_head_is_not_fooled_by_an_answer_without_text(fake: FakeS3, storage: Storage) -> None:
    fake.answers = [("HEAD", 404, ""), ("GET", 404, "NoSuchBucket")]
    with pytest.raises(StorageError, match="bucket does not exist"):
        storage.exists("a")

    # Once the bucket has been seen, an absent object costs one request.
    assert not storage.exists("a")
    fake.requests.clear()
    assert not storage.exists("a")
    with pytest.raises(NotFoundError):
        storage.head("a")
    assert fake.requests == ["HEAD /bucket/lake/a"] * 2


def test_a_lost_answer_to_a_create_looks_like_somebody_elses_object(fake: FakeS3, storage: Storage) -> None:
    fake.lose_answers = 1

    written = storage.put_if_absent("log/0", b"ours")

    # The documented trap: the repeated request finds the object of the first. The content tells.
    assert not written
    assert storage.get("log/0") == b"ours"
    assert sum("PUT" in request for request in fake.requests) == 2


def test_an_answer_lost_for_good_is_unknown(fake: FakeS3) -> None:
    storage = open_storage("s3://bucket", options={**fake.options(), "max_retries": "0"})
    fake.lose_answers = 1

    with pytest.raises(StorageError) as caught:
        storage.put_if_absent("log/0", b"ours")

    assert not isinstance(caught.value, StoreRefusedError)
    assert caught.value.retryable
    assert storage.get("log/0") == b"ours"


def test_a_late_answer_is_unknown_and_not_asked_for_again(fake: FakeS3) -> None:
    storage = open_storage("s3://bucket", options={**fake.options(), "timeout": "200ms"})
    fake.delay = 0.6

    with pytest.raises(StorageError, match="did not answer in time") as caught:
        storage.put_if_absent("log/0", b"ours")

    assert "timeout" in caught.value.advice
    assert fake.requests == ["PUT /bucket/log/0"]
    assert storage.get("log/0") == b"ours"


def test_a_create_that_met_another_request_is_tried_again(fake: FakeS3, storage: Storage) -> None:
    fake.answers = [("PUT", 409, "ConditionalRequestConflict")] * 2

    assert storage.put_if_absent("log/0", b"ours")
    assert not storage.put_if_absent("log/0", b"theirs")

    fake.answers = [("PUT", 409, "BlobAlreadyExists")]
    assert not storage.put_if_absent("log/1", b"ours")

    fake.answers = [("PUT", 409, "ConditionalRequestConflict")] * 9
    with pytest.raises(StorageError, match="other requests"):
        storage.put_if_absent("log/1", b"ours")


def test_probe_refuses_a_store_that_ignores_the_condition(fake: FakeS3, storage: Storage) -> None:
    fake.conditions = False

    with pytest.raises(StoreRefusedError, match="s3://bucket/lake wrote over") as caught:
        probe(storage)

    assert caught.value.exit_code == 3
    assert "If-None-Match" in caught.value.advice
    assert fake.objects == {}


def test_probe_refuses_a_store_that_has_no_such_operation(fake: FakeS3, storage: Storage) -> None:
    fake.answers = [("PUT", 501, "NotImplemented")] * 9

    with pytest.raises(StoreRefusedError, match=r"s3://bucket/lake at 127\.0\.0\.1"):
        probe(storage)


def test_probe_survives_a_lost_answer(fake: FakeS3, storage: Storage) -> None:
    fake.lose_answers = 1

    probe(storage)

    assert list(fake.objects) == ["lake/_lakehouse/put-if-absent"]


def test_probe_asks_once_where_it_has_been_before(fake: FakeS3, storage: Storage) -> None:
    probe(storage)
    fake.requests.clear()

    probe(storage)

    assert fake.requests == ["PUT /bucket/lake/_lakehouse/put-if-absent"]


def test_probe_notices_that_a_lake_has_moved_to_an_unsafe_store(fake: FakeS3, storage: Storage) -> None:
    probe(storage)
    fake.conditions = False

    with pytest.raises(StoreRefusedError):
        probe(storage)


def test_probe_does_not_call_a_failing_store_unsafe(fake: FakeS3, storage: Storage) -> None:
    fake.answers = [("PUT", 403, "AccessDenied")]

    with pytest.raises(StorageError, match="access was denied") as caught:
        probe(storage)

    assert not isinstance(caught.value, StoreRefusedError)


def test_probe_accepts_a_store_that_keeps_everything(fake: FakeS3, storage: Storage) -> None:
    fake.answers = [("POST", 403, "AccessDenied")]

    probe(storage)
    probe(storage)

    assert len(fake.objects) == 1


def test_nothing_is_logged(fake: FakeS3, storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fake.answers = [("PUT", 403, "AccessDenied")]
    with pytest.raises(StorageError):
        storage.put("a", b"x")
    assert "fake-secret" not in caplog.text + repr(storage) + repr(storage.__dict__)


def test_no_credentials_anywhere(fake: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    # What a cloud machine would answer with credentials of its own.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", fake.endpoint)
    fake.answers = [("PUT", 404, "")]
    storage = open_storage("s3://bucket", options={"endpoint_url": fake.endpoint, "max_retries": "0"})

    with pytest.raises(StorageError, match="no credentials were found") as caught:
        storage.get("a")

    assert "access_key_id" in caught.value.advice


@pytest.mark.server
def test_credentials_and_endpoint_from_the_environment(
    seaweedfs: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", seaweedfs.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.secret_access_key)
    frame = pl.DataFrame({"id": [1, 2]})
    with seaweedfs.bucket() as bucket:
        storage = open_storage(f"s3://{bucket}/t")
        options = storage.library_options()
        deltalake.write_deltalake(storage.uri(), frame, storage_options=options)
        (part,) = (info.path for info in storage.list() if info.path.endswith(".parquet"))

        assert pl.read_parquet(storage.uri(part), glob=False, storage_options=options).equals(frame)
        assert seaweedfs.secret_access_key not in str(options)
