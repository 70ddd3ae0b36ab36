from __future__ import annotations

import os
import pickle
from datetime import timedelta
from pathlib import Path

import pytest

from lakehouse.config import Period, load_config
from lakehouse.errors import ConfigError, UsageError

from .conftest import Load


def test_the_smallest_config_has_defaults_for_everything(load: Load, tmp_path: Path) -> None:
    config = load("version: 1\n")
    assert config.name == "lake"
    assert config.tables == {}
    assert config.storage.root == str(tmp_path / "lake")
    assert config.state.get_secret_value() == f"sqlite:///{tmp_path}/lake/_lakehouse/state.db"
    assert config.keys.path == str(tmp_path / "keys")
    assert config.requests.due == Period(30, "d")
    assert config.pii.nlp.model == "en_core_web_sm"
    assert config.base_dir == tmp_path


def test_a_table_without_keys_has_the_defaults_of_the_contract(load: Load) -> None:
    table = load("version: 1\ntables:\n  customers:\n").tables["customers"]
    assert (table.key, table.partition_by, table.column_schema, table.tags) == ((), (), None, ())
    assert (table.description, table.owner) == ("", "")
    assert table.history.mode == "none"
    assert (table.change_feed, table.merge) == (False, "auto")
    changes = table.changes
    assert (changes.format, changes.sequence, changes.schema_policy) == ("rows", None, "evolve")
    assert changes.tombstones == timedelta(days=7)
    assert (changes.decimals, changes.times, changes.binary) == ("precise", "adaptive", "bytes")
    assert changes.encodings == {}
    assert changes.unavailable_value == "__debezium_unavailable_value"


def test_one_name_stands_for_a_list_of_one(load: Load) -> None:
    table = load(
        """
        version: 1
        tables:
          orders: {key: id, partition_by: day, tags: gold, changes: {sequence: at}, pii: {mail: PERSON}}
        alerts: [{to: "json://localhost/x", on: failed}]
        """
    ).tables["orders"]
    assert (table.key, table.partition_by, table.tags) == (("id",), ("day",), ("gold",))
    assert table.changes.sequence == ("at",)
    assert table.pii["mail"].entities == ("PERSON",)


@pytest.mark.parametrize(
    ("written", "mode", "track", "track_except"),
    [
        ("none", "none", None, None),
        ("full", "full", None, None),
        ("{mode: full, track: [a, b]}", "full", ("a", "b"), None),
        ("{mode: full, track_except: a}", "full", None, ("a",)),
    ],
)
def test_history_in_its_short_and_long_form(
    load: Load, written: str, mode: str, track: tuple[str, ...] | None, track_except: tuple[str, ...] | None
) -> None:
    history = load(f"version: 1\ntables: {{t: {{key: id, history: {written}}}}}\n").tables["t"].history
    assert (history.mode, history.track, history.track_except) == (mode, track, track_except)


def test_pii_in_all_its_forms(load: Load) -> None:
    pii = (
        load(
            """
        version: 1
        tables:
          t: {pii: {a: PERSON, b: [PERSON, PHONE_NUMBER], c: {entity: [EMAIL_ADDRESS], shred: customer}}}
        subjects:
          customer: {identifiers: {id: t.id}}
        """
        )
        .tables["t"]
        .pii
    )
    assert pii["a"].entities == ("PERSON",)
    assert pii["b"].entities == ("PERSON", "PHONE_NUMBER")
    assert (pii["c"].entities, pii["c"].shred) == (("EMAIL_ADDRESS",), "customer")


def test_column_types_get_one_spelling(load: Load) -> None:
    table = load(
        """
        version: 1
        tables:
          t: {schema: {a: BIGINT, b: "Decimal( 12 , 4 )", c: "array< struct<x: int, Y: map<string, text>> >"}}
        """
    ).tables["t"]
    assert table.column_schema == {
        "a": "long",
        "b": "decimal(12,4)",
        "c": "array<struct<x:integer,Y:map<string,string>>>",
    }
    assert list(table.column_schema) == ["a", "b", "c"]


def test_a_mapping_is_read_like_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config(
        {
            "version": 1,
            "storage": {"root": Path("data"), "options": {"secret_access_key": "given by the program"}},
            "tables": {"t": {"key": ("id",), "changes": {"tombstones": timedelta(hours=1)}}},
        }
    )
    assert config.source == ""
    assert config.base_dir == tmp_path
    assert config.storage.root == str(tmp_path / "data")
    assert config.storage.plain_options() == {"secret_access_key": "given by the program"}
    assert config.tables["t"].changes.tombstones == timedelta(hours=1)


def test_a_mapping_has_problems_without_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"version": 1, "tables": {"t": {"kye": ["id"]}}})
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.path) == (0, 0, "tables.t.kye")
    assert str(problem) == "config: tables.t.kye: unknown key `kye`; did you mean `key`?"


