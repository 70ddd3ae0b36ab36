"""A request carried out on every kind of store, buckets that keep older versions among them, and state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse import Lakehouse
from lakehouse.requests.certificate import as_document
from lakehouse.requests.certificate.canonical import canonical
from tests.fixtures.servers import S3Server

SERVERS = {"moto": "moto_s3", "seaweedfs": "seaweedfs"}
MAIL = "zz-canary-anna@example.org"
TABLES: dict[str, Any] = {
    "people": {
        "key": ["id"],
        "schema": {"id": "long", "email": "string", "city": "string"},
        "merge": "on_read",
        "change_feed": True,
    },
    "orders": {"key": ["oid"], "schema": {"oid": "long", "customer": "long", "ship_to": "string"}},
}
SUBJECTS: dict[str, Any] = {
    "customer": {
        "identifiers": {"id": "people.id", "email": "people.email"},
        "rows": [
            {"table": "people", "where": {"id": "id"}, "do": "delete"},
            {"table": "orders", "where": {"customer": "id"}, "do": "anonymize", "columns": ["ship_to"]},
        ],
    }
}


@pytest.fixture(params=["local", "moto", pytest.param("seaweedfs", marks=pytest.mark.server)])
def bucket(request: pytest.FixtureRequest) -> Iterator[tuple[S3Server, str] | None]:
    """A bucket that keeps older versions; None for a folder."""
    if request.param == "local":
        yield None
        return
    server: S3Server = request.getfixturevalue(SERVERS[request.param])
    with server.bucket() as name, closing(server.client()) as client:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        yield server, name
        for key, version, _ in versions(server, name, read=False):
            client.delete_object(Bucket=name, Key=key, VersionId=version)


def versions(server: S3Server, name: str, *, read: bool = True) -> list[tuple[str, str, bytes]]:
    """Key, version and content of all that a bucket keeps."""
    found = []
    with closing(server.client()) as client:
        for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
            for each in page.get("Versions", ()):
                key, version = each["Key"], each["VersionId"]
                got = client.get_object(Bucket=name, Key=key, VersionId=version) if read else None
                found.append((key, version, got["Body"].read() if got else b""))
            found += [(each["Key"], each["VersionId"], b"") for each in page.get("DeleteMarkers", ())]
    return found


def stored(root: Path, bucket: tuple[S3Server, str] | None) -> list[str]:
    """The objects, and older versions of such, in which the person is in clear."""
    if bucket is not None:
        return [key for key, _, body in versions(*bucket) if MAIL.encode() in body]
    files = [path for path in root.rglob("*") if path.is_file()]
    return [path.name for path in files if MAIL.encode() in path.read_bytes()]


@pytest.mark.parametrize(("history", "state"), [("cut", "sqlite"), ("redact", "postgresql")])
def test_a_person_is_erased_and_searched_in_all_that_a_store_keeps(
    tmp_path: Path,
    bucket: tuple[S3Server, str] | None,
    history: str,
    state: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage: dict[str, Any] = {"root": str(tmp_path / "lake")}
    if bucket is not None:
        server, name = bucket
        monkeypatch.setenv("SECRET", server.secret_access_key)
        options = {**server.options(), "secret_access_key": "${SECRET}"}
        storage = {"root": f"s3://{name}/lake", "options": options}
    url = f"sqlite:///{tmp_path}/state.db" if state == "sqlite" else request.getfixturevalue("postgres")
    lake = Lakehouse.open(
        {
            "version": 1,
            "storage": storage,
            "state": url,
            "keys": {"path": str(tmp_path / "keys")},
            "tables": TABLES,
            "subjects": SUBJECTS,
            "requests": {"history": history},
        }
    )
    for purpose in ("suppress", "requests", "sign"):
        lake.keys.create(purpose)
    people = lake.table("people")
    people.merge([{"id": n, "email": f"o{n}@example.net", "city": "Ulm"} for n in range(5)])
    people.merge([{"id": 47110815, "email": MAIL, "city": "Ulm"}])
    people.merge([{"id": 47110815, "email": MAIL, "city": "Bonn"}, {"id": 3, "city": "Köln"}])
    orders = lake.table("orders")
    orders.merge([{"oid": n, "customer": 47110815 if n else 1, "ship_to": MAIL} for n in range(1, 3)])
    assert stored(tmp_path / "lake", bucket)
    made = lake.requests.submit("erasure", subject="customer", email=MAIL)
    report = lake.requests.run()
    assert [(each.status, each.reason) for each in report.outcomes] == [("completed", "")]
    assert stored(tmp_path / "lake", bucket) == []
    signed = lake.requests.certificate(made.id)
    assert lake.requests.verify_certificate(canonical(as_document(signed))).valid
    done = {each.name: (each.rows.deleted, each.rows.anonymized) for each in signed.certificate.tables}
    assert done == {"people": (1, 0), "orders": (0, 2)}
    kinds = {each.kind: each for each in signed.certificate.search.searched}
    assert kinds["database"].rows
    assert people.read().sort("id")["city"].to_list() == ["Ulm", "Ulm", "Ulm", "Köln", "Ulm"]
    assert orders.read()["ship_to"].null_count() == 2
    if history == "redact":
        assert people.read(version=2).filter(pl.col("id") < 5).height == 5
    assert people.merge([{"id": 47110815, "email": MAIL, "city": "Ulm"}]).suppressed == 1
    assert stored(tmp_path / "lake", bucket) == []
