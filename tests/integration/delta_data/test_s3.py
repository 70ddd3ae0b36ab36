"""Files and vectors in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl
import pytest
from deltalake import DeltaTable, QueryBuilder
from pyroaring import BitMap64

from lakehouse.delta import data, deletion_vectors
from lakehouse.storage import Storage, open_storage
from tests.fixtures.servers import S3Server

from .conftest import HandMade

PARTITIONS = ["plain", "a b", "x/y", "100%", "ü#?[z]", "a%20b", None]


pytestmark = pytest.mark.server


@pytest.fixture
def bucket(moto_s3: S3Server) -> Iterator[Storage]:
    with moto_s3.bucket() as name:
        yield open_storage(f"s3://{name}/lake", options=moto_s3.options())


@pytest.fixture
def real_bucket(seaweedfs: S3Server) -> Iterator[Storage]:
    """In a process of its own: delta-rs holds Python's lock while it waits for answers."""
    with seaweedfs.bucket() as name:
        yield open_storage(f"s3://{name}/lake", options=seaweedfs.options())


def fill(table: HandMade) -> HandMade:
    table.create("id:long,p:string", partition_by=["p"])
    table.append(pl.DataFrame({"id": range(70), "p": [PARTITIONS[n % 7] for n in range(70)]}))
    table.mark({path: BitMap64([0, 9]) for path in table.snapshot().files})
    return table


@pytest.fixture
def remote(bucket: Storage) -> HandMade:
    return fill(HandMade(bucket.child("orders")))


def test_rows_come_back(remote: HandMade) -> None:
    expected = pl.DataFrame({"id": range(7, 63), "p": [PARTITIONS[n % 7] for n in range(7, 63)]})
    assert remote.rows().sort("id").equals(expected)


def test_delta_rs_reads_the_same(real_bucket: Storage) -> None:
    remote = fill(HandMade(real_bucket.child("orders")))
    table = DeltaTable(remote.storage.url, storage_options=remote.storage.library_options())
    found = pl.DataFrame(QueryBuilder().register("t", table).execute("select * from t").read_all())
    ours = remote.rows().sort("id")
    assert found.sort("id").cast(dict(ours.schema)).equals(ours)  # type: ignore[arg-type]


def test_polars_reads_the_same(real_bucket: Storage) -> None:
    table = HandMade(real_bucket.child("orders"))
    table.create("id:long,p:string", partition_by=["p"])
    table.append(pl.DataFrame({"id": range(7), "p": PARTITIONS}))
    (plain,) = table.append(pl.DataFrame({"id": [100, 101], "p": ["plain", "plain"]}))
    table.mark({plain.path: BitMap64([0])})
    options = table.storage.library_options()
    found = pl.scan_delta(table.storage.url, storage_options=options).collect()
    assert found.sort("id").equals(table.rows().sort("id"))


def test_positions_and_single_rows(remote: HandMade) -> None:
    here = remote.snapshot()
    adds = list(here.files.values())
    keys = pl.DataFrame({"id": [8, 0]})
    found = data.scan_files(
        remote.storage, here, adds, columns=["id"], file="f", position="at", apply_vectors=False, keys=keys
    ).collect(engine="streaming")
    places = {row["id"]: (adds[row["f"]].partition_values["p"], row["at"]) for row in found.to_dicts()}
    assert places == {8: ("a b", 1), 0: ("plain", 0)}
    living = data.drop_dead(found, data.read_vectors(remote.storage, adds), file="f", position="at")
    assert living["id"].to_list() == [8]
    file = found.filter(pl.col("id") == 8)["f"][0]
    assert data.read_rows_at(remote.storage, here, adds[file], [1]).rows() == [(8, "a b")]


def test_many_files_share_scans(bucket: Storage) -> None:
    table = HandMade(bucket.child("many"))
    table.create("id:long,p:long", partition_by=["p"])
    table.append(pl.DataFrame({"id": range(260), "p": [n // 2 for n in range(260)]}))
    here = table.snapshot()
    adds = list(here.files.values())
    assert len(adds) == 130
    scan = data.scan_files(table.storage, here, adds, columns=["id"], file="f", position="at")
    found = scan.collect(engine="streaming")
    assert all(
        (adds[row["f"]].partition_values["p"], row["at"]) == (str(row["id"] // 2), row["id"] % 2)
        for row in found.to_dicts()
    )
    assert found.height == 260


def test_files_outside_of_the_table(bucket: Storage, remote: HandMade) -> None:
    elsewhere = bucket.child("else where")
    here = remote.snapshot()
    path, add = next((path, add) for path, add in here.files.items() if add.partition_values["p"] == "plain")
    elsewhere.put("clone.parquet", remote.storage.get(add.relative_path(remote.storage.url) or ""))
    (vector,) = deletion_vectors.write(elsewhere, [BitMap64([1])])
    url = elsewhere.url.replace(" ", "%20")
    absolute = replace(
        add,
        path=f"{url}/clone.parquet",
        deletion_vector=replace(
            vector, storage_type="p", path_or_inline_dv=f"{url}/{vector.relative_path()}"
        ),
    )
    found = data.scan_file(remote.storage, here, absolute, columns=["id"]).collect()
    assert found["id"].to_list() == [0, *range(14, 70, 7)]
    assert path != absolute.path