def test_relative_places_are_meant_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "lake.yaml").write_text(
        "version: 1\nstorage: {root: ../data}\nstate: sqlite:///state/s.db?timeout=5\nkeys: {path: k}\n"
    )
    monkeypatch.chdir(tmp_path)
    config = load_config("conf/lake.yaml")
    assert config.source == "conf/lake.yaml"
    assert config.base_dir == folder
    assert config.storage.root == str(tmp_path / "data")
    assert config.state.get_secret_value() == f"sqlite:///{folder}/state/s.db?timeout=5"
    assert config.keys.path == str(folder / "k")


@pytest.mark.parametrize(
    ("written", "root", "local"),
    [
        ("s3://bucket/a/b/", "s3://bucket/a/b", False),
        ("S3://bucket", "s3://bucket", False),
        ("gs://bucket/x", "gs://bucket/x", False),
        ("az://container/x", "az://container/x", False),
        ("memory://", "memory://", False),
        ("file:///var/lake", "/var/lake", True),
        ("/var/lake/", "/var/lake", True),
    ],
)
def test_roots(load: Load, written: str, root: str, local: bool) -> None:
    config = load(f"version: 1\nstorage: {{root: '{written}'}}\n")
    assert config.storage.root == root
    assert config.storage.is_local is local


def test_the_state_of_a_bucket_lies_beside_the_config(load: Load, tmp_path: Path) -> None:
    config = load("version: 1\nstorage: {root: 's3://bucket/x'}\n")
    assert config.state.get_secret_value() == f"sqlite:///{tmp_path}/_lakehouse/state.db"
    assert load("version: 1\nstorage: {root: 'memory://x'}\n").state.get_secret_value() == "sqlite://"
    shared = load("version: 1\nstate: postgresql+psycopg://lake@db/lake\n")
    assert shared.state.get_secret_value() == "postgresql+psycopg://lake@db/lake"


def test_the_home_folder(load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load("version: 1\nstorage: {root: ~/lake}\n").storage.root == str(tmp_path / "home" / "lake")


def test_variables_stand_for_texts_numbers_and_flags(load: Load) -> None:
    config = load(
        """
        version: ${VERSION:-1}
        name: ${NAME}-lake
        storage: {root: "s3://${BUCKET}/x", options: {region: "${REGION:-eu-central-1}"}}
        tables:
          t: {key: id, change_feed: "${FEED}", changes: {format: "${FORMAT:-rows}", tombstones: "${DAYS}d"}}
        pii: {min_score: "${SCORE}"}
        jobs: {j: {do: vacuum, retries: "${RETRIES:-5}"}}
        requests: {history: "${HISTORY:-redact}"}
        """,
        environ={"NAME": "my", "BUCKET": "b", "FEED": "true", "DAYS": "14", "SCORE": "0.7", "REGION": ""},
    )
    assert config.name == "my-lake"
    assert config.storage.root == "s3://b/x"
    assert config.storage.plain_options() == {"region": "eu-central-1"}
    assert config.tables["t"].change_feed is True
    assert config.tables["t"].changes.tombstones == timedelta(days=14)
    assert config.pii.min_score == 0.7
    assert config.jobs["j"].retries == 5
    assert config.requests.history == "redact"


def test_variables_come_from_the_process_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("version: 1\nname: ${LAKE_NAME_OF_TEST}\n")
    monkeypatch.setenv("LAKE_NAME_OF_TEST", "abc")
    assert load_config(os.fspath(path)).name == "abc"


def test_an_escaped_variable_is_text(load: Load) -> None:
    config = load("version: 1\ntables: {t: {description: 'costs $${PRICE} or $5'}}\n")
    assert config.tables["t"].description == "costs ${PRICE} or $5"


def test_option_values_become_the_texts_that_libraries_take(load: Load) -> None:
    config = load("version: 1\nstorage: {options: {allow_http: true, timeout: 30, region: eu}}\n")
    assert config.storage.plain_options() == {"allow_http": "true", "timeout": "30", "region": "eu"}


def test_a_config_can_not_be_changed_and_can_be_pickled(load: Load) -> None:
    config = load("version: 1\ntables: {t: {key: id}}\n")
    with pytest.raises(ValueError, match="frozen"):
        config.name = "other"
    again = pickle.loads(pickle.dumps(config))
    assert again == config
    assert again.base_dir == config.base_dir


def test_words_of_other_yaml_versions_are_words(load: Load) -> None:
    # `on` is true in YAML 1.1; here it is the key of alerts that everybody writes.
    config = load('version: 1\nname: no\nalerts:\n  - {to: "json://x", on: [late]}\n')
    assert config.name == "no"
    assert config.alerts[0].on == ("late",)


def test_a_source_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="a path or a mapping, not a int"):
        load_config(7)  # type: ignore[arg-type]
