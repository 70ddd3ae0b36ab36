"""Keys wrapped by AWS KMS: over moto's server, and what a server that refuses is told as."""

from __future__ import annotations

import base64
import json
import pickle
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from lakehouse.errors import KeysError, MissingPackageError
from lakehouse.pii.keys.verbs import Keys
from tests.fixtures.servers import S3Server
from tests.unit.pii.keys.lakes import keys_of

REGION = "eu-central-1"


def client(aws: S3Server) -> Any:
    return boto3.session.Session().client("kms", region_name=REGION, endpoint_url=aws.endpoint)


@pytest.fixture
def arn(aws: S3Server) -> str:
    """A wrapping key of this test alone."""
    with closing(client(aws)) as kms:
        return str(kms.create_key()["KeyMetadata"]["Arn"])


def opened(root: Path, aws: S3Server, key: str, **more: Any) -> Keys:
    section = {"provider": "aws_kms", "key_id": key, "region": REGION, "endpoint_url": aws.endpoint}
    return keys_of(root, **{**section, **more})


def test_a_key_is_made_kept_wrapped_and_unwrapped_by_others(aws: S3Server, arn: str, tmp_path: Path) -> None:
    keys = opened(tmp_path, aws, arn)
    made = keys.create("mask")
    assert (made.version, made.place) == (1, arn)
    first = keys.current("mask")
    assert len(first.material) == 32
    keys.rotate("mask")
    other = opened(tmp_path, aws, arn)
    assert other.version("mask", 1) == first
    assert other.current("mask") == keys.current("mask") != first
    assert [(each.version, each.current, each.problem) for each in other.list()] == [
        (1, False, ""),
        (2, True, ""),
    ]
    assert pickle.loads(pickle.dumps(keys)).version("mask", 1) == first
    assert first.material not in pickle.dumps(keys)


def test_nothing_of_a_key_is_in_the_state_database(aws: S3Server, arn: str, tmp_path: Path) -> None:
    keys = opened(tmp_path, aws, arn)
    keys.create("mask")
    material = keys.current("mask").material
    for file in (tmp_path / "lake").rglob("*"):
        data = file.read_bytes() if file.is_file() else b""
        for form in (material, base64.b64encode(material), material.hex().encode()):
            assert form not in data, file


def test_the_service_sees_which_lake_purpose_and_version_a_key_is_for(
    aws: S3Server, arn: str, tmp_path: Path
) -> None:
    opened(tmp_path, aws, arn).create("mask")
    with sqlite3.connect(tmp_path / "lake" / "_lakehouse" / "state.db") as connection:
        ((wrapped,),) = connection.execute("SELECT wrapped FROM lakehouse_keys").fetchall()
    connection.close()
    context = {"lakehouse:lake": "shop", "lakehouse:purpose": "mask", "lakehouse:version": "1"}
    with closing(client(aws)) as kms:
        found = kms.decrypt(CiphertextBlob=base64.b64decode(wrapped), EncryptionContext=context)
        assert len(found["Plaintext"]) == 32
        with pytest.raises(kms.exceptions.InvalidCiphertextException):
            kms.decrypt(
                CiphertextBlob=base64.b64decode(wrapped),
                EncryptionContext={**context, "lakehouse:purpose": "sign"},
            )


def test_a_wrapped_key_that_is_passed_off_as_another_does_not_open(
    aws: S3Server, arn: str, tmp_path: Path
) -> None:
    keys = opened(tmp_path, aws, arn)
    keys.create("mask")
    keys.create("sign")
    with sqlite3.connect(tmp_path / "lake" / "_lakehouse" / "state.db") as connection:
        connection.execute("DROP TRIGGER lakehouse_keys_no_update")
        connection.execute(
            "UPDATE lakehouse_keys SET wrapped = (SELECT wrapped FROM lakehouse_keys WHERE purpose = 'mask')"
        )
    connection.close()
    fresh = opened(tmp_path, aws, arn)
    assert fresh.current("mask") == keys.current("mask")
    with pytest.raises(KeysError, match="can't unwrap this key") as caught:
        fresh.current("sign")
    assert "backup" in caught.value.advice


def test_an_alias_that_points_elsewhere_later_opens_what_it_wrapped(
    aws: S3Server, arn: str, tmp_path: Path
) -> None:
    alias = f"alias/{tmp_path.name}"
    with closing(client(aws)) as kms:
        kms.create_alias(AliasName=alias, TargetKeyId=arn)
        opened(tmp_path, aws, alias).create("mask")
        first = opened(tmp_path, aws, alias).current("mask")
        other = kms.create_key()["KeyMetadata"]["Arn"]
        kms.update_alias(AliasName=alias, TargetKeyId=other)
    keys = opened(tmp_path, aws, alias)
    keys.rotate("mask")
    assert keys.version("mask", 1) == first
    assert len(opened(tmp_path, aws, alias).current("mask").material) == 32


def test_a_wrapping_key_that_is_not_there_is_told(aws: S3Server, tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="does not know the wrapping key") as caught:
        opened(tmp_path, aws, "00000000-0000-0000-0000-000000000000").create("sign")
    assert "keys.key_id" in caught.value.advice


