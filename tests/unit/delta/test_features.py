from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from lakehouse.delta.actions import DomainMetadata, Metadata, Protocol
from lakehouse.delta.features import (
    append_only,
    change_feed,
    check_constraints,
    clustering_columns,
    column_mapping,
    deletion_vectors,
    enable_deletion_vectors,
    ensure_readable,
    ensure_writable,
    in_commit_timestamps,
    reader_features,
    supports,
    with_features,
    with_properties,
    writer_features,
)
from lakehouse.delta.protocol_changes import merged_protocol, required_protocol
from lakehouse.delta.schema import (
    LONG,
    STRING,
    TIMESTAMP_NTZ,
    VARIANT,
    ArrayType,
    DataType,
    Json,
    StructField,
    StructType,
)
from lakehouse.errors import UnsupportedFeatureError

PLAIN = StructType((StructField("id", LONG),))


@dataclass(frozen=True)
class Table:
    protocol: Protocol
    schema: StructType = PLAIN
    configuration: dict[str, str] = field(default_factory=dict)

    @property
    def metadata(self) -> Metadata:
        return Metadata("id", self.schema.to_json(), configuration=self.configuration)


def named(*features: str, readers: tuple[str, ...] = ()) -> Protocol:
    if readers:
        return Protocol(3, 7, readers, tuple(sorted({*features, *readers})))
    return Protocol(1, 7, None, features)


def column(kind: DataType = LONG, metadata: Mapping[str, Json] | None = None) -> StructType:
    return StructType((StructField("x", kind, metadata=metadata or {}),))


def writable(protocol: Protocol, schema: StructType = PLAIN, **configuration: str) -> bool:
    table = Table(protocol, schema, {name.replace("_", "."): value for name, value in configuration.items()})
    ensure_readable(table)
    try:
        ensure_writable(table)
    except UnsupportedFeatureError:
        return False
    return True


class TestNames:
    @pytest.mark.parametrize(
        ("version", "features"),
        [
            (1, []),
            (2, ["appendOnly", "invariants"]),
            (3, ["appendOnly", "checkConstraints", "invariants"]),
            (4, ["appendOnly", "changeDataFeed", "checkConstraints", "generatedColumns", "invariants"]),
        ],
    )
    def test_old_writer_versions_imply_features(self, version: int, features: list[str]) -> None:
        assert list(writer_features(Protocol(1, version))) == features

    def test_the_last_old_versions(self) -> None:
        assert set(writer_features(Protocol(2, 5))) - set(writer_features(Protocol(1, 4))) == {
            "columnMapping"
        }
        assert set(writer_features(Protocol(2, 6))) - set(writer_features(Protocol(2, 5))) == {
            "identityColumns"
        }
        assert reader_features(Protocol(1, 6)) == ()
        assert reader_features(Protocol(2, 6)) == ("columnMapping",)

    def test_named_features_imply_nothing(self) -> None:
        protocol = named("changeDataFeed", readers=("deletionVectors",))
        assert writer_features(protocol) == ("changeDataFeed", "deletionVectors")
        assert reader_features(protocol) == ("deletionVectors",)
        assert supports(protocol, "deletionVectors")
        assert not supports(protocol, "appendOnly")


class TestRefusing:
    @pytest.mark.parametrize("reader", [1, 2])
    @pytest.mark.parametrize("writer", [1, 2, 3, 4, 5, 6])
    def test_all_old_versions_are_understood(self, reader: int, writer: int) -> None:
        assert writable(Protocol(reader, writer))

    @pytest.mark.parametrize(
        "feature",
        [
            "columnMapping",
            "deletionVectors",
            "timestampNtz",
            "v2Checkpoint",
            "vacuumProtocolCheck",
            "typeWidening",
            "typeWidening-preview",
            "variantType",
            "variantType-preview",
            "variantShredding",
        ],
    )
    def test_reader_features_that_are_understood(self, feature: str) -> None:
        assert writable(named(readers=(feature,)))

    @pytest.mark.parametrize(
        "feature",
        [
            "appendOnly",
            "invariants",
            "checkConstraints",
            "changeDataFeed",
            "generatedColumns",
            "domainMetadata",
            "inCommitTimestamp",
            "clustering",
            "allowColumnDefaults",
            "identityColumns",
            "icebergCompatV1",
            "icebergCompatV2",
            "icebergCompatV3",
        ],
    )
    def test_writer_features_that_are_understood(self, feature: str) -> None:
        assert writable(named(feature))

    def test_every_unknown_feature_is_named(self) -> None:
        table = Table(
            named("newWriter", "otherWriter", readers=("catalogManaged", "deletionVectors", "newReader"))
        )
        with pytest.raises(
            UnsupportedFeatureError, match=r"can't be read here.*catalogManaged, newReader"
        ) as reading:
            ensure_readable(table)
        assert reading.value.features == ("catalogManaged", "newReader")
        with pytest.raises(UnsupportedFeatureError, match="can't be written here") as writing:
            ensure_writable(table)
        assert writing.value.features == ("catalogManaged", "newReader", "newWriter", "otherWriter")
        assert writing.value.exit_code == 3

    def test_unknown_writer_features_do_not_keep_from_reading(self) -> None:
        ensure_readable(Table(named("newWriter")))
        ensure_readable(Table(Protocol(1, 8)))

    def test_newer_versions_are_refused(self) -> None:
        with pytest.raises(UnsupportedFeatureError, match="reader version 4"):
            ensure_readable(Table(Protocol(4, 7, (), ())))
        with pytest.raises(UnsupportedFeatureError, match="writer version 8"):
            ensure_writable(Table(Protocol(1, 8)))

    def test_features_in_use_that_the_writer_can_not_honour(self) -> None:
        assert not writable(named("allowColumnDefaults"), column(metadata={"CURRENT_DEFAULT": "7"}))
        assert not writable(named("identityColumns"), column(metadata={"delta.identity.start": 1}))
        assert not writable(Protocol(2, 6), column(metadata={"delta.identity.start": 1}))
        assert not writable(named("rowTracking", "domainMetadata"))
        assert writable(named("rowTracking", "domainMetadata"), delta_rowTrackingSuspended="true")
        assert not writable(named("icebergCompatV2"), delta_enableIcebergCompatV2="true")
        nested = ArrayType(StructType((StructField("v", VARIANT),)))
        assert not writable(named(readers=("variantType",)), column(nested))

    def test_shredded_variants_can_not_be_read(self) -> None:
        table = Table(named(readers=("variantShredding", "variantType")), column(VARIANT))
        with pytest.raises(UnsupportedFeatureError) as error:
            ensure_readable(table)
        assert error.value.features == ("variantShredding",)

    @pytest.mark.parametrize(
        ("before", "after", "fine"),
        [
            ("byte", "long", True),
            ("integer", "double", True),
            ("float", "double", True),
            ("date", "timestamp_ntz", True),
            ("decimal(5,2)", "decimal(10,4)", True),
            ("decimal(5,2)", "decimal(6,4)", False),
            ("integer", "decimal(12,2)", True),
            ("integer", "decimal(10,2)", False),
            ("long", "decimal(20,0)", True),
            ("long", "double", False),
            ("string", "long", False),
            ("string", "decimal(20,0)", False),
        ],
    )
    def test_widened_types(self, before: str, after: str, fine: bool) -> None:
        metadata: dict[str, Json] = {"delta.typeChanges": [{"fromType": before, "toType": after}]}
        schema = column(metadata=metadata)
        table = Table(named(readers=("typeWidening",)), schema)
        if fine:
            ensure_readable(table)
        else:
            with pytest.raises(UnsupportedFeatureError, match="'x' from"):
                ensure_readable(table)

    def test_other_file_formats(self) -> None:
        class Orc(Table):
            @property
            def metadata(self) -> Metadata:
                return Metadata("id", PLAIN.to_json(), format_provider="orc")

        with pytest.raises(UnsupportedFeatureError, match="format orc"):
            ensure_writable(Orc(Protocol(1, 2)))