def test_known_keys_go_on_while_the_service_is_away(aws: S3Server, arn: str, tmp_path: Path) -> None:
    keys = opened(tmp_path, aws, arn)
    keys.create("mask")
    known = keys.current("mask")
    with closing(client(aws)) as kms:
        kms.schedule_key_deletion(KeyId=arn.rpartition("/")[2], PendingWindowInDays=7)
    assert keys.current("mask") == known


@contextmanager
def refusing(status: int, code: str, message: str) -> Iterator[str]:
    """A server that answers every call with one error of KMS."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            data = json.dumps({"__type": code, "message": message}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("code", "said", "advice"),
    [
        ("AccessDeniedException", "does not allow this", "kms:GenerateDataKey and kms:Decrypt"),
        ("UnrecognizedClientException", "does not accept the credentials", "valid now"),
        ("ExpiredTokenException", "does not accept the credentials", "valid now"),
        ("DisabledException", "can't use the wrapping key", "enable it"),
        ("KMSInvalidStateException", "can't use the wrapping key", "cancel the deletion"),
        ("InvalidKeyUsageException", "does not wrap", "symmetric"),
        ("SomethingNewException", r"failed \(SomethingNewException", "documentation of AWS KMS"),
    ],
)
@pytest.mark.usefixtures("aws")
def test_what_the_service_refuses_is_told_by_its_code_alone(
    code: str, said: str, advice: str, tmp_path: Path
) -> None:
    with refusing(400, code, "User: arn:aws:iam::1:user/zoe is not authorized") as url:
        keys = keys_of(tmp_path, provider="aws_kms", key_id="alias/lake", region=REGION, endpoint_url=url)
        with pytest.raises(KeysError, match=said) as caught:
            keys.create("mask")
    assert advice in caught.value.advice
    assert "zoe" not in f"{caught.value!r}"
    assert keys.list() == []


@pytest.mark.usefixtures("aws")
def test_a_service_that_is_out_of_reach_is_told(tmp_path: Path) -> None:
    section: dict[str, Any] = {"provider": "aws_kms", "key_id": "alias/lake", "region": REGION}
    with pytest.raises(KeysError, match="can't be reached") as caught:
        keys_of(tmp_path, **section, endpoint_url="http://127.0.0.1:9").create("mask")
    assert "keys.endpoint_url" in caught.value.advice


def test_without_credentials_or_region_the_error_says_so(
    aws: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeysError, match="without a region") as caught:
        keys_of(tmp_path, provider="aws_kms", key_id="alias/lake").create("mask")
    assert "keys.region" in caught.value.advice
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(KeysError, match="credentials"):
        opened(tmp_path, aws, "alias/lake").create("mask")


def test_without_boto3_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    keys = keys_of(tmp_path, provider="aws_kms", key_id="alias/lake", region=REGION)
    assert keys.list() == []
    with pytest.raises(MissingPackageError) as caught:
        keys.create("mask")
    assert caught.value.advice == 'pip install "lakehouse[kms]"'


def test_a_lake_that_changes_its_provider_gives_no_number_twice(
    aws: S3Server, arn: str, tmp_path: Path
) -> None:
    in_files = keys_of(tmp_path)
    in_files.create("mask")
    keys = opened(tmp_path, aws, arn)
    with pytest.raises(KeysError, match="the key `mask` is lost, all of it"):
        keys.current("mask")
    assert keys.create("mask").version == 2
    assert keys.current("mask").version == 2
    with pytest.raises(KeysError, match="version 1 of the key `mask` is lost") as caught:
        keys.version("mask", 1)
    assert "made by the provider `file`" in caught.value.advice
    first, second = keys.list()
    assert "made by the provider `file`" in first.problem
    assert (second.current, second.problem) == (True, "")
    back = keys_of(tmp_path)
    with pytest.raises(KeysError, match="version 2 of the key `mask` is lost") as caught:
        back.current("mask")
    assert "made by the provider `aws_kms`" in caught.value.advice
    assert back.version("mask", 1).version == 1


def test_a_lake_that_is_called_otherwise_later_opens_its_keys(
    aws: S3Server, arn: str, tmp_path: Path
) -> None:
    keys = opened(tmp_path, aws, arn)
    keys.create("mask")
    renamed = keys_of(
        tmp_path,
        name="boutique",
        provider="aws_kms",
        key_id=arn,
        region=REGION,
        endpoint_url=aws.endpoint,
    )
    assert renamed.current("mask") == keys.current("mask")


def test_keys_that_another_service_wrapped_are_told_so(aws: S3Server, arn: str, tmp_path: Path) -> None:
    opened(tmp_path, aws, arn).create("mask")
    vault = keys_of(tmp_path, provider="vault", url="http://127.0.0.1:9")
    with pytest.raises(KeysError, match="wrapped by aws_kms, and the config names vault") as caught:
        vault.current("mask")
    assert "provider: aws_kms" in caught.value.advice
    assert "wrapped by aws_kms" in vault.list()[0].problem