class TestActive:
    def test_a_property_counts_only_where_the_feature_is_supported(self) -> None:
        for active, name, feature in (
            (append_only, "delta.appendOnly", "appendOnly"),
            (change_feed, "delta.enableChangeDataFeed", "changeDataFeed"),
            (in_commit_timestamps, "delta.enableInCommitTimestamps", "inCommitTimestamp"),
            (deletion_vectors, "delta.enableDeletionVectors", "deletionVectors"),
        ):
            on = Metadata("id", "{}", configuration={name: "TRUE"})
            off = Metadata("id", "{}", configuration={name: "false"})
            assert active(named(feature), on)
            assert not active(named(feature), off)
            assert not active(named("other"), on)

    def test_old_versions_count_too(self) -> None:
        assert append_only(Protocol(1, 2), Metadata("id", "{}", configuration={"delta.appendOnly": "true"}))
        assert not change_feed(
            Protocol(1, 3), Metadata("id", "{}", configuration={"delta.enableChangeDataFeed": "true"})
        )

    def test_column_mapping(self) -> None:
        mapped = Metadata("id", "{}", configuration={"delta.columnMapping.mode": "name"})
        assert column_mapping(Protocol(2, 5), mapped) == "name"
        assert column_mapping(Protocol(1, 2), mapped) == "none"
        assert column_mapping(Protocol(2, 5), Metadata("id", "{}")) == "none"

    def test_constraints(self) -> None:
        metadata = Metadata(
            "id", "{}", configuration={"delta.constraints.positive": "x > 0", "delta.appendOnly": "true"}
        )
        assert check_constraints(metadata) == {"positive": "x > 0"}

    @pytest.mark.parametrize(
        ("text", "columns"),
        [
            ('{"clusteringColumns":[["a","b"],["c"]],"domainName":"delta.clustering"}', ("a.b", "c")),
            ('{"clusteringColumns":["c"]}', ("c",)),
            ("{}", ()),
            ("no json", ()),
        ],
    )
    def test_clustering(self, text: str, columns: tuple[str, ...]) -> None:
        assert clustering_columns({"delta.clustering": DomainMetadata("delta.clustering", text)}) == columns
        assert clustering_columns({}) == ()


class TestEnableDeletionVectors:
    def test_on_a_plain_table(self) -> None:
        protocol, metadata = enable_deletion_vectors(
            Protocol(1, 2), Metadata("id", "{}", configuration={"a": "b"})
        )
        assert protocol == Protocol(
            3, 7, ("deletionVectors",), ("appendOnly", "deletionVectors", "invariants")
        )
        assert metadata.configuration == {"a": "b", "delta.enableDeletionVectors": "true"}
        assert deletion_vectors(protocol, metadata)

    def test_everything_that_an_old_version_implied_is_named(self) -> None:
        protocol, _ = enable_deletion_vectors(Protocol(2, 5), Metadata("id", "{}"))
        assert protocol.reader_features == ("columnMapping", "deletionVectors")
        assert set(protocol.writer_features or ()) == {*writer_features(Protocol(2, 5)), "deletionVectors"}

    def test_named_features_stay(self) -> None:
        before = named("changeDataFeed", readers=("timestampNtz",))
        protocol, _ = enable_deletion_vectors(before, Metadata("id", "{}"))
        assert protocol == named("changeDataFeed", readers=("deletionVectors", "timestampNtz"))

    def test_writer_features_alone_gain_readers(self) -> None:
        protocol, _ = enable_deletion_vectors(named("changeDataFeed"), Metadata("id", "{}"))
        assert protocol == Protocol(3, 7, ("deletionVectors",), ("changeDataFeed", "deletionVectors"))

    def test_no_variant_sneaks_in(self) -> None:
        protocol, _ = enable_deletion_vectors(Protocol(1, 1), Metadata("id", "{}"))
        assert "variantType" not in writer_features(protocol)

    def test_nothing_changes_where_they_are_on(self) -> None:
        protocol, metadata = enable_deletion_vectors(Protocol(1, 2), Metadata("id", "{}"))
        again = enable_deletion_vectors(protocol, metadata)
        assert again[0] is protocol
        assert again[1] is metadata

    def test_a_supported_feature_may_only_need_its_property(self) -> None:
        before = named(readers=("deletionVectors",))
        protocol, metadata = enable_deletion_vectors(before, Metadata("id", "{}"))
        assert protocol is before
        assert metadata.configuration == {"delta.enableDeletionVectors": "true"}


class TestChanging:
    def test_a_writer_feature_leaves_readers_alone(self) -> None:
        assert with_features(Protocol(2, 5), ["domainMetadata"]) == Protocol(
            2, 7, None, tuple(sorted({*writer_features(Protocol(2, 5)), "domainMetadata"}))
        )

    def test_properties(self) -> None:
        metadata = Metadata("id", "{}", configuration={"a": "1"})
        assert with_properties(metadata, {"a": "1"}) is metadata
        assert with_properties(metadata, {"b": "2"}).configuration == {"a": "1", "b": "2"}
        assert metadata.configuration == {"a": "1"}


class TestRequired:
    @pytest.mark.parametrize(
        ("properties", "protocol"),
        [
            ({}, Protocol(1, 2)),
            ({"delta.appendOnly": "true"}, Protocol(1, 2)),
            ({"delta.constraints.c": "x > 0"}, Protocol(1, 3)),
            ({"delta.enableChangeDataFeed": "true"}, Protocol(1, 4)),
            ({"delta.enableInCommitTimestamps": "true"}, Protocol(1, 7, None, ("inCommitTimestamp",))),
            (
                {"delta.enableDeletionVectors": "true"},
                Protocol(3, 7, ("deletionVectors",), ("deletionVectors",)),
            ),
            (
                {"delta.enableDeletionVectors": "true", "delta.enableChangeDataFeed": "true"},
                Protocol(3, 7, ("deletionVectors",), ("changeDataFeed", "deletionVectors")),
            ),
            ({"delta.checkpointPolicy": "v2"}, Protocol(3, 7, ("v2Checkpoint",), ("v2Checkpoint",))),
        ],
    )
    def test_only_what_is_needed(self, properties: dict[str, str], protocol: Protocol) -> None:
        assert required_protocol(PLAIN, Metadata("id", "{}", configuration=properties)) == protocol

    def test_what_columns_need(self) -> None:
        nested = column(ArrayType(StructType((StructField("t", TIMESTAMP_NTZ),))))
        plain = Metadata("id", "{}")
        assert required_protocol(nested, plain) == Protocol(3, 7, ("timestampNtz",), ("timestampNtz",))
        assert required_protocol(column(STRING, {"delta.generationExpression": "1"}), plain) == Protocol(1, 4)
        assert required_protocol(column(STRING, {"delta.invariants": "x > 3"}), plain) == Protocol(1, 2)


def test_a_table_with_identity_columns_of_old_does_not_get_half_of_column_mapping() -> None:
    # Reader version 1 implies no column mapping, so that writer version 6 can't mean it either.
    old = Protocol(1, 6)
    assert "columnMapping" not in writer_features(old)
    raised = with_features(old, ["deletionVectors"])
    assert raised.reader_features == ("deletionVectors",)
    assert "columnMapping" not in (raised.writer_features or ())
    assert "identityColumns" in (raised.writer_features or ())


@pytest.mark.parametrize(
    ("now", "then", "merged"),
    [
        (Protocol(1, 4), Protocol(1, 2), Protocol(1, 4)),
        (Protocol(1, 2), Protocol(2, 5), Protocol(2, 5)),
        (Protocol(3, 7, (), ()), Protocol(1, 2), Protocol(3, 7, (), ("appendOnly", "invariants"))),
        (
            Protocol(1, 2),
            Protocol(3, 7, ("typeWidening-preview",), ("typeWidening-preview",)),
            Protocol(3, 7, ("typeWidening-preview",), ("appendOnly", "invariants", "typeWidening-preview")),
        ),
    ],
)
def test_two_protocols_make_the_least_that_has_the_features_of_both(
    now: Protocol, then: Protocol, merged: Protocol
) -> None:
    assert merged_protocol(now, then) == merged
